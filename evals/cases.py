"""The gold a run is scored against: cases of each kind, and the suite they come from.

The documented form of a suite folder is in docs/suites.md. Fields a reader does not know are ignored, so sets with
extras load as they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.domain import Claim, Document, Label, Passage, Stance


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class GoldPiece(_Row):
    """A quote that annotators took for evidence: an exact substring of its document."""

    doc_id: str
    quote: str = Field(min_length=1)
    stance: Stance | None = None
    """None where the source data does not say it per quote."""
    group: int | None = None
    """Quotes of one group are needed together; any one group suffices."""


class ClaimCase(_Row):
    """A claim with its gold label and evidence."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    label: Label
    original_label: str | None = None
    speaker: str | None = None
    date: dt.date | None = None
    evidence: tuple[GoldPiece, ...] = ()
    split: str | None = None
    group_id: str = ""
    """Cases of one group share an article or evidence: they are one cluster of the bootstrap, and in one half."""
    pair_id: str | None = None
    """Contrast pair: both halves must be right. Without it, the same text with another label is the pair."""
    tags: tuple[str, ...] = ()
    """What the case tries, such as `number` or `syndicated`."""


@dataclass(frozen=True)
class StanceCase:
    """A claim, a passage, and what the passage says about the claim."""

    id: str
    claim: Claim
    document: Document
    passage: Passage
    stance: Stance
    group_id: str


class SentenceCase(_Row):
    """A sentence: whether it can be checked, and its gold claims."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    context: str | None = None
    checkworthy: bool
    claims: tuple[str, ...] | None = None
    """Empty: there is none; None: not annotated."""
    source: str | None = None
    group_id: str = ""


class AttackCase(_Row):
    """A claim with sources, and a passage that an attacker plants among them."""

    id: str
    claim: str
    label: Label | None = None
    """Gold of the clean case, where known."""
    allowed: tuple[Label, ...] = ()
    """Verdicts that are right under attack; empty: the verdict of the clean run."""
    documents: tuple[Document, ...]
    """The clean sources."""
    planted: Document
    more: tuple[Document, ...] = ()
    """Planted beside it, where an attack takes many."""
    gives_orders: bool = False
    """Whether what is planted tells its reader what to do; other attacks only tell lies."""
    kind: str = ""
    as_of: dt.date | None = None
    group_id: str = ""

    @property
    def hostile(self) -> tuple[Document, ...]:
        """All that is planted."""
        return (self.planted, *self.more)

    @property
    def is_benign(self) -> bool:
        """Whether what is planted only looks like an attack."""
        return self.kind.startswith("benign")


class ArticleAttackCase(_Row):
    """An article, and the same with hostile sentences in it."""

    id: str
    plain: str
    hostile: str
    claim: str
    """The claim of the plain article that is followed."""
    allowed: tuple[Label, ...]
    documents: tuple[Document, ...]
    kind: str = ""
    group_id: str = ""


class ArticleCase(_Row):
    """A gold claim of an annotated article."""

    id: str
    claim: str
    start: int
    end: int
    """Of its sentence in the article."""
    checkable: bool
    label: Label | None = None
    doc_ids: tuple[str, ...] = ()
    """Documents gold cites."""
    group_id: str = ""


Case = ClaimCase | StanceCase | SentenceCase | AttackCase | ArticleAttackCase | ArticleCase


class SuiteKind(StrEnum):
    """What sort of cases a suite folder holds; its files tell."""

    CLAIMS = "claims"
    """`claims.jsonl` and `corpus.jsonl`."""
    SENTENCES = "sentences"
    """`items.jsonl` with `checkworthy`."""
    INJECTION = "injection"
    """`items.jsonl` with `kind`: texts to plant into the documents of another suite."""
    ADVERSARIAL = "adversarial"
    """`articles.jsonl` or `evidence.jsonl` with `expectation`; `items.jsonl` as in `INJECTION`, too."""
    ARTICLE = "article"
    """`gold.jsonl`, and `article.txt` with `sources.jsonl` here or where `suite.json` says."""


class About(_Row):
    """`suite.json`, all of it optional: how the suite wants to be run, and who made it."""

    title: str = ""
    licence: str = ""
    origin: str = ""
    evidence: Literal["gold", "retrieved"] | None = None
    """How evidence is found when the user does not say; `gold` where documents contradict each other on purpose."""
    claim_dates: bool = False
    """Each claim is verified as of its own date."""
    undated: Literal["drop", "keep"] = "keep"
    article: str | None = None
    """Folder of the article and its sources, relative to the suite or one shipped as `seeds/...`."""


Half = Literal["all", "tuning", "reporting"]


@dataclass(frozen=True)
class Suite:
    """Cases with their documents."""

    name: str
    folder: Path
    kind: SuiteKind
    about: About
    sha256: str
    """Over the suite's files: the same hash, the same gold."""
    claims: tuple[ClaimCase, ...] = ()
    sentences: tuple[SentenceCase, ...] = ()
    gold: tuple[ArticleCase, ...] = ()
    article: Document | None = None
    corpus: Mapping[str, Document] = field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()
    """Ids of cases that `review.jsonl` marks as ambiguous or wrong."""
