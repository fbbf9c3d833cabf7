"""Two runs side by side: what differs between them, what got better, and which cases were fixed or broken."""

from __future__ import annotations

from collections.abc import Sequence

from evals.paired import Comparison
from evals.record import Estimate, Manifest
from evals.report import charts
from evals.report.facts import incomparable_facts
from evals.report.page import class_name, render
from evals.report.view import CaseView, RunView

_SAME_BY_NATURE = frozenset({"id", "started", "suite_folder"})
_SURE = 0.05


def comparison_html(before: RunView, after: RunView, comparison: Comparison) -> str:
    """One self-contained page; the views must show the cases that were fixed and broken."""
    return render(
        "comparison.html.j2",
        before=before,
        after=after,
        comparison=comparison,
        sentence=sentence(comparison),
        warnings=incomparable_facts(before.manifest, after.manifest),
        differing=differing(before.manifest, after.manifest),
        chart=charts.intervals(_beside(before, after, comparison)),
        fixed=_pairs(comparison.fixed, before, after),
        broken=_pairs(comparison.broken, before, after),
    )


def comparison_markdown(before: RunView, after: RunView, comparison: Comparison) -> str:
    """The same as Markdown, cases by their texts alone."""
    lines = [f"# {after.results.suite}: two runs compared", "", sentence(comparison), ""]
    lines += [f"> {text}" for text in incomparable_facts(before.manifest, after.manifest)]
    lines += ["| metric | before | after | difference | 95 % interval | p | n |", "|---|---|---|---|---|---|---|"]
    for one in comparison.differences:
        interval = "" if one.low is None or one.high is None else f"{one.low:+.3f} to {one.high:+.3f}"
        mark = " **worse**" if one.is_worse else " **better**" if one.is_better else ""
        values = f"{one.before:.3f} | {one.after:.3f} | {one.value:+.3f}{mark}"
        lines.append(f"| {one.name} | {values} | {interval} | {one.chance} | {one.n} |")
    lines += ["", "## What differs", "", "| fact | before | after |", "|---|---|---|"]
    lines += [
        f"| {name} | {cell(old)} | {cell(new)} |" for name, old, new in differing(before.manifest, after.manifest)
    ]
    for title, names in (("Fixed", comparison.fixed), ("Broken", comparison.broken)):
        lines += ["", f"## {title}: {len(names)}", ""]
        lines += [
            f"- {cell(new.text)} (gold {class_name(new.score.gold)}: {class_name(old.score.found)}"
            f" → {class_name(new.score.found)})"
            for old, new in _pairs(names, before, after)
        ]
    return "\n".join(lines) + "\n"


def sentence(comparison: Comparison) -> str:
    """What came of it, in plain words."""
    fixed, broken = len(comparison.fixed), len(comparison.broken)
    if comparison.mcnemar_p is None:
        return "The runs classify nothing in common; their other metrics are compared below."
    told = f"{fixed} cases were fixed and {broken} broken"
    if comparison.mcnemar_p < _SURE:
        side = "better" if fixed > broken else "worse"
        return f"The second run is {side}: {told}; by McNemar's exact test p = {comparison.mcnemar_p:.3g}."
    test = f"by McNemar's exact test p = {comparison.mcnemar_p:.2f}"
    return f"By their verdicts the runs cannot be told apart: {told}; {test}."


def differing(before: Manifest, after: Manifest) -> tuple[tuple[str, str, str], ...]:
    """Facts of the two runs that are not the same, with both values."""
    old, new = _flat(before), _flat(after)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return tuple((name, str(old.get(name, "–")), str(new.get(name, "–"))) for name in names)


def cell(text: str) -> str:
    """A text in a line of Markdown: neither a table's border nor markup of its own."""
    flat = " ".join(text.split())
    return "".join(f"\\{character}" if character in r"\|*_`[]<>#" else character for character in flat)


def _flat(manifest: Manifest) -> dict[str, object]:
    facts: dict[str, object] = {}
    for name, value in manifest.model_dump().items():
        if isinstance(value, dict):
            facts |= {f"{name}: {key}": inner for key, inner in value.items()}
        elif name not in _SAME_BY_NATURE:
            facts[name] = value
    return facts


def _beside(before: RunView, after: RunView, comparison: Comparison) -> list[tuple[str, Estimate, Estimate | None]]:
    """Both runs' own intervals for the metrics that are compared."""
    names = [one.name for one in comparison.differences if one.name in after.results.metrics]
    return [(name, after.results.metrics[name], before.results.metrics.get(name)) for name in names]


def _pairs(names: Sequence[str], before: RunView, after: RunView) -> tuple[tuple[CaseView, CaseView], ...]:
    old, new = before.by_id, after.by_id
    return tuple((old[name], new[name]) for name in names if name in old and name in new)
