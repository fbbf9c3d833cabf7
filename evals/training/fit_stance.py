"""Fit the calibration of the stance cross-encoder on the tuning half of the shared sets, and write it as JSON.

    python -m evals.training.fit_stance --data ../shared/data --limit 320

Grid search for the least log loss. Half of the weight lies on neutral passages, because retrieval brings more of them
than the sets hold; a quarter each on the other two stances; within a stance every set weighs the same. A side must be
more likely than not, since one wrong side can turn the verdict of a claim and one missed side rarely does.
climate_fever states
no licence, so nothing is fitted on it.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.desk import small_scorer
from agent.domain import Fit, Hit, Stance
from agent.settings import load_settings
from agent.stages.stance import Calibration, PairScorer, Window, cut_windows, deciding, raw_scores, shared_words
from evals.cases import StanceCase
from evals.passages import GoldPassages
from evals.suites import load_suite

FIT_SETS = ("fool_me_twice", "feverous_text", "scifact", "fever_symmetric", "factcheck_bench")
_SHARES = {Stance.SUPPORTS: 0.25, Stance.REFUTES: 0.25, Stance.NEUTRAL: 0.5}
_TEMPERATURES = (1.5, 2.0, 2.5, 3.0)
_NEUTRAL = (-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
_REFUTES = (-0.5, -0.25, 0.0, 0.25)
_WORDS = (0.0, 1.0, 2.0, 3.0, 4.0)
_LEAST = 0.5


class Scored(NamedTuple):
    """The windows of all items under one choice of windows, with raw scores."""

    choice: Calibration
    windows: tuple[Window, ...]
    raw: NDArray[np.float32]
    shared: NDArray[np.float64]


def fit(scorer: PairScorer, sets: dict[str, tuple[StanceCase, ...]]) -> Calibration:
    """The calibration with the least weighted log loss."""
    items = [item for found in sets.values() for item in found]
    gold = np.array([list(Stance).index(item.stance) for item in items])
    weights = weights_of(sets)
    best, least_loss = Calibration(scorer=scorer.id), float("inf")
    for title, sentences in product((False, True), (1, 2)):
        scored = _score(scorer, items, Calibration(scorer=scorer.id, title=title, sentences=sentences, least=_LEAST))
        candidates = [(loss(scored, choice, gold, weights), choice) for choice in _choices(scored.choice)]
        found, choice = min(candidates, key=lambda pair: pair[0])
        print(f"title={title} sentences={sentences} loss={found:.4f} {choice.model_dump(exclude_defaults=True)}")
        if found < least_loss:
            best, least_loss = choice, found
    return best.model_copy(update={"fitted": fit_of(sets)})


def load_cases(folder: Path, *, limit: int | None) -> tuple[StanceCase, ...]:
    """The passages of the tuning half of a set, in the order of its claims; `limit`: so many, by a seed."""
    suite = load_suite(folder, half="tuning")
    found = tuple(GoldPassages(suite.corpus).stance_cases(suite))
    if limit is None or limit >= len(found):
        return found
    return tuple(random.Random(0).sample(found, limit))  # noqa: S311 (a sample, no secret)


def loss(scored: Scored, choice: Calibration, gold: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """Weighted negative log-likelihood of the gold stances."""
    scores = choice.apply(scored.raw, scored.shared)
    rows = deciding(scored.windows, scores)
    chosen = scores[[rows[number] for number in range(len(gold))]]
    return float(-(weights * np.log(np.maximum(chosen[np.arange(len(gold)), gold], 1e-9))).sum())


def _choices(base: Calibration) -> list[Calibration]:
    return [
        base.model_copy(update={"temperature": t, "neutral_bias": n, "refutes_bias": r, "words_weight": w})
        for t, n, r, w in product(_TEMPERATURES, _NEUTRAL, _REFUTES, _WORDS)
    ]


def _score(scorer: PairScorer, items: Sequence[StanceCase], choice: Calibration) -> Scored:
    hits = [Hit(passage=item.passage, rank=1, score=1.0, origin=item.document.id) for item in items]
    documents = {item.document.id: item.document for item in items}
    windows = cut_windows(hits, documents, sentences=choice.sentences, title=choice.title)
    pairs = [(window.text, items[window.hit].claim.text) for window in windows]
    return Scored(choice, windows, raw_scores(scorer, pairs), shared_words(pairs))


def weights_of(sets: dict[str, tuple[StanceCase, ...]]) -> NDArray[np.float64]:
    """Weight of each item: shares of the stances, and of the sets within a stance, as told above."""
    counts = {name: Counter(item.stance for item in items) for name, items in sets.items()}
    holding = {stance: sum(bool(count[stance]) for count in counts.values()) for stance in Stance}
    return np.array(
        [
            _SHARES[item.stance] / holding[item.stance] / counts[name][item.stance]
            for name, items in sets.items()
            for item in items
        ]
    )


def fit_of(sets: dict[str, tuple[StanceCase, ...]]) -> Fit:
    """What something was fitted on, with a hash of the items."""
    items = [item for found in sets.values() for item in found]
    rows = repr([(item.claim.text, item.passage.text, item.stance.value) for item in items])
    digest = hashlib.sha256(rows.encode()).hexdigest()
    return Fit(sets=tuple(sets), half="tuning", items=len(items), data_sha256=digest)


def main() -> None:
    """Fit, print what was tried, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(str(files("agent.small").joinpath("weights", "stance-minilm.json")))
    parser.add_argument("--limit", type=int, help="most items of a set")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, default=target)
    given = parser.parse_args()
    sets = {name: load_cases(given.data / name, limit=given.limit) for name in FIT_SETS}
    found = fit(small_scorer(load_settings({"profile": "local"})), sets)
    given.out.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
