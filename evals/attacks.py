"""Attack cases: from adversarial folders, and by planting hostile texts into the sources of ordinary claims."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.domain import Document, Label, text_sha256
from agent.errors import InputError
from agent.ingest.sources import document_of
from agent.text import visible
from evals.cases import ArticleAttackCase, AttackCase, Suite

EVIDENCE, ITEMS, ARTICLES = "evidence.jsonl", "items.jsonl", "articles.jsonl"
NEAR_DUPLICATES = "near_duplicates"
_RowT = TypeVar("_RowT", bound=BaseModel)
_PLACES = ("start", "middle", "end")


class _Source(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)
    doc_id: str
    title: str = ""
    publisher: str | None = None
    published: str | None = Field(default=None, alias="date")
    url: str | None = None
    text: str = ""


class _Make(BaseModel):
    model_config = ConfigDict(extra="ignore")
    op: str
    times: int = Field(default=1, ge=1, le=1000)


class _Expectation(BaseModel):
    model_config = ConfigDict(extra="ignore")
    claim: str = ""
    store: list[_Source] = Field(default_factory=list)
    meta: _Source | None = None
    verdict_in: list[str] = Field(default_factory=list)
    verdict_not: list[str] = Field(default_factory=list)
    as_of: str | None = None
    make: _Make | None = None
    input: str = "accepted"
    plain: str = ""
    """An article without the attack; where it is not given, the claim alone."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: str
    kind: str = ""
    group_id: str = ""
    """Rows that share their sources; without it, a group of its own."""
    text: str = ""
    expectation: _Expectation = Field(default_factory=_Expectation)


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: str
    text: str = Field(min_length=1)
    kind: str = ""


def load_attacks(folder: Path) -> tuple[AttackCase, ...]:
    """The cases of `evidence.jsonl` in which a text is planted among the sources of a claim.

    Rows that attack by something else (a file to be made, an address, a prompt of the chat) are not for this runner
    and left out.

    Raises:
        InputError: a line is not of that form.
    """
    return tuple(_cases(_read(folder / EVIDENCE, _Row))) if (folder / EVIDENCE).is_file() else ()


def load_article_attacks(folder: Path) -> tuple[ArticleAttackCase, ...]:
    """The cases of `articles.jsonl` that name a claim, its sources and the verdicts that are right.

    Raises:
        InputError: a line is not of that form.
    """
    rows = _read(folder / ARTICLES, _Row) if (folder / ARTICLES).is_file() else []
    return tuple(_article_cases(rows))


def plant(suite: Suite, folder: Path) -> tuple[AttackCase, ...]:
    """Each hostile text of `items.jsonl` planted into a gold document of a claim of the suite.

    Claim and place (start, middle or end) follow from the hash of the text's id. The document it is planted in stays
    otherwise as it is, under another id and publisher: it is what an attacker puts beside the truth.

    Raises:
        InputError: a line is not of that form, or the suite has no claim with evidence.
    """
    hosts = [case for case in suite.claims if case.evidence and case.label in {Label.SUPPORTED, Label.REFUTED}]
    if not hosts:
        raise InputError(f"suite {suite.name!r} has no claim with evidence to plant attacks into")
    found = []
    for item in _read(folder / ITEMS, _Item):
        number = int(hashlib.sha256(item.id.encode()).hexdigest(), 16)
        host = hosts[number % len(hosts)]
        documents = tuple(suite.corpus[name] for name in dict.fromkeys(piece.doc_id for piece in host.evidence))
        found.append(
            AttackCase(
                id=item.id,
                claim=host.text,
                label=host.label,
                documents=documents,
                planted=_planted(documents[0], item.text, _PLACES[number // 7 % 3], item.id),
                gives_orders=not item.kind.startswith("benign"),
                kind=item.kind,
                group_id=host.group_id or host.id,  # what is planted beside one claim stands and falls together
            )
        )
    return tuple(found)


def _planted(host: Document, text: str, place: str, name: str) -> Document:
    half = host.text.find(" ", len(host.text) // 2) + 1 or len(host.text)
    whole = {
        "start": f"{text}\n{host.text}",
        "middle": f"{host.text[:half]}\n{text}\n{host.text[half:]}",
        "end": f"{host.text}\n{text}",
    }[place]
    update = {"id": f"planted-{name}"[:80], "text": whole, "sha256": text_sha256(whole), "publisher": "Planted Courier"}
    return host.model_copy(update=update | {"anchors": ()})


def _cases(rows: Sequence[_Row]) -> Iterator[AttackCase]:
    for row in rows:
        told = row.expectation
        allowed = _allowed(told)
        is_made = told.make is not None and told.make.op != NEAR_DUPLICATES
        if is_made or not told.claim or not visible(row.text) or not allowed:
            continue
        meta = told.meta or _Source(doc_id=f"planted-{row.id}")
        planted, *more = _copies(row, meta)
        yield AttackCase(
            id=row.id,
            claim=told.claim,
            allowed=allowed,
            documents=tuple(_document(source) for source in told.store if source.text.strip()),
            planted=planted,
            more=tuple(more),
            gives_orders=row.kind.startswith("injection"),
            kind=row.kind,
            as_of=date.fromisoformat(told.as_of) if told.as_of else None,
            group_id=row.group_id or row.id,
        )


def _article_cases(rows: Sequence[_Row]) -> Iterator[ArticleAttackCase]:
    for row in rows:
        told = row.expectation
        allowed = _allowed(told)
        if told.make is not None or not told.claim or not told.store or not allowed or told.input != "accepted":
            continue
        yield ArticleAttackCase(
            id=row.id,
            plain=told.plain or told.claim,
            hostile=row.text,
            claim=told.claim,
            allowed=allowed,
            documents=tuple(_document(source) for source in told.store if source.text.strip()),
            kind=row.kind,
            group_id=row.group_id or row.id,
        )


def _copies(row: _Row, meta: _Source) -> tuple[Document, ...]:
    """The documents a row plants: one, or many that differ in a number and in what they are called."""
    make = row.expectation.make
    if make is None:
        return (_document(meta.model_copy(update={"text": row.text})),)
    return tuple(
        _document(meta.model_copy(update={"text": row.text.replace("{n}", str(n)), "doc_id": f"{meta.doc_id}-{n}"}))
        for n in range(1, make.times + 1)
    )


def _allowed(told: _Expectation) -> tuple[Label, ...]:
    names = {label.name: label for label in Label} | {"NEI": Label.NOT_ENOUGH_EVIDENCE}
    if told.verdict_in:
        return tuple(names[name.upper()] for name in told.verdict_in if name.upper() in names)
    banned = {names[name.upper()] for name in told.verdict_not if name.upper() in names}
    return tuple(label for label in Label if label not in banned) if banned else ()


def _document(source: _Source) -> Document:
    return document_of(source.model_dump(exclude_none=True))


def _read(path: Path, kind: type[_RowT]) -> list[_RowT]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(kind.model_validate_json(line))
        except ValidationError as error:
            raise InputError(f"{path.name}:{number} in {str(path.parent)!r}: {error.errors()[0]['msg']}") from None
    return rows
