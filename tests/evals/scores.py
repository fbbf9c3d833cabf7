"""Made-up scores for tests of metrics."""

from __future__ import annotations

import random

from evals.record import CaseScore, Ratio

CLASSES = ("supported", "refuted", "not_enough_evidence", "conflicting")


def score(name, *, gold="supported", found="supported", group=None, **fields):
    return CaseScore(case_id=name, group=group or name, gold=gold, found=found, **fields)


def many(n, *, seed=0, classes=CLASSES, groups=None, skill=0.6):
    """Scores of a run that is right about `skill` of the time and surer where it is right."""
    dice = random.Random(seed)
    rows = []
    for number in range(n):
        gold = dice.choice(classes)
        found = gold if dice.random() < skill else dice.choice(classes)
        confidence = min(1.0, max(0.0, dice.gauss(0.7 if found == gold else 0.5, 0.2)))
        rows.append(
            score(
                f"c{number:05}",
                gold=gold,
                found=found,
                group=f"g{number % groups}" if groups else None,
                confidence=confidence,
                ratios={"recall@5": Ratio(top=dice.random()), "citation_precision": Ratio(top=1, bottom=2)},
            )
        )
    return rows
