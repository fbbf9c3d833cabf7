"""Measure the guard of extraction on the tuning half: gold claims it stops, claims of other sentences it lets pass.

    python -m evals.training.guard --data ../shared/data --limit 300

A gold claim follows from its sentence and should pass; a gold claim of the next annotated sentence of the same text is
about the same things, does not follow, and should be stopped. Prints both shares for several thresholds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from agent.desk import strong_scorer
from agent.settings import load_settings
from agent.stages.guard import LEAST
from agent.stages.stance import raw_scores
from evals.cases import SentenceCase
from evals.suites import load_suite

_THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def pairs_of(cases: Sequence[SentenceCase]) -> Iterator[tuple[str, str, bool]]:
    """Premise, claim, and whether the claim is the sentence's own."""
    annotated = sorted((case for case in cases if case.claims), key=lambda case: (case.group_id, case.id))
    for one, following in pairwise(annotated):
        for claim in one.claims or ():
            yield _premise(one), claim, True
        if one.group_id == following.group_id and one.text != following.text:
            for claim in following.claims or ():
                yield _premise(one), claim, False


def _premise(case: SentenceCase) -> str:
    """The text before the sentence, as far as the guard shows it, and the sentence."""
    before = (case.context or "").partition(case.text)[0] if case.context and case.text in case.context else ""
    return " ".join(f"{before[-240:]} {case.text}".split())


def main() -> None:
    """Score both kinds of claims and print what each threshold does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--limit", type=int, help="most pairs")
    given = parser.parse_args()
    suite = load_suite(given.data / "claim_extraction", half="tuning")
    rows = list(pairs_of(suite.sentences))[: given.limit]
    scorer = strong_scorer(load_settings({"profile": "local"}))
    support = raw_scores(scorer, [(premise, claim) for premise, claim, _ in rows])[:, 0]
    own = np.array([is_own for _, _, is_own in rows])
    print(f"{own.sum()} claims of their own sentence, {(~own).sum()} of another; the guard asks for {LEAST}")
    for least in _THRESHOLDS:
        stopped = support < least
        print(f"least {least}: stops {stopped[own].mean():.3f} of its own, {stopped[~own].mean():.3f} of another's")


if __name__ == "__main__":
    main()
