"""What people see in the terminal: progress while it works, a table when it is done."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.domain import Claim, Label, Result, SentenceStatus, Verdict, Verification
from agent.events import ClaimDone, ClaimStarted, Event, RunStarted, SentenceDone, Waiting
from agent.report.contract import pair_claims, summarise

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


_UNSEEN = (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = dict.fromkeys(_UNSEEN, "\ufffd")


def plain(text: str) -> str:
    """Text of others without the signs that steer a terminal or turn the direction of writing."""
    return text.translate(_SHOWN)


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
                self._say(f"run {event.run_id}: {_count(self._sentences, 'sentence')}")
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

    def ended(self) -> None:
        """Say why nothing was to be seen, when all had been done before."""
        if not self._read:
            self._say("verified before with the same sources, model and settings: taken from the run log")

    def ingested(self, progress: IngestProgress) -> None:
        """Take one step of reading sources in."""
        if self._progress is not None and self._task is not None:
            text = f"sources: {_count(progress.documents, 'document')}, {_count(progress.passages, 'passage')}"
            self._progress.update(self._task, description=text)

    def rejected(self, rejected: Rejected) -> None:
        """Say which source cannot be used, and why."""
        place = f"{rejected.path}:{rejected.line}" if rejected.line else str(rejected.path)
        self._say(f"source left out, {place}: {rejected.reason}")

    def _line(self, verification: Verification) -> str:
        seconds = time.monotonic() - self._began
        return f"{seconds:6.1f} s  {describe(verification)}  {verification.claim.text}"

    def _say(self, line: str) -> None:
        self._console.print(plain(line), markup=False, highlight=False, soft_wrap=True)

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
    table = Table(
        title=Text(plain(result.article.title)) if result.article.title else None,
        title_justify="left",
        show_lines=False,
    )
    for name, justify in (
        ("", "left"),
        ("verdict", "left"),
        ("conf.", "right"),
        ("claim", "left"),
        ("first source", "left"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type] # a literal in a tuple
    for claim, verification in pair_claims(result):
        table.add_row(*(Text(plain(cell), style=style) for cell, style in _row(claim, verification, result)))
    if table.row_count:
        console.print(table)
    for line in summary_lines(result):
        console.print(line, markup=False, highlight=False)


def _row(claim: Claim, verification: Verification | None, result: Result) -> list[tuple[str, str]]:
    text = claim.text
    if verification is None:
        return [("", ""), ("Left", "bright_black"), ("", ""), (text, ""), ("the run was broken off", "bright_black")]
    verdict = verification.verdict
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
    summary = summarise(result)
    labels = Counter({label.shown: count for label, count in summary.labels.items()})
    others = (("abstained", summary.abstentions), ("failed", summary.failures), ("left", summary.left))
    counts = [f"{count} {name}" for name, count in (*labels.most_common(), *others) if count]
    kept = [f"{count} {name.value.replace('_', ' ')}" for name, count in summary.sentences.items() if count]
    dropped = f"; {_count(summary.dropped_citations, 'citation')} dropped" if summary.dropped_citations else ""
    usage = result.run.usage
    cost = (
        f"{_count(usage.model_calls, 'model call')}, {usage.prompt_tokens} prompt tokens ({usage.cached_tokens} cached)"
        f", {usage.completion_tokens} completion tokens, {usage.seconds:.0f} s; run {result.run.id}"
    )
    return [
        f"{_count(summary.claims, 'claim')}: {', '.join(counts) or _why_no_claim(result)}",
        f"{_count(len(result.ledger.entries), 'sentence')}: {', '.join(kept)}{dropped}",
        cost if result.run.complete else f"{cost}, broken off: the same command goes on from there",
    ]


def _why_no_claim(result: Result) -> str:
    is_whole = result.run.complete and not result.has_failures
    return "nothing in the text can be checked" if is_whole else "none was found yet"


def failure_lines(result: Result) -> list[str]:
    """How much has failed, with the first reason, and what to do; nothing when nothing has."""
    sentences = [entry.reason for entry in result.ledger.entries if entry.status is SentenceStatus.FAILED]
    claims = [verification.failure.message for verification in result.verifications if verification.failure]
    failed = [_count(len(found), noun) for found, noun in ((sentences, "sentence"), (claims, "claim")) if found]
    if not failed:
        return []
    reason = (sentences + claims)[0]
    return [f"factdesk: {' and '.join(failed)} failed ({plain(reason)}); the same command tries them again"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
