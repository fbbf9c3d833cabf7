"""A run as one self-contained page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evals.metrics.calibration import reliability_bins, risk_coverage
from evals.paired import Comparison, Difference, compare
from evals.record import Estimate, Results
from evals.report import charts
from evals.report.facts import facts_of, headline, incomparable_facts
from evals.report.page import class_name, render
from evals.report.view import CaseView, RunView

_SHOWN_KINDS = 12


@dataclass(frozen=True)
class MetricRow:
    """A metric, with that of the run beside it."""

    name: str
    found: Estimate
    without_doubtful: Estimate | None
    difference: Difference | None


@dataclass(frozen=True)
class ErrorKind:
    """Errors of one kind: what gold says, what was found instead."""

    gold: str
    found: str
    cases: tuple[CaseView, ...]
    tags: tuple[tuple[str, int], ...]
    """What the cases try, most frequent first."""


def to_html(view: RunView, *, against: RunView | None = None) -> str:
    """The report of a run; the same run gives the same bytes.

    Args:
        view: of the run.
        against: an earlier run, or a baseline, to show beside it with paired intervals on common cases.
    """
    comparison = compare(against.scores, view.scores) if against else None
    results = view.results
    return render(
        "report.html.j2",
        view=view,
        results=results,
        against=against,
        headline=headline(results),
        warnings=incomparable_facts(against.manifest, view.manifest) if against else (),
        rows=_rows(results, comparison),
        comparison=comparison,
        chart=charts.intervals(_beside(results, against.results if against else None)),
        reliability=charts.reliability(reliability_bins(view.scores)),
        coverage=charts.coverage(risk_coverage(view.scores)),
        retrieval=charts.retrieval(_recalls(results)),
        seconds=charts.seconds(tuple(view.spent.seconds_per_case.values())),
        confusion=confusion_rows(results.confusion),
        kinds=error_kinds(view.cases),
        facts=facts_of(view),
        hidden=len(view.scores) - len(view.cases),
    )


def error_kinds(cases: Sequence[CaseView]) -> tuple[ErrorKind, ...]:
    """Wrong cases by gold and found class, largest kind first, the surest error first in each."""
    kinds: dict[tuple[str, str], list[CaseView]] = {}
    for case in cases:
        if case.state == "wrong":
            kinds.setdefault((class_name(case.score.gold), class_name(case.score.found)), []).append(case)
    ordered = sorted(kinds.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:_SHOWN_KINDS]
    return tuple(
        ErrorKind(gold, found, tuple(rows), tuple(Counter(tag for case in rows for tag in case.tags).most_common(6)))
        for (gold, found), rows in ordered
    )


def confusion_rows(table: dict[str, dict[str, int]]) -> tuple[tuple[str, tuple[tuple[str, int, float], ...]], ...]:
    """Rows of gold classes with, for each class found, the count and its share of the row."""
    columns = sorted({found for row in table.values() for found in row} | set(table))
    return tuple(
        (
            gold,
            tuple((name, row.get(name, 0), row.get(name, 0) / max(1, sum(row.values()))) for name in columns),
        )
        for gold, row in sorted(table.items())
    )


def _rows(results: Results, comparison: Comparison | None) -> tuple[MetricRow, ...]:
    differences = {one.name: one for one in comparison.differences} if comparison else {}
    return tuple(
        MetricRow(name, found, results.without_doubtful.get(name), differences.get(name))
        for name, found in results.metrics.items()
    )


def _beside(results: Results, other: Results | None) -> list[tuple[str, Estimate, Estimate | None]]:
    others = other.metrics if other else {}
    return [(name, found, others.get(name)) for name, found in results.metrics.items()]


def _recalls(results: Results) -> list[tuple[int, float]]:
    found = []
    for name, estimate in results.metrics.items():
        if name.startswith("recall@") and estimate.value is not None:
            found.append((int(name.removeprefix("recall@")), estimate.value))
    return sorted(found)
