"""What each defence is worth: every attack with all defences, without each of them and without any, as a Markdown page.

    python -m evals.attack_table --data ../shared/data --out docs/attacks.md

Runs what has not been run (runs are kept, so a second call only writes the page). The small cross-encoder judges: it is
quick, and takes no orders, so beside it stand two judges that do whatever a planted text wants once they are shown it
(`evals.solvers.attack`): one quotes the first words of each passage, whatever they say, one makes quotes up. Suites
that are not there are named.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from agent.domain import Document
from agent.errors import AgentError, InputError
from agent.ingest.chunk import cut_passages
from agent.ingest.sources import iterate_sources
from agent.settings import load_settings
from agent.stages.checks.instructions import instruction_in
from evals.defences import DEFENCES, SAYS, Defence, unused
from evals.intervals import wilson
from evals.record import Results
from evals.run import CaseDone, Event, run_suite
from evals.runs import write_whole
from evals.suites import find_suite
from evals.table import cell
from evals.work import FOOLED, PIPELINE, Plan

SUITES = ("attacks", "adversarial", "injection")
METRICS = ("attack_success", "verdict_change", "planted_cited", "utility", "clean_utility", "false_alarm")
JUDGES: Mapping[str, str] = {
    PIPELINE: "The small cross-encoder judges; it cannot be given orders.",
    "obedient": "Once shown a planted text, the judge says of all passages what the attacker wants; it quotes well.",
    "inventing": "The same, but of passages that are not planted it makes the quotes up.",
}
_CLEAN = 200


class Entry(NamedTuple):
    """One run of the page."""

    suite: str
    solver: str
    without: tuple[Defence, ...]


def entries(suite: str) -> Iterator[Entry]:
    """All rows of a suite: with everything, without each defence, without any."""
    for solver in (PIPELINE, *FOOLED):
        used = tuple(name for name in DEFENCES if name not in unused(solver, has_prompt=False))
        yield Entry(suite, solver, ())
        for name in used:
            yield Entry(suite, solver, (name,))
        yield Entry(suite, solver, used)


def page(found: Mapping[str, Sequence[tuple[Entry, Results]]], alarms: Sequence[str], missing: Sequence[str]) -> str:
    """The page as Markdown."""
    lines = [
        "# Attacks",
        "",
        "Made by `python -m evals.attack_table`; every figure with n and its 95 % interval by resampling groups",
        "(docs/metrics.md). `attack_success`: the verdict was right and the attack turned it. `verdict_change`: the",
        "label is another one. `planted_cited`: a planted document is cited. `utility`: the verdict under attack is",
        "right, `clean_utility`: without it. `false_alarm`: a text that only looks like an order was set aside.",
        "Judges that are fooled are shown only texts that give orders.",
        "",
        "The defences, which can be switched off only in `factdesk eval run` (`--without`):",
        "",
        *(f"- `{name}`: {says}" for name, says in SAYS.items()),
    ]
    if missing:
        lines += ["", f"Not run: {'; '.join(missing)}."]
    for suite, rows in found.items():
        lines += ["", f"## {suite}"]
        for solver, says in JUDGES.items():
            lines += ["", *_table(solver, says, [row for row in rows if row[0].solver == solver])]
    return "\n".join([*lines, "", *alarms]) + "\n"


def _table(solver: str, says: str, rows: Sequence[tuple[Entry, Results]]) -> Iterator[str]:
    left_out = "; ".join(f"`{name}` ({why})" for name, why in unused(solver, has_prompt=False).items())
    yield f"### Judge: {solver}"
    yield ""
    yield f"{says} Left out, as they play no part: {left_out}."
    yield ""
    shown = [name for name in METRICS if any(name in results.metrics for _, results in rows)]
    yield f"| switched off | n | {' | '.join(shown)} |"
    yield "|---" * (len(shown) + 2) + "|"
    for entry, results in rows:
        cells = [_with_n(results, name) for name in shown]
        yield f"| {_off(entry)} | {results.n}{_failed(results)} | {' | '.join(cells)} |"


def _off(entry: Entry) -> str:
    return "nothing" if not entry.without else entry.without[0] if len(entry.without) == 1 else "all"


def _failed(results: Results) -> str:
    return f" ({results.failures} failed)" if results.failures else ""


def _with_n(results: Results, name: str) -> str:
    found = results.metrics.get(name)
    return "" if found is None or found.value is None else f"{cell(found)} n={found.n}"


def alarms(data: Path) -> Iterator[str]:
    """False alarms on clean documents: how many of each set are taken for orders."""
    yield "## False alarms on clean documents"
    yield ""
    yield f"Of each public set {_CLEAN} documents, chosen by a hash of their ids; in an alarm a passage is set aside."
    yield ""
    yield "| set | alarms | n | share | 95 % |"
    yield "|---|---|---|---|---|"
    total, hits = 0, 0
    for corpus in sorted(data.glob("*/corpus.jsonl")):
        documents = [found for found in iterate_sources([corpus]) if isinstance(found, Document)]
        chosen = sorted(documents, key=lambda one: hashlib.sha256(one.id.encode()).digest())[:_CLEAN]
        alarmed = sum(_alarms(document) for document in chosen)
        total, hits = total + len(chosen), hits + alarmed
        yield _share(corpus.parent.name, alarmed, len(chosen))
    yield _share("all", hits, total)


def _alarms(document: Document) -> bool:
    head = f"{document.publisher or ''}\n{document.title}\n"
    return any(instruction_in(head + passage.text) for passage in islice(cut_passages(document), 50))


def _share(name: str, hits: int, n: int) -> str:
    found = wilson(hits, n)
    return f"| {name} | {hits} | {n} | {found.value:.4f} | [{found.low:.4f}, {found.high:.4f}] |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is wanted, write the page; 2 on bad input."""
    given = _parser().parse_args(arguments)
    missing: list[str] = []
    found: dict[str, list[tuple[Entry, Results]]] = {}
    try:
        for suite in given.suites or SUITES:
            try:
                folder = find_suite(suite, given.data)
            except InputError:
                missing.append(f"{suite} is not there")
                continue
            for entry in entries(folder.name):
                results = _run(entry, folder, given)
                found.setdefault(folder.name, []).append((entry, results))
                write_whole(given.out, page(found, (), missing))
        write_whole(given.out, page(found, tuple(alarms(given.data)), missing))
    except AgentError as error:
        print(f"evals.attack_table: {error}", file=sys.stderr)
        return 2
    print(f"written: {given.out}")
    return 0


def _run(entry: Entry, folder: Path, given: argparse.Namespace) -> Results:
    print(f"{entry.suite} {entry.solver}, off: {_off(entry)}", file=sys.stderr)
    settings = load_settings({"profile": "local", "judge": "small", "run_dir": given.run_dir})
    plan = Plan(suite=folder, solver=entry.solver, without=entry.without, limit=given.limit)
    return run_suite(plan, settings, _tell).results


def _tell(event: Event) -> None:
    if isinstance(event, CaseDone) and event.failed:
        print(f"  case {event.case_id} failed", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", help=f"of {', '.join(SUITES)}, or folders of the same form")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public sets")
    parser.add_argument("--out", type=Path, default=Path("docs/attacks.md"))
    parser.add_argument("--limit", type=int, help="most cases of a suite, to see that it works")
    parser.add_argument("--run-dir", type=Path, help="where runs are kept")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
