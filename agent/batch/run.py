"""A batch from its inputs to its results: lock, journal, desk, engine, files. The same call again goes on."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from agent.batch.budget import Budget
from agent.batch.engine import Work, run_articles
from agent.batch.inputs import Row
from agent.batch.journal import Item, Journal, State
from agent.batch.lock import CANCEL, held
from agent.desk import batching_model_of, facts_of, open_desk
from agent.domain import Usage
from agent.errors import ConfigError
from agent.events import Listener, ignore
from agent.llm.base import ClosableModel
from agent.llm.ledger import FILE_NAME as LEDGER
from agent.llm.ledger import BatchLedger
from agent.runlog import RunLog
from agent.settings import Settings
from agent.small.base import Embedder
from agent.store.base import PassageStore

_T = TypeVar("_T")
_SELDOM = (200_000, 50, 100)
"""Thresholds of the garbage collector: objects made and not freed, and how many rounds make one of the next older."""


@dataclass
class Progress:
    """How a batch goes, kept up to date for whoever shows it."""

    finished: Counter[str] = field(default_factory=Counter)
    """Articles finished in this call, by state."""
    claims: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    """Paid in this call."""
    characters: int = 0
    """Length of the articles finished in this call."""
    stopped: str = ""
    """Why no more articles are taken; empty when all are."""
    is_entered: bool = False
    """The journal is ours: lock held, configuration the same."""

    def stop(self, reason: str) -> None:
        """Take no more articles; those in flight are finished."""
        self.stopped = self.stopped or reason


@dataclass(frozen=True)
class Desk:
    """Where evidence comes from, and who is asked."""

    settings: Settings
    store: PassageStore
    embedder: Embedder
    model: ClosableModel | None = None
    """In place of the one the settings name."""
    listener: Listener = ignore
    is_provider_batch: bool = False
    """Ask the model through its provider's Batch API: half the price, an answer within a day."""


@dataclass(frozen=True)
class Plan:
    """One call of a batch."""

    out: Path
    workers: int
    wanted: tuple[State | None, ...] = (None,)
    budget: Budget = field(default_factory=Budget)
    limit: int | None = None
    """Most articles in this call."""
    actors: int | None = None
    """Processes on a cluster; None: as many as it has processors."""
    call: str = ""
    """What the command was told, kept before any work so that `batch retry` can begin it again after a kill."""


async def run_batch(
    rows: Iterable[Row], desk: Desk, plan: Plan, progress: Progress, told: Callable[[Row, Item], None]
) -> None:
    """Verify what the journal in `plan.out` does not hold yet, and tell each article that is finished.

    Raises:
        ConfigError: wrong key, address or model; another batch works there; the journal is of another configuration.
        StoreError: journal or run log cannot be written.
    """
    async with aclosing(_finished(rows, desk, plan, progress)) as found:
        async for row, item in found:
            told(row, item)


async def _finished(
    rows: Iterable[Row], desk: Desk, plan: Plan, progress: Progress
) -> AsyncGenerator[tuple[Row, Item], None]:
    """Each article as it is finished and kept; no more are taken than who asks can keep up with."""
    with held(plan.out), Journal(plan.out) as journal, RunLog(desk.settings.run_dir) as log, _rare_collections():
        async with open_desk(desk.settings, desk.store, log, desk.listener, model=_model(desk, plan, log)) as deps:
            facts = facts_of(deps, desk.store, desk.embedder)
            started = enter(journal, facts, plan)
            progress.is_entered = True

            should_stop = stopper(plan, progress, deps.paid)
            work = Work(deps, facts, started, journal, plan.workers, plan.wanted, should_stop, plan.limit)
            try:
                async with aclosing(run_articles(enumerate(rows), work)) as done:
                    async for row, item in done:
                        progress.finished[item.state] += 1
                        progress.characters += len(row.article.text) if row.article else 0
                        progress.claims.update(item.claims)
                        progress.usage = deps.paid()
                        yield row, item
            finally:
                add_usage(journal, deps.paid(), progress)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Looks for garbage in cycles seldom: we make hardly any, and looking was a tenth of our time in a large batch."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _model(desk: Desk, plan: Plan, log: RunLog) -> ClosableModel | None:
    if not desk.is_provider_batch:
        return desk.model
    return batching_model_of(desk.settings, plan.out, log, desk.listener)


def stopper(plan: Plan, progress: Progress, paid: Callable[[], Usage]) -> Callable[[], bool]:
    """What is asked before each article: whether to take no more, and why, which `progress` then says."""

    def should_stop() -> bool:
        progress.usage = paid()
        progress.stop(plan.budget.spent(progress.usage))
        if (plan.out / CANCEL).exists():
            progress.stop("it was cancelled")
        if plan.limit is not None and progress.finished.total() >= plan.limit:
            progress.stop(f"the limit of {plan.limit} articles is reached")
        return bool(progress.stopped)

    return should_stop


def enter(journal: Journal, facts: dict[str, object], plan: Plan) -> str:
    """Enter the configuration in a new journal, or refuse one that differs; gives the time of the first start."""
    now = json.dumps(facts, sort_keys=True)
    before = journal.meta("facts")
    if before is None:
        journal.set_meta("facts", now)
        journal.set_meta("started", datetime.now(UTC).isoformat(timespec="seconds"))
    elif before != now:
        old = json.loads(before)
        changed = ", ".join(name for name in sorted(facts) if facts[name] != old.get(name))
        raise ConfigError(
            f"batch {str(plan.out)!r} was begun with another {changed}: give another --out (calls that were paid are"
            " kept and not paid again), or go back to what it was"
        )
    if plan.call:
        journal.set_meta("call", plan.call)
    return journal.meta("started") or ""


def add_usage(journal: Journal, paid: Usage, progress: Progress) -> None:
    """Keep what a call has paid, and for what."""
    before = Usage.model_validate_json(journal.meta("usage") or "{}")
    journal.set_meta("usage", (before + paid).model_dump_json())
    for name, more in (("articles", progress.finished.total()), ("characters", progress.characters)):
        journal.set_meta(f"measured_{name}", str(int(journal.meta(f"measured_{name}") or 0) + more))


async def verify_many(
    articles: Iterable[Row], desk: Desk, *, out: Path, workers: int | None = None
) -> AsyncIterator[tuple[Row, Item]]:
    """Verify articles; gives each of them once: as it is finished, then those finished before or twice given, in order.

    With the guarantees of `factdesk batch run`: `out` holds the journal, and the same call again goes on. What the
    journal holds of other calls is not given. Rows must have different places. Who takes them slowly slows the work
    down: no more than `workers` results wait.

    Raises:
        ConfigError: as `run_batch` does.
        StoreError: as `run_batch` does.
    """
    owed: set[str] = set()

    def noted() -> Iterator[Row]:
        for row in articles:
            owed.add(row.place)
            yield row

    plan = Plan(out=out, workers=workers or desk.settings.concurrency)
    async with aclosing(_finished(noted(), desk, plan, Progress())) as found:
        async for row, item in found:
            owed.discard(row.place)
            yield row, item
    if not owed:
        return
    with journal_of(out) as journal:
        for row, item in journal.rows():
            if row.place in owed:
                yield row, item


def journal_of(out: Path) -> Journal:
    """The journal of a batch that was begun.

    Raises:
        ConfigError: there is none.
    """
    if not (out / "journal.sqlite").is_file():
        raise ConfigError(f"{str(out)!r} holds no batch: begin one with `factdesk batch run INPUT... --out {out}`")
    return Journal(out)


def provider_batches(out: Path) -> list[dict[str, object]]:
    """What a provider has been sent and has not been collected yet; an id is None where it was not told in time."""
    if not (out / LEDGER).is_file():
        return []
    with BatchLedger(out) as ledger:
        return [{"batch": sent.batch, "requests": sent.size} for sent in ledger.open()]


def run_on_loop(work: Coroutine[Any, Any, _T]) -> _T:
    """Run on an event loop of its own, the one in C where there is one: a batch waits for many calls at once."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)
