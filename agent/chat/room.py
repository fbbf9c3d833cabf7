"""One live conversation: takes messages, does what the session wants done, tells the page what has changed."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.chat import session as say
from agent.chat.answers import short
from agent.chat.cards import patches
from agent.chat.keep import Shelves
from agent.chat.lookup import find_in_store
from agent.chat.prose import choose_topic, write
from agent.chat.quota import Quota
from agent.chat.recheck import recheck
from agent.chat.shelf import Shelf
from agent.chat.state import Controls, Phase, State, quotes_of
from agent.chat.stream import Stream
from agent.desk import deps_of, describe_run
from agent.domain import Claim, Document, Run, Verification
from agent.errors import AgentError, InputError
from agent.events import ClaimDone, Event
from agent.ingest.chunk import cut_passages
from agent.ingest.read import read_document
from agent.llm.base import StreamingModel
from agent.llm.retry import RetryingModel
from agent.llm.streamed import StreamedModel
from agent.pipeline import Deps, verify_text
from agent.runlog import RunLog
from agent.settings import Settings
from agent.small.base import Embedder
from agent.store.base import PassageStore
from agent.store.hybrid import Store

log = logging.getLogger(__name__)

_QUOTES_FOR_MODEL = 4

KeepCase = Callable[[Verification, dict[str, Document], say.Keep], None]
"""Keeps a correction as an evaluation case."""


class BaseStore(PassageStore, Protocol):
    """The desk's store: it can be listed, too."""

    def list(self) -> tuple[tuple[Document, int], ...]:
        """Every document with the number of its passages."""
        ...


@dataclass(frozen=True)
class House:
    """What all conversations share."""

    settings: Settings
    embedder: Embedder
    base: BaseStore | None
    model: StreamingModel
    calls: RetryingModel
    """The model with the limits that all calls keep together: those of checks and those of conversations."""
    shelves: Shelves
    keep_case: KeepCase
    slots: asyncio.Semaphore
    """Checks that run at the same time."""
    messages: Quota = field(default_factory=lambda: Quota("messages", 30))
    checks: Quota = field(default_factory=lambda: Quota("checks", 30))
    fetch: Callable[[str], Awaitable[Document]] | None = None
    """Opens an address as an article; None: this desk opens none."""


class Room:
    """One conversation while the server knows it."""

    def __init__(self, name: str, house: House, state: State) -> None:
        self.name = name
        self.stream = Stream()
        self._house = house
        self._state = state
        self._task: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._own: Store | None = None
        self._opening = threading.Lock()
        self._began = 0.0

    @property
    def state(self) -> State:
        """The conversation as it is now."""
        return self._state

    @property
    def is_busy(self) -> bool:
        """Whether a check, a model or the taking in of a source is at work."""
        return self._state.phase is Phase.CHECKING or bool(self._writing)

    def hear(self, message: say.Message) -> None:
        """Take a message, tell the page, and start what is wanted."""
        old = self._state
        self._state, want = say.step(old, message)
        for name, data in patches(old, self._state):
            self.stream.put(name, data)
        if not isinstance(message, ClaimDone | say.Found | say.Wrote) and old != self._state:
            self.save()
        self._do(want)

    def save(self) -> None:
        """Keep the conversation."""
        self._house.shelves.save(self.name, self._state)

    def begin(self, article: Document) -> None:
        """Check an article.

        Raises:
            InputError: there is no source to check it against, or a check is running.
        """
        self._require_idle()
        self._require_sources()
        self.hear(say.Begun(article=article))
        self._start(self._verify(article))

    def go_on(self) -> None:
        """Take up a check that was stopped."""
        if self._state.article is None:
            raise InputError("there is nothing to go on with: give an article first")
        self.begin(self._state.article)

    def check_again(self, claim_ids: Sequence[str]) -> None:
        """A new run of these claims; of all when none is named."""
        self._require_idle()
        claims = tuple(claim for claim in self._state.claims if not claim_ids or claim.id in claim_ids)
        if not claims:
            raise InputError("no such claim in this conversation")
        self._do(say.Recheck(claims=claims))

    async def cancel(self) -> None:
        """Stop the check that runs."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """End all work and close the own store."""
        await self.cancel()
        for task in tuple(self._writing):
            task.cancel()
        if self._writing:
            await asyncio.wait(self._writing)
        self.stream.close()
        if self._own is not None:
            self._own.close()
            self._own = None

    def shelf(self) -> Shelf:
        """What this conversation searches, as the controls are now."""
        return Shelf(self._house.base, self.own_store(), self._state.controls)

    def own_store(self, *, create: bool = False) -> Store | None:
        """The conversation's own sources; None when it has none yet."""
        folder = self.folder / "store"
        with self._opening:  # a source is taken in by another thread
            if self._own is None and (create or (folder / "record.sqlite").exists()):
                self._own = Store.open(folder, self._house.embedder, write=True, create=True)
            return self._own

    def put_source(self, document: Document) -> None:
        """Add a source of this conversation's own, or a mended copy of one of the desk's."""
        self._require_idle()
        store = self.own_store(create=True)
        assert store is not None
        store.add([(document, cut_passages(document))])

    def drop_source(self, document_id: str) -> None:
        """Remove an own source; one of the desk's is left out of this conversation.

        Raises:
            InputError: there is no such source.
        """
        self._require_idle()
        own, base = self.own_store(), self._house.base
        if own is not None and own.documents((document_id,)):
            own.remove(document_id)
        if base is not None and base.documents((document_id,)):
            hidden = tuple(dict.fromkeys((*self._state.controls.hidden, document_id)))
            self.set(self._state.controls.model_copy(update={"hidden": hidden}))

    def set(self, controls: Controls) -> None:
        """Change what is seen; it holds for the next check."""
        self.hear(say.Set(controls=controls))

    @property
    def base(self) -> tuple[Document, ...]:
        """The documents of the desk's store."""
        store = self._house.base
        return () if store is None else tuple(document for document, _ in store.list())

    @property
    def folder(self) -> Path:
        """Run log and own store."""
        return self._house.shelves.folder(self.name)

    def _require_idle(self) -> None:
        if self._state.phase is Phase.CHECKING:
            raise InputError("a check is running: stop it, or wait until it is done")

    def _require_sources(self) -> None:
        own = self.own_store()
        if self._house.base is None and (own is None or not own.list()):
            raise InputError("there are no sources yet: add some under Sources, or try the seed article")

    def _do(self, want: say.Want) -> None:
        match want:
            case say.Recheck(claims=claims):
                self.hear(say.Checking(claims=claims))
                self._start(self._recheck(claims))
            case say.TakeIn(text=text):
                self._write(self._take_in(text))
            case say.Keep():
                self._keep(want)
            case say.Prose():
                self._write(self._prose(want))
            case None:
                pass

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._began = time.monotonic()
        self._task = asyncio.create_task(self._guarded(work))

    def _write(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Run a check to one of its three ends."""
        try:
            async with self._house.slots:
                await work
        except asyncio.CancelledError:
            self.hear(say.Stopped())
        except AgentError as error:
            self.hear(say.Broke(reason=str(error)))
        except Exception as error:  # a defect in one conversation must not end the others
            log.exception("defect in conversation %s", self.name)
            self.hear(say.Broke(reason=f"a defect of factdesk itself ({type(error).__name__})"))
        finally:
            work.close()

    async def _verify(self, article: Document) -> None:
        async def work(deps: Deps, run: Run) -> Run:
            self.hear(say.Begun(article=article, run=run))
            return (await verify_text(article, run, deps)).run

        await self._with_desk(article, work)

    async def _recheck(self, claims: Sequence[Claim]) -> None:
        article = self._state.article or read_document(None, data=claims[0].text.encode(), name="statement")
        wanted = {claim.sentence_index for claim in claims}
        entries = [entry for entry in self._state.entries if entry.sentence.index in wanted]

        async def work(deps: Deps, run: Run) -> Run:
            return await recheck(claims, entries, article, run, deps)

        await self._with_desk(article, work)

    async def _with_desk(self, article: Document, work: Callable[[Deps, Run], Coroutine[None, None, Run]]) -> None:
        controls, house = self._state.controls, self._house
        chosen = {"as_of": controls.as_of, "undated": controls.undated}
        settings = house.settings.model_copy(update=chosen)
        shelf = self.shelf()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

        def listener(event: Event) -> None:
            if isinstance(event, ClaimDone):
                ids = list(dict.fromkeys(hit.passage.document_id for hit in event.verification.hits))
                self.hear(say.Found(documents=shelf.documents(ids)))
            self.hear(event)

        with RunLog(self.folder) as runs:
            deps = deps_of(settings, shelf, runs, listener, calls=house.calls)
            run = describe_run(article, deps, shelf, house.embedder)
            done = await work(deps, run)
            self.hear(say.Ended(run=done, usage=deps.paid()))

    async def _take_in(self, text: str) -> None:
        try:
            document = read_document(None, data=text.encode("utf-8", "replace"), name="source")
            await asyncio.to_thread(self.put_source, document)
        except AgentError as error:
            self.hear(say.Told(note=str(error)))
            return
        subject = self._state.claim(self._state.subject)
        again = (f"Check claim {self._state.number_of(subject.id)} again",) if subject else ()
        note = f"Source added: “{short(document.title)}”. Its date and publisher can be set under Sources."
        self.hear(say.Told(note=note, offers=(*again, "Check all claims again")))

    def _keep(self, want: say.Keep) -> None:
        try:
            self._house.keep_case(self._state.outcomes[want.claim_id], self._state.documents, want)
        except AgentError as error:
            self.hear(say.Told(note=str(error)))
            return
        self.hear(say.Corrected(claim_id=want.claim_id, correction=want.correction))

    async def _look_up(self, want: say.Prose) -> None:
        """The store's sentences that bear on a question."""
        seen = await asyncio.to_thread(
            find_in_store, want.question, self.shelf(), self._house.embedder, self._state.controls
        )
        if seen.statements:
            self.hear(say.Found(documents=seen.documents))
            self.hear(say.Quoted(turn=want.turn, statements=seen.statements))

    async def _prose(self, want: say.Prose) -> None:
        """A model's words on quotes; where there are none, its choice of what is asked. Without a model: neither."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with RunLog(self.folder) as runs:
            model = StreamedModel(self._house.model, self._house.calls, runs)
            try:
                await self._look_up(want)
                quotes = quotes_of(self._state.turns[want.turn])[:_QUOTES_FOR_MODEL]
                if quotes:
                    async for statement in write(model, want.question, quotes):
                        self.hear(say.Wrote(turn=want.turn, statement=statement))
                elif self._state.claims and not self._state.turns[want.turn].statements:
                    topic = await choose_topic(model, want.question, self._state)
                    self.hear(say.Chosen(turn=want.turn, action=topic))
            except AgentError as error:
                log.info("no words of the model: %s", error)
            finally:
                self.hear(say.Paid(usage=model.paid))
                self.hear(say.Written(turn=want.turn))


def reopened(state: State) -> State:
    """A conversation as it is found after a restart: what ran then runs no more."""
    turns = tuple(turn.model_copy(update={"is_open": False}) if turn.is_open else turn for turn in state.turns)
    phase = Phase.STOPPED if state.phase is Phase.CHECKING else state.phase
    return state.model_copy(update={"turns": turns, "phase": phase, "running": (), "before": {}, "waiting": ""})
