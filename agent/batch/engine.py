"""Articles side by side, never more than so many at once; each is in the journal before it is told of."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, replace

from agent.batch.inputs import Row
from agent.batch.journal import Item, Journal, State
from agent.batch.memory import MemoryLog
from agent.desk import run_of
from agent.domain import Result, SentenceStatus, Usage, short_hash
from agent.errors import AgentError, ConfigError, StoreError
from agent.pipeline import Deps, verify_text
from agent.report.contract import pair_claims, state_of

log = logging.getLogger(__name__)

_UNFINISHED: tuple[State | None, ...] = (None,)
FAILED: tuple[State | None, ...] = ("failed", "partial", "rejected")


@dataclass(frozen=True)
class Work:
    """What a batch works with."""

    deps: Deps
    facts: dict[str, object]
    """All that can change a result, apart from the text."""
    started: str
    """Of the batch, so that an article's record does not depend on when it was its turn."""
    journal: Journal
    workers: int
    wanted: tuple[State | None, ...] = _UNFINISHED
    """Articles in one of these states are worked on; None is an article that has not been finished."""
    should_stop: Callable[[], bool] = lambda: False
    """Asked before each article: whether to take no more, and only finish what is in flight."""
    limit: int | None = None
    """Most articles."""


_Done = tuple[Row, Item]


async def run_articles(rows: Iterator[tuple[int, Row]], work: Work) -> AsyncGenerator[_Done, None]:
    """Verify the articles; gives each as it is finished and kept, in no particular order.

    Args:
        rows: each with its place in the order of the inputs.
        work: what they are verified with.

    Raises:
        ConfigError: a key, address, model name or quota: nothing more is tried, what is finished is kept.
        StoreError: the journal or the run log cannot be written.
    """
    running: dict[str, asyncio.Task[_Done]] = {}
    ended: asyncio.Queue[tuple[str, asyncio.Task[_Done]]] = asyncio.Queue()
    is_read, done = False, 0
    try:
        while running or not is_read:
            room = work.workers if work.limit is None else min(work.workers, work.limit - done)
            while not is_read and len(running) < max(room, 1):
                found = None if work.should_stop() else await asyncio.to_thread(next, rows, None)
                if found is None:
                    is_read = True
                    break
                _take(*found, work, running, ended)
            if not running:
                continue
            key, task = await ended.get()
            del running[key]
            done += 1
            yield task.result()
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


def _take(
    ordinal: int,
    row: Row,
    work: Work,
    running: dict[str, asyncio.Task[_Done]],
    ended: asyncio.Queue[tuple[str, asyncio.Task[_Done]]],
) -> None:
    """Start an article, unless it is finished or, under another id, being worked on."""
    key = key_of(row, work)
    if key in running or work.journal.state(key) not in work.wanted:
        work.journal.link(row, ordinal, key)
        return
    running[key] = task = asyncio.create_task(_finish(row, ordinal, key, work))
    task.add_done_callback(lambda done: ended.put_nowait((key, done)))


def key_of(row: Row, work: Work) -> str:
    """Hash of article and configuration; of a row that is no article, of its place."""
    if row.article is None:
        return short_hash("rejected", row.place, row.reason)
    return run_of(row.article, work.facts, work.deps.settings).id


async def _finish(row: Row, ordinal: int, key: str, work: Work) -> tuple[Row, Item]:
    item = Item(key, "rejected", "read", row.reason) if row.article is None else await _verify(row, key, work)
    await asyncio.to_thread(work.journal.save, row, ordinal, item)
    return row, item


async def _verify(row: Row, key: str, work: Work) -> Item:
    assert row.article is not None
    run = run_of(row.article, work.facts, work.deps.settings).model_copy(update={"started": work.started})
    try:
        deps = replace(work.deps, log=MemoryLog(), paid=Usage)
        return item_of(key, await verify_text(row.article, run, deps))
    except (ConfigError, StoreError):
        raise
    except AgentError as error:
        return Item(key, "failed", "read", str(error))
    except Exception as error:  # a defect of ours in one article must not end the batch
        log.exception("defect while verifying article %s", row.place)
        return Item(key, "failed", "defect", f"{type(error).__name__}: {error}")


def item_of(key: str, result: Result) -> Item:
    """What the journal keeps of a result; one in which something has failed is partial."""
    states = Counter(state_of(verification).value for _, verification in pair_claims(result))
    lost = [("extract", e.reason) for e in result.ledger.entries if e.status is SentenceStatus.FAILED]
    lost += [(v.failure.stage, v.failure.message) for v in result.verifications if v.failure]
    if not lost:
        return Item(key, "done", claims=dict(states), result=result)
    has_verdict = any(verification.verdict for verification in result.verifications)
    return Item(key, "partial" if has_verdict else "failed", *lost[0], claims=dict(states), result=result)
