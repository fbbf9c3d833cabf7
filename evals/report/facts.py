"""Facts and sentences that all forms of a report share."""

from __future__ import annotations

from evals.record import Estimate, Manifest, Results
from evals.report.view import RunView

_FIRST = ("accuracy", "checkable_f1", "recall@5", "attack_success", "claim_coverage")
_WORDS = {
    "accuracy": "of the classes found are right",
    "checkable_f1": "is the F1 of checkable sentences",
    "recall@5": "of the gold documents are among the first five",
    "attack_success": "of the attacks turn a verdict",
    "claim_coverage": "of the gold claims are found",
}


def headline(results: Results) -> str:
    """The run in one sentence, with its interval."""
    for name in _FIRST:
        found = results.metrics.get(name)
        if found is not None and found.value is not None:
            return f"{share(found)} {_WORDS[name]}, on {found.n} of {results.n} cases of {results.suite}."
    return f"{results.n} cases of {results.suite}; nothing in them could be scored."


def share(found: Estimate) -> str:
    """`62.1 % (95 % interval 55.0 to 69.2)`."""
    if found.value is None:
        return "nothing"
    text = f"{found.value:.1%}".replace("%", " %")
    if found.low is None or found.high is None:
        return text
    return f"{text} (95 % interval {100 * found.low:.1f} to {100 * found.high:.1f})"


def facts_of(view: RunView) -> tuple[tuple[str, str], ...]:
    """What was run, with which parts, and what it cost."""
    facts, spent = view.manifest, view.spent
    rows = [
        ("Run", facts.id),
        ("Started", facts.started),
        ("Suite", f"{facts.suite}, hash {facts.suite_sha256[:12]}"),
        ("Cases", f"half {facts.half}" + (f", at most {facts.limit}" if facts.limit else "")),
        ("Stage", facts.stage + (f", evidence {facts.evidence}" if facts.evidence else "")),
        ("Solver", facts.solver + (f", {facts.repeats} repeats" if facts.repeats > 1 else "")),
        ("Profile", facts.profile),
        *((f"Model: {role}", name) for role, name in facts.models.items()),
        *((f"Prompt: {name}", sha[:12]) for name, sha in facts.prompts.items()),
        *((f"Setting: {name}", str(value)) for name, value in facts.settings.items()),
        ("Store", facts.store[:16]),
        ("Code", facts.code_version),
        ("Model calls", f"{spent.usage.model_calls:,}"),
        ("Tokens", f"{spent.usage.prompt_tokens:,} read, {spent.usage.completion_tokens:,} written"),
        ("Wall time", f"{spent.usage.seconds:,.0f} s in {spent.sittings} sittings"),
        ("Seconds a case", _per_case(view)),
    ]
    if spent.usage.cost is not None:
        rows.append(("Cost", f"{spent.usage.cost:.2f} USD"))
    return tuple(rows)


def incomparable_facts(one: Manifest, other: Manifest) -> tuple[str, ...]:
    """Sentences that warn where two runs are not about the same."""
    names = {"suite_sha256": "suite", "stage": "stage", "evidence": "evidence", "half": "half", "limit": "limit"}
    return tuple(
        f"The two runs differ in {name}: {_shown(getattr(one, field))} and {_shown(getattr(other, field))}."
        for field, name in names.items()
        if getattr(one, field) != getattr(other, field)
    )


def _shown(value: object) -> str:
    return "none" if value is None else str(value)[:12]


def _per_case(view: RunView) -> str:
    seconds = sorted(view.spent.seconds_per_case.values())
    if not seconds:
        return "not measured"
    return f"median {seconds[len(seconds) // 2]:.2f}, longest {seconds[-1]:.2f}"
