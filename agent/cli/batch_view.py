"""How a batch goes, as people and programs see it: a live view, a line for each article, or JSON."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from agent.batch.budget import Price
from agent.batch.inputs import Row
from agent.batch.journal import Item
from agent.batch.run import Progress
from agent.cli.view import plain
from agent.errors import AgentError
from agent.events import Event, Waiting
from agent.report.contract import State

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


class BatchView(Protocol):
    """What shows a batch."""

    def told(self, row: Row, item: Item) -> None:
        """An article is finished."""
        ...

    def heard(self, event: Event) -> None:
        """Something else is worth telling."""
        ...


class JsonView:
    """One JSON object for each finished article, on standard output."""

    def __init__(self, progress: Progress, price: Price | None) -> None:
        self._progress, self._price, self._began = progress, price, time.monotonic()

    def told(self, row: Row, item: Item) -> None:
        """An article is finished."""
        usage = self._progress.usage
        facts: dict[str, object] = {"id": row.id, "place": row.place, "state": item.state, "stage": item.stage}
        facts |= {"reason": item.reason, "claims": item.claims, "finished": dict(self._progress.finished)}
        facts |= {"usage": usage.model_dump(mode="json"), "cost": self._price.of(usage) if self._price else None}
        facts |= {"seconds": round(time.monotonic() - self._began, 1)}
        print(json.dumps(facts), flush=True)

    def heard(self, event: Event) -> None:
        """Something else is worth telling."""
        _say_waiting(event)


class LineView:
    """One line for each finished article, on standard error."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress, self._console, self._began = progress, console, time.monotonic()

    def told(self, row: Row, item: Item) -> None:
        """An article is finished."""
        count, seconds = self._progress.finished.total(), time.monotonic() - self._began
        claims = ", ".join(f"{number} {name}" for name, number in sorted(item.claims.items())) or item.reason
        rate = f"{count} articles, {60 * count / max(seconds, 1e-9):.1f} a minute"
        line = f"{seconds:7.1f} s  {item.state:<8} {row.id}: {claims}  ({rate})"
        self._console.print(plain(line), markup=False, highlight=False, soft_wrap=True)

    def heard(self, event: Event) -> None:
        """Something else is worth telling."""
        _say_waiting(event)


class LiveView:
    """A few lines that are kept up to date; what failed is told above them."""

    def __init__(self, progress: Progress, price: Price | None, console: Console) -> None:
        self._progress, self._price, self._console, self._began = progress, price, console, time.monotonic()
        self.total: int | None = None
        """Articles of this call; None while they are being counted."""

    def told(self, row: Row, item: Item) -> None:
        """An article is finished."""
        if item.reason:
            self._say(f"{item.state} {row.id}: {item.stage}: {item.reason}")

    def heard(self, event: Event) -> None:
        """Something else is worth telling."""
        if isinstance(event, Waiting):
            self._say(event.what)

    def count(self, articles: Callable[[], int]) -> None:
        """Count the articles, so that the time left can be told."""
        try:
            self.total = articles()
        except (AgentError, OSError):  # the run itself tells of it
            return

    def table(self) -> Table:
        """How it goes now."""
        from rich.table import Table

        found = Table.grid(padding=(0, 2))
        for name, text in self.rows():
            found.add_row(f"[bold]{name}[/bold]", text)
        return found

    def rows(self) -> Iterator[tuple[str, str]]:
        """Names and values of the view."""
        progress, seconds = self._progress, max(time.monotonic() - self._began, 1e-9)
        done, usage = progress.finished.total(), progress.usage
        yield "articles", f"{done:,}" + ("" if self.total is None else f" of {self.total:,}")
        claims = dict(progress.claims)
        verdicts = ", ".join(f"{claims[one.value]:,} {one.value}" for one in State if claims.get(one.value))
        yield "claims", f"{sum(claims.values()):,}" + (f": {verdicts}" if verdicts else "")
        failures = {name: number for name, number in sorted(dict(progress.finished).items()) if name != "done"}
        yield "failures", ", ".join(f"{number:,} {name}" for name, number in failures.items()) or "none"
        cost = "price unknown" if self._price is None else f"{self._price.of(usage):.4f} US dollars"
        tokens = usage.prompt_tokens + usage.completion_tokens
        yield "paid", f"{usage.model_calls:,} calls, {tokens:,} tokens, {cost}"
        yield "rate", f"{60 * done / seconds:.1f} articles a minute, {_clock(seconds)} so far"
        left = "not known yet"
        if self.total is not None and done:
            left = _clock((self.total - done) * seconds / done)
        yield "time left", f"finishing, because {progress.stopped}" if progress.stopped else left

    def _say(self, text: str) -> None:
        self._console.print(plain(text), markup=False, highlight=False)


@contextmanager
def batch_view(
    progress: Progress, price: Price | None, articles: Callable[[], int], *, is_json: bool
) -> Iterator[BatchView]:
    """The view that fits: JSON where asked for, live on a terminal, else lines.

    Args:
        progress: how it goes, kept up to date by the batch.
        price: of the model.
        articles: counts those of this call; it may take a while.
        is_json: for a program.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if is_json:
        yield JsonView(progress, price)
    elif not console.is_terminal:
        yield LineView(progress, console)
    else:
        view = LiveView(progress, price, console)
        threading.Thread(target=view.count, args=(articles,), daemon=True).start()
        with Live(get_renderable=view.table, console=console, refresh_per_second=4):
            yield view


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def _say_waiting(event: Event) -> None:
    if isinstance(event, Waiting):
        print(plain(f"factdesk: {event.what}"), file=sys.stderr, flush=True)
