"""A run as Markdown."""

from __future__ import annotations

from evals.report.comparison import cell
from evals.report.facts import facts_of, headline
from evals.report.page import class_name
from evals.report.view import RunView

_WORST = 10


def to_markdown(view: RunView) -> str:
    """Figures, confusion, the surest errors and the facts of the run."""
    results = view.results
    counts = f"{results.unscored} unscored, {results.failures} failed, {results.abstained} abstained"
    lines = [f"# {results.suite}: {view.manifest.stage}", "", headline(results), ""]
    lines += [f"{results.n} cases: {counts}, {results.doubtful} doubtful.", ""]
    lines += ["| metric | value | 95 % interval | n |", "|---|---|---|---|"]
    for name, found in results.metrics.items():
        value = "" if found.value is None else f"{found.value:.3f}"
        interval = "" if found.low is None or found.high is None else f"{found.low:.3f} to {found.high:.3f}"
        lines.append(f"| {name} | {value} | {interval} | {found.n} |")
    lines += _confusion(results.confusion) + _worst(view)
    lines += ["", "## The run", ""] + [f"- {name}: {cell(value)}" for name, value in facts_of(view)]
    return "\n".join(lines) + "\n"


def _confusion(table: dict[str, dict[str, int]]) -> list[str]:
    if not table:
        return []
    columns = sorted({found for row in table.values() for found in row} | set(table))
    head = "".join(f" {class_name(name)} |" for name in columns)
    lines = ["", "## What was taken for what", "", f"| gold |{head}", f"|---|{'---|' * len(columns)}"]
    for gold, row in sorted(table.items()):
        lines.append(f"| {class_name(gold)} |{''.join(f' {row.get(name, 0)} |' for name in columns)}")
    return lines


def _worst(view: RunView) -> list[str]:
    wrong = [case for case in view.cases if case.state == "wrong"][:_WORST]
    if not wrong:
        return []
    lines = ["", "## Surest errors", ""]
    for case in wrong:
        sure = "" if case.score.confidence is None else f", {case.score.confidence:.0%}"
        taken = f"{class_name(case.score.gold)} taken for {class_name(case.score.found)}{sure}"
        lines.append(f"- {cell(case.text or case.score.case_id)} ({taken})")
    return lines
