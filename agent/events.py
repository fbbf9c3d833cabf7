"""One listener interface for progress: the terminal, a chat page and a log listen to the same stream."""

from __future__ import annotations

from collections.abc import Callable

from agent.domain import Claim, Data, LedgerEntry, Sentence, Verification


class RunStarted(Data):
    """The article has been read and split."""

    run_id: str
    sentences: tuple[Sentence, ...]


class SentenceDone(Data):
    """A sentence has its status, and its claims are known."""

    entry: LedgerEntry
    claims: tuple[Claim, ...]


class ClaimStarted(Data):
    """Work on a claim has begun."""

    claim: Claim


class ClaimDone(Data):
    """A claim has its verdict or its failure."""

    verification: Verification


class Waiting(Data):
    """Something slow that is no claim: a model is loading, a server asked us to wait."""

    what: str


Event = RunStarted | SentenceDone | ClaimStarted | ClaimDone | Waiting
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener that hears nothing."""
    del event
