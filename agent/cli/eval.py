"""`factdesk eval`: suites, runs, figures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import eval_report
from agent.cli import options as opt

if TYPE_CHECKING:
    from evals.runs import RunFolder
    from evals.work import Plan

app = typer.Typer(no_args_is_help=True, help="Score the desk on cases with gold, compare runs, report.")
SuiteArgument = Annotated[str, typer.Argument(metavar="SUITE", help="Folder of a suite, or the name of a known one.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="FACTDESK_EVAL_DATA", help="Folder whose folders are suites."),
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Folder of a run, its id's beginning, or `last`.")]


@app.command("list")
def list_(data: DataOption = None, json: opt.JsonOption = False) -> None:
    """List the suites that can be named."""
    from json import dumps

    from evals.suites import list_suites

    found = list_suites(data)
    if json:
        print(dumps([info.model_dump(mode="json") for info in found], indent=2))
        return
    for info in found:
        documents = f"{info.documents} documents" if info.documents else ""
        print(f"{info.name:<20} {info.kind.value:<12} {info.cases:>6} cases  {documents:<16} {info.title}")


@app.command()
def check(
    suite: SuiteArgument,
    data: DataOption = None,
    training: Annotated[
        Path | None, typer.Option("--training", metavar="DIR", help="Training files to look through for its texts.")
    ] = None,
    json: opt.JsonOption = False,
) -> None:
    """Find all faults of a suite: form, quotes, repeats, overlap with seeds, prompts and training data."""
    from json import dumps

    from evals.suite_check import check_suite
    from evals.suites import find_suite

    found = check_suite(find_suite(suite, data), training=training)
    if json:
        print(dumps([finding.model_dump() for finding in found], indent=2))
    else:
        for finding in found:
            print(f"{finding.severity}: {finding.where}: {finding.message}")
        print(f"{sum(one.severity == 'error' for one in found)} errors, {len(found)} findings", file=sys.stderr)
    if any(finding.severity == "error" for finding in found):
        raise typer.Exit(2)


@app.command()
def run(
    suite: SuiteArgument,
    stage: Annotated[str, typer.Option("--stage", help="all, extract, retrieve, stance or verdict.")] = "all",
    evidence: Annotated[
        str | None,
        typer.Option(
            "--evidence",
            help="gold: the passages gold names; retrieved: those the search finds; withheld: without gold documents.",
        ),
    ] = None,
    half: Annotated[str, typer.Option("--half", help="all, tuning or reporting: a fixed half by group.")] = "all",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Most cases.")] = None,
    solver: Annotated[
        str,
        typer.Option(
            "--solver",
            help="pipeline, or a baseline: majority, bm25, closed_book, one_call; see docs/metrics.md for others.",
        ),
    ] = "pipeline",
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="DEFENCE", help="Attacks: a defence to switch off.")
    ] = None,
    judge: opt.JudgeOption = None,
    cascade: opt.CascadeOption = None,
    thorough: opt.ThoroughOption = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Times each case is worked on.")] = 1,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Cases worked on at once.")] = 4,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder of the run.")] = None,
    profile: opt.ProfileOption = None,
    abstain_below: opt.AbstainOption = None,
    html: opt.HtmlOption = None,
    json: opt.JsonOption = False,
    data: DataOption = None,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Run a suite and score it; the same command again goes on where it was broken off.

    Exit code 0: done; 1: some cases failed; 2: wrong input or settings.
    """
    from agent.settings import load_settings
    from evals.defences import DEFENCES
    from evals.run import run_suite
    from evals.suites import find_suite
    from evals.work import Plan

    opt.require_writable(html)
    chosen: dict[str, Any] = {
        "suite": find_suite(suite, data), "stage": _one_of(stage, "stage", _STAGES),
        "half": _one_of(half, "half", _HALVES), "limit": limit, "solver": solver, "repeats": repeats,
        "evidence": evidence and _one_of(evidence, "evidence", _EVIDENCE), "workers": workers,
        "without": tuple(_one_of(name, "defence", DEFENCES) for name in without or ()),
    }  # fmt: skip
    given = {"profile": profile, "judge": judge, "cascade": cascade, "thorough": thorough}
    settings = load_settings(given | {"abstain_below": abstain_below, "run_dir": run_dir})
    plan: Plan = Plan(**chosen)
    with eval_report.progress(plan.suite.name) as listener:
        found = run_suite(plan, settings, listener, out=out)
    _ended(found, html=html, json=json)


@app.command()
def resume(run: RunArgument = "last", json: opt.JsonOption = False, run_dir: opt.RunDirOption = None) -> None:
    """Go on with a run that was broken off, or try its failed cases again."""
    from agent.settings import load_settings
    from evals.run import resume as go_on
    from evals.runs import find_run

    folder = find_run(run, eval_report.eval_dir(run_dir))
    recorded = folder.manifest.settings
    chosen = {
        name: recorded.get(name)
        for name in ("judge", "cascade", "thorough", "rerank", "abstain_below", "as_of", "undated")
    }
    settings = load_settings(chosen | {"profile": folder.manifest.profile, "run_dir": run_dir})
    with eval_report.progress(folder.manifest.suite) as listener:
        _ended(go_on(folder, settings, listener), html=None, json=json)


@app.command()
def replay(run: RunArgument = "last", json: opt.JsonOption = False, run_dir: opt.RunDirOption = None) -> None:
    """Score a run again from what it kept, without a model."""
    from evals.rescore import rescore
    from evals.runs import find_run

    folder = find_run(run, eval_report.eval_dir(run_dir))
    rescore(folder)
    _ended(folder, html=None, json=json)


def _ended(run: RunFolder, *, html: Path | None, json: bool) -> None:
    if html:
        eval_report.write_html(run, html)
    eval_report.print_run(run, json=json)
    if run.results.failures:
        raise typer.Exit(1)


_STAGES = ("all", "extract", "retrieve", "stance", "verdict")
_HALVES = ("all", "tuning", "reporting")
_EVIDENCE = ("gold", "retrieved", "withheld")


def _one_of(value: str, name: str, allowed: tuple[str, ...]) -> str:
    from agent.errors import InputError

    if value not in allowed:
        raise InputError(f"{name} {value!r} is not known: give one of {', '.join(allowed)}")
    return value


app.command("runs")(eval_report.runs)
app.command("show")(eval_report.show)
app.command("report")(eval_report.report)
app.command("compare")(eval_report.compare)
app.command("gate")(eval_report.gate)
app.command("add-case")(eval_report.add_case)
app.command("convert")(eval_report.convert)
