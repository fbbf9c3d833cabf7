"""The one retry policy and the one limit on calls in flight: nothing else in factdesk tries a call again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_none, wait_random_exponential

from agent.errors import ConfigError, ModelError, TransientModelError
from agent.llm.base import ChatModel, ChatReply, ChatRequest
from agent.llm.limits import Breaker, Pace, tokens_of

log = logging.getLogger(__name__)
_T = TypeVar("_T")

LONGEST_WAIT = 120.0
"""Seconds; a server that asks for more is treated as unavailable."""


@dataclass(frozen=True)
class Limits:
    """What all calls of a model together may do, and how long one may take."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    deadline: float | None = None
    """Seconds of one call with all its tries and waits, from its first try; an outage does not count."""
    outage: float = 0
    """Seconds for which an outage is waited out; 0: not at all."""
    first_pause: float = 2
    tell: Callable[[str], None] = log.warning


@dataclass
class _Call:
    """One call through all its tries."""

    sha256: str
    tries: int = 0
    """While the server was up."""
    began: float | None = None
    paused: float = 0

    @property
    def seconds(self) -> float:
        """Since the first try, without the time for which the server was down."""
        return 0 if self.began is None else time.monotonic() - self.began - self.paused


class RetryingModel:
    """A chat model that waits and tries again on transient errors, with at most `concurrency` calls in flight.

    A `Retry-After` holds back all calls of this model, not only the one that was told.

    Args:
        model: makes one try a call.
        attempts: most tries for a call, the first included.
        wait_base: seconds of the first back-off (doubling, full jitter); 0 never waits.
        concurrency: most tries in flight.
        limits: a minute, for a call, and for an outage.
    """

    def __init__(
        self, model: ChatModel, *, attempts: int, wait_base: float, concurrency: int, limits: Limits | None = None
    ) -> None:
        self._model = model
        self._attempts = attempts
        self._wait_base = wait_base
        self._slots = asyncio.Semaphore(concurrency)
        self._resume_at = 0.0
        self._has_answered = False
        self._limits = limits or Limits()
        self._requests = Pace(self._limits.requests_per_minute)
        self._tokens = Pace(self._limits.tokens_per_minute)
        self._breaker = Breaker(self._limits.outage, first_pause=self._limits.first_pause, tell=self._limits.tell)

    @property
    def id(self) -> str:
        """Id of the model behind."""
        return self._model.id

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer, after as many tries as it takes and is allowed.

        Raises:
            ConfigError: the server has never answered; its address is probably wrong.
            TransientModelError: all tries failed.
        """
        call = _Call(request.sha256(self.id))
        policy = _policy(lambda _: self._is_over(call), self._wait_base)
        try:
            return await policy(self._try_once, request, call)
        except TransientModelError as error:
            if self._has_answered:
                raise
            tries = f"gave up after {self._attempts} tries and no answer at all"
            raise ConfigError(f"{error}; {tries}: check the server, the network and FACTDESK_BASE_URL") from error

    @asynccontextmanager
    async def turn(self, request: ChatRequest) -> AsyncIterator[None]:
        """A place among the calls in flight, at their pace, for one try that is made elsewhere."""
        call = _Call(request.sha256(self.id))
        async with self._slots:
            is_probe = await self._breaker.enter()
            try:
                await _until(max(self._requests.take(1), self._tokens.take(tokens_of(request))))
                await self._hold()
                yield
                self._breaker.succeeded()
            except TransientModelError as error:
                self._note(error, call)
                raise
            finally:
                if is_probe:
                    self._breaker.leave()

    async def _try_once(self, request: ChatRequest, call: _Call) -> ChatReply:
        async with self._slots:
            arrived = time.monotonic()
            is_probe = await self._breaker.enter()
            if call.began is not None:
                call.paused += time.monotonic() - arrived
            try:
                return await self._ask(request, call)
            finally:
                if is_probe:
                    self._breaker.leave()

    async def _ask(self, request: ChatRequest, call: _Call) -> ChatReply:
        taken = tokens_of(request)
        await _until(max(self._requests.take(1), self._tokens.take(taken)))
        await self._hold()
        call.began = call.began or time.monotonic()
        try:
            reply = await self._within_deadline(request, call)
        except TransientModelError as error:
            self._note(error, call)
            raise
        except ModelError:
            self._breaker.succeeded()  # it is there, it only says no
            raise
        self._tokens.give_back(taken - reply.usage.prompt_tokens - reply.usage.completion_tokens)
        self._has_answered = True
        self._breaker.succeeded()
        return reply

    async def _within_deadline(self, request: ChatRequest, call: _Call) -> ChatReply:
        limit = self._limits.deadline
        try:
            async with asyncio.timeout(None if limit is None else max(0, limit - call.seconds)):
                return await self._model.complete(request)
        except TimeoutError as error:
            raise TransientModelError(f"no answer within the deadline of {limit:g} s for a call") from error

    async def _hold(self) -> None:
        while (wait := self._resume_at - time.monotonic()) > 0:  # noqa: ASYNC110 (another call may push it back)
            await asyncio.sleep(wait)

    def _note(self, error: TransientModelError, call: _Call) -> None:
        log.info("model call failed, may be tried again: %s", error)
        if error.retry_after is not None:
            self._breaker.succeeded()  # one that asks us to wait is not down
        elif self._has_answered:  # one that never was there is no outage but a wrong address
            self._breaker.failed(call.sha256, error)
        if not self._breaker.is_open:
            call.tries += 1
        if error.retry_after is None:
            return
        if error.retry_after > LONGEST_WAIT:
            raise ConfigError(f"{error}; the server asks to wait {error.retry_after:.0f} s: try again later") from error
        self._resume_at = max(self._resume_at, time.monotonic() + error.retry_after)

    def _is_over(self, call: _Call) -> bool:
        limit = self._limits.deadline
        return call.tries >= self._attempts or (limit is not None and call.seconds >= limit)


async def _until(moment: float) -> None:
    if (wait := moment - time.monotonic()) > 0:
        await asyncio.sleep(wait)


async def persist(work: Callable[[], Awaitable[_T]], *, attempts: int, wait_base: float, outage: float = 0) -> _T:
    """Do one piece of work, as often as it takes: at most `attempts` tries, and after those for `outage` seconds.

    A `Retry-After` is waited for.

    Raises:
        TransientModelError: it never went well.
    """
    began = time.monotonic()

    def is_over(state: RetryCallState) -> bool:
        return state.attempt_number >= attempts and time.monotonic() - began >= outage

    async def once() -> _T:
        try:
            return await work()
        except TransientModelError as error:
            log.info("call failed, may be tried again: %s", error)
            await asyncio.sleep(min(error.retry_after or 0, LONGEST_WAIT))
            raise

    return await _policy(is_over, max(wait_base, 0.01 if outage else 0))(once)


def insist(work: Callable[[], _T], *, attempts: int, wait_base: float) -> _T:
    """`persist` for work that blocks its thread, such as embedding passages.

    Raises:
        TransientModelError: it never went well.
    """
    tries = 0

    def once() -> _T:
        nonlocal tries
        try:
            return work()
        except TransientModelError as error:
            log.info("call failed, may be tried again: %s", error)
            tries += 1
            if tries < attempts and (error.retry_after or 0) <= LONGEST_WAIT:
                time.sleep(error.retry_after or 0)
            raise

    def is_over(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        is_long = isinstance(error, TransientModelError) and (error.retry_after or 0) > LONGEST_WAIT
        return is_long or state.attempt_number >= attempts

    return Retrying(**_rules(is_over, wait_base))(once)


def _policy(is_over: Callable[[RetryCallState], bool], wait_base: float) -> AsyncRetrying:
    return AsyncRetrying(**_rules(is_over, wait_base))


def _rules(is_over: Callable[[RetryCallState], bool], wait_base: float) -> dict[str, Any]:
    return {
        "stop": is_over,
        "wait": wait_random_exponential(multiplier=wait_base, max=30) if wait_base else wait_none(),
        "retry": retry_if_exception_type(TransientModelError),
        "reraise": True,
    }
