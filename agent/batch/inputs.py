"""Articles out of folders, globs, files and tables, one at a time; a bad row is an item of its own, never an end."""

from __future__ import annotations

import csv
import glob
import json
import os
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agent.domain import Document, short_hash, text_sha256
from agent.errors import ConfigError, InputError
from agent.ingest.read import (
    FORMATS,
    MAX_CHARACTERS,
    clean_text,
    open_source,
    partial_date,
    read_document,
    short_title,
    web_address,
)

_LONGEST_LINE = 20_000_000
_ESCAPED = re.compile("[\udc80-\udcff]")
"""What Python makes of a byte that is no UTF-8."""
_OWN_COLUMNS = frozenset(("id", "text", "path", "title", "date", "published", "url"))


class Row(NamedTuple):
    """One article of the input, or why it cannot be one."""

    place: str
    """File, and line or row: the same for the same input."""
    id: str
    article: Document | None
    reason: str = ""
    extra: Mapping[str, Any] = {}
    """The columns that are not ours, carried through to the results."""


def read_inputs(inputs: Sequence[str], only: Container[str] | None = None) -> Iterator[Row]:
    """Every article of the inputs in order, in folders by name; nothing is held but the current one.

    Args:
        inputs: files, folders, globs.
        only: places of those that are wanted; the others are not read.

    Raises:
        InputError: an input names nothing.
        ConfigError: a Parquet file, and pyarrow is not installed.
    """
    for given in inputs:
        for path in _paths(given):
            yield from _rows(path, only=only)


def read_places(inputs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Place and id of every article of the inputs in order, without reading files that are one article."""
    for given in inputs:
        for path in _paths(given):
            if path.suffix.lower() in _TABLES:
                yield from ((row.place, row.id) for row in _rows(path, _place))
            else:
                yield str(path), path.name


def check_inputs(inputs: Sequence[str]) -> None:
    """Whether each input names something.

    Raises:
        InputError: one does not.
    """
    for given in inputs:
        if next(_paths(given), None) is None:
            raise InputError(
                f"input {given!r} names no article: give a folder or files of {', '.join(FORMATS)}, jsonl, csv, parquet"
            )


def _paths(given: str) -> Iterator[Path]:
    path = Path(given)
    if path.is_dir():
        yield from _walk(path)
    elif path.exists():
        yield path
    else:
        yield from (Path(name) for name in sorted(glob.glob(given, recursive=True)))  # noqa: PTH207 (absolute patterns)


def _walk(folder: Path) -> Iterator[Path]:
    """Its articles and tables by name, folder by folder; of each folder only the names are held."""
    with os.scandir(folder) as entries:
        kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries if not entry.name.startswith(".")}
    for name in sorted(kinds):
        path = folder / name
        if kinds[name]:
            yield from _walk(path)
        elif path.suffix.lower() in {*FORMATS, *_TABLES} and path.is_file():
            yield path


def _rows(
    path: Path, made: Callable[[Path, int, object], Row] | None = None, *, only: Container[str] | None = None
) -> Iterator[Row]:
    reader = _TABLES.get(path.suffix.lower())
    if reader is None:
        if only is None or str(path) in only:
            yield _file(path)
        return
    number = 0
    try:
        for number, found in reader(path):
            if only is None or f"{path}:{number}" in only:
                yield (made or _row)(path, number, found)
    except (InputError, csv.Error, OSError, ValueError) as error:
        yield Row(f"{path}:{number + 1}", f"{path.name}:{number + 1}", None, f"{error}")


def _file(path: Path) -> Row:
    try:
        return Row(str(path), path.name, read_document(path))
    except InputError as error:
        return Row(str(path), path.name, None, str(error))


def _place(path: Path, number: int, found: object) -> Row:
    name = found.get("id") if isinstance(found, dict) else None
    return Row(f"{path}:{number}", str(name or f"{path.name}:{number}"), None)


def _row(path: Path, number: int, found: object) -> Row:
    place = f"{path}:{number}"
    if isinstance(found, InputError):
        return Row(place, f"{path.name}:{number}", None, str(found))
    if not isinstance(found, dict):
        return Row(place, f"{path.name}:{number}", None, f"{str(found)[:60]!r} is no object: give id and text or path")
    name = str(found.get("id") or f"{path.name}:{number}")
    extra = {key: value for key, value in found.items() if key not in _OWN_COLUMNS}
    try:
        return Row(place, name, _article(found, path), extra=extra)
    except (InputError, ValueError) as error:
        return Row(place, name, None, str(error), extra)


def _article(row: Mapping[str, Any], table: Path) -> Document:
    text, named = row.get("text"), row.get("path")
    document = read_document(table.parent / str(named)) if not text and named else text_article(text)
    changes: dict[str, object] = {}
    if row.get("title"):
        changes["title"] = short_title(str(row["title"]))
    if published := partial_date(str(row.get("published") or row.get("date") or "")[:10]):
        changes["published"] = published
    if url := web_address(str(row.get("url") or "")):
        changes["url"] = url
    return document.model_copy(update=changes)


def text_article(text: object) -> Document:
    """A document of a plain text.

    Raises:
        InputError: it is no text, empty, or too long.
    """
    if not isinstance(text, str) or not text.strip() or "\x00" in text:
        raise InputError(f"text is {str(text)[:60]!r}: give each row its text, or the path of a file")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"text has {len(text):,} characters, more than {MAX_CHARACTERS:,}: split it")
    kept = clean_text(text)
    sha256 = text_sha256(kept)
    return Document(id=short_hash("document", sha256), text=kept, title=short_title(kept), sha256=sha256)


def _jsonl(path: Path) -> Iterator[tuple[int, object]]:
    with open_source(path) as file:
        number = 0
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                while not line.endswith(b"\n") and (line := file.readline(_LONGEST_LINE)):
                    pass
                yield number, InputError(f"the line has more than {_LONGEST_LINE:,} bytes: split it")
            elif line.strip():
                yield number, _json(line)


def _json(line: bytes) -> object:
    try:
        return json.loads(line.removeprefix(b"\xef\xbb\xbf"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return InputError(f"no readable JSON ({type(error).__name__}): mend the line")


def _refuse_constant(name: str) -> object:
    """What Python reads and other programs do not: it would come out again in the results."""
    raise ValueError(f"{name} is no JSON number")


def _csv(path: Path) -> Iterator[tuple[int, object]]:
    csv.field_size_limit(_LONGEST_LINE)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file)
        if not {"text", "path"} & set(reader.fieldnames or ()):
            raise InputError(f"{str(path)!r} has the columns {reader.fieldnames!r}: one must be called text or path")
        for row in reader:
            values = {key: value for key, value in row.items() if key is not None}
            is_utf8 = not any(_ESCAPED.search(str(value)) for value in values.values())
            yield reader.line_num, values if is_utf8 else InputError("bytes that are no UTF-8: save it as UTF-8")


def _parquet(path: Path) -> Iterator[tuple[int, object]]:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ConfigError(f"{str(path)!r} needs pyarrow: pip install 'factdesk[tables]'") from None
    number = 0
    with ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=64):
            for row in batch.to_pylist():
                number += 1
                yield number, row


_TABLES = {".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv, ".parquet": _parquet}
