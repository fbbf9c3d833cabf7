"""Fit what the reader's opinion weighs, on the tuning half of the shared sets, and write it as JSON.

    python -m evals.training.fit_reading --data ../shared/data --limit 600

Least weighted log loss of the gold stances by L-BFGS, with the weights of `fit_stance`. Prints what the opinion is
worth on each set, raw and fitted: accuracy between the two sides, and macro-F1 of the three stances.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.desk import small_scorer, strong_scorer
from agent.domain import Hit, Stance
from agent.settings import load_settings
from agent.stages.reading import Opinions, Pool, read
from agent.stages.stance import load_calibration
from evals.cases import StanceCase
from evals.training.fit_stance import FIT_SETS, fit_of, load_cases, weights_of

_FITTED = ("sentence", "refutes_bias", "neutral_bias", "words")
_START = (0.5, 0.0, 0.0, 0.0)
_STEP = 1e-5


def opinions_on(cases: tuple[StanceCase, ...], glances: int) -> Opinions:
    """What the reader thinks of the sentence the scout finds in the passage of each case."""
    settings = load_settings({"profile": "local"})
    readers = (small_scorer(settings), load_calibration(), strong_scorer(settings))
    hits = [Hit(passage=case.passage, rank=1, score=1.0, origin=case.document.id) for case in cases]
    documents = {case.document.id: case.document for case in cases}
    return read([case.claim.text for case in cases], hits, documents, readers, glances=glances).opinions


def fit(opinions: Opinions, gold: NDArray[np.int64], weights: NDArray[np.float64], base: Pool) -> Pool:
    """The pool with the least weighted log loss."""
    from scipy.optimize import minimize

    def cost(values: NDArray[np.float64]) -> float:
        chances = _with(base, values).apply(opinions)[np.arange(len(gold)), gold]
        return float(-(weights * np.log(np.maximum(chances, 1e-12))).sum())

    bounds = [(0.0, 3.0)] + [(-3.0, 3.0)] * 2 + [(0.0, 6.0)]
    found = minimize(cost, np.array(_START), method="L-BFGS-B", bounds=bounds, options={"eps": _STEP})
    print(f"loss {cost(np.array(_START)):.4f} -> {found.fun:.4f}")
    return _with(base, found.x.round(3))


def _with(base: Pool, values: NDArray[np.float64]) -> Pool:
    return base.model_copy(update=dict(zip(_FITTED, map(float, values), strict=True)))


def figures(chances: NDArray[np.float64] | NDArray[np.float32], gold: NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy between the two sides on sided items, and macro-F1 of the stances."""
    sided, said = gold < 2, chances.argmax(axis=1)
    two_way = float((chances[sided, :2].argmax(axis=1) == gold[sided]).mean())
    scores = []
    for label in sorted(set(gold.tolist())):
        both = int(((said == label) & (gold == label)).sum())
        scores.append(2 * both / max(1, int((said == label).sum()) + int((gold == label).sum())))
    return two_way, float(np.mean(scores))


def table(
    sets: dict[str, tuple[StanceCase, ...]], opinions: Opinions, gold: NDArray[np.int64], pool: Pool
) -> Iterator[str]:
    """A line for each set: what the opinion is worth, raw and fitted."""
    known = {"raw": opinions.sentence, "fitted": pool.apply(opinions)}
    start = 0
    for name, cases in sets.items():
        rows = slice(start, start := start + len(cases))
        cells = [f"{which} {two:.3f} {f1:.3f}" for which, (two, f1) in _worth(known, rows, gold)]
        yield f"{name} n={len(cases)}: " + "; ".join(cells)


def _worth(
    known: dict[str, NDArray[np.float64]], rows: slice, gold: NDArray[np.int64]
) -> Iterator[tuple[str, tuple[float, float]]]:
    for which, chances in known.items():
        yield which, figures(chances[rows], gold[rows])


def main() -> None:
    """Read the passages once, fit, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(str(files("agent.small").joinpath("weights", "reading.json")))
    parser.add_argument("--limit", type=int, help="most items of a set")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, default=target)
    given = parser.parse_args()
    settings = load_settings({"profile": "local"})
    sets = {name: load_cases(given.data / name, limit=given.limit) for name in FIT_SETS}
    cases = tuple(case for found in sets.values() for case in found)
    gold = np.array([list(Stance).index(case.stance) for case in cases])
    base = Pool(scout=small_scorer(settings).id, reader=strong_scorer(settings).id, fitted=fit_of(sets))
    opinions = opinions_on(cases, base.glances)
    found = fit(opinions, gold, weights_of(sets), base)
    print("\n".join(table(sets, opinions, gold, found)))
    given.out.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
