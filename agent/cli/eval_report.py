"""`factdesk eval`: what is made of finished runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import options as opt

if TYPE_CHECKING:
    from agent.domain import Document, Verification
    from evals.paired import Comparison
    from evals.run import Event
    from evals.runs import RunFolder

_RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Folder of a run, its id's beginning, or `last`.")]


def eval_dir(run_dir: Path | None) -> Path:
    """Where runs are kept."""
    from agent.settings import run_dir_of

    return run_dir_of(run_dir) / "evals"


def runs(json: opt.JsonOption = False, run_dir: opt.RunDirOption = None) -> None:
    """List the runs, newest first."""
    from json import dumps

    from evals.runs import list_runs

    found = list_runs(eval_dir(run_dir))
    if json:
        print(dumps([one.manifest.model_dump(mode="json") | {"complete": one.is_complete} for one in found], indent=2))
        return
    if not found:
        print(f"no evaluation runs in {str(eval_dir(run_dir))!r} yet: `factdesk eval run smoke`", file=sys.stderr)
    for one in found:
        facts = one.manifest
        state = f"{one.results.n} cases" if one.is_complete else "broken off"
        what = " ".join(part for part in (facts.stage, facts.evidence, facts.solver, facts.half) if part)
        print(f"{facts.id}  {facts.started}  {facts.suite:<16} {what:<36} {facts.models.get('judge', '')}  {state}")


def show(run: _RunArgument = "last", json: opt.JsonOption = False, run_dir: opt.RunDirOption = None) -> None:
    """The figures of a run."""
    print_run(_find(run, run_dir), json=json)


def report(
    run: _RunArgument = "last",
    html: opt.HtmlOption = None,
    markdown: opt.MarkdownOption = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="RUN", help="Earlier run to show beside, with paired intervals.")
    ] = None,
    json: opt.JsonOption = False,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Write the report of a run as a self-contained page or as Markdown."""
    from evals.report.markdown import to_markdown
    from evals.report.view import view_of

    found = _find(run, run_dir)
    if html:
        write_html(found, html, against=_find(against, run_dir) if against else None)
    if markdown:
        opt.write_whole(markdown, to_markdown(view_of(found)))
        print(f"written: {markdown}", file=sys.stderr)
    if json or not (html or markdown):
        print_run(found, json=json)


def compare(
    before: _RunArgument,
    after: _RunArgument,
    html: opt.HtmlOption = None,
    markdown: opt.MarkdownOption = None,
    json: opt.JsonOption = False,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Compare two runs case by case: paired intervals, McNemar's test, what was fixed and what was broken."""
    from evals.paired import compare as compare_scores
    from evals.report.comparison import comparison_html, comparison_markdown
    from evals.report.view import view_of

    old, new = _find(before, run_dir), _find(after, run_dir)
    found = compare_scores(old.scores(), new.scores())
    for path, make in ((html, comparison_html), (markdown, comparison_markdown)):
        if path:
            changed = (*found.fixed, *found.broken)
            opt.write_whole(path, make(view_of(old, also=changed), view_of(new, also=changed), found))
            print(f"written: {path}", file=sys.stderr)
    if json:
        print(found.model_dump_json(indent=2))
    elif not (html or markdown):
        _print_comparison(found)


def gate(
    run: _RunArgument,
    baseline: Annotated[str, typer.Option("--baseline", metavar="RUN", help="Run whose figures must be held.")],
    max_drop: Annotated[
        list[str] | None,
        typer.Option("--max-drop", metavar="METRIC=X", help="Metric to watch and the drop that is let pass; repeat."),
    ] = None,
    json: opt.JsonOption = False,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Exit 1 when a watched metric surely got worse: its whole paired interval lies beyond the allowed drop."""
    from evals.gate import gate as pass_gate
    from evals.gate import require_comparable

    old, new = _find(baseline, run_dir), _find(run, run_dir)
    require_comparable(old, new)
    found = pass_gate(old.scores(), new.scores(), allowed=dict(map(_drop, max_drop)) if max_drop else None)
    if json:
        print(found.model_dump_json(indent=2))
    else:
        _print_comparison(found.comparison)
        for one in found.worse:
            print(f"worse: {one.name} {one.before:.3f} -> {one.after:.3f}  [{one.low}, {one.high}]")
        print("the gate is open" if found.ok else "the gate is closed")
    if not found.ok:
        raise typer.Exit(1)


def add_case(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run of `factdesk verify`, or an evaluation run.")],
    case: Annotated[str, typer.Argument(metavar="CASE", help="Id of the case, or id or number of the claim.")],
    label: Annotated[str, typer.Option("--label", help="The right verdict.")],
    why: Annotated[str, typer.Option("--why", help="The reason.")],
    who: Annotated[str, typer.Option("--who", help="Who says so.")] = "",
    suite: Annotated[Path | None, typer.Option("--suite", metavar="DIR", help="Folder the case goes to.")] = None,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Keep a corrected verdict as a case of a suite of your own."""
    from agent.domain import Label
    from agent.errors import InputError
    from agent.settings import run_dir_of
    from evals import corrections

    if label not in set(Label):
        raise InputError(f"label {label!r} is not known: give one of {', '.join(Label)}")
    verification, documents = _verification(run, case, run_dir)
    folder = suite or run_dir_of(run_dir) / "corrections"
    name = corrections.add_case(folder, verification, documents, label=Label(label), why=why, who=who)
    print(f"{name} is kept in {folder}: `factdesk eval run {folder}`")


def convert(
    name: Annotated[str, typer.Argument(help="averitec, scifact, fever, fever_symmetric, climate_fever, ...")],
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="The official files; docs/data.md says which.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the suite.")],
) -> None:
    """Make a suite from the official files of a public set."""
    from evals.convert import convert as make

    found = make(name, files, out)
    print(f"{found.claims} claims and {found.documents} documents in {out}")
    for reason, count in found.dropped.items():
        print(f"left out: {count} {reason}")


def print_run(run: RunFolder, *, json: bool) -> None:
    """The figures on stdout: a table, or the object of the contract."""
    from json import dumps

    results, spent = run.results, run.spent
    if json:
        wanted = results.model_dump(mode="json", include={"suite", "n", "unscored", "failures", "metrics"})
        usage = spent.usage.model_dump(mode="json")
        print(dumps(wanted | {"usage": usage, "run": {"id": run.manifest.id, "folder": str(run.path)}}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    facts = run.manifest
    title = " · ".join(part for part in (results.suite, facts.stage, facts.evidence, facts.solver, facts.half) if part)
    table = Table(title=title, title_justify="left")
    for heading in ("metric", "value", "95 % interval", "n"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for name, found in results.metrics.items():
        low_high = "" if found.low is None or found.high is None else f"{found.low:.3f} to {found.high:.3f}"
        table.add_row(name, "" if found.value is None else f"{found.value:.3f}", low_high, str(found.n))
    console = Console()
    console.print(table)
    counts = f"{results.n} cases, {results.unscored} unscored, {results.failures} failed, {results.abstained} abstained"
    cost = f"{spent.usage.model_calls} model calls, {spent.usage.seconds:.0f} s"
    console.print(f"{counts}; {cost}; run {facts.id} in {run.path}", soft_wrap=True, markup=False, highlight=False)


def write_html(run: RunFolder, path: Path, against: RunFolder | None = None) -> None:
    """The page of a run."""
    from evals.report.html import to_html
    from evals.report.view import view_of

    opt.write_whole(path, to_html(view_of(run), against=view_of(against) if against else None))
    print(f"written: {path}", file=sys.stderr)


@contextmanager
def progress(name: str) -> Iterator[Callable[[Event], None]]:
    """A listener that shows how far a run is: a live bar in a terminal, a line now and then elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from evals.run import CaseDone, SuiteReady

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    failures = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None, failed="")

        def heard(event: Event) -> None:
            nonlocal failures
            if isinstance(event, SuiteReady):
                kept = f", {event.kept} kept from before" if event.kept else ""
                console.print(f"{name}: {event.total} cases{kept}", highlight=False)
                bar.update(task, total=event.total, completed=event.kept)
            elif isinstance(event, CaseDone):
                failures += event.failed
                bar.update(task, completed=event.done, failed=f"{failures} failed" if failures else "")
                if not console.is_terminal and (event.done == event.total or event.done % 100 == 0):
                    console.print(f"{name}: {event.done} of {event.total}, {failures} failed", highlight=False)
            else:
                console.print(event.what, highlight=False, markup=False)

        yield heard


def _find(name: str, run_dir: Path | None) -> RunFolder:
    from evals.runs import find_run

    return find_run(name, eval_dir(run_dir))


def _drop(text: str) -> tuple[str, float]:
    from agent.errors import InputError

    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise InputError(f"--max-drop {text!r} is not understood: write a metric and a number, accuracy=0.02") from None


def _print_comparison(found: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table

    from evals.paired import p_shown

    table = Table()
    for heading in ("metric", "before", "after", "difference", "95 % interval", "p", "n"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for one in found.differences:
        interval = "" if one.low is None or one.high is None else f"{one.low:+.3f} to {one.high:+.3f}"
        mark = " worse" if one.is_worse else " better" if one.is_better else ""
        values = (f"{one.before:.3f}", f"{one.after:.3f}", f"{one.value:+.3f}{mark}")
        table.add_row(one.name, *values, interval, one.chance, str(one.n))
    console = Console()
    console.print(table)
    text = f"{found.common} common cases; {len(found.fixed)} fixed, {len(found.broken)} broken"
    if found.mcnemar_p is not None:
        text += f"; McNemar's exact test: p-value {p_shown(found.mcnemar_p)}"
    if found.needed:
        text += f"; about {found.needed} cases would show such a difference 4 times in 5"
    console.print(text, soft_wrap=True, highlight=False)


def _verification(run: str, case: str, run_dir: Path | None) -> tuple[Verification, dict[str, Document]]:
    """A case of an evaluation run, or a claim of a verify run by id or number."""
    from agent.errors import InputError
    from agent.runlog import RunLog
    from agent.settings import run_dir_of
    from evals.rescore import task_of_run

    try:
        folder = _find(run, run_dir)
    except InputError:
        folder = None
    if folder is not None:
        outcome = folder.outcome(case)
        if outcome is None or outcome.verification is None:
            raise InputError(f"run {run!r} has no verdict on case {case!r}")
        return outcome.verification, dict(task_of_run(folder.manifest).suite.corpus)
    with RunLog(run_dir_of(run_dir)) as log:
        result = log.load(run)
    for number, found in enumerate(result.verifications, start=1):
        if case in {found.claim.id, str(number)}:
            return found, result.documents
    raise InputError(
        f"run {run!r} has no claim {case!r}: give its id, or its number from 1 to {len(result.verifications)}"
    )
