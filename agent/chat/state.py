"""What a conversation is: the article, what is known of its claims, the settings, and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from agent.domain import (
    Citation,
    Claim,
    Data,
    Document,
    Label,
    Ledger,
    LedgerEntry,
    Result,
    Run,
    Sentence,
    SourceKind,
    Usage,
    Verification,
)


class Phase(StrEnum):
    """How far the check is."""

    EMPTY = "empty"
    CHECKING = "checking"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class Controls(Data):
    """What the user lets the desk see; a change holds for the next check."""

    as_of: date | None = None
    undated: Literal["drop", "keep"] = "drop"
    kinds: tuple[SourceKind, ...] = ()
    """Empty: all kinds."""
    hidden: tuple[str, ...] = ()
    """Documents left out."""


class ClaimRef(Data):
    """Points at a claim of the run and its stored outcome."""

    type: Literal["claim"] = "claim"
    claim_id: str


class QuoteRef(Data):
    """Points at a stored quote."""

    type: Literal["quote"] = "quote"
    citation: Citation


class SentenceRef(Data):
    """Points at a line of the ledger."""

    type: Literal["sentence"] = "sentence"
    index: int


Ref = Annotated[ClaimRef | QuoteRef | SentenceRef, Field(discriminator="type")]


class Statement(Data):
    """One thing said, and what in the run it rests on."""

    text: str
    refs: tuple[Ref, ...]


class Change(Data):
    """A claim checked again: before, after, and which quotes came and went."""

    claim_id: str
    before: Verification
    after: Verification
    came: tuple[Citation, ...]
    went: tuple[Citation, ...]


class Turn(Data):
    """Something the user or the desk said. `note` is in code's own fixed words, and says nothing of the world."""

    who: Literal["you", "desk"]
    note: str = ""
    statements: tuple[Statement, ...] = ()
    changes: tuple[Change, ...] = ()
    claim_id: str | None = None
    """What it was about."""
    offers: tuple[str, ...] = ()
    """What may be said next."""
    is_open: bool = False
    """A model is still writing."""


class Correction(Data):
    """A person's own label for a claim; it stands beside the verdict and never replaces it."""

    label: Label
    why: str


class State(Data):
    """All of a conversation."""

    phase: Phase = Phase.EMPTY
    article: Document | None = None
    sentences: tuple[Sentence, ...] = ()
    """Of the article, known before any is read."""
    entries: tuple[LedgerEntry, ...] = ()
    claims: tuple[Claim, ...] = ()
    outcomes: dict[str, Verification] = Field(default_factory=dict)
    documents: dict[str, Document] = Field(default_factory=dict)
    """Every document a hit points into."""
    running: tuple[str, ...] = ()
    """Claims being checked, or waiting for it."""
    before: dict[str, Verification] = Field(default_factory=dict)
    """What stood before the check that runs now."""
    corrections: dict[str, Correction] = Field(default_factory=dict)
    controls: Controls = Controls()
    turns: tuple[Turn, ...] = ()
    subject: str | None = None
    """The claim spoken of last."""
    run: Run | None = None
    usage: Usage = Usage()
    waiting: str = ""
    """Something slow that is no claim."""

    def number_of(self, claim_id: str) -> int:
        """A claim's number on the page, from 1."""
        return next(number for number, claim in enumerate(self.claims, 1) if claim.id == claim_id)

    def claim(self, claim_id: str | None) -> Claim | None:
        """The claim with this id."""
        return next((claim for claim in self.claims if claim.id == claim_id), None)


def as_result(state: State) -> Result | None:
    """The conversation as one run, for reports; None before there is one."""
    if state.article is None or state.run is None:
        return None
    ledger = Ledger(
        entries=state.entries, claims=tuple(claim for claim in state.claims if claim.sentence_index is not None)
    )
    found = tuple(state.outcomes[claim.id] for claim in state.claims if claim.id in state.outcomes)
    run = state.run.model_copy(update={"complete": state.phase is Phase.DONE, "usage": state.usage})
    return Result(run=run, article=state.article, ledger=ledger, verifications=found, documents=state.documents)


def quotes_held(verification: Verification) -> tuple[Citation, ...]:
    """Every quote the run keeps for a claim."""
    return tuple(piece.citation for piece in verification.evidence if piece.citation is not None)


def quotes_of(turn: Turn) -> tuple[Statement, ...]:
    """What of a turn rests on quotes."""
    return tuple(one for one in turn.statements if _quotes(one))


def without_repeats(statements: Sequence[Statement], shown: Sequence[Statement] = ()) -> tuple[Statement, ...]:
    """The statements whose quotes do not overlap with one that is shown already, or comes before."""
    kept = list(shown)
    for one in statements:
        if not any(_overlap(a.citation, b.citation) for a in _quotes(one) for other in kept for b in _quotes(other)):
            kept.append(one)
    return tuple(kept[len(shown) :])


def _quotes(statement: Statement) -> tuple[QuoteRef, ...]:
    return tuple(ref for ref in statement.refs if isinstance(ref, QuoteRef))


def _overlap(one: Citation, other: Citation) -> bool:
    same = one.document_id == other.document_id
    return same and one.span.start < other.span.end and other.span.start < one.span.end


def is_held(statement: Statement, state: State) -> bool:
    """Whether all that a statement rests on is in the run, and it rests on something."""
    return bool(statement.refs) and all(_is_in(ref, state) for ref in statement.refs)


def _is_in(ref: ClaimRef | QuoteRef | SentenceRef, state: State) -> bool:
    match ref:
        case ClaimRef():
            return state.claim(ref.claim_id) is not None
        case SentenceRef():
            return any(entry.sentence.index == ref.index for entry in state.entries)
    cited = ref.citation
    document = state.documents.get(cited.document_id)
    return document is not None and cited.span.of(document.text) == cited.quote
