"""The data that flows from stage to stage: immutable, validated, written to JSON and SQLite as it is.

Offsets are Python string offsets (code points), half-open. Identifiers are derived from content: the same
input gives the same id. Words follow the field (AVeriTeC, FActScore, SciFact): see docs/design.md.
"""

from __future__ import annotations

import hashlib
import unicodedata
from calendar import monthrange
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


def short_hash(*parts: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 over the parts, kept apart by a unit separator."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def normalise(text: str) -> str:
    """Text for comparing and hashing: NFKC, case folded, white space runs made one blank."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class Data(BaseModel):
    """Base of all data types: frozen, and unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(StrEnum):
    """The verdict for a whole claim: AVeriTeC's four labels (Schlichtkrull et al. 2023)."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"
    CONFLICTING = "conflicting"

    @property
    def shown(self) -> str:
        """The name shown to people."""
        return _LABEL_NAMES[self]


_LABEL_NAMES = {
    Label.SUPPORTED: "Supported",
    Label.REFUTED: "Refuted",
    Label.NOT_ENOUGH_EVIDENCE: "Not Enough Evidence",
    Label.CONFLICTING: "Conflicting Evidence/Cherrypicking",
}


class Stance(StrEnum):
    """What one passage says about one claim."""

    SUPPORTS = "supports"
    REFUTES = "refutes"
    NEUTRAL = "neutral"


class SentenceStatus(StrEnum):
    """What became of a sentence; every sentence of the article has exactly one status."""

    CHECKED = "checked"
    NOT_CHECKABLE = "not_checkable"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"


class ClaimKind(StrEnum):
    """What sort of statement a claim is."""

    EVENT = "event"
    QUANTITY = "quantity"
    QUOTE = "quote"
    CAUSAL = "causal"
    COMPARISON = "comparison"
    LAW = "law"
    BIOGRAPHY = "biography"
    OTHER = "other"


class SourceKind(StrEnum):
    """What sort of publisher a source has."""

    OFFICIAL = "official"
    WIRE = "wire"
    NEWSPAPER = "newspaper"
    NGO = "ngo"
    ENCYCLOPEDIA = "encyclopedia"
    PARTISAN = "partisan"
    RESEARCH = "research"
    FACT_CHECK = "fact_check"
    OTHER = "other"


class Span(Data):
    """Half-open range of characters, `0 <= start < end`."""

    start: int = Field(ge=0)
    end: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"span end {self.end} must be greater than start {self.start}")
        return self

    def of(self, text: str) -> str:
        """The characters of `text` in this span."""
        return text[self.start : self.end]


PartialDate = Annotated[str, StringConstraints(pattern=r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$")]
"""ISO year, month or day: as exact as the source says."""


def latest_day(partial: str) -> date:
    """The last day a partial date can mean: `2016-09` is 30 September 2016."""
    year, month, day = (*(int(part) for part in partial.split("-")), 0, 0)[:3]
    month = month or 12
    return date(year, month, day or monthrange(year, month)[1])


class Anchor(Data):
    """A place the source itself names, such as `page 3`, and where it starts in the text."""

    name: str
    start: int = Field(ge=0)


class Document(Data):
    """A text with its provenance. Offsets refer to `text` for ever."""

    id: str
    text: str
    title: str = ""
    url: str | None = None
    publisher: str | None = None
    published: PartialDate | None = None
    """As exact as known; None is unknown, never a guess."""
    kind: SourceKind = SourceKind.OTHER
    licence: str | None = None
    sha256: str
    """Of the UTF-8 text."""
    anchors: tuple[Anchor, ...] = ()

    @model_validator(mode="after")
    def _hash_is_of_text(self) -> Self:
        if self.sha256 != text_sha256(self.text):
            raise ValueError(f"sha256 of document {self.id!r} is not that of its text")
        if self.published is not None:
            latest_day(self.published)
        return self

    @property
    def is_named_by_text(self) -> bool:
        """Whether its id was made of its text, so that the same text from elsewhere has it, too."""
        return self.id == short_hash("document", self.sha256)

    def completed_by(self, other: Document) -> Document:
        """With what the other one, of the same text, knows of its provenance and this one does not."""
        gaps = (name for name in ("url", "publisher", "published", "licence") if getattr(self, name) is None)
        known = {name: getattr(other, name) for name in gaps}
        return self.model_copy(update=known | ({"kind": other.kind} if self.kind is SourceKind.OTHER else {}))

    def can_be_published_by(self, day: date) -> bool:
        """Whether the document was surely published on or before `day`; False when the date is unknown."""
        return self.published is not None and latest_day(self.published) <= day


def text_sha256(text: str) -> str:
    """SHA-256 of the UTF-8 text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Passage(Data):
    """A contiguous span of one document, the unit of retrieval: `text == document.text[start:end]`."""

    id: str
    document_id: str
    span: Span
    text: str

    @model_validator(mode="after")
    def _length(self) -> Self:
        if len(self.text) != self.span.end - self.span.start:
            raise ValueError(f"passage {self.id!r}: text has not the length of its span")
        return self


def passage_of(document: Document, span: Span) -> Passage:
    """The passage of `document` at `span`; its id is derived from document id and span."""
    return Passage(
        id=short_hash(document.id, str(span.start), str(span.end)),
        document_id=document.id,
        span=span,
        text=span.of(document.text),
    )


class Sentence(Data):
    """One sentence of the article with its exact span."""

    index: int = Field(ge=0)
    span: Span
    text: str


class LedgerEntry(Data):
    """What became of one sentence, and why."""

    sentence: Sentence
    status: SentenceStatus
    reason: str
    """Empty only for checked sentences."""
    claim_ids: tuple[str, ...] = ()
    chance: float | None = None
    """Likelihood that it holds something to check, where that was told before a language model was asked."""


class Claim(Data):
    """A self-contained statement about the world, checked on its own."""

    id: str
    text: str
    """Decontextualised: can be read alone."""
    sentence_index: int | None = None
    """None for a claim given by the user without an article."""
    origin: Span | None = None
    """Span of its sentence in the article."""
    kind: ClaimKind = ClaimKind.OTHER
    speaker: str | None = None
    is_sentence: bool = False
    """The extracted claim failed a guard, so its own sentence stands in for it."""
    replaced: tuple[str, ...] = ()
    """Wordings of the model that a guard stopped, as saying what the sentence does not: this stands in their place."""
    content_of: str | None = None
    """Id of the claim that this was said: then this is what was said, checked for itself."""


def claim_id(text: str, sentence_index: int | None) -> str:
    """Identifier of a claim: normalised text and sentence index."""
    return short_hash("claim", normalise(text), "" if sentence_index is None else str(sentence_index))


class Ledger(Data):
    """Every sentence of the article, in order, and the claims found in them."""

    entries: tuple[LedgerEntry, ...]
    claims: tuple[Claim, ...]


class Purpose(StrEnum):
    """Why a query is asked."""

    CLAIM = "claim"
    KEYWORDS = "keywords"
    REFUTE = "refute"


class Query(Data):
    """A text the store is searched for, on behalf of a claim."""

    claim_id: str
    text: str
    purpose: Purpose
    round: int = Field(ge=1)
    reason: str = ""
    """Why there was a further round; empty in the first."""


class Fit(Data):
    """What the parameters were fitted on."""

    sets: tuple[str, ...]
    half: str
    items: int
    data_sha256: str
    """Of the items' texts and stances, in order."""


class Hit(Data):
    """A passage returned for a claim's queries; not yet evidence."""

    passage: Passage
    rank: int = Field(ge=1)
    score: float
    """Reciprocal rank fusion score (Cormack et al. 2009)."""
    dense_rank: int | None = None
    lexical_rank: int | None = None
    reranked: float | None = None
    """Score of the re-ranking, by which the hits that have one are ordered; None: it was not read for that."""
    origin: str
    """Near-duplicate texts and one publisher's texts share an origin: they count once."""
    round: int = Field(default=1, ge=1)
    """Round of queries that found it."""
    found_by: tuple[str, ...] = ()
    """Texts of the queries of that round that found it."""


class Match(StrEnum):
    """How a quote was found in its passage."""

    EXACT = "exact"
    NORMALISED = "normalised"


class Citation(Data):
    """Pointer to exact characters of a document: `document.text[start:end] == quote`."""

    document_id: str
    span: Span
    quote: str
    stance: Stance
    match: Match = Match.EXACT

    @model_validator(mode="after")
    def _length(self) -> Self:
        if len(self.quote) != self.span.end - self.span.start:
            raise ValueError("quote has not the length of its span")
        return self


class StanceScores(Data):
    """Probabilities of the three stances; they sum to one."""

    supports: float = Field(ge=0, le=1)
    refutes: float = Field(ge=0, le=1)
    neutral: float = Field(ge=0, le=1)

    def of(self, stance: Stance) -> float:
        """Probability of one stance."""
        return {Stance.SUPPORTS: self.supports, Stance.REFUTES: self.refutes, Stance.NEUTRAL: self.neutral}[stance]


class Evidence(Data):
    """A passage judged to bear (or not) on a claim."""

    claim_id: str
    passage_id: str
    document_id: str
    span: Span
    """Of the passage in the document."""
    origin: str
    stance: Stance
    scores: StanceScores | None = None
    """None when the judge gives no probabilities."""
    citation: Citation | None = None
    """Always present when the stance is not neutral."""
    weight: float = Field(default=1, ge=0, le=1)
    """What its voice counts in the decision, by the kind of its source (`kind_weights`)."""

    @model_validator(mode="after")
    def _cited(self) -> Self:
        if self.stance is not Stance.NEUTRAL and self.citation is None:
            raise ValueError(f"evidence that {self.stance} a claim needs a citation")
        return self


class CheckKind(StrEnum):
    """What a deterministic check compares."""

    NUMBER = "number"
    UNIT = "unit"
    DATE = "date"
    NAME = "name"
    NEGATION = "negation"
    INSTRUCTION = "instruction"
    """Nothing is compared: the passage gives its reader orders, `quote_value` holds their first words."""


class Check(Data):
    """One comparison of claim and quote, made by code."""

    kind: CheckKind
    claim_value: str
    quote_value: str
    """Empty when the quote says nothing of the kind."""
    agrees: bool
    passage_id: str


class Verdict(Data):
    """The label for a whole claim with its rationale (citations) and justification (prose)."""

    label: Label
    confidence: float | None = Field(default=None, ge=0, le=1)
    abstained: bool = False
    """Confidence lies under the user's threshold: shown as an abstention, counted apart."""
    rationale: tuple[Citation, ...] = ()
    justification: str
    origins: int = Field(ge=0)
    """Independent origins behind the rationale."""


class FailureKind(StrEnum):
    """Why there is no verdict."""

    TRANSIENT = "transient"
    REPLY = "reply"
    BUDGET = "budget"
    STORE = "store"
    BUG = "bug"


class Failure(Data):
    """A stage could not do its work. A failure is not a verdict."""

    type: Literal["failure"] = "failure"
    stage: str
    kind: FailureKind
    message: str


class Usage(Data):
    """What a run or a claim cost."""

    model_calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Part of the prompt tokens the server had read before."""
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None
    """In US dollars; None when the price is unknown."""

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost is None and other.cost is None else (self.cost or 0) + (other.cost or 0)
        return Usage(
            model_calls=self.model_calls + other.model_calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=self.seconds + other.seconds,
            cost=cost,
        )


class Verification(Data):
    """Everything that was done for one claim, and what came of it."""

    claim: Claim
    queries: tuple[Query, ...] = ()
    hits: tuple[Hit, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    checks: tuple[Check, ...] = ()
    dropped_citations: int = 0
    """Quotes the judge gave that are not in their passage."""
    outcome: Verdict | Failure

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, or None when a stage failed."""
        return self.outcome if isinstance(self.outcome, Verdict) else None

    @property
    def failure(self) -> Failure | None:
        """The failure, or None when there is a verdict."""
        return self.outcome if isinstance(self.outcome, Failure) else None


class Run(Data):
    """What was run, with which parts: enough to run it again."""

    id: str
    started: str
    """UTC, ISO 8601."""
    code_version: str
    profile: str
    models: dict[str, str]
    """Role to model id."""
    prompts: dict[str, str]
    """Prompt name to the SHA-256 of its file."""
    settings: dict[str, str | int | float | bool | None]
    """Only those that can change a result; no secrets."""
    store: str
    """Hash of the store's content at the start."""
    complete: bool = False
    usage: Usage = Usage()


class Result(Data):
    """A whole run: all that reports and JSON are made from."""

    run: Run
    article: Document
    ledger: Ledger
    verifications: tuple[Verification, ...]
    """In the order of the claims; an interrupted run has fewer than the ledger has claims."""
    documents: dict[str, Document]
    """Every document a hit points into, by id."""

    @property
    def has_failures(self) -> bool:
        """Whether a sentence or a claim has failed."""
        return any(entry.status is SentenceStatus.FAILED for entry in self.ledger.entries) or any(
            verification.failure for verification in self.verifications
        )
