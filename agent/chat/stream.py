"""The numbered events of one conversation: kept, so that a page that lost the line goes on where it was."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

_MOST = 20_000
_BEAT = 15.0


class Stream:
    """Events from 1 on. Their ids name this start of the server too: of another start, everything is told anew."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(4)
        self._events: list[tuple[int, str, str]] = []
        self._last = 0
        self._more = asyncio.Event()
        self._is_closed = False

    @property
    def last(self) -> str:
        """Id of the last event."""
        return f"{self._epoch}-{self._last}"

    def put(self, name: str, data: dict[str, Any]) -> None:
        """One event more."""
        self._last += 1
        self._events.append((self._last, name, json.dumps(data)))
        del self._events[: max(0, len(self._events) - _MOST)]
        self._wake()

    def close(self) -> None:
        """No more will come."""
        self._is_closed = True
        self._wake()

    async def read(self, after: str, *, beat: float = _BEAT) -> AsyncIterator[str]:
        """What came after the event with this id, then what comes, in the form of server-sent events."""
        epoch, _, number = after.partition("-")
        at = int(number) if epoch == self._epoch and number.isdigit() else -1
        if at < 0 or (self._events and at < self._events[0][0] - 1):
            yield f"id: {self.last}\nevent: reset\ndata: {{}}\n\n"
            at = self._last
        while True:
            more = self._more
            for number_, name, data in [event for event in self._events if event[0] > at]:
                at = number_
                yield f"id: {self._epoch}-{number_}\nevent: {name}\ndata: {data}\n\n"
            if self._is_closed:
                return
            try:
                await asyncio.wait_for(more.wait(), beat)
            except TimeoutError:
                yield ": still here\n\n"

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()
