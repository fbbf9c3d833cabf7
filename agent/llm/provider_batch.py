"""A chat model that gathers requests into files for a provider's Batch API: half the price, an answer within a day.

Requests wait until nothing new has come for a while (all work waits for replies), or a file is full. What is sent is
in the ledger first, so a process that ends finds its batches again, and nothing is paid twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TypeVar

from agent.errors import AgentError, ConfigError, TransientModelError
from agent.llm.base import BatchDoor, BatchState, CallStore, ChatReply, ChatRequest
from agent.llm.batch_lines import read_lines, request_line
from agent.llm.ledger import BatchLedger, Sent
from agent.llm.retry import persist

log = logging.getLogger(__name__)
_T = TypeVar("_T")
_ENDED = frozenset(("completed", "expired", "cancelled", "failed"))
_TOO_MUCH = "token_limit_exceeded"
"""Code of a batch that was refused because too much is waiting already."""
_DAY = 86_400.0


@dataclass(frozen=True)
class Rhythm:
    """When to send, how often to look, when to give up."""

    quiet: float = 5
    """Seconds without a new request after which those that wait are sent."""
    poll: float = 10
    """Seconds between the first two looks at a batch; later ones are up to twelve times as far apart."""
    attempts: int = 4
    """Batches a request is put into before it counts as failed; tries of a call in a row before `outage` counts."""
    wait_base: float = 0.5
    outage: float = 0
    """Seconds for which a provider that does not answer is waited for, once it has answered."""
    most_requests: int = 50_000
    most_bytes: int = 190_000_000
    """The provider takes 200 MB a file."""


class BatchingModel:
    """One model behind a provider's Batch API.

    Args:
        door: the provider.
        ledger: of the run; closed with the model.
        store: where replies are kept, also those that nobody waits for any more.
        rhythm: of sending and looking.
        tell: hears what is sent and collected.
    """

    def __init__(
        self,
        door: BatchDoor,
        ledger: BatchLedger,
        store: CallStore,
        rhythm: Rhythm | None = None,
        tell: Callable[[str], None] = log.info,
    ) -> None:
        self._door, self._ledger, self._store, self._tell = door, ledger, store, tell
        self._rhythm = rhythm or Rhythm()
        self._most = self._rhythm.most_requests
        self._waiting: dict[str, asyncio.Future[ChatReply]] = {}
        self._queue: dict[str, tuple[ChatRequest, int]] = {}
        self._bytes = 0
        self._tries: dict[str, int] = {}
        self._last = 0.0
        self._news = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: AgentError | None = None
        self._has_answered = False

    @property
    def id(self) -> str:
        """Name of the model: the same replies as from the same model asked directly."""
        return self._door.id

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer, some time today."""
        if self._broken is not None:
            raise self._broken
        sha = request.sha256(self.id)
        if sha not in self._waiting:
            self._waiting[sha] = asyncio.get_running_loop().create_future()
            if not self._ledger.is_sent(sha):
                self._enqueue(sha, request)
            if not self._tasks:
                self._spawn(self._work())
        return await asyncio.shield(self._waiting[sha])

    async def aclose(self) -> None:
        """Stop looking; what was sent is found again by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ledger.__exit__()
        await self._door.aclose()

    def _enqueue(self, sha: str, request: ChatRequest) -> None:
        size = len(request_line(self._door.id, sha, request))
        self._queue[sha] = (request, size)
        self._bytes += size
        self._last = time.monotonic()
        self._news.set()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except AgentError as error:
                self._fail(error)
            except Exception as error:
                log.exception("defect in the provider batch")
                self._fail(ConfigError(f"defect in the provider batch: {type(error).__name__}: {error}"))

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fail(self, error: AgentError) -> None:
        """Nothing more can be sent or collected: whoever waits hears it."""
        self._broken = error
        for sha in list(self._waiting):
            self._settle(sha, error)

    async def _work(self) -> None:
        for sent in self._ledger.open():
            self._spawn(self._find_again(sent))
        while True:
            await self._has_room.wait()
            await self._ripen()
            await self._send(self._next_file())

    async def _ripen(self) -> None:
        """Wait until a file is full, or nothing new has come for a while."""
        while True:
            if len(self._queue) >= self._most or self._bytes >= self._rhythm.most_bytes:
                return
            left = self._last + self._rhythm.quiet - time.monotonic()
            if self._queue and left <= 0:
                return
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left if self._queue else None)
            except TimeoutError:
                continue

    def _next_file(self) -> dict[str, ChatRequest]:
        taken: dict[str, ChatRequest] = {}
        size = 0
        for sha, (request, more) in self._queue.items():
            if taken and (len(taken) >= self._most or size + more > self._rhythm.most_bytes):
                break
            taken[sha] = request
            size += more
        for sha in taken:
            self._bytes -= self._queue.pop(sha)[1]
        return taken

    async def _send(self, requests: Mapping[str, ChatRequest]) -> None:
        sent = await asyncio.to_thread(self._ledger.begin, requests)
        lines = b"".join(request_line(self._door.id, sha, request) for sha, request in requests.items())
        file_id = await self._try(lambda: self._door.upload(lines))
        is_second = False

        async def create() -> BatchState:
            """A try that seemed to fail may have gone through: look for its batch first."""
            nonlocal is_second
            found = await self._door.find(sent.mark, since=sent.begun - _DAY) if is_second else None
            is_second = True
            return found or await self._door.create(file_id, sent.mark)

        state = await self._try(create)
        self._ledger.entered(sent.mark, state.id)
        self._tell(f"provider batch {state.id}: {sent.size} requests sent, the answer comes within a day")
        self._spawn(self._follow(sent.mark, state.id))

    async def _find_again(self, sent: Sent) -> None:
        """A batch of an earlier process: it may have ended between sending it and being told its id."""
        batch = sent.batch
        if batch is None:
            found = await self._try(lambda: self._door.find(sent.mark, since=sent.begun - _DAY))
            if found is None:
                requests = self._ledger.requests(sent.mark)
                self._ledger.end(sent.mark, "not sent")
                self._queue_again(requests)
                return
            batch = found.id
            self._ledger.entered(sent.mark, batch)
        self._tell(f"provider batch {batch}: {sent.size} requests were sent earlier, found again")
        await self._follow(sent.mark, batch)

    def _queue_again(self, requests: Mapping[str, ChatRequest]) -> None:
        """Those that somebody waits for."""
        for sha, request in requests.items():
            if sha in self._waiting and sha not in self._queue:
                self._enqueue(sha, request)

    async def _follow(self, mark: str, batch: str) -> None:
        pause = self._rhythm.poll
        while (state := await self._try(lambda: self._door.look(batch))).status not in _ENDED:
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, 12 * self._rhythm.poll)
        requests = await asyncio.to_thread(self._ledger.requests, mark)
        found: dict[str, ChatReply | AgentError] = {}
        for file_id in state.files:
            content = await self._try(lambda name=file_id: self._door.read(name))  # type: ignore[misc]  # bound now
            found |= {sha: what for sha, what in read_lines(content, self.id) if sha in requests}
        await asyncio.to_thread(self._keep, requests, found)
        self._ledger.end(mark, state.status)
        self._has_room.set()
        self._share_out(state, requests, found)

    def _keep(self, requests: Mapping[str, ChatRequest], found: Mapping[str, ChatReply | AgentError]) -> None:
        for sha, what in found.items():
            if isinstance(what, ChatReply):
                self._store.save_call(sha, requests[sha], what)

    def _share_out(
        self, state: BatchState, requests: Mapping[str, ChatRequest], found: Mapping[str, ChatReply | AgentError]
    ) -> None:
        again: dict[str, ChatRequest] = {}
        unanswered = TransientModelError(f"provider batch {state.id} is {state.status}, without an answer to this one")
        for sha, request in requests.items():
            what = found.get(sha, unanswered)
            if isinstance(what, ConfigError):
                raise what
            if isinstance(what, TransientModelError) and self._may_try_again(sha, state):
                again[sha] = request
            else:
                self._settle(sha, what)
        answered = sum(isinstance(what, ChatReply) for what in found.values())
        more = f", {len(again)} not answered" if again else ""
        self._tell(f"provider batch {state.id} is {state.status}: {answered} of {len(requests)} answered{more}")
        self._check_end(state, len(requests))
        self._queue_again(again)

    def _may_try_again(self, sha: str, state: BatchState) -> bool:
        if state.status in {"failed", "cancelled"}:  # said of the whole batch below
            return True
        self._tries[sha] = self._tries.get(sha, 0) + 1
        return self._tries[sha] < self._rhythm.attempts

    def _check_end(self, state: BatchState, count: int) -> None:
        """Where too much is waiting, wait for another of ours, or cut it in half; all else is for the user to settle.

        Raises:
            ConfigError: cancelled by somebody, or refused as a whole.
        """
        if state.status == "cancelled":
            raise ConfigError(
                f"provider batch {state.id} was cancelled at the provider: what it had answered is kept; the same"
                " command sends the rest again"
            )
        if state.status != "failed":
            return
        if state.code != _TOO_MUCH or count == 1:
            raise ConfigError(f"provider batch {state.id} was refused ({state.code}; {state.reason}): check the model")
        if self._ledger.open():
            self._has_room.clear()
            self._tell("too much is waiting at the provider: nothing is sent until another batch has ended")
            return
        self._most = max(1, min(self._most, count) // 2)
        self._tell(f"too much is waiting at the provider: files of at most {self._most} requests from now on")

    def _settle(self, sha: str, what: ChatReply | AgentError) -> None:
        waiting = self._waiting.pop(sha, None)
        self._tries.pop(sha, None)
        if waiting is None or waiting.done():
            return
        if isinstance(what, ChatReply):
            waiting.set_result(what)
        else:
            waiting.set_exception(what)
            waiting.exception()  # somebody may have stopped waiting

    async def _try(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """One call, with patience once the provider has answered at all.

        Raises:
            ConfigError: it does not answer.
        """
        rhythm = self._rhythm
        outage = rhythm.outage if self._has_answered else 0
        try:
            found = await persist(work, attempts=rhythm.attempts, wait_base=rhythm.wait_base, outage=outage)
        except TransientModelError as error:
            raise ConfigError(
                f"{error}; gave up: check the provider and FACTDESK_BASE_URL; what was sent is kept, and the same"
                " command goes on"
            ) from error
        self._has_answered = True
        return found
