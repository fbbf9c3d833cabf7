"""Fitting the pools: weight goes to the opinion that knows something, and the printed figures are those of the data."""

from __future__ import annotations

import numpy as np
import pytest

from agent.stages.reading import Opinions, Pool
from agent.stages.thorough import Blend
from evals.training import fit_reading, fit_thorough

pytest.importorskip("scipy", reason="scipy comes with the training extra")

GOLD = np.random.default_rng(3).integers(0, 3, 240)
WEIGHTS = np.full(len(GOLD), 1 / len(GOLD))


def opinion(knows, seed):
    """Probabilities that name the gold stance in a share of the cases, and chance else."""
    chance = np.random.default_rng(seed)
    said = np.where(chance.random(len(GOLD)) < knows, GOLD, chance.integers(0, 3, len(GOLD)))
    found = np.full((len(GOLD), 3), 0.1)
    found[np.arange(len(GOLD)), said] = 0.8
    return found


def test_a_judge_that_guesses_gets_no_weight_beside_one_that_knows():
    blend = fit_thorough.fit(fit_thorough.Both(opinion(0.8, 1), opinion(0.0, 2)), GOLD, WEIGHTS, Blend())
    assert blend.own > 10 * blend.other
    turned = fit_thorough.fit(fit_thorough.Both(opinion(0.0, 1), opinion(0.8, 2)), GOLD, WEIGHTS, Blend())
    assert turned.other > 10 * turned.own


def test_two_judges_that_know_apart_are_worth_more_than_one():
    both = fit_thorough.Both(opinion(0.6, 1), opinion(0.6, 2))
    blend = fit_thorough.fit(both, GOLD, WEIGHTS, Blend())
    pooled = fit_reading.figures(blend.apply(*both), GOLD)
    assert pooled[1] > max(fit_reading.figures(one, GOLD)[1] for one in both)


def test_words_that_tell_neutral_from_a_side_get_weight():
    shared = np.where(GOLD == 2, 0.2, 0.9)
    base, half = Pool(scout="s", reader="r"), np.full(len(GOLD), 0.5)
    told = fit_reading.fit(Opinions(opinion(0.5, 1), shared), GOLD, WEIGHTS, base)
    silent = fit_reading.fit(Opinions(opinion(0.5, 1), half), GOLD, WEIGHTS, base)
    assert told.words > 1
    assert silent.words == pytest.approx(0, abs=0.01)


def test_figures_are_accuracy_between_sides_and_macro_f1():
    gold = np.array([0, 1, 1, 2])
    chances = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.1, 0.1, 0.8]])
    two_way, macro_f1 = fit_reading.figures(chances, gold)
    assert two_way == pytest.approx(2 / 3)
    assert macro_f1 == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)
