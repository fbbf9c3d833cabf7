"""Log lines on standard error: an event is one line, no control character comes through, and no key."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Iterable
from functools import cached_property

from agent.masking import masked


class SafeFormatter(logging.Formatter):
    """Writes an event on one line; the lines of a traceback are indented, so that none can pass for an event.

    Args:
        find_secrets: gives the texts that are written as `***`, besides all that look like a key; asked at the first
            event, as there mostly is none.
    """

    def __init__(self, find_secrets: Callable[[], Iterable[str]] = tuple) -> None:
        super().__init__("%(levelname)s:%(name)s:%(message)s")
        self._find_secrets = find_secrets

    @cached_property
    def _secrets(self) -> tuple[str, ...]:
        return tuple(self._find_secrets())

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is logging's)
        """The event without its traceback, its line ends escaped."""
        return super().formatMessage(record).replace("\n", "\\n")

    def format(self, record: logging.LogRecord) -> str:
        """The event and its traceback."""
        first, *rest = masked(super().format(record), self._secrets).split("\n")
        return "\n".join([_escaped(first), *(f"  | {_escaped(line)}" for line in rest)])


def start_logging(find_secrets: Callable[[], Iterable[str]], *, level: int) -> None:
    """Send all log events of this process to standard error, safely."""
    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter(find_secrets))
    logging.basicConfig(level=level, handlers=[handler])


def _escaped(line: str) -> str:
    return "".join(
        repr(character)[1:-1] if unicodedata.category(character)[0] in "CZ" and character != " " else character
        for character in line
    )
