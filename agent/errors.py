"""What can go wrong, as one small tree: every message names the value and the cure."""

from __future__ import annotations


class AgentError(Exception):
    """Root of all errors factdesk raises on purpose; the command line prints them without a traceback."""


class ConfigError(AgentError):
    """A setting, key, address or model name is wrong: stop before doing anything."""


class InputError(AgentError):
    """An article or a source cannot be used: empty, not text, unknown format, too large."""


class StoreError(AgentError):
    """The store is missing, locked, broken, or made with another embedder."""


class ModelError(AgentError):
    """A model call did not give a usable reply."""


class TransientModelError(ModelError):
    """A model call failed in a way that may pass: time-out, overload, broken connection.

    Attributes:
        retry_after: seconds the server asked us to wait, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ReplyError(ModelError):
    """The model answered, but not in the form asked for, even after one repair turn."""
