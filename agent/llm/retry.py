"""The one retry policy and the one limit on calls in flight: nothing else in factdesk tries a call again."""

from __future__ import annotations

import asyncio
import logging
import time

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from agent.errors import ConfigError, TransientModelError
from agent.llm.base import ChatModel, ChatReply, ChatRequest

log = logging.getLogger(__name__)

LONGEST_WAIT = 120.0
"""Seconds; a server that asks for more is treated as unavailable."""


class RetryingModel:
    """A chat model that waits and tries again on transient errors, with at most `concurrency` calls in flight.

    A `Retry-After` holds back all calls of this model, not only the one that was told.

    Args:
        model: makes one try a call.
        attempts: most tries for a call, the first included.
        wait_base: seconds of the first back-off (doubling, full jitter); 0 never waits.
        concurrency: most tries in flight.
    """

    def __init__(self, model: ChatModel, *, attempts: int, wait_base: float, concurrency: int) -> None:
        self._model = model
        self._attempts = attempts
        self._wait_base = wait_base
        self._slots = asyncio.Semaphore(concurrency)
        self._resume_at = 0.0
        self._has_answered = False

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
        policy = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=retry_if_exception_type(TransientModelError),
            reraise=True,
        )
        try:
            return await policy(self._try_once, request)
        except TransientModelError as error:
            if self._has_answered:
                raise
            tries = f"gave up after {self._attempts} tries and no answer at all"
            raise ConfigError(f"{error}; {tries}: check the server, the network and FACTDESK_BASE_URL") from error

    async def _try_once(self, request: ChatRequest) -> ChatReply:
        async with self._slots:
            await self._hold()
            try:
                reply = await self._model.complete(request)
            except TransientModelError as error:
                self._note(error)
                raise
        self._has_answered = True
        return reply

    async def _hold(self) -> None:
        while (wait := self._resume_at - time.monotonic()) > 0:  # noqa: ASYNC110 (another call may push it back)
            await asyncio.sleep(wait)

    def _note(self, error: TransientModelError) -> None:
        log.info("model call failed, may be tried again: %s", error)
        if error.retry_after is None:
            return
        if error.retry_after > LONGEST_WAIT:
            raise ConfigError(f"{error}; the server asks to wait {error.retry_after:.0f} s: try again later") from error
        self._resume_at = max(self._resume_at, time.monotonic() + error.retry_after)

    def _wait(self, state: RetryCallState) -> float:
        if self._wait_base == 0:
            return 0
        return float(wait_random_exponential(multiplier=self._wait_base, max=30)(state))
