"""What people see in the terminal: progress while it works, a table when it is done."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.domain import Label, Result, SentenceStatus, Verdict, Verification
from agent.events import ClaimDone, ClaimStarted, Event, RunStarted, SentenceDone, Waiting

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from agent.ingest.index import IngestProgress
    from agent.ingest.sources import Rejected

MARKS = {
    Label.SUPPORTED: ("✓", "green"),
    Label.REFUTED: ("✗", "red"),
    Label.CONFLICTING: ("⇄", "yellow"),
    Label.NOT_ENOUGH_EVIDENCE: ("?", "bright_black"),
}


class ProgressView:
    """A listener that shows sentences, claims and verdicts as they come, on stderr."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self._console = console
        self._progress = progress
        self._task = progress.add_task("reading", total=None) if progress else None
        self._sentences = self._read = self._claims = self._done = 0
        self._began = time.monotonic()

    def heard(self, event: Event) -> None:
        """Take one event of the run."""
        match event:
            case RunStarted():
                self._sentences = len(event.sentences)
                self._say(f"run {event.run_id}: {self._sentences} sentences")
            case SentenceDone():
                self._read += 1
                self._claims += len(event.claims)
            case ClaimDone():
                self._done += 1
                self._say(self._line(event.verification))
            case Waiting():
                self._say(event.what)
            case ClaimStarted():
                pass
        self._update()

    def ingested(self, progress: IngestProgress) -> None:
        """Take one step of reading sources in."""
        if self._progress is not None and self._task is not None:
            text = f"sources: {progress.documents} documents, {progress.passages} passages"
            self._progress.update(self._task, description=text)

    def rejected(self, rejected: Rejected) -> None:
        """Say which source cannot be used, and why."""
        place = f"{rejected.path}:{rejected.line}" if rejected.line else str(rejected.path)
        self._say(f"source left out, {place}: {rejected.reason}")

    def _line(self, verification: Verification) -> str:
        seconds = time.monotonic() - self._began
        return f"{seconds:6.1f} s  {describe(verification)}  {verification.claim.text}"

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _update(self) -> None:
        if self._progress is None or self._task is None:
            return
        text = f"sentences {self._read}/{self._sentences}, claims {self._done}/{self._claims}"
        waiting = max(1, self._sentences - self._read)
        total = self._claims + (waiting if self._read < self._sentences else 0)
        self._progress.update(self._task, description=text, completed=self._done, total=total or None)


def describe(verification: Verification) -> str:
    """One claim's outcome in a few characters."""
    verdict = verification.verdict
    if verdict is None:
        return "! failed"
    mark, _ = MARKS[verdict.label]
    if verdict.abstained:
        return f"~ abstained ({verdict.label.shown})"
    return f"{mark} {verdict.label.shown}" + ("" if verdict.confidence is None else f" {verdict.confidence:.2f}")


@contextmanager
def progress_view() -> Iterator[ProgressView]:
    """A view on stderr: a live bar in a terminal, plain lines elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield ProgressView(console, None)
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield ProgressView(console, progress)


def print_summary(result: Result) -> None:
    """The table of claims, the counts and the cost, on stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120)
    table = Table(title=result.article.title or None, title_justify="left", show_lines=False)
    for name, justify in (
        ("", "left"),
        ("verdict", "left"),
        ("conf.", "right"),
        ("claim", "left"),
        ("first source", "left"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type] # a literal in a tuple
    for verification in result.verifications:
        table.add_row(*(Text(cell, style=style) for cell, style in _row(verification, result)))
    console.print(table)
    for line in summary_lines(result):
        console.print(line, markup=False, highlight=False)


def _row(verification: Verification, result: Result) -> list[tuple[str, str]]:
    verdict = verification.verdict
    text = verification.claim.text
    if verdict is None:
        reason = verification.failure.message if verification.failure else ""
        return [("!", "magenta"), ("Failed", "magenta"), ("", ""), (text, ""), (reason, "magenta")]
    mark, style = MARKS[verdict.label]
    name = "Abstained" if verdict.abstained else verdict.label.shown
    confidence = "" if verdict.confidence is None else f"{verdict.confidence:.2f}"
    return [(mark, style), (name, style), (confidence, ""), (text, ""), (_first_source(verdict, result), "")]


def _first_source(verdict: Verdict, result: Result) -> str:
    if not verdict.rationale:
        return ""
    document = result.documents[verdict.rationale[0].document_id]
    name = document.publisher or document.title or document.id
    more = f" (+{verdict.origins - 1})" if verdict.origins > 1 else ""
    return f"{name}, {document.published}{more}" if document.published else f"{name}{more}"


def summary_lines(result: Result) -> list[str]:
    """Counts of verdicts, sentences and failures, and what the run cost."""
    labels = Counter(v.verdict.label.shown for v in result.verifications if v.verdict)
    failed = sum(1 for v in result.verifications if v.failure)
    status = Counter(entry.status for entry in result.ledger.entries)
    dropped = sum(v.dropped_citations for v in result.verifications)
    usage = result.run.usage
    counts = ", ".join(f"{count} {name}" for name, count in labels.most_common()) or "no verdict"
    kept = ", ".join(f"{status[name]} {name.value.replace('_', ' ')}" for name in SentenceStatus if status[name])
    cost = (
        f"{usage.model_calls} model calls, {usage.prompt_tokens} prompt tokens ({usage.cached_tokens} cached), "
        f"{usage.completion_tokens} completion tokens, {usage.seconds:.0f} s; run {result.run.id}"
    )
    return [
        f"{len(result.verifications)} claims: {counts}" + (f"; {failed} failed" if failed else ""),
        f"{len(result.ledger.entries)} sentences: {kept}" + (f"; {dropped} citations dropped" if dropped else ""),
        cost,
    ]
