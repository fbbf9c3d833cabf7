"""Fit the sentence classifier on the tuning half of claim_extraction, and write its weights as JSON.

    python -m evals.training.fit_select --data ../shared/data

Logistic regression with an L2 penalty by L-BFGS. Prints accuracy and F1 of five folds for each penalty (all sentences
of a text are in one fold), takes the one with the best accuracy, and fits it on all. Features are scaled while fitting;
the weights that are written hold for the plain ones.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.desk import embedder_of
from agent.domain import Fit
from agent.settings import load_settings
from agent.small.base import Embedder
from agent.stages.select import FEATURES, SentenceModel, features_of
from evals.cases import SentenceCase
from evals.suites import load_suite

_PENALTIES = (0.003, 0.01, 0.03)
_FOLDS = 5
_EMBEDDING_SCALE = 4
"""Brings a unit vector of some hundred dimensions to about the size of the scaled features."""

Matrix = NDArray[np.float64]


def fit(rows: Matrix, gold: Matrix, penalty: float) -> Matrix:
    """Weights, the bias last, with the least log loss and penalty."""
    from scipy.optimize import minimize

    wide = np.c_[rows, np.ones(len(rows))]

    def cost(weights: Matrix) -> tuple[float, Matrix]:
        chances = 1 / (1 + np.exp(-wide @ weights))
        shrunk = np.r_[weights[:-1], 0.0]
        loss = -np.log(np.maximum(np.where(gold > 0, chances, 1 - chances), 1e-12)).mean()
        return float(loss + penalty * shrunk @ shrunk), wide.T @ (chances - gold) / len(gold) + 2 * penalty * shrunk

    found: Matrix = minimize(cost, np.zeros(wide.shape[1]), jac=True, method="L-BFGS-B").x
    return found


def chances_of(rows: Matrix, weights: Matrix) -> Matrix:
    """Probabilities of the regression."""
    found: Matrix = 1 / (1 + np.exp(-(rows @ weights[:-1] + weights[-1])))
    return found


def folds_of(groups: Sequence[str]) -> NDArray[np.int64]:
    """The fold of each group, by a hash of its name."""
    return np.array([int(hashlib.sha256(f"fold:{group}".encode()).hexdigest(), 16) % _FOLDS for group in groups])


def held_out(rows: Matrix, gold: Matrix, folds: NDArray[np.int64], penalty: float) -> Matrix:
    """The chance of each row by the weights of the other folds."""
    found = np.zeros(len(gold))
    for fold in range(_FOLDS):
        inside = folds == fold
        found[inside] = chances_of(rows[inside], fit(rows[~inside], gold[~inside], penalty))
    return found


def figures(chances: Matrix, gold: Matrix) -> tuple[float, float]:
    """Accuracy, and F1 of checkable."""
    said = chances >= 0.5
    both = float((said & (gold > 0)).sum())
    return float((said == (gold > 0)).mean()), 2 * both / max(1.0, float(said.sum() + gold.sum()))


def fit_model(cases: Sequence[SentenceCase], embedder: Embedder) -> SentenceModel:
    """The model with the best penalty; prints what each is worth."""
    texts = [case.text for case in cases]
    gold = np.array([float(case.checkworthy) for case in cases])
    counted = features_of(texts)
    middle, spread = counted.mean(axis=0), counted.std(axis=0) + 1e-6
    rows = np.c_[_EMBEDDING_SCALE * embedder.embed(texts), (counted - middle) / spread]
    folds = folds_of([case.group_id for case in cases])
    found = {penalty: figures(held_out(rows, gold, folds, penalty), gold) for penalty in _PENALTIES}
    for penalty, (accuracy, f1) in found.items():
        print(f"penalty {penalty}: accuracy {accuracy:.3f}, F1 {f1:.3f} of {len(gold)} sentences held out in turn")
    weights = fit(rows, gold, max(found, key=lambda one: found[one]))
    by_feature = weights[-len(FEATURES) - 1 : -1] / spread
    digest = hashlib.sha256(repr([(case.id, case.checkworthy) for case in cases]).encode()).hexdigest()
    return SentenceModel(
        embedder=embedder.id,
        embedding=tuple(float(one) for one in (_EMBEDDING_SCALE * weights[: -len(FEATURES) - 1]).round(4)),
        features={name: round(float(one), 4) for name, one in zip(FEATURES, by_feature, strict=True)},
        bias=round(float(weights[-1] - middle @ by_feature), 4),
        fitted=Fit(sets=("claim_extraction",), half="tuning", items=len(cases), data_sha256=digest),
    )


def main() -> None:
    """Fit, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, default=Path(str(files("agent.stages").joinpath("select.json"))))
    given = parser.parse_args()
    suite = load_suite(given.data / "claim_extraction", half="tuning")
    model = fit_model(suite.sentences, embedder_of(load_settings({"profile": "local"})))
    given.out.write_text(model.model_dump_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
