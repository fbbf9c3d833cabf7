"""Finds source documents in files, folders, lists (JSONL, JSON, CSV, Parquet), feeds; what is no use is listed."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from agent.domain import Data, Document, SourceKind, short_hash, text_sha256
from agent.errors import InputError
from agent.ingest.feeds import read_feed
from agent.ingest.parquet import read_parquet
from agent.ingest.read import (
    MAX_BYTES,
    MAX_CHARACTERS,
    clean_text,
    decode,
    open_source,
    partial_date,
    read_bytes,
    read_document,
    web_address,
)

_log = logging.getLogger(__name__)

_MAX_LIST_BYTES = 200_000_000
"""Of a JSON or CSV file, which is read whole; JSONL is read line by line."""
_MAX_FIELD = 300

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_DAY_OF_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d")
_UNKNOWN_DATES = frozenset(("", "undated", "unknown", "none", "null", "n.d.", "n/a", "nan"))
_KINDS = {
    "primary/official": SourceKind.OFFICIAL,
    "primary": SourceKind.OFFICIAL,
    "government": SourceKind.OFFICIAL,
    "news agency": SourceKind.WIRE,
    "agency": SourceKind.WIRE,
    "news": SourceKind.NEWSPAPER,
    "magazine": SourceKind.NEWSPAPER,
    "academic": SourceKind.RESEARCH,
    "journal": SourceKind.RESEARCH,
    "fact-check": SourceKind.FACT_CHECK,
    "fact check": SourceKind.FACT_CHECK,
    "factcheck": SourceKind.FACT_CHECK,
} | {kind.value: kind for kind in SourceKind}


class Rejected(Data):
    """A file, or a line of one, that cannot be used."""

    path: Path
    line: int | None = None
    """None when the whole file is meant."""
    reason: str


class _Entry(NamedTuple):
    """One document of a list, not yet understood: bytes of JSON, or what was read from it."""

    item: object
    line: int | None = None
    place: str = ""


def find_sources(paths: Sequence[Path]) -> tuple[tuple[Document, ...], tuple[Rejected, ...]]:
    """The documents in these files and folders, and what had to be left out."""
    documents: dict[str, Document] = {}
    rejected: list[Rejected] = []
    for found in iterate_sources(paths):
        if isinstance(found, Rejected):
            rejected.append(found)
        else:
            documents[found.id] = found
    return tuple(documents.values()), tuple(rejected)


def iterate_sources(paths: Sequence[Path]) -> Iterator[Document | Rejected]:
    """Like `find_sources`, one at a time: in the order of the paths, in folders by name.

    A document that comes again is given again only when more is known of it then; another text, publisher, date or
    address under an id that was seen is rejected.
    """
    seen: dict[str, Document] = {}
    for found in _all(paths):
        if isinstance(found, Rejected):
            yield found
            continue
        path, line, document = found
        first = seen.get(document.id)
        reason = first and _why_not_again(first, document)
        if reason:
            yield Rejected(path=path, line=line, reason=reason)
            continue
        known = first.completed_by(document) if first else document.model_copy(update={"text": "", "anchors": ()})
        if known != first:
            seen[document.id] = known
            yield known.model_copy(update={"text": document.text, "anchors": document.anchors})


def _why_not_again(first: Document, document: Document) -> str | None:
    """What of a document contradicts what was seen under its id before."""
    if first.sha256 != document.sha256:
        return f"id {document.id!r} was seen with another text: give each document its own id"
    for name, word in (("publisher", "publisher"), ("published", "date"), ("url", "address")):
        old, new = getattr(first, name), getattr(document, name)
        if None not in (old, new) and old != new:
            return (
                f"the same text as document {document.id!r} with another {word} ({new!r}, first {old!r}): in a list of"
                " documents give it an `id` of its own, or leave it out"
            )
    return None


def _all(paths: Sequence[Path]) -> Iterator[Rejected | tuple[Path, int | None, Document]]:
    for path in paths:
        for file in _files(path):
            if isinstance(file, Rejected):
                yield file
            else:
                yield from _documents(file)


def _files(path: Path) -> Iterator[Path | Rejected]:
    """The file itself, or the files of a folder and of the folders in it, sorted, without hidden ones."""
    if not _is_folder(path):
        yield path
        return
    broken: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=broken.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (_regular(Path(folder, name)) for name in sorted(names) if not name.startswith("."))
    for error in broken:
        reason = f"folder cannot be read ({error.strerror}): check its permissions"
        yield Rejected(path=Path(str(error.filename)), reason=reason)


def _regular(path: Path) -> Path | Rejected:
    """The file; a named pipe, which could keep us waiting for ever, a socket or a device is none."""
    try:
        is_odd = path.exists() and not path.is_file()
    except OSError:  # said when it is opened
        is_odd = False
    reason = "no regular file but a pipe, socket or device: name it itself to read it"
    return Rejected(path=path, reason=reason) if is_odd else path


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _documents(path: Path) -> Iterator[Rejected | tuple[Path, int | None, Document]]:
    reader = _LISTS.get(path.suffix.lower())
    try:
        if reader is None:
            yield path, None, read_document(path, untitled=path.stem)
            return
        for entry in reader(path):
            yield _understood(path, entry)
    except InputError as error:
        yield Rejected(path=path, reason=str(error))


def _understood(path: Path, entry: _Entry) -> Rejected | tuple[Path, int | None, Document]:
    try:
        item = _load(entry.item) if isinstance(entry.item, bytes) else entry.item
        return path, entry.line, document_of(item)
    except InputError as error:
        return Rejected(path=path, line=entry.line, reason=f"{entry.place}{error}")


def _read_jsonl(path: Path) -> Iterator[_Entry]:
    with open_source(path) as file:
        for number, line in enumerate(_lines(file), start=1):
            if line.strip():
                yield _Entry(line, line=number)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines; of one that is too long, a beginning that is too long as well."""
    while line := file.readline(MAX_BYTES + 1):
        rest = line
        while len(rest) > MAX_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES + 1)
        yield line


def _read_json(path: Path) -> Iterator[_Entry]:
    found = _load(read_bytes(path, max_bytes=_MAX_LIST_BYTES), max_bytes=_MAX_LIST_BYTES)
    for number, item in enumerate(found if isinstance(found, list) else [found], start=1):
        yield _Entry(item, place=f"item {number}: ")


def _load(data: bytes, *, max_bytes: int = MAX_BYTES) -> object:
    if len(data) > max_bytes:
        raise InputError(f"more than {max_bytes:,} bytes of JSON: split it")
    try:
        return json.loads(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"no readable JSON ({type(error).__name__}: {error}): mend or remove it") from error


def _read_csv(path: Path) -> Iterator[_Entry]:
    data = read_bytes(path, max_bytes=_MAX_LIST_BYTES)
    if len(data) > _MAX_LIST_BYTES:
        raise InputError(f"{str(path)!r} has more than {_MAX_LIST_BYTES:,} bytes: split it")
    text = decode(data, str(path))
    header = text.partition("\n")[0]
    csv.field_size_limit(_MAX_LIST_BYTES)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True)
    try:
        names = [name.strip().casefold() for name in rows.fieldnames or ()]
        if "text" not in names:
            raise InputError(f"{str(path)!r} has no column 'text' but {names!r}: name the columns in its first line")
        rows.fieldnames = names
        for row in rows:
            yield _Entry(row, line=rows.line_num)
    except csv.Error as error:
        raise InputError(f"{str(path)!r} is no readable CSV after line {rows.line_num} ({error}): mend it") from error


def _read_feed(path: Path) -> Iterator[_Entry]:
    data = read_bytes(path, max_bytes=_MAX_LIST_BYTES)
    if len(data) > _MAX_LIST_BYTES:
        raise InputError(f"{str(path)!r} has more than {_MAX_LIST_BYTES:,} bytes: split it")
    for number, (line, item) in enumerate(read_feed(data, str(path)), start=1):
        yield _Entry(item, line=line or None, place=f"entry {number}: ")


def _read_parquet(path: Path) -> Iterator[_Entry]:
    with open_source(path):
        for number, row in enumerate(read_parquet(path), start=1):
            yield _Entry(row, line=number)


_LISTS: Mapping[str, Callable[[Path], Iterator[_Entry]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".rss": _read_feed,
    ".atom": _read_feed,
    ".rdf": _read_feed,
    ".xml": _read_feed,
}
"""Files that hold many documents, by suffix."""


def document_of(item: object) -> Document:
    """The document a row describes; fields it does not know are ignored."""
    if not isinstance(item, dict):
        raise InputError(f"{_shown(item)} is no object: give fields such as id, title and text")
    text = _text_of(item)
    sha256 = text_sha256(text)
    given = _word(item, "id", "doc_id")
    return Document(
        id=_id_of(given, sha256),
        text=text,
        title=_word(item, "title"),
        url=web_address(_word(item, "url")),
        publisher=_word(item, "publisher", "source") or None,
        published=_date_of(_word(item, "published", "date"), given or sha256[:16]),
        kind=_KINDS.get(_word(item, "kind").casefold(), SourceKind.OTHER),
        licence=_word(item, "licence", "license") or None,
        sha256=sha256,
    )


def _text_of(item: Mapping[str, object]) -> str:
    text = item.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"text is {_shown(text)}: give each document its text")
    if "\x00" in text:
        raise InputError(f"text {_shown(text)} holds a NUL character: remove it")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"text has {len(text):,} characters, more than {MAX_CHARACTERS:,}: split it")
    return clean_text(text)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"


def _word(item: Mapping[str, object], *names: str) -> str:
    """The first of these fields that says something, on one line."""
    for name in names:
        value = item.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            found = " ".join(clean_text(str(value)).replace("\x00", " ").split())
            if found:
                return found if name == "url" else found[:_MAX_FIELD]
    return ""


def _id_of(given: str, sha256: str) -> str:
    if not given:
        return short_hash("document", sha256)
    return given if _ID.fullmatch(given) else short_hash("id", given)


def _date_of(value: str, document: str) -> str | None:
    """The date as exact as given; of a point in time, the day. What is no date is unknown, and noted in the log."""
    if value.casefold() in _UNKNOWN_DATES:
        return None
    day = _DAY_OF_TIME.match(value)
    found = partial_date(day[1] if day else value)
    if found is None:
        _log.warning("document %r: published %r is no date such as 2016-09-17; taken as unknown", document, value)
    return found
