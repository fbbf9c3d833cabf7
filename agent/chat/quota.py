"""How often a minute something may be asked of the desk, so that nobody can spend its owner's money in a loop."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from agent.errors import InputError

_MINUTE = 60.0


class QuotaError(InputError):
    """Asked more often than the desk allows.

    Attributes:
        retry_after: whole seconds after which it will be heard.
    """

    def __init__(self, what: str, most: int, retry_after: int) -> None:
        super().__init__(f"more than {most} {what} a minute: say it again in {retry_after} s")
        self.retry_after = retry_after


class Quota:
    """At most so many of a thing in any minute.

    Args:
        what: the things, in the plural.
        most: of them in a minute.
        clock: tells the time in seconds.
    """

    def __init__(self, what: str, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._most = most
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> None:
        """Count one.

        Raises:
            QuotaError: there have been as many as may be; this one is not counted.
        """
        now = self._clock()
        while self._taken and self._taken[0] <= now - _MINUTE:
            self._taken.popleft()
        if len(self._taken) >= self._most:
            raise QuotaError(self._what, self._most, math.ceil(self._taken[0] + _MINUTE - now))
        self._taken.append(now)
