"""The journal of a batch: one SQLite file, one transaction for a finished article, everything else derived from it."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from agent.batch.inputs import Row
from agent.domain import Document, Result, text_sha256
from agent.errors import ConfigError, StoreError

FILE_NAME = "journal.sqlite"
VERSION = 1
State = Literal["done", "partial", "failed", "rejected"]

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE inputs (place TEXT PRIMARY KEY, ordinal INTEGER NOT NULL, id TEXT NOT NULL, extra TEXT NOT NULL,
  key TEXT NOT NULL);
CREATE INDEX inputs_order ON inputs (ordinal);
CREATE TABLE items (key TEXT PRIMARY KEY, state TEXT NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL,
  claims TEXT NOT NULL, result BLOB);
CREATE TABLE documents (sha256 TEXT PRIMARY KEY, document BLOB NOT NULL);
"""
_MERGE = """
BEGIN IMMEDIATE;
INSERT OR REPLACE INTO main.inputs SELECT * FROM part.inputs;
INSERT OR IGNORE INTO main.documents SELECT * FROM part.documents;
INSERT OR REPLACE INTO main.items SELECT * FROM part.items;
COMMIT;
"""
_CURE = "free some space or check the rights, then give the same command again; what was saved before is kept"


class Item(NamedTuple):
    """What became of one article; `result` is None when there is none."""

    key: str
    state: State
    stage: str = ""
    reason: str = ""
    claims: dict[str, int] = {}  # noqa: RUF012 (never written to)
    """How many claims have which state."""
    result: Result | None = None


class Journal:
    """All articles of one batch, safe for several threads of one process.

    Args:
        folder: where the file is.
        is_shared: the folder may lie on another machine, where SQLite's write-ahead log does not work.

    Raises:
        ConfigError: the file was made by a newer version, or is no journal.
        StoreError: it cannot be read or written.
    """

    def __init__(self, folder: Path, *, is_shared: bool = False) -> None:
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, timeout=60, isolation_level=None, check_same_thread=False)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise ConfigError(f"journal {str(self._path)!r} has version {version}: use a newer factdesk")
            self._db.execute(f"PRAGMA journal_mode = {'DELETE' if is_shared else 'WAL'}")
            self._db.execute("PRAGMA synchronous = FULL")
            if version == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"journal {str(self._path)!r}: {error}: {_CURE}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        with self._lock:
            self._db.close()

    def meta(self, name: str) -> str | None:
        """A fact of the batch."""
        row = self._rows("SELECT value FROM meta WHERE name = ?", name)
        return str(row[0][0]) if row else None

    def set_meta(self, name: str, value: str) -> None:
        """Keep a fact of the batch."""
        self._write([("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))])

    def state(self, key: str) -> State | None:
        """What became of the article with this key; None when it is not finished."""
        rows = self._rows("SELECT state FROM items WHERE key = ?", key)
        return rows[0][0] if rows else None

    def is_finished(self, place: str) -> bool:
        """Whether the input at this place has come to an end."""
        return bool(self._rows("SELECT 1 FROM inputs JOIN items USING (key) WHERE place = ?", place))

    def link(self, row: Row, ordinal: int, key: str) -> None:
        """Say that the input at this place is the article with this key."""
        known = self._rows("SELECT ordinal, id, extra, key FROM inputs WHERE place = ?", row.place)
        if [tuple(one) for one in known] != [_input(row, ordinal, key)[1:]]:
            self._write([("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, ?, ?)", _input(row, ordinal, key))])

    def save(self, row: Row, ordinal: int, item: Item) -> None:
        """Keep what became of an article, whole and on the disk when this returns; replaces an earlier try."""
        work: list[tuple[str, tuple[Any, ...]]] = [
            ("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, ?, ?)", _input(row, ordinal, item.key))
        ]
        blob = None
        if item.result is not None:
            kept = {key: _packed(document) for key, document in item.result.documents.items()}
            work += [("INSERT OR IGNORE INTO documents VALUES (?, ?)", one) for one in kept.values()]
            data = item.result.model_dump(mode="json", exclude={"documents"})
            blob = zlib.compress(
                json.dumps(data | {"documents": {key: sha for key, (sha, _) in kept.items()}}).encode()
            )
        values = (item.key, item.state, item.stage, item.reason, json.dumps(item.claims, sort_keys=True), blob)
        work.append(("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?)", values))
        self._write(work)

    def merge(self, folder: Path) -> None:
        """Take in all that another journal holds of this batch, in one transaction; what it finished replaces ours."""
        with self._lock:
            try:
                self._db.execute("ATTACH ? AS part", (str(folder / FILE_NAME),))
                try:
                    self._db.executescript(_MERGE)
                finally:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    self._db.execute("DETACH part")
            except sqlite3.Error as error:
                raise StoreError(f"journal {str(folder / FILE_NAME)!r} cannot be merged: {error}: {_CURE}") from error

    def rows(self) -> Iterator[tuple[Row, Item]]:
        """Every input that has come to an end, in the order of the inputs, one at a time."""
        last = (-1, "")  # two calls with different inputs give the same ordinal to different places
        query = (
            "SELECT ordinal, place, id, extra, items.* FROM inputs JOIN items USING (key)"
            " WHERE (ordinal, place) > (?, ?) ORDER BY ordinal, place LIMIT 100"
        )
        while found := self._rows(query, *last):
            for ordinal, place, name, extra, key, state, stage, reason, claims, blob in found:
                last = (ordinal, place)
                result = self._result(blob) if blob is not None else None
                item = Item(key, state, stage, reason, json.loads(claims), result)
                yield Row(place, name, None, extra=json.loads(extra)), item

    def counts(self) -> dict[str, int]:
        """Number of inputs by state."""
        return dict(self._rows("SELECT state, count(*) FROM inputs JOIN items USING (key) GROUP BY state"))

    def claims(self) -> dict[str, int]:
        """Number of claims by state, over all inputs."""
        return dict(
            self._rows(
                "SELECT one.key, sum(one.value) FROM inputs JOIN items USING (key), json_each(items.claims) AS one"
                " GROUP BY one.key"
            )
        )

    def _result(self, blob: bytes) -> Result:
        data = json.loads(zlib.decompress(blob))
        documents = {}
        for key, sha in data["documents"].items():
            ((packed,),) = self._rows("SELECT document FROM documents WHERE sha256 = ?", sha)
            documents[key] = json.loads(zlib.decompress(packed))
        return Result.model_validate(data | {"documents": documents})

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise StoreError(f"journal {str(self._path)!r} cannot be read ({error}): restore it") from error

    def _write(self, work: list[tuple[str, tuple[Any, ...]]]) -> None:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for statement, values in work:
                    self._db.execute(statement, values)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise StoreError(f"journal {str(self._path)!r}: {error}: {_CURE}") from error


def _input(row: Row, ordinal: int, key: str) -> tuple[str, int, str, str, str]:
    return row.place, ordinal, row.id, json.dumps(row.extra, default=str, sort_keys=True), key


def _packed(document: Document) -> tuple[str, bytes]:
    text = json.dumps(document.model_dump(mode="json"))
    return text_sha256(text), zlib.compress(text.encode())
