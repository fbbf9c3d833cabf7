"""The record: one SQLite file with documents, passages, vectors and the lexical index.

The record is the truth. The dense index holds nothing that is not here and can be made again from it; passages
whose place there is not settled yet are listed in the table `pending`.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from agent.domain import Document, Passage, Span, latest_day, short_hash
from agent.errors import StoreError
from agent.small.base import Vectors
from agent.store.admission import DATED, IN_TIME, Admission
from agent.store.base import TimeLimit
from agent.store.lexical import Asked, Bounds, Row, Values, best_matches
from agent.store.schema import MIGRATIONS
from agent.store.words import match_terms

_T = TypeVar("_T")

_PASSAGE = "SELECT p.id, p.document_id, p.start_at, p.end_at, p.text FROM passages p"
_WORDS_OF = """SELECT p.number, d.title, p.text FROM passages p JOIN documents d ON d.id = p.document_id
    WHERE d.id = ?"""
_MARK_PASSAGES_OF = "INSERT OR IGNORE INTO pending SELECT id FROM passages WHERE document_id = ?"
_EDIT = "edit "
"""What the name of a row in `meta` begins with that says what was mended of a document."""
_CHUNK = 500
"""Identifiers in one statement."""
_SCAN = 4096
"""Vectors read at once when all are looked at."""


class Entry(NamedTuple):
    """A document as it goes into the record: its passages, and one vector for each."""

    document: Document
    passages: tuple[Passage, ...]
    vectors: Vectors


class RecordStore:
    """The SQLite file of one store. Safe to call from many threads: calls take turns on one connection."""

    bounds: ClassVar[Bounds] = Bounds()
    """How much a search by words looks at."""

    def __init__(self, path: Path, *, write: bool = False, made_with: tuple[str, int] | None = None) -> None:
        """Open the file; with `made_with` (embedder id, dimension) it is created when it does not exist.

        Raises:
            StoreError: it is no record, is broken, or was made by a newer version.
        """
        self.path = path
        self._lock = threading.RLock()
        self._found: dict[str, tuple[int, Any]] = {}
        with self._translated():
            self._db = _connect(path, create=made_with is not None)
        try:
            self._admission = Admission(self._db)
            self._prepare(write=write, made_with=made_with)
            meta: dict[str, str] = dict(self._rows("SELECT name, value FROM meta"))
        except BaseException:
            self._db.close()
            raise
        self.store_id = meta["store_id"]
        self.embedder_id = meta["embedder_id"]
        self.dimension = int(meta["dimension"])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def counts(self) -> tuple[int, int]:
        """Number of documents and of passages."""
        row = self._rows("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)")[0]
        return row[0], row[1]

    def count_seen(self, *, when: TimeLimit) -> int:
        """Number of passages that may be seen; kept until the file changes."""
        sql = f"""SELECT count(*) FROM documents d CROSS JOIN passages p ON p.document_id = d.id
            WHERE {IN_TIME}"""  # noqa: S608 (constant)
        return self._kept(f"seen with {when!r}", lambda: int(self._rows(sql, self._limits(when))[0][0]))

    def snapshot(self) -> str:
        """Hash over the embedder and every document with its passages; kept until the file changes."""
        prints = "SELECT fingerprint FROM documents"
        return self._kept("snapshot", lambda: snapshot_of(self.embedder_id, (row[0] for row in self._rows(prints))))

    def publishers(self) -> frozenset[str]:
        """Publishers as they are written, empty for an unknown one; kept until the file changes."""
        names = "SELECT DISTINCT ifnull(publisher, '') FROM documents"
        return self._kept("publishers", lambda: frozenset(row[0] for row in self._rows(names)))

    def fingerprints(self, ids: Sequence[str]) -> dict[str, str]:
        """Fingerprint of each of these documents that is held."""
        return dict(self._rows_of("SELECT id, fingerprint FROM documents WHERE id IN ({})", ids))

    def put(self, entries: Sequence[Entry], edits: Mapping[str, str] | None = None) -> None:
        """Write documents in one transaction, in place of any with the same id; their passages are pending.

        What was mended of a document, as JSON by its id, is kept in place of what was kept before.
        """
        with self._transaction() as db:
            names = {_EDIT + id_: json for id_, json in (edits or {}).items()}
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", names.items())
            for entry in entries:
                _delete(db, entry.document.id)
                _insert(db, entry)

    def remove(self, document_id: str) -> bool:
        """Delete a document, its passages, which are pending then, and its edit; False when it is not held."""
        with self._transaction() as db:
            db.execute("DELETE FROM meta WHERE name = ?", (_EDIT + document_id,))
            return _delete(db, document_id)

    def edits(self, ids: Sequence[str]) -> dict[str, str]:
        """What was mended of these documents, as JSON; those that were not are left out."""
        names = [_EDIT + id_ for id_ in ids]
        rows = self._rows_of("SELECT name, value FROM meta WHERE name IN ({})", names)
        return {name.removeprefix(_EDIT): value for name, value in rows}

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """The documents with these ids; unknown ids are left out."""
        rows: dict[str, str] = dict(self._rows_of("SELECT id, json FROM documents WHERE id IN ({})", ids))
        return {id_: Document.model_validate_json(rows[id_]) for id_ in dict.fromkeys(ids) if id_ in rows}

    def listing(self) -> Iterator[tuple[Document, int]]:
        """Every document by id with the number of its passages."""
        ids = [row[0] for row in self._rows("SELECT id FROM documents ORDER BY id")]
        for id_ in ids:
            for json, n in self._rows(
                """SELECT json, (SELECT count(*) FROM passages WHERE document_id = documents.id)
                FROM documents WHERE id = :id""",
                {"id": id_},
            ):
                yield Document.model_validate_json(json), n

    def passages(self, ids: Sequence[str]) -> tuple[Passage, ...]:
        """The passages with these ids, in this order; unknown ids are left out."""
        rows = {row[0]: row for row in self._rows_of(f"{_PASSAGE} WHERE p.id IN ({{}})", ids)}
        return tuple(_passage(rows[id_]) for id_ in ids if id_ in rows)

    def passages_of(self, document_id: str) -> tuple[Passage, ...]:
        """The passages of a document in the order of the text."""
        sql = f"{_PASSAGE} WHERE p.document_id = :id ORDER BY p.start_at, p.end_at"
        return tuple(_passage(row) for row in self._rows(sql, {"id": document_id}))

    def passage_ids(self) -> list[str]:
        """The ids of all passages, sorted."""
        return [row[0] for row in self._rows("SELECT id FROM passages ORDER BY id")]

    def vectors(self, ids: Sequence[str], *, when: TimeLimit) -> tuple[list[str], Vectors]:
        """Those of the passages that are held and may be seen, with their vectors."""
        sql = f"SELECT p.id, p.vector FROM passages p {DATED} WHERE p.id IN ({{}}) AND {IN_TIME}"  # noqa: S608 (constants)
        rows = self._rows_of(sql, ids, self._limits(when))
        return [row[0] for row in rows], self._stack(row[1] for row in rows)

    def scan(self, *, when: TimeLimit) -> Iterator[tuple[list[str], Vectors]]:
        """All passages that may be seen with their vectors, some thousands at a time."""
        # From the documents to the passages, through indexes: reads no vector that may not be seen.
        sql = f"""SELECT p.id FROM documents d CROSS JOIN passages p ON p.document_id = d.id
            WHERE {IN_TIME} ORDER BY p.id"""  # noqa: S608 (constant)
        ids = [row[0] for row in self._rows(sql, self._limits(when))]
        for start in range(0, len(ids), _SCAN):
            yield self.vectors(ids[start : start + _SCAN], when=when)

    def search(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """The passages with the best BM25 score for the words of the text; ties in the order of their ids.

        Where very many passages have a word of it, only those with one of its rarer words are looked at.
        """
        with self._snapshot():
            counts = self._kept("passages with a word", dict[str, int])
            asked = Asked(match_terms(text), limit, self._limits(when), self.bounds)
            found = best_matches(self._rows, asked, counts)
        return tuple(_passage(row) for row in found)

    def pending(self) -> list[str]:
        """Passages whose place in the dense index is not settled, whether held or removed."""
        return [row[0] for row in self._rows("SELECT passage_id FROM pending ORDER BY passage_id")]

    def mark_pending(self, ids: Iterable[str]) -> None:
        """Say that these passages must be written to (or taken out of) the dense index."""
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO pending VALUES (?)", ((id_,) for id_ in ids))

    def settle(self, ids: Iterable[str]) -> None:
        """Say that the dense index agrees with the record on these passages."""
        with self._transaction() as db:
            db.executemany("DELETE FROM pending WHERE passage_id = ?", ((id_,) for id_ in ids))

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file, and the passages that the lexical index lacks."""
        found = [f"record: {row[0]}" for row in self._rows("PRAGMA quick_check") if row[0] != "ok"]
        missing = self._rows("SELECT id FROM passages WHERE number NOT IN (SELECT id FROM words_docsize)")
        extra = self._rows("SELECT id FROM words_docsize WHERE id NOT IN (SELECT number FROM passages)")
        found += [f"passage {row[0]!r} is not in the lexical index" for row in missing]
        return found + [f"the lexical index has a row {row[0]} without a passage" for row in extra]

    def rebuild_words(self) -> None:
        """Make the lexical index anew from the passages."""
        with self._transaction() as db:
            db.execute("INSERT INTO words (words) VALUES ('rebuild')")

    def _prepare(self, *, write: bool, made_with: tuple[str, int] | None) -> None:
        with self._translated():
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA cache_size = -65536")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            self._check_version(version, write=write, may_be_empty=made_with is not None)
            if write:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._migrate(version, made_with)
            else:
                self._db.execute("PRAGMA query_only = ON")

    def _check_version(self, version: int, *, write: bool, may_be_empty: bool) -> None:
        known = len(MIGRATIONS)
        if version > known:
            raise StoreError(
                f"store record {str(self.path)!r} has version {version}, this factdesk knows {known}: "
                "install a newer factdesk"
            )
        if version == 0 and not may_be_empty:
            raise StoreError(
                f"{str(self.path)!r} is not a store record: name another folder with --store, "
                "or add sources to a new one with `factdesk store add PATH`"
            )
        if version < known and not write:
            raise StoreError(
                f"store record {str(self.path)!r} has the old version {version}: "
                "bring it up to date with `factdesk store check`"
            )

    def _migrate(self, version: int, made_with: tuple[str, int] | None) -> None:
        if version == len(MIGRATIONS):
            return
        with self._transaction() as db:
            for statement in (line for step in MIGRATIONS[version:] for line in step):
                db.execute(statement)
            if version == 0 and made_with is not None:
                # Random, not derived: two stores with the same sources may share one Chroma server.
                names = {"store_id": secrets.token_hex(8), "embedder_id": made_with[0]}
                meta = names | {"dimension": str(made_with[1])}
                db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"store record {str(self.path)!r} cannot be used ({error}): run `factdesk store rebuild`; "
                "if that fails too, restore the file from a copy or add the sources to a new store"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._found = {}
                self._admission.forget()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """What is read in here is of one state of the file, whatever another process writes."""
        with self._lock, self._translated():
            try:
                self._db.execute("BEGIN")
                yield
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _kept(self, name: str, made: Callable[[], _T]) -> _T:
        """What is made of the file under this name; made anew when the file has changed."""
        with self._lock:
            version = self._rows("PRAGMA data_version")[0][0]
            if name not in self._found or self._found[name][0] != version:
                self._found[name] = (version, made())
            found: _T = self._found[name][1]
            return found

    def _rows(self, sql: str, values: Values | None = None) -> list[Row]:
        with self._lock, self._translated():
            return self._db.execute(sql, values or {}).fetchall()

    def _rows_of(self, sql: str, ids: Sequence[str], values: Values | None = None) -> list[Row]:
        """Rows of a statement with `IN ({})`, asked in chunks."""
        rows: list[Row] = []
        for start in range(0, len(ids), _CHUNK):
            names: Values = {f"id{n}": id_ for n, id_ in enumerate(ids[start : start + _CHUNK])}
            marks = ", ".join(f":{name}" for name in names)
            rows += self._rows(sql.format(marks), names | (values or {}))
        return rows

    def _limits(self, when: TimeLimit) -> Values:
        day = None if when.as_of is None else _number(when.as_of)
        limits: Values = {"day": day, "keep": int(when.undated == "keep"), "scope": None}
        if not when.scope.is_all:
            with self._lock, self._translated():
                limits["scope"] = self._admission.key(when.scope)
        return limits

    def _stack(self, blobs: Iterable[bytes]) -> Vectors:
        return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(-1, self.dimension)


def fingerprint_of(document: Document, passages: Sequence[Passage]) -> str:
    """Hash of a document with its provenance and of how it is cut into passages."""
    return short_hash(document.model_dump_json(), *sorted(passage.id for passage in passages))


def snapshot_of(embedder_id: str, fingerprints: Iterable[str]) -> str:
    """Hash of a store's content, whatever the order in which it was added."""
    return hashlib.sha256("\n".join([embedder_id, *sorted(fingerprints)]).encode()).hexdigest()


def _connect(path: Path, *, create: bool) -> sqlite3.Connection:
    mode = "rwc" if create else "rw"
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=30,
        isolation_level=None,
        check_same_thread=False,
    )


def _insert(db: sqlite3.Connection, entry: Entry) -> None:
    document = entry.document
    day = None if document.published is None else latest_day(document.published)
    db.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.id,
            document.sha256,
            fingerprint_of(document, entry.passages),
            None if day is None else _number(day),
            document.publisher,
            document.kind.value,
            document.title,
            document.model_dump_json(),
        ),
    )
    db.executemany(
        """INSERT INTO passages (id, document_id, start_at, end_at, text, vector) VALUES (?, ?, ?, ?, ?, ?)""",
        (
            (p.id, document.id, p.span.start, p.span.end, p.text, np.asarray(vector, dtype="<f4").tobytes())
            for p, vector in zip(entry.passages, entry.vectors, strict=True)
        ),
    )
    db.execute(f"INSERT INTO words (rowid, title, text) {_WORDS_OF}", (document.id,))
    db.execute(_MARK_PASSAGES_OF, (document.id,))


def _delete(db: sqlite3.Connection, document_id: str) -> bool:
    db.execute(_MARK_PASSAGES_OF, (document_id,))
    # An FTS5 index beside its content takes a row out only when told what was in it.
    db.execute(
        f"INSERT INTO words (words, rowid, title, text) SELECT 'delete', * FROM ({_WORDS_OF})",  # noqa: S608 (constant)
        (document_id,),
    )
    db.execute("DELETE FROM passages WHERE document_id = ?", (document_id,))
    return db.execute("DELETE FROM documents WHERE id = ?", (document_id,)).rowcount > 0


def _passage(row: Row) -> Passage:
    return Passage(id=row[0], document_id=row[1], span=Span(start=row[2], end=row[3]), text=row[4])


def _number(day: date) -> int:
    """A day as YYYYMMDD, which orders as the days do."""
    return day.year * 10_000 + day.month * 100 + day.day
