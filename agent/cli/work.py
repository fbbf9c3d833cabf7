"""What `verify` and `claim` share: open everything, run, show. Imported only when there is work to do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from agent.cli.options import write_whole
from agent.cli.view import failure_lines, print_summary, progress_view
from agent.desk import describe_run, embedder_of, open_desk, replay
from agent.domain import Document, Result
from agent.ingest.private import open_store
from agent.language import is_foreign
from agent.pipeline import verify_statement, verify_text
from agent.report.contract import dumps
from agent.report.html import to_html
from agent.report.markdown import to_markdown
from agent.runlog import RunLog
from agent.settings import Settings, run_dir_of


def run_desk(document: Document, settings: Settings, sources: list[Path], *, whole: bool) -> Result:
    """Open everything, verify, close everything."""
    if is_foreign(document.text):
        print(
            "this text does not look English: it is verified all the same, but that is not tested, and a number such as"
            " 88.000 is read both ways",
            file=sys.stderr,
        )
    embedder = embedder_of(settings)

    async def run() -> Result:
        async with open_desk(settings, store, log, view.heard) as deps:
            record = describe_run(document, deps, store, embedder, whole=whole)
            return await (verify_statement if whole else verify_text)(document, record, deps)

    with (
        RunLog(settings.run_dir) as log,
        progress_view() as view,
        open_store(settings, embedder, sources, view) as store,
    ):
        result = asyncio.run(run())
        view.ended()
    return result


def replay_run(name: str, run_dir: Path | None) -> Result:
    """The result of doing a recorded run again, without models."""
    with RunLog(run_dir_of(run_dir)) as log, TemporaryDirectory() as scratch, RunLog(Path(scratch)) as new:
        return asyncio.run(replay(log.load(name), log, new))


def show(result: Result, *, json: bool, html: Path | None, markdown: Path | None) -> None:
    """Print and write what was asked for; exit code 1 when something failed."""
    if json:
        print(dumps(result), end="")
    else:
        print_summary(result)
    if html:
        write_whole(html, to_html(result))
        print(f"HTML report: {html}", file=sys.stderr)
    if markdown:
        write_whole(markdown, to_markdown(result))
        print(f"Markdown report: {markdown}", file=sys.stderr)
    for line in failure_lines(result):
        print(line, file=sys.stderr)
    if result.has_failures:
        raise typer.Exit(1)
