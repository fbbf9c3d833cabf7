"""Extrapolation of the search benchmark to a larger store."""

from __future__ import annotations

import math

import pytest

from agent.errors import InputError
from evals.bench.measure import of, record
from evals.bench.retrieval import PASSAGES_MEASURE
from evals.bench.scale import extrapolated


def records(sizes=(1000, 10000)):
    return [
        record(
            [
                of(PASSAGES_MEASURE, [size], "passages", better="higher"),
                of("disk, dense index", [size / 500], "MB"),
                of("search by meaning: median", [math.log(size)], "ms"),
                of("ingest, passages and vectors given", [1 / math.log(size)], "passages/s", better="higher"),
                of("ingest, MiniLM on real texts", [40], "passages/s", better="higher"),
                of("cutting", [3000], "passages/s", better="higher"),
            ]
        )
        for size in sizes
    ]


def test_each_figure_follows_its_own_line():
    """Straight in n, or in log n; a rate by the time one passage takes; what has no size is left out."""
    found = {name: value for name, value, _, _ in extrapolated(*records(), 1_000_000)}
    assert found["disk, dense index"] == pytest.approx(2000)
    assert found["search by meaning: median"] == pytest.approx(math.log(1_000_000), rel=1e-3)
    assert found["ingest, passages and vectors given"] == pytest.approx(1 / math.log(1_000_000), rel=1e-3)
    assert len(found) == 3


def test_one_size_twice_is_no_line():
    """Nothing can be drawn through one point."""
    with pytest.raises(InputError, match="two sizes"):
        list(extrapolated(*records((1000, 1000)), 1_000_000))


def test_records_of_other_benchmarks_are_refused():
    """The cure is named."""
    other = record([of("startup", [1], "s")])
    with pytest.raises(InputError, match="retrieval --json"):
        list(extrapolated(other, other, 1_000_000))
