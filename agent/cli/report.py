"""`factdesk report` and `factdesk runs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli import options as opt


def report(
    run: Annotated[str, typer.Argument(help="Id of a run, its beginning, or `last`.")] = "last",
    html: opt.HtmlOption = None,
    markdown: opt.MarkdownOption = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write one row a claim.")] = None,
    claimreview: Annotated[
        Path | None, typer.Option("--claimreview", metavar="FILE", help="Write ClaimReview JSON-LD.")
    ] = None,
    json: opt.JsonOption = False,
    check: Annotated[
        bool, typer.Option("--check", metavar="", help="Recompute every citation and span from the JSON.")
    ] = False,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Make reports of a run again, from its log alone."""
    from json import dumps

    from agent.cli.view import print_summary
    from agent.report import contract, tables
    from agent.report import html as page
    from agent.report import markdown as text
    from agent.runlog import RunLog
    from agent.settings import run_dir_of

    with RunLog(run_dir_of(run_dir)) as log:
        result = log.load(run)
    makers = (
        (html, page.to_html),
        (markdown, text.to_markdown),
        (csv, tables.to_csv),
        (claimreview, lambda found: dumps(tables.to_claimreview(found), ensure_ascii=False, indent=2) + "\n"),
    )
    for path, make in makers:
        if path:
            opt.write_whole(path, make(result))
            print(f"written: {path}", file=sys.stderr)
    if check:
        _check(contract.to_json(result))
    elif json:
        print(contract.dumps(result), end="")
    elif not any(path for path, _ in makers):
        print_summary(result)


def _check(data: dict[str, Any]) -> None:
    from agent.cli.view import plain
    from agent.report.contract import verify_contract

    violations = verify_contract(data, {name: row["text"] for name, row in data["documents"].items()})
    for violation in violations:
        print(plain(violation))
    if violations:
        raise typer.Exit(1)
    print("every citation is at its place in its source, and every sentence is in the ledger")


def runs(json: opt.JsonOption = False, run_dir: opt.RunDirOption = None) -> None:
    """List the runs in the log, newest first."""
    from json import dumps

    from agent.runlog import RunLog
    from agent.settings import run_dir_of

    folder = run_dir_of(run_dir)
    with RunLog(folder) as log:
        found = log.runs()
    if json:
        print(dumps([run.model_dump(mode="json") for run in found], indent=2))
        return
    if not found:
        print(f"no runs in {str(folder)!r} yet: verify an article first", file=sys.stderr)
    for run in found:
        state = "complete" if run.complete else "broken off"
        print(f"{run.id}  {run.started}  {run.profile:<10}  {state}  {run.usage.model_calls} calls")
