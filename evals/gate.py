"""A gate for continuous integration: fails only when something surely got worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.domain import Data
from agent.errors import InputError
from evals.paired import Comparison, Difference, compare
from evals.record import CaseScore, Manifest
from evals.runs import RunFolder

WATCHED: Mapping[str, float] = {"accuracy": 0.0, "macro_f1": 0.0, "citation_precision": 0.0, "quote_validity": 0.0}
"""Metrics watched when none is named, and the drop that is allowed."""


class GateReport(Data):
    """Whether a run may pass, and why not."""

    ok: bool
    worse: tuple[Difference, ...]
    """Watched metrics whose whole interval lies beyond the allowed drop."""
    watched: dict[str, float]
    comparison: Comparison


def gate(
    baseline: Sequence[CaseScore], run: Sequence[CaseScore], *, allowed: Mapping[str, float] | None = None
) -> GateReport:
    """Compare a run with its baseline on the cases both have scored.

    Args:
        baseline: scores to hold.
        run: scores to let pass or not.
        allowed: metrics to watch, with the drop (for a metric where less is better: the rise) that is let pass.

    Raises:
        InputError: the runs share no scored case, or a metric is not in both.
    """
    comparison = compare(baseline, run)
    if not comparison.common:
        raise InputError("the two runs share no scored case: a gate wants the same suite, half and stage")
    found = {difference.name: difference for difference in comparison.differences}
    if unknown := sorted(set(allowed or {}) - set(found)):
        raise InputError(f"metric {unknown[0]!r} is not in both runs: give one of {', '.join(found)}")
    watched = dict(allowed) if allowed else {name: drop for name, drop in WATCHED.items() if name in found}
    if not watched:
        raise InputError(f"name what to watch with --max-drop METRIC=0.02: one of {', '.join(found)}")
    worse = tuple(found[name] for name, drop in watched.items() if found[name].is_worse_by(drop))
    return GateReport(ok=not worse, worse=worse, watched=watched, comparison=comparison)


def require_comparable(baseline: RunFolder, run: RunFolder) -> None:
    """Both runs are of one suite, stage and kind of evidence.

    Raises:
        InputError: they are not.
    """
    if differing := incomparable(baseline.manifest, run.manifest):
        raise InputError(f"the runs cannot be compared: their {', '.join(differing)} differ; run the baseline afresh")


def incomparable(one: Manifest, other: Manifest) -> tuple[str, ...]:
    """The facts in which two runs must agree for their scores to be about the same, and do not."""
    facts = ("suite_sha256", "stage", "evidence")
    names = {"suite_sha256": "suites"}
    return tuple(names.get(name, name) for name in facts if getattr(one, name) != getattr(other, name))
