"""One actor of a Ray cluster: a desk of its own, and a journal and a log of calls in a folder of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.batch.engine import FAILED, Work, run_articles
from agent.batch.inputs import Row
from agent.batch.journal import Item, Journal
from agent.desk import embedder_of, facts_of, open_desk
from agent.domain import Document, Usage
from agent.errors import AgentError, ConfigError
from agent.llm.snapshot import CallSnapshot
from agent.runlog import RunLog
from agent.settings import Settings
from agent.store.hybrid import Store

LOCK = "actor.lock"
"""Held in its folder by an actor that lives."""
_REPORT = ("place", "id", "characters", "key", "state", "stage", "reason", "claims", "actor", "usage", "fatal")


@dataclass(frozen=True)
class Shift:
    """What an actor is told: the same for all."""

    settings: Settings
    parts: Path
    """Folder in which each actor makes one of its own; all machines see it."""
    calls: Path
    """What was paid before."""
    stop: Path
    """When this file is there, no more articles are taken."""
    facts: dict[str, object]
    started: str
    workers: int


class VerifyArticles:
    """What Ray starts in a process of its own and gives one table of articles after the other."""

    def __init__(self, shift: Shift) -> None:
        import ray

        self._name = str(ray.get_runtime_context().get_actor_id())
        self._shift = shift
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._fatal = ""
        try:
            self._work = self._loop.run_until_complete(self._open())
        except AgentError as error:  # raised here, it would be tried again without end
            self._fatal = str(error)

    def __call__(self, batch: Any) -> Any:
        """Verify a table of articles; gives one row for each that was finished."""
        import pyarrow as pa

        rows = [] if self._fatal else self._loop.run_until_complete(self._verify(batch.to_pylist()))
        if self._fatal:
            rows.append(dict.fromkeys(_REPORT, "") | {"fatal": self._fatal})
        return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in _REPORT]))

    async def _open(self) -> Work:
        from filelock import FileLock

        shift, stack = self._shift, self._stack
        folder = shift.parts / self._name
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(FileLock(folder / LOCK, thread_local=False))
        embedder = embedder_of(shift.settings)
        url = shift.settings.chroma_url
        store = stack.enter_context(Store.open(shift.settings.store_dir, embedder, chroma_url=url))
        journal = stack.enter_context(Journal(folder, is_shared=True))
        log = stack.enter_context(RunLog(folder, earlier=CallSnapshot(shift.calls)))
        deps = await stack.enter_async_context(open_desk(shift.settings, store, log))
        facts = facts_of(deps, store, embedder)
        if changed := [name for name in sorted(facts) if facts[name] != shift.facts[name]]:
            raise ConfigError(f"a machine of the cluster has another {', '.join(changed)}: make them all the same")
        return Work(deps, facts, shift.started, journal, shift.workers, (None, *FAILED), shift.stop.exists)

    async def _verify(self, batch: list[dict[str, Any]]) -> list[dict[str, str]]:
        reports: list[dict[str, str]] = []
        try:
            async for row, item in run_articles(iter([_unpacked(row) for row in batch]), self._work):
                reports.append(self._report(row, item))
        except AgentError as error:
            self._fatal = str(error)
        return reports

    def _report(self, row: Row, item: Item) -> dict[str, str]:
        characters = str(len(row.article.text) if row.article else 0)
        values = (row.place, row.id, characters, item.key, item.state, item.stage, item.reason, json.dumps(item.claims))
        paid = self._work.deps.paid().model_dump_json()
        return dict(zip(_REPORT, (*values, self._name, paid, ""), strict=True))


class Report:
    """One finished article, as an actor tells of it."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.fatal = str(row["fatal"])
        if self.fatal:
            return
        self.row = Row(row["place"], row["id"], None)
        self.item = Item(row["key"], row["state"], row["stage"], row["reason"], json.loads(row["claims"]))
        self.characters = int(row["characters"])
        self.actor = str(row["actor"])
        self.paid = Usage.model_validate_json(row["usage"])
        """By that actor so far."""


def packed(ordinal: int, row: Row) -> dict[str, Any]:
    """An article as an actor is given it."""
    return {
        "ordinal": ordinal, "place": row.place, "id": row.id, "reason": row.reason,
        "article": row.article.model_dump_json() if row.article else "",
        "extra": json.dumps(dict(row.extra), default=str),
    }  # fmt: skip


def _unpacked(row: Mapping[str, Any]) -> tuple[int, Row]:
    article = Document.model_validate_json(row["article"]) if row["article"] else None
    return row["ordinal"], Row(row["place"], row["id"], article, row["reason"], json.loads(row["extra"]))
