"""Every benchmark runs, and its figures can be kept and compared."""

import json
import math
from pathlib import Path

import pytest

from evals.bench import __main__ as bench
from evals.bench import latency, storm
from evals.bench.measure import change, of, read_record
from tests.shared import require


def test_of_keeps_median_and_range():
    found = of("x", [3.0, 1.0, 2.0], "s")
    assert (found.value, found.low, found.high, found.repeats) == (2.0, 1.0, 3.0, 3)


@pytest.mark.parametrize(
    ("new", "old", "better", "expected"),
    [
        ([1.0, 1.2], [2.0, 2.2], "lower", "x0.52 better"),
        ([1.0, 1.2], [2.0, 2.2], "higher", "x0.52 worse"),
        ([2.0, 2.2], [1.0, 1.2], "lower", "x1.91 worse"),
        ([1.0, 2.1], [2.0, 2.2], "lower", "x0.74"),  # the ranges touch
        ([1.0], [2.0], "lower", "x0.50"),  # measured once, so nothing is known of the range
        ([1.0], [0.0], "lower", ""),
    ],
)
def test_change(new, old, better, expected):
    assert change(of("x", new, "s", better=better), of("x", old, "s", better=better)) == expected


@pytest.mark.parametrize("name", ["startup", "retrieval", "cross_encoder"])
def test_quick_benchmark_gives_figures_that_can_be_kept_and_compared(name, tmp_path, capsys):
    kept = tmp_path / "kept.json"
    assert bench.main([name, "--quick", "--json", str(kept)]) == 0
    found = read_record(kept)
    assert found.measures
    assert len({measure.name for measure in found.measures}) == len(found.measures)
    assert all(math.isfinite(m.value) and m.low <= m.value <= m.high and m.value > 0 for m in found.measures)
    assert bench.main([name, "--quick", "--against", str(kept)]) == 0
    assert "change" in capsys.readouterr().out


def test_latency_counts_the_calls_of_a_server_in_another_process():
    require("tools/fault_llm.py")
    found = {measure.name: measure for measure in latency.measures(quick=True)}
    ratio = next(measure for name, measure in found.items() if name.endswith("over the least possible"))
    assert ratio.value > 1


def test_a_storm_of_faults_leaves_no_article_without_an_end():
    require("tools/fault_llm.py")
    found = {measure.name: measure.value for measure in storm.measures(quick=True)}
    assert found["storm: retries before their time or in vain"] == 0
    assert found["storm: requests for each call"] > 1


def test_latency_says_that_it_was_skipped(monkeypatch, capsys):
    monkeypatch.setattr(latency, "SERVER", Path("/nowhere/fault_llm.py"))
    assert list(latency.measures(quick=True)) == []
    assert "skipped" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"measures": []})])
def test_a_file_without_figures_is_bad_input(content, tmp_path, capsys):
    path = tmp_path / "bad.json"
    path.write_text(content)
    assert bench.main(["startup", "--quick", "--against", str(path)]) == 2
    assert "bad.json" in capsys.readouterr().err
