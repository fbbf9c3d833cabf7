"""Fit the decision on finished runs: from the weights of the two sides to label and confidence.

    factdesk eval run scifact --half tuning ...                        # what the search finds
    factdesk eval run scifact --half tuning --evidence withheld ...    # the same without the gold documents
    python -m evals.training.fit_decision RUN... --out agent/stages/decision.json

Least weighted log loss of the gold labels, by L-BFGS from several starts. Public sets hold hardly any claim for which
nothing is to be found, and a user's store may hold little else; so runs with withheld evidence count as many, and the
labels weigh what `PRIORS` says. Within a label every suite weighs the same. A claim that one document supports and
another refutes (contrast pairs of a run with `--evidence gold`) is a conflict when both are shown.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.domain import Evidence, Fit, Label, Stance, Verification
from agent.errors import InputError
from agent.stages.decide import DecisionModel, Sides, sides_of
from evals.cases import ClaimCase
from evals.rescore import task_of_run
from evals.runs import RunFolder
from evals.work import cases_of

PRIORS = {Label.SUPPORTED: 0.3, Label.REFUTED: 0.3, Label.NOT_ENOUGH_EVIDENCE: 0.3, Label.CONFLICTING: 0.1}
_LEASTS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
_SUREST = 0.98
_STARTS = ((1.0, 0.5, -1.0), (3.0, 1.5, -2.0), (0.5, 0.2, 0.0))


class Item(NamedTuple):
    """A claim as it was verified, with its gold label."""

    suite: str
    verification: Verification
    label: Label


def items_of(run: RunFolder) -> Iterator[Item]:
    """The claims of a run that were verified without a failure.

    Raises:
        InputError: it is no run of claims on a tuning half, so nothing may be fitted on it.
    """
    manifest = run.manifest
    if manifest.half != "tuning" or manifest.stage != "verdict":
        raise InputError(f"run {str(run.path)!r} is of half {manifest.half!r}, stage {manifest.stage!r}: fit on tuning")
    cases = {case.id: case for case in cases_of(task_of_run(manifest, None))}
    for outcome in run.outcomes():
        case, done = cases[outcome.case_id], outcome.verification
        if isinstance(case, ClaimCase) and done is not None and done.failure is None:
            withheld = manifest.evidence == "withheld"
            yield Item(manifest.suite, done, Label.NOT_ENOUGH_EVIDENCE if withheld else case.label)


def conflicts_of(items: Sequence[Item]) -> Iterator[Item]:
    """Claims that stand twice, once supported and once refuted, with the evidence of both."""
    for (suite, _), found in groupby(sorted(items, key=_claim_key), key=_claim_key):
        by_label = {item.label: item.verification for item in found}
        if {Label.SUPPORTED, Label.REFUTED} <= set(by_label):
            first, second = by_label[Label.SUPPORTED], by_label[Label.REFUTED]
            both = first.model_copy(
                update={"evidence": first.evidence + second.evidence, "checks": first.checks + second.checks}
            )
            yield Item(suite, both, Label.CONFLICTING)


def _claim_key(item: Item) -> tuple[str, str]:
    return item.suite, item.verification.claim.text


def fit(items: Sequence[Item], least: float) -> tuple[DecisionModel, float]:
    """The parameters with the least weighted log loss when sides are taken from `least` on, and that loss."""
    from scipy.optimize import minimize

    sides = [sides_of(_taken(item.verification, least), item.verification.checks, surest=_SUREST) for item in items]
    weights = weights_of(items)

    def cost(values: NDArray[np.float64]) -> float:
        return loss(_model(values), sides, [item.label for item in items], weights)

    bounds = [(0.05, 12), (-8, 8), (-8, 8)]
    found = [minimize(cost, np.array(start), method="L-BFGS-B", bounds=bounds) for start in _STARTS]
    best = min(found, key=lambda one: float(one.fun))
    return _model(np.round(best.x, 3)), float(best.fun)


def loss(model: DecisionModel, sides: Sequence[Sides], labels: Sequence[Label], weights: NDArray[np.float64]) -> float:
    """Weighted negative log-likelihood of the gold labels."""
    chances = [model.probabilities(one)[label] for one, label in zip(sides, labels, strict=True)]
    return float(-(weights * np.log(np.maximum(chances, 1e-9))).sum())


def weights_of(items: Sequence[Item]) -> NDArray[np.float64]:
    """Weights that sum to one over the labels there are, by label, suite and claim."""
    counts = Counter((item.label, item.suite) for item in items)
    suites = Counter(label for label, _ in counts)
    total = sum(PRIORS[label] for label in suites)
    return np.array(
        [PRIORS[item.label] / total / suites[item.label] / counts[item.label, item.suite] for item in items]
    )


def _taken(verification: Verification, least: float) -> list[Evidence]:
    return [
        piece
        for piece in verification.evidence
        if piece.stance is not Stance.NEUTRAL and (piece.scores is None or piece.scores.of(piece.stance) >= least)
    ]


def _model(values: NDArray[np.float64]) -> DecisionModel:
    own, nothing, conflict = (float(value) for value in values)
    return DecisionModel(own=own, nothing=nothing, conflict=conflict, surest=_SUREST)


def _fit_of(items: Sequence[Item]) -> Fit:
    rows = repr([(item.verification.claim.text, item.label.value, item.suite) for item in items])
    names = tuple(sorted({item.suite for item in items}))
    return Fit(sets=names, half="tuning", items=len(items), data_sha256=hashlib.sha256(rows.encode()).hexdigest())


def main() -> None:
    """Fit for every threshold, print the losses, write the best."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of finished runs")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--least", type=float, choices=_LEASTS, help="take sides from here on, not from the best")
    given = parser.parse_args()
    items = [item for folder in given.runs for item in items_of(RunFolder(folder))]
    items += conflicts_of(items)
    print(dict(Counter((item.suite, item.label.value) for item in items)))
    found = {least: fit(items, least) for least in _LEASTS}
    for least, (model, cost) in found.items():
        print(f"least={least} loss={cost:.4f} {model.model_dump(exclude={'fitted', 'version'})}")
    best = min(found, key=lambda one: found[one][1])
    least = best if given.least is None else given.least
    model = found[least][0].model_copy(update={"fitted": _fit_of(items)})
    given.out.write_text(model.model_dump_json(indent=2) + "\n", encoding="utf-8")
    print(f"written: {given.out} for sides from {least} on, best from {best} on: `least` of the calibration of stances")


if __name__ == "__main__":
    main()
