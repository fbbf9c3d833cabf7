"""Reads suite folders: cases of a half, their documents, and what `suite.json` and `review.jsonl` say of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from agent.domain import Data, Document, Label
from agent.errors import InputError
from agent.ingest.read import read_document
from agent.ingest.sources import document_of
from evals.cases import (
    About,
    ArticleAttackCase,
    ArticleCase,
    AttackCase,
    ClaimCase,
    GoldPiece,
    Half,
    SentenceCase,
    Suite,
    SuiteKind,
)

CLAIMS, CORPUS, ITEMS, GOLD, ABOUT, REVIEW = (
    "claims.jsonl",
    "corpus.jsonl",
    "items.jsonl",
    "gold.jsonl",
    "suite.json",
    "review.jsonl",
)
ADVERSARIAL = ("articles.jsonl", "evidence.jsonl")
_FILES = (CLAIMS, CORPUS, ITEMS, GOLD, ABOUT, REVIEW, *ADVERSARIAL)
_FORMS = "claims.jsonl with corpus.jsonl, items.jsonl, gold.jsonl, or articles.jsonl with evidence.jsonl"
_RowT = TypeVar("_RowT", bound=BaseModel)
_CaseT = TypeVar("_CaseT", ClaimCase, SentenceCase, ArticleCase, AttackCase, ArticleAttackCase)


class SuiteInfo(Data):
    """A suite that can be named."""

    name: str
    folder: Path
    kind: SuiteKind
    cases: int
    documents: int
    title: str
    licence: str


class _Review(BaseModel):
    """A line of `review.jsonl`: a case whose gold a reviewer doubts."""

    case_id: str
    verdict: Literal["ambiguous", "wrong"]
    reason: str
    reviewer: str = ""


class _GoldRow(BaseModel):
    """A line of `gold.jsonl`: a claim of an annotated article."""

    id: str
    claim: str
    start: int
    end: int
    sentence_index: int
    checkable: bool
    verdict: Label | None = None
    citations: tuple[GoldPiece, ...] = ()


def load_suite(folder: Path, *, half: Half = "all", limit: int | None = None) -> Suite:
    """The suite in a folder.

    Args:
        folder: of the suite.
        half: cases whose group falls into this half; `all` keeps every case.
        limit: most cases; those with the least hash of their ids, so that a larger limit only adds to them. All
            documents stay.

    Raises:
        InputError: the folder holds no suite, or a line is not of the documented form.
    """
    kind = kind_of(folder)
    about = _about(folder)
    pick = picker(half, limit)
    article, corpus = _texts(folder, kind, about)
    claims = _with_known_quotes(_rows(folder / CLAIMS, ClaimCase), corpus, folder) if kind is SuiteKind.CLAIMS else ()
    return Suite(
        name=folder.resolve().name,
        folder=folder,
        kind=kind,
        about=about,
        sha256=_hash(folder, corpus.values() if article else (), article),
        claims=pick(claims),
        sentences=pick(_rows(folder / ITEMS, SentenceCase)) if kind is SuiteKind.SENTENCES else (),
        gold=pick(_gold(folder / GOLD)) if kind is SuiteKind.ARTICLE else (),
        article=article,
        corpus={document.id: document for document in corpus.values()},
        doubtful=_doubtful(folder / REVIEW),
    )


def kind_of(folder: Path) -> SuiteKind:
    """What sort of suite a folder holds.

    Raises:
        InputError: none.
    """
    if (folder / CLAIMS).is_file() and (folder / CORPUS).is_file():
        return SuiteKind.CLAIMS
    if any((folder / name).is_file() for name in ADVERSARIAL):
        return SuiteKind.ADVERSARIAL
    if (folder / ITEMS).is_file():
        first = next(_lines(folder / ITEMS), (0, "{}"))[1]
        return SuiteKind.SENTENCES if '"checkworthy"' in first else SuiteKind.INJECTION
    if (folder / GOLD).is_file():
        return SuiteKind.ARTICLE
    raise InputError(f"{str(folder)!r} holds no suite: it wants {_FORMS} (docs/suites.md)")


def half_of(group: str) -> Literal["tuning", "reporting"]:
    """Which half a group of cases belongs to: never tune on what you report."""
    return "reporting" if int(hashlib.sha256(group.encode()).hexdigest(), 16) % 2 else "tuning"


def list_suites(data: Path | None = None) -> tuple[SuiteInfo, ...]:
    """The shipped suites, then those in a folder of suites, by name."""
    return tuple(_info(folder) for root in (_shipped(), data) if root for folder in _suites_in(root))


def find_suite(name: str, data: Path | None = None) -> Path:
    """The folder of a suite by its path or its name.

    Raises:
        InputError: there is none.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    if "/" not in name:
        for root in (_shipped(), data):
            if root and (root / name).is_dir():
                return root / name
    known = ", ".join(path.name for root in (_shipped(), data) if root for path in _suites_in(root))
    raise InputError(f"there is no suite {name!r}: give the path of a folder, or one of {known}")


def name_of(folder: Path) -> str:
    """How to name a suite so that `find_suite` finds it from anywhere: a shipped one by name, else by its full path."""
    whole = folder.resolve()
    return whole.name if whole.parent == _shipped().resolve() else str(whole)


def _shipped() -> Path:
    return Path(str(files("evals").joinpath("cases")))


def _suites_in(root: Path) -> Iterator[Path]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ():
        try:
            kind_of(folder)
        except InputError:
            continue
        yield folder


def _info(folder: Path) -> SuiteInfo:
    kind, about = kind_of(folder), _about(folder)
    names = {
        SuiteKind.CLAIMS: (CLAIMS,),
        SuiteKind.ARTICLE: (GOLD,),
        SuiteKind.ADVERSARIAL: (*ADVERSARIAL, ITEMS),
    }.get(kind, (ITEMS,))
    return SuiteInfo(
        name=folder.name,
        folder=folder,
        kind=kind,
        cases=sum(1 for name in names if (folder / name).is_file() for _ in _lines(folder / name)),
        documents=sum(1 for _ in _lines(folder / CORPUS)) if kind is SuiteKind.CLAIMS else 0,
        title=about.title,
        licence=about.licence,
    )


def _about(folder: Path) -> About:
    path = folder / ABOUT
    if not path.is_file():
        return About()
    try:
        return About.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{str(path)!r}: {_first(error)}") from None


def _texts(folder: Path, kind: SuiteKind, about: About) -> tuple[Document | None, dict[str, Document]]:
    if kind is SuiteKind.CLAIMS:
        return None, _corpus(folder / CORPUS)
    if kind is not SuiteKind.ARTICLE:
        return None, {}
    place = _article_folder(folder, about)
    return read_document(place / "article.txt"), _corpus(place / "sources.jsonl")


def _article_folder(folder: Path, about: About) -> Path:
    if about.article is None:
        return folder
    if about.article.startswith("seeds/"):
        shipped = files("seeds")
        for part in Path(about.article).parts[1:]:  # a folder without __init__ takes one step at a time
            shipped = shipped.joinpath(part)
        return Path(str(shipped))
    return folder / about.article


def _corpus(path: Path) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for number, line in _lines(path):
        try:
            document = document_of(json.loads(line))
        except (ValueError, InputError) as error:
            raise InputError(f"{path.name}:{number} in {str(path.parent)!r}: {error}") from None
        found[json.loads(line).get("id") or document.id] = document
    return found


def _with_known_quotes(claims: Iterable[ClaimCase], corpus: dict[str, Document], folder: Path) -> Iterator[ClaimCase]:
    """The claims, their evidence pointing to the ids we gave the documents.

    Raises:
        InputError: a quote is not in its document, or there is no such document.
    """
    for case in claims:
        for piece in case.evidence:
            document = corpus.get(piece.doc_id)
            if document is None or piece.quote not in document.text:
                what = "is not in the corpus" if document is None else f"does not hold the quote {piece.quote[:60]!r}"
                raise InputError(
                    f"case {case.id!r}: document {piece.doc_id!r} {what};"
                    f" `factdesk eval check {folder}` lists all faults"
                )
        pieces = tuple(piece.model_copy(update={"doc_id": corpus[piece.doc_id].id}) for piece in case.evidence)
        yield case.model_copy(update={"evidence": pieces})


def _doubtful(path: Path) -> frozenset[str]:
    return frozenset(row.case_id for row in _rows(path, _Review)) if path.is_file() else frozenset()


def _gold(path: Path) -> Iterator[ArticleCase]:
    for row in _rows(path, _GoldRow):
        yield ArticleCase(
            id=row.id,
            claim=row.claim,
            start=row.start,
            end=row.end,
            checkable=row.checkable,
            label=row.verdict,
            doc_ids=tuple(dict.fromkeys(piece.doc_id for piece in row.citations)),
            group_id=f"sentence {row.sentence_index}",
        )


def picker(half: Half, limit: int | None) -> Callable[[Iterable[_CaseT]], tuple[_CaseT, ...]]:
    """Takes the cases of a half, and of those at most `limit`; see `load_suite`."""

    def pick(cases: Iterable[_CaseT]) -> tuple[_CaseT, ...]:
        found = [case for case in cases if half == "all" or half_of(case.group_id or case.id) == half]
        if limit is None or limit >= len(found):
            return tuple(found)
        kept = sorted(hashlib.sha256(case.id.encode()).digest() for case in found)[:limit]
        return tuple(case for case in found if hashlib.sha256(case.id.encode()).digest() in set(kept))

    return pick


def _rows(path: Path, kind: type[_RowT]) -> Sequence[_RowT]:
    rows = []
    for number, line in _lines(path):
        try:
            rows.append(kind.model_validate_json(line))
        except ValidationError as error:
            raise InputError(
                f"{path.name}:{number} in {str(path.parent)!r}: {_first(error)};"
                f" `factdesk eval check {path.parent}` lists all such lines"
            ) from None
    return rows


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of the lines that hold something."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}") from error


def _hash(folder: Path, others: Iterable[Document], article: Document | None) -> str:
    digest = hashlib.sha256()
    for name in _FILES:
        if (folder / name).is_file():
            digest.update(name.encode())
            digest.update((folder / name).read_bytes())
    for document in [*others, *([article] if article else [])]:
        digest.update(document.sha256.encode())
    return digest.hexdigest()
