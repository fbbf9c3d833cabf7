"""Fitting the sentence classifier: it learns what tells the classes apart, and is scored on what it was not fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from agent.stages.select import SentenceClassifier
from agent.store.memory import HashEmbedder
from evals.cases import SentenceCase
from evals.training.fit_select import figures, fit_model, folds_of, held_out

pytest.importorskip("scipy", reason="scipy comes with the training extra")


def cases(count=80):
    """Checkable ones have a number, the others ask."""
    return [
        SentenceCase(
            id=str(number),
            text=f"Mill {number} made {number * 7} tons of flour." if number % 2 else "Do you like the mill so much?",
            checkworthy=bool(number % 2),
            group_id=f"g{number}",
        )
        for number in range(count)
    ]


def test_the_fit_tells_the_classes_apart_and_the_written_weights_hold_for_plain_features():
    """Scaling while fitting leaves no trace in what is written."""
    model = fit_model(cases(), HashEmbedder())
    chances = SentenceClassifier(HashEmbedder(), model).chances(["Mill 9 made 63 tons.", "Do you like mills so much?"])
    assert chances[0] > 0.8
    assert chances[1] < 0.2
    assert (model.fitted.half, model.fitted.items) == ("tuning", 80)


def test_no_row_is_scored_by_weights_that_saw_it():
    """Rows that only their own label explains come out no better than chance."""
    dice = np.random.default_rng(3)
    rows, gold = dice.normal(size=(200, 40)), dice.integers(0, 2, 200).astype(float)
    folds = folds_of([str(number) for number in range(200)])
    assert figures(held_out(rows, gold, folds, 0.003), gold)[0] < 0.65
    assert set(folds.tolist()) == set(range(5))


def test_figures_are_accuracy_and_f1_of_checkable():
    gold = np.array([1.0, 1.0, 0.0, 0.0])
    assert figures(np.array([0.9, 0.1, 0.2, 0.8]), gold) == (0.5, 0.5)
