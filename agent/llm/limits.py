"""What holds calls back before they are made: so many requests and tokens a minute, and a server that is down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from agent.errors import ConfigError, TransientModelError
from agent.llm.base import ChatRequest

_CHARACTERS_A_TOKEN = 4
"""Of English, about; the true count corrects it when the reply is there."""
_LONGEST_PAUSE = 60.0
_FAILED_REQUESTS = 5
"""Different requests that fail in a row before the server counts as down: one that always fails is no outage."""


class Pace:
    """At most so many units a minute for all callers together, evenly spread, with no burst at the start.

    Args:
        per_minute: units a minute; None is no limit.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._seconds = 60 / per_minute if per_minute else 0.0
        self._free_at = 0.0

    def take(self, units: float) -> float:
        """Take units; gives the moment (monotonic clock) from which they may be used."""
        due = max(time.monotonic(), self._free_at)
        self._free_at = due + units * self._seconds
        return due

    def give_back(self, units: float) -> None:
        """Fewer were used than taken; a negative number: more."""
        self._free_at -= units * self._seconds


def tokens_of(request: ChatRequest) -> float:
    """Most tokens a call will take, as servers reckon before they answer."""
    text = sum(len(message.content) for message in request.messages)
    return text / _CHARACTERS_A_TOKEN + request.max_tokens


class Breaker:
    """Holds all calls back while the server is down, and lets one through at a time to see whether it is up again.

    Args:
        longest: seconds of an outage after which the run is stopped; 0 never holds anything back.
        first_pause: seconds before the first look, then twice as long each time, up to a minute.
        tell: hears that the server is down, and that it is back.
    """

    def __init__(self, longest: float, *, first_pause: float, tell: Callable[[str], None]) -> None:
        self._longest = longest
        self._first_pause = first_pause
        self._tell = tell
        self._failed: set[str] = set()
        self._down_since = 0.0
        self._pause = 0.0
        self._reason = ""
        self._probe = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """The server counts as down."""
        return self._down_since > 0

    async def enter(self) -> bool:
        """Wait while the server is down; True for the one call that looks whether it is up: it must call `leave`.

        Raises:
            ConfigError: the outage has lasted too long.
        """
        if not self.is_open:
            return False
        await self._probe.acquire()
        is_probe = False
        try:
            is_probe = await self._look()
        finally:
            if not is_probe:
                self._probe.release()
        return is_probe

    async def _look(self) -> bool:
        if not self.is_open:
            return False
        down = time.monotonic() - self._down_since
        if down > self._longest:
            raise ConfigError(
                f"{self._reason}; the server has been down for {down:.0f} s: begin again when it is up; what is"
                " finished is kept"
            )
        await asyncio.sleep(min(self._pause, self._longest - down))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return True

    def leave(self) -> None:
        """The look is over, whatever it found."""
        self._probe.release()

    def succeeded(self) -> None:
        """The server has answered."""
        if self.is_open:
            self._tell(f"the server answers again, after {time.monotonic() - self._down_since:.0f} s")
        self._failed.clear()
        self._down_since = 0.0

    def failed(self, request: str, error: TransientModelError) -> None:
        """A try of a request (its hash) has failed."""
        if self._longest == 0 or self.is_open:
            return
        self._failed.add(request)
        if len(self._failed) >= _FAILED_REQUESTS:
            self._down_since, self._pause, self._reason = time.monotonic(), self._first_pause, str(error)
            self._tell(f"the server seems to be down ({error}): all calls wait, and one looks from time to time")
