"""The files of a batch, made from its journal: each is written beside its name and then put in place whole."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from agent.batch.inputs import Row
from agent.batch.journal import Item, Journal
from agent.batch.left import articles_left
from agent.errors import StoreError
from agent.report.contract import State, to_json
from agent.report.html import to_html
from agent.report.tables import COLUMNS, claim_rows, safe_cell, to_claimreview

_PAGE_ROWS = 500
"""Articles on one page of the index."""
_LABELS = (State.SUPPORTED, State.REFUTED, State.CONFLICTING, State.NOT_ENOUGH_EVIDENCE, State.ABSTAINED, State.FAILED)


def write_results(journal: Journal, folder: Path) -> tuple[Path, ...]:
    """All result files: `articles.jsonl`, `claims.csv`, `claimreview.json`, `index.html` with `pages/`,
    `left.csv` where the inputs are known, and `claims.parquet` where pyarrow is installed.

    Raises:
        StoreError: one cannot be written.
    """  # noqa: D205 (one list)
    try:
        made = [_articles(journal, folder), _claims(journal, folder), _reviews(journal, folder)]
        made += [_index(journal, folder)]
        made += [path] if (path := _left(journal, folder)) else []
        made += [path] if (path := _parquet(journal, folder)) else []
    except OSError as error:
        raise StoreError(
            f"results in {str(folder)!r} cannot be written ({error}): free some space, then `factdesk batch results`"
        ) from error
    return tuple(made)


@contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def article_row(row: Row, item: Item) -> dict[str, Any]:
    """One article as plain values; the texts of sources are left out."""
    found: dict[str, Any] = {
        "id": row.id, "place": row.place, "state": item.state, "stage": item.stage or None,
        "reason": item.reason or None, "extra": dict(row.extra), "verdicts": item.claims, "result": None,
    }  # fmt: skip
    if item.result is not None:
        found["result"] = to_json(item.result)
        for document in found["result"]["documents"].values():
            del document["text"]
    return found


def _articles(journal: Journal, folder: Path) -> Path:
    path = folder / "articles.jsonl"
    with _whole(path) as file:
        for row, item in journal.rows():
            file.write(json.dumps(article_row(row, item), default=str) + "\n")
    return path


def _claims(journal: Journal, folder: Path) -> Path:
    """One row a claim; an article without one has a row of its own that says why."""
    path = folder / "claims.csv"
    with _whole(path) as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(_TABLE)
        for found in _table(journal):
            writer.writerow([safe_cell(found[column]) for column in _TABLE])
    return path


_TABLE = ("article_id", "place", "article_state", "article_reason", "extra", *COLUMNS)


def _table(journal: Journal) -> Iterator[dict[str, Any]]:
    for row, item in journal.rows():
        own = {
            "article_id": row.id, "place": row.place, "article_state": item.state, "article_reason": item.reason,
            "extra": json.dumps(dict(row.extra), default=str) if row.extra else "",
        }  # fmt: skip
        empty = dict.fromkeys(COLUMNS)
        for claim in (claim_rows(item.result) if item.result else []) or [empty]:
            yield own | claim


def _left(journal: Journal, folder: Path) -> Path | None:
    """The inputs that are not finished."""
    left = articles_left(journal)
    if left is None:
        return None
    path = folder / "left.csv"
    with _whole(path) as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(("place", "article_id"))
        writer.writerows([safe_cell(value) for value in one] for one in left)
    return path


def _parquet(journal: Journal, folder: Path) -> Path | None:
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        return None
    numbers = {"number", "sentence_index", "start", "end", "citations", "origins", "passages_read"}
    numbers |= {"checks_differing", "dropped_citations"}
    kinds = {"confidence": pa.float64(), "worth": pa.float64()} | dict.fromkeys(numbers, pa.int64())
    schema = pa.schema([(column, kinds.get(column, pa.string())) for column in _TABLE])
    path, part = folder / "claims.parquet", folder / f".claims.parquet.{os.getpid()}.part"
    try:
        with ParquetWriter(part, schema) as writer:
            kept: list[dict[str, Any]] = []
            for found in _table(journal):
                kept.append(found)
                if len(kept) == _PAGE_ROWS:
                    writer.write_table(pa.Table.from_pylist(kept, schema))
                    kept = []
            writer.write_table(pa.Table.from_pylist(kept, schema))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _reviews(journal: Journal, folder: Path) -> Path:
    path = folder / "claimreview.json"
    with _whole(path) as file:
        file.write("[")
        comma = "\n"
        for _, item in journal.rows():
            for review in to_claimreview(item.result) if item.result else []:
                file.write(comma + json.dumps(review))
                comma = ",\n"
        file.write("\n]\n")
    return path


def _index(journal: Journal, folder: Path) -> Path:
    """Pages of articles first, then the index that leads to them."""
    from agent.batch.index import to_index

    (folder / "pages").mkdir(exist_ok=True)
    total = sum(journal.counts().values())
    count = max(1, -(-total // _PAGE_ROWS))
    kept: list[dict[str, Any]] = []
    number = 1
    for row, item in journal.rows():
        kept.append(_line(row, item))
        if item.result is not None:
            with _whole(folder / "pages" / f"{item.key}.html") as file:
                file.write(to_html(item.result))
        if len(kept) == _PAGE_ROWS and number < count:
            _write_index(folder, number, to_index(kept, journal, number, count))
            kept, number = [], number + 1
    return _write_index(folder, number, to_index(kept, journal, number, count))


def _write_index(folder: Path, number: int, text: str) -> Path:
    with _whole(folder / ("index.html" if number == 1 else f"index-{number}.html")) as file:
        file.write(text)
    return folder / "index.html"


def _line(row: Row, item: Item) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": item.result.article.title if item.result else "",
        "page": f"pages/{item.key}.html" if item.result else None,
        "state": item.state,
        "reason": f"{item.stage}: {item.reason}" if item.reason else "",
        "claims": [(label, item.claims.get(label.value, 0)) for label in _LABELS],
    }
