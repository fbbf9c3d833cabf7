"""The four ways to use the desk, each on small made-up texts and a given model server, with what came of it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agent.batch.inputs import Row, text_article
from agent.batch.journal import Journal
from agent.batch.run import Desk, Plan, Progress, run_batch
from agent.chat import session as say
from agent.chat.room import Room
from agent.chat.rooms import Rooms
from agent.chat.serve import open_rooms
from agent.chat.state import Controls, Phase
from agent.desk import describe_run, open_desk
from agent.domain import Document, Result, SentenceStatus, Verification, text_sha256
from agent.errors import AgentError
from agent.ingest.chunk import cut_passages
from agent.pipeline import verify_text
from agent.report.contract import to_json, verify_contract
from agent.runlog import RunLog
from agent.settings import Settings, load_settings
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder, MemoryStore
from evals import work
from evals.run import run_suite
from evals.suites import find_suite

KEY = "sk-canary-5d1e77-nowhere"
CLAIMS = 4
_ARTICLES = 3
_CASES = 3
_LONGEST = 30.0
"""Seconds after which a conversation that is still busy is taken for stuck."""


@dataclass(frozen=True)
class Site:
    """Where a way is tried."""

    url: str
    folder: Path
    store: Path
    """A store with sources; see `fill_store`."""
    suite: Path = Path("smoke")


class Seen(NamedTuple):
    """What came of it."""

    labels: dict[str, str]
    """Of the claims that have a verdict."""
    failures: Counter[str]
    """By kind; an article that could not be read counts, too."""
    wrong: list[str]
    """What is not as it must be whatever the server does."""
    error: AgentError | None = None
    """What it was stopped by."""


def settings_of(site: Site) -> Settings:
    """Quick to try again, with time-outs of tests; no model of our own is there, so none is used."""
    chosen = {
        "base_url": site.url, "model": "mock", "api_key": KEY, "wait_base": 0, "timeout": 0.6, "attempts": 2,
        "concurrency": 4, "window": 2, "call_deadline": 6, "run_dir": site.folder / "runs",
        "cache_dir": site.folder / "cache", "store_dir": site.store,
    }  # fmt: skip
    return load_settings(chosen, {})


def sources() -> tuple[Document, ...]:
    """Made-up reports about mills; the scripted server finds what it says in each."""
    return tuple(
        _document(f"Report {n} is about mill number {n} in Norvik. It is so. The mill made {n} tons of flour.", f"r{n}")
        for n in range(2 * CLAIMS)
    )


def fill_store(folder: Path) -> None:
    """A store on disk with the sources."""
    with Store.open(folder, HashEmbedder(), write=True, create=True) as store:
        store.add([(source, cut_passages(source)) for source in sources()])


def verify(site: Site) -> Seen:
    """One article."""
    return asyncio.run(_verify(site))


async def _verify(site: Site) -> Seen:
    settings, embedder = settings_of(site), HashEmbedder()
    article = _document(text_of("v"), "article")
    with RunLog(settings.run_dir) as log:
        store = MemoryStore([(source, cut_passages(source)) for source in sources()], embedder=embedder)
        async with open_desk(settings, store, log) as deps:
            result = await verify_text(article, describe_run(article, deps, store, embedder), deps)
    lost = Counter("sentence failed" for entry in result.ledger.entries if entry.status is SentenceStatus.FAILED)
    return _seen(result.verifications, lost, _broken(result))


def batch(site: Site) -> Seen:
    """A batch of three articles; what it came to is read from its journal, also when it was stopped."""
    settings, embedder = settings_of(site), HashEmbedder()
    store = MemoryStore([(source, cut_passages(source)) for source in sources()], embedder=embedder)
    rows = [Row(f"made up:{n}", f"a{n}", text_article(text_of(f"b{n}-"))) for n in range(_ARTICLES)]
    progress = Progress()
    plan = Plan(out=site.folder / "batch", workers=2)
    desk = Desk(settings=settings, store=store, embedder=embedder)
    error = None
    try:
        asyncio.run(run_batch(rows, desk, plan, progress, lambda _row, _item: None))
    except AgentError as told:
        error = told
    with Journal(plan.out) as journal:
        finished = list(journal.rows())
        left = [row.place for row in rows if not journal.is_finished(row.place)]
    wrong = [] if error or progress.stopped or not left else [f"left without a reason: {left}"]
    if sorted([*(row.place for row, _ in finished), *left]) != sorted(row.place for row in rows):
        wrong.append(f"{len(finished)} finished and {len(left)} left are not the {_ARTICLES} articles")
    results = [item.result for _, item in finished if item.result]
    wrong += [text for result in results for text in _broken(result)]
    lost = Counter(f"article {item.state}" for _, item in finished if item.state != "done")
    seen = _seen([one for result in results for one in result.verifications], lost, wrong)
    return seen._replace(error=error)


def evaluate(site: Site) -> Seen:
    """Claims of a suite, with their gold passages, judged by the model."""
    settings = settings_of(site)
    plan = work.Plan(suite=find_suite(str(site.suite)), evidence="gold", limit=_CASES)
    run = run_suite(plan, settings, parts=work.Parts(embedder=lambda _: HashEmbedder()))
    outcomes = list(run.outcomes())
    wrong = [] if len(outcomes) == run.results.n == _CASES else [f"{len(outcomes)} outcomes of {_CASES} cases"]
    return _seen([one.verification for one in outcomes if one.verification], Counter(), wrong)


def chat(site: Site) -> Seen:
    """A conversation: an article is checked, and a question asked about it."""
    settings = settings_of(site)
    with open_rooms(settings, lambda _done, _documents, _want: None, embedder=HashEmbedder()) as rooms:

        async def work_through() -> Seen:
            try:
                return await converse(await begin(rooms, "c"))
            finally:
                await rooms.close()
                await rooms.house.model.aclose()

        return asyncio.run(work_through())


async def begin(rooms: Rooms, letter: str) -> Room:
    """A conversation about an article."""
    return await rooms.start(text_article(text_of(letter)), Controls())


async def converse(room: Room) -> Seen:
    """The check of a conversation, and then a question."""
    wrong = await _quiet(room)
    room.hear(say.Said(text="Who says so, and when was it written?"))
    wrong += await _quiet(room)
    state = room.state
    wrong += [] if all(not turn.is_open for turn in state.turns) else ["a turn is still open"]
    lost = Counter("sentence failed" for entry in state.entries if entry.status is SentenceStatus.FAILED)
    lost.update(["check failed"] if state.phase is Phase.FAILED else [])
    return _seen(tuple(state.outcomes.values()), lost, wrong)


async def _quiet(room: Room) -> list[str]:
    """Wait until nothing is at work."""
    end = time.monotonic() + _LONGEST
    while room.is_busy:
        if time.monotonic() > end:
            return [f"still busy after {_LONGEST:g} s"]
        await asyncio.sleep(0.02)
    return []


WAYS: dict[str, Callable[[Site], Seen]] = {"verify": verify, "batch": batch, "eval": evaluate, "chat": chat}


def text_of(letter: str) -> str:
    """An article of some claims, in the words the scripted server knows."""
    return " ".join(f"The mill {letter}{n} in Norvik made {n} tons of flour." for n in range(CLAIMS))


def broken_files(folder: Path) -> Iterator[str]:
    """SQLite files that are damaged, and files that hold the key."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if KEY.encode() in content:
            yield f"the key is in {path.name}"
        if content.startswith(b"SQLite format 3"):
            yield from (f"{path.name} is damaged: {fault}" for fault in _damages(path))


def _damages(path: Path) -> Iterator[str]:
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("pragma integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        found = (str(error),)
    finally:
        connection.close()
    if found != ("ok",):
        yield str(found[0])


def _broken(result: Result) -> list[str]:
    """Where a result breaks what its JSON promises."""
    data = to_json(result)
    return verify_contract(data, {key: row["text"] for key, row in data["documents"].items()})


def _document(text: str, name: str) -> Document:
    return Document(id=name, text=text, publisher=f"Paper {name}", sha256=text_sha256(text))


def _seen(verifications: Sequence[Verification], lost: Counter[str], wrong: Sequence[str]) -> Seen:
    labels = {done.claim.text: done.verdict.label.value for done in verifications if done.verdict}
    kinds = Counter(done.failure.kind.value for done in verifications if done.failure)
    bugs = [str(done.failure) for done in verifications if done.failure and done.failure.kind.value == "bug"]
    return Seen(labels, kinds + lost, [*wrong, *bugs])
