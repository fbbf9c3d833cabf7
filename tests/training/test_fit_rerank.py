"""Fitting the re-ranking: it learns which part tells gold, goes on where it broke off, and is judged on other folds."""

from __future__ import annotations

import numpy as np
import pytest

from evals.training.fit_rerank import FEATURES, Row, _kept, fit, held_out, order_of, worth

pytest.importorskip("scipy", reason="scipy comes with the training extra")


def rows(count=30, *, told_by=1):
    """Ten passages a claim, one of gold; the feature `told_by` tells it, the others are noise."""
    dice = np.random.default_rng(5)
    found = []
    for number in range(count):
        features = dice.normal(size=(10, len(FEATURES)))
        gold = int(dice.integers(10))
        features[gold, told_by] += 4
        found.append(
            Row(
                suite="a" if number % 3 else "b", case=str(number), group=f"g{number}", gold=(f"d{gold}",),
                documents=tuple(f"d{place}" for place in range(10)),
                features=tuple(tuple(map(float, row)) for row in features),
            )
        )  # fmt: skip
    return found


def test_the_part_that_tells_gold_gets_the_weight():
    """And held-out folds are ranked far better than as they came."""
    given = rows()
    weights = fit(given, 10)
    assert weights[1] > 2 * max(abs(weights[0]), abs(weights[2]))
    before = worth(given, [list(range(10)) for _ in given])
    after = worth(given, held_out(given, 10))
    assert after.rank > 0.8 > before.rank


def test_noise_brings_nothing_on_held_out_folds():
    """Features that say nothing do not seem to."""
    given = [row.model_copy(update={"gold": (f"d{int(row.case) % 10}",)}) for row in rows(60)]
    assert worth(given, held_out(given, 10)).recall < 0.75


def test_only_the_first_are_ordered_anew():
    """What is deeper keeps its place."""
    (row,) = rows(1)
    order = order_of(row, np.array([0.0, 1.0, 0.0]), 4)
    assert sorted(order[:4]) == [0, 1, 2, 3]
    assert order[4:] == [4, 5, 6, 7, 8, 9]


def test_a_claim_without_passages_counts_as_a_miss():
    """Nothing found is a recall of nought, not an error."""
    empty = rows(1)[0].model_copy(update={"documents": (), "features": ()})
    assert worth([empty], [order_of(empty, np.ones(3), 5)]).recall == 0


def test_what_was_kept_is_read_but_for_a_broken_last_line(tmp_path):
    """A run that was killed while it wrote goes on."""
    keep = tmp_path / "rows.jsonl"
    assert list(_kept(keep)) == []
    given = rows(2)
    keep.write_text("".join(row.model_dump_json() + "\n" for row in given) + '{"suite": "a", "ca', encoding="utf-8")
    assert list(_kept(keep)) == given
