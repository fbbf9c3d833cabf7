"""Finds all faults of a suite folder at once, so that an author can mend them in one go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from agent.domain import Data, Label, normalise
from agent.errors import InputError
from agent.ingest.sources import document_of
from evals.attacks import load_attacks
from evals.cases import ClaimCase, SentenceCase, SuiteKind
from evals.suites import CLAIMS, CORPUS, GOLD, ITEMS, kind_of, load_suite

_CaseT = TypeVar("_CaseT", ClaimCase, SentenceCase)
_SHORTEST = 25
"""Characters of a text below which the same words elsewhere mean nothing."""


class Finding(Data):
    """One fault of a suite."""

    severity: Literal["error", "warning"]
    where: str
    """File and line."""
    message: str


def check_suite(folder: Path, *, training: Path | None = None) -> tuple[Finding, ...]:
    """All faults of a suite: errors keep it from being run, warnings make its figures doubtful.

    Args:
        folder: of the suite.
        training: folder of `*.jsonl` files with `premise` and `hypothesis`, to be looked through for the suite's texts.

    Raises:
        InputError: the folder holds no suite.
    """
    kind = kind_of(folder)
    if kind is SuiteKind.CLAIMS:
        return tuple(_claims(folder, training))
    if kind is SuiteKind.SENTENCES:
        return tuple(_sentences(folder, training))
    return tuple(_loads(folder, kind))


def _claims(folder: Path, training: Path | None) -> Iterator[Finding]:
    corpus: dict[str, str] = {}
    for where, row in _objects(folder / CORPUS):
        yield from _document(where, row, corpus)
    if not corpus:
        yield _error(CORPUS, "there is no document: a verdict wants something to rest on")
    cases: list[ClaimCase] = []
    seen: dict[str, str] = {}
    for where, row in _objects(folder / CLAIMS):
        yield from _case(where, row, corpus, seen)
        cases += _parsed(row, ClaimCase)
    if cases and not any(case.group_id for case in cases):
        yield _warning(CLAIMS, "no case has a group_id: cases that share an article would count as independent")
    texts = {case.id: case.text for case in cases}
    yield from _overlaps(texts | {f"{c.id} (quote)": p.quote for c in cases for p in c.evidence}, training)


def _document(where: str, row: dict[str, Any], corpus: dict[str, str]) -> Iterator[Finding]:
    try:
        document = document_of(row)
    except InputError as error:
        yield _error(where, str(error))
        return
    name = str(row.get("id") or document.id)
    if name in corpus:
        yield _error(where, f"id {name!r} is that of an earlier document")
    published = row.get("published")
    if published and document.published is None:
        yield _error(where, f"published {published!r} is no date: write 2016, 2016-09 or 2016-09-17, or null")
    corpus[name] = document.text


def _case(where: str, row: dict[str, Any], corpus: dict[str, str], seen: dict[str, str]) -> Iterator[Finding]:
    yield from _schema(where, row, ClaimCase)
    for case in _parsed(row, ClaimCase):
        yield from _repeats(where, case.id, f"{normalise(case.text)} {case.label}", seen)
        for piece in case.evidence:
            if piece.doc_id not in corpus:
                yield _error(where, f"document {piece.doc_id!r} is not in the corpus")
            elif piece.quote not in corpus[piece.doc_id]:
                yield _error(where, f"quote {piece.quote[:60]!r} is not in document {piece.doc_id!r} word for word")
        if case.label is not Label.NOT_ENOUGH_EVIDENCE and not case.evidence:
            yield _warning(
                where, f"case {case.id!r} is {case.label.value} and names no evidence: citations go unscored"
            )


def _sentences(folder: Path, training: Path | None) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    texts: dict[str, str] = {}
    for where, row in _objects(folder / ITEMS):
        yield from _schema(where, row, SentenceCase)
        for case in _parsed(row, SentenceCase):
            yield from _repeats(where, case.id, f"{normalise(case.text)} {case.context}", seen)
            texts[case.id] = case.text
            if case.context and case.text not in case.context:
                yield _warning(where, f"sentence {case.id!r} is not in its context: it is extracted without it")
            if case.claims and not case.checkworthy:
                yield _warning(where, f"sentence {case.id!r} is not checkworthy and has claims")
    yield from _overlaps(texts, training)


def _loads(folder: Path, kind: SuiteKind) -> Iterator[Finding]:
    """Other kinds: whether they load at all."""
    try:
        if kind is SuiteKind.ADVERSARIAL:
            load_attacks(folder)
        elif kind is SuiteKind.ARTICLE:
            load_suite(folder)
    except InputError as error:
        yield _error(folder.name, str(error))
    name = GOLD if kind is SuiteKind.ARTICLE else ITEMS
    seen: dict[str, str] = {}
    for where, row in _objects(folder / name) if (folder / name).is_file() else ():
        yield from _repeats(where, str(row.get("id")), "", seen)


def _repeats(where: str, name: str, text: str, seen: dict[str, str]) -> Iterator[Finding]:
    if f"id {name}" in seen:
        yield _error(where, f"id {name!r} is that of {seen[f'id {name}']}")
    elif text and f"text {text}" in seen:
        yield _warning(where, f"the same text with the same gold stands in {seen[f'text {text}']}")
    seen.setdefault(f"id {name}", where)
    seen.setdefault(f"text {text}", where)


def _overlaps(texts: dict[str, str], training: Path | None) -> Iterator[Finding]:
    """Texts that the seeds, the prompts' examples or training data hold, too."""
    wanted = {normalise(text): name for name, text in texts.items() if len(text) >= _SHORTEST}
    for place, held in _our_texts():
        for text, name in wanted.items():
            if text in held:
                yield _warning(name, f"the same words stand in {place}")
    for path in sorted(training.glob("*.jsonl")) if training else ():
        for where, row in _objects(path):
            for given in (row.get("premise"), row.get("hypothesis")):
                if isinstance(given, str) and (found := wanted.get(normalise(given))):
                    yield _warning(found, f"the same text stands in training data: {where} of {path.name}")


def _our_texts() -> Iterator[tuple[str, str]]:
    """Texts of ours that a case must not share: prompts with their examples, and seeds."""
    roots = [Path(str(files("prompts")))]
    roots += [Path(str(entry)) for entry in files("seeds").iterdir() if entry.is_dir()]
    for root in roots:
        for path in sorted(root.glob("*")):
            if path.suffix in {".md", ".txt", ".jsonl"} and path.name != "README.md":
                yield path.name, normalise(path.read_text(encoding="utf-8"))


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and object of every line; a line that is none comes as an object that fits no schema."""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                row = {"": f"no JSON: {error}"}
            yield f"{path.name}:{number}", row if isinstance(row, dict) else {"": "no object"}


def _schema(where: str, row: dict[str, Any], kind: type[BaseModel]) -> Iterator[Finding]:
    if "" in row:
        yield _error(where, str(row[""]))
        return
    try:
        kind.model_validate(row)
    except ValidationError as error:
        for fault in error.errors():
            yield _error(where, f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}")


def _parsed(row: dict[str, Any], kind: type[_CaseT]) -> Sequence[_CaseT]:
    """The case of a row, or nothing."""
    try:
        return [kind.model_validate(row)]
    except ValidationError:
        return []


def _error(where: str, message: str) -> Finding:
    return Finding(severity="error", where=where, message=message)


def _warning(where: str, message: str) -> Finding:
    return Finding(severity="warning", where=where, message=message)
