"""The run log: one SQLite file that holds runs, ledgers, verifications, their documents, and model replies.

Every save is one transaction that is on the disk when the method returns, so a killed run loses nothing that
was saved. Data is kept as JSON of the domain types, ASCII only, so that any Python string survives.
"""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar

from pydantic import ValidationError

from agent.domain import Claim, Data, Document, Ledger, LedgerEntry, Result, Run, Verification, text_sha256
from agent.errors import AgentError, ConfigError, InputError, StoreError
from agent.llm.base import ChatReply, ChatRequest
from agent.llm.snapshot import CallSnapshot

FILE_NAME = "runs.sqlite"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            started TEXT NOT NULL,
            record TEXT NOT NULL,
            complete INTEGER NOT NULL)""",
        """CREATE TABLE articles (
            run_id TEXT PRIMARY KEY REFERENCES runs(id),
            document TEXT NOT NULL)""",
        """CREATE TABLE ledger_entries (
            run_id TEXT NOT NULL REFERENCES runs(id),
            sentence INTEGER NOT NULL,
            entry TEXT NOT NULL,
            claims TEXT NOT NULL,
            PRIMARY KEY (run_id, sentence))""",
        """CREATE TABLE verifications (
            run_id TEXT NOT NULL REFERENCES runs(id),
            claim_id TEXT NOT NULL,
            verification TEXT NOT NULL,
            PRIMARY KEY (run_id, claim_id))""",
        """CREATE TABLE documents (
            sha256 TEXT PRIMARY KEY,
            document TEXT NOT NULL)""",
        """CREATE TABLE run_documents (
            run_id TEXT NOT NULL REFERENCES runs(id),
            document_id TEXT NOT NULL,
            sha256 TEXT NOT NULL REFERENCES documents(sha256),
            PRIMARY KEY (run_id, document_id))""",
        """CREATE TABLE model_calls (
            sha256 TEXT PRIMARY KEY,
            request TEXT NOT NULL,
            reply TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL,
            completion_tokens INTEGER NOT NULL,
            seconds REAL NOT NULL,
            created TEXT NOT NULL)""",
    ),
)
"""The statements that lead from version n to n + 1; an entry is never changed once released."""

_DataT = TypeVar("_DataT", bound=Data)

_FREE_SPACE = "free some space, then give the same command again; what was saved before is kept"
_MOVE_AWAY = "move the file away to start a new log, or restore it from a copy"
_CHOOSE_FOLDER = "check its rights, or choose another folder with FACTDESK_RUN_DIR"
_CURES: dict[int, tuple[type[AgentError], str]] = {
    sqlite3.SQLITE_FULL: (StoreError, _FREE_SPACE),
    sqlite3.SQLITE_IOERR: (StoreError, f"the disk may be full or broken: {_FREE_SPACE}"),
    sqlite3.SQLITE_BUSY: (StoreError, "another process holds it: wait until that is done, then try again"),
    sqlite3.SQLITE_NOTADB: (ConfigError, _MOVE_AWAY),
    sqlite3.SQLITE_CORRUPT: (ConfigError, _MOVE_AWAY),
    sqlite3.SQLITE_CANTOPEN: (ConfigError, _CHOOSE_FOLDER),
    sqlite3.SQLITE_READONLY: (ConfigError, _CHOOSE_FOLDER),
}


class _Claims(Data):
    """The claims of one sentence, as one column holds them."""

    claims: tuple[Claim, ...]


class ResultLog(Protocol):
    """Where the pipeline keeps what it finds."""

    def start(self, run: Run, article: Document) -> None:
        """Enter a run, or take it up."""
        ...

    def load(self, name: str) -> Result:
        """All that is kept of a run."""
        ...

    def save_entry(self, run_id: str, entry: LedgerEntry, claims: Sequence[Claim]) -> None:
        """Keep what became of a sentence."""
        ...

    def save_verification(self, run_id: str, verification: Verification, documents: Mapping[str, Document]) -> None:
        """Keep what came of a claim."""
        ...

    def finish(self, run: Run) -> None:
        """Keep the final record."""
        ...


class RunLog:
    """All runs of one folder; safe for several threads, and for several processes at once.

    Raises:
        ConfigError: the file is damaged, cannot be opened, or was made by a newer version.
        StoreError: the disk is full, or another process holds the file for too long.
    """

    def __init__(self, run_dir: Path, *, busy_seconds: float = 60, earlier: CallSnapshot | None = None) -> None:
        self._path = run_dir / FILE_NAME
        self._earlier = earlier
        self._lock = threading.Lock()
        self._connection = _open(self._path, busy_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            self._connection.close()
            if self._earlier is not None:
                self._earlier.close()

    def start(self, run: Run, article: Document) -> None:
        """Enter a run, or take up one with the same id: what is saved of it stays, and it becomes the last."""
        with self._transaction() as connection:
            found = connection.execute(
                "UPDATE runs SET sequence = (SELECT max(sequence) + 1 FROM runs) WHERE id = ?", (run.id,)
            )
            if found.rowcount:
                return
            connection.execute(
                "INSERT INTO runs (id, started, record, complete) VALUES (?, ?, ?, ?)",
                (run.id, run.started, _dump(run), run.complete),
            )
            connection.execute("INSERT INTO articles VALUES (?, ?)", (run.id, _dump(article)))

    def save_entry(self, run_id: str, entry: LedgerEntry, claims: Sequence[Claim]) -> None:
        """Save what became of one sentence, in place of what was saved for it before."""
        with self._transaction() as connection:
            self._check_started(connection, run_id)
            connection.execute(
                "INSERT OR REPLACE INTO ledger_entries VALUES (?, ?, ?, ?)",
                (run_id, entry.sentence.index, _dump(entry), _dump(_Claims(claims=tuple(claims)))),
            )

    def save_verification(self, run_id: str, verification: Verification, documents: Mapping[str, Document]) -> None:
        """Save what came of one claim, with the documents its hits point into.

        Raises:
            StoreError: a hit points into a document that is neither given nor saved with this run.
        """
        wanted = _hit_documents([verification])
        with self._transaction() as connection:
            self._check_started(connection, run_id)
            _save_documents(connection, run_id, [documents[key] for key in wanted if key in documents])
            missing = [key for key in wanted if not _is_linked(connection, run_id, key)]
            if missing:
                raise StoreError(
                    f"claim {verification.claim.id!r} has a hit in document {missing[0]!r}, which was not given:"
                    " save the verification with every document of its hits"
                )
            connection.execute(
                "INSERT OR REPLACE INTO verifications VALUES (?, ?, ?)",
                (run_id, verification.claim.id, _dump(verification)),
            )

    def saved_verifications(self, run_id: str) -> dict[str, Verification]:
        """What a run has already found, failures too, by claim id; empty for an unknown run."""
        with self._transaction("DEFERRED") as connection:
            return self._verifications(connection, run_id)

    def finish(self, run: Run) -> None:
        """Save the final record with its usage; a run broken off stays incomplete, as `run.complete` says."""
        with self._transaction() as connection:
            self._check_started(connection, run.id)
            connection.execute(
                "UPDATE runs SET started = ?, record = ?, complete = ? WHERE id = ?",
                (run.started, _dump(run), run.complete, run.id),
            )

    def load(self, name: str) -> Result:
        """The run with this id, the one run whose id starts so, or for `last` the one started last.

        Raises:
            InputError: no run or several runs fit; the message names the last five.
        """
        with self._transaction("DEFERRED") as connection:
            run_id = self._find(connection, name)
            (record,) = connection.execute("SELECT record FROM runs WHERE id = ?", (run_id,)).fetchone()
            (article,) = connection.execute("SELECT document FROM articles WHERE run_id = ?", (run_id,)).fetchone()
            ledger = self._ledger(connection, run_id)
            verifications = _in_order(self._verifications(connection, run_id), ledger)
            return Result(
                run=self._read(Run, record),
                article=self._read(Document, article),
                ledger=ledger,
                verifications=verifications,
                documents=self._documents(connection, run_id, _hit_documents(verifications)),
            )

    def runs(self) -> tuple[Run, ...]:
        """All runs, the one started last first."""
        with self._transaction("DEFERRED") as connection:
            rows = connection.execute("SELECT record FROM runs ORDER BY sequence DESC").fetchall()
        return tuple(self._read(Run, record) for (record,) in rows)

    def find_call(self, sha256: str) -> ChatReply | None:
        """The kept reply to the request with this hash, or None."""
        with self._transaction("DEFERRED") as connection:
            row = connection.execute("SELECT reply FROM model_calls WHERE sha256 = ?", (sha256,)).fetchone()
        if row is None and self._earlier is not None:
            row = self._earlier.find(sha256)
        return None if row is None else self._read(ChatReply, row[0])

    def save_call(self, sha256: str, request: ChatRequest, reply: ChatReply) -> None:
        """Keep a reply for good: the first one kept for a request stays."""
        usage = reply.usage
        numbers = (usage.prompt_tokens, usage.completion_tokens, usage.seconds)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO model_calls VALUES (?, ?, ?, ?, ?, ?, ?)",
                (sha256, request.canonical, _dump(reply), *numbers, created),
            )

    def merge_calls(self, path: Path) -> None:
        """Keep the calls of another log, too; the first one kept for a request stays."""
        with self._attached(path) as connection:
            connection.execute("INSERT OR IGNORE INTO main.model_calls SELECT * FROM part.model_calls")

    def snapshot_calls(self, path: Path) -> None:
        """Write the replies to a new file for `CallSnapshot`."""
        with self._attached(path) as connection:
            connection.execute("CREATE TABLE part.model_calls AS SELECT sha256, reply FROM main.model_calls")
            connection.execute("CREATE UNIQUE INDEX part.calls_by_hash ON model_calls (sha256)")

    @contextmanager
    def _attached(self, path: Path) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("ATTACH ? AS part", (str(path),))
                try:
                    yield self._connection
                finally:
                    self._connection.execute("DETACH part")
            except sqlite3.Error as error:
                raise _explain(error, path) from error

    def drop_call(self, sha256: str) -> None:
        """Forget a kept call, if there is one: its reply was of no use."""
        if self._earlier is not None:
            self._earlier.drop(sha256)
        with self._transaction() as connection:
            connection.execute("DELETE FROM model_calls WHERE sha256 = ?", (sha256,))

    @contextmanager
    def _transaction(self, mode: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                with _begin(self._connection, mode):
                    yield self._connection
            except sqlite3.Error as error:
                raise _explain(error, self._path) from error

    def _check_started(self, connection: sqlite3.Connection, run_id: str) -> None:
        if connection.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is None:
            raise StoreError(f"run {run_id!r} is not in {str(self._path)!r}: start it before saving to it")

    def _find(self, connection: sqlite3.Connection, name: str) -> str:
        ids = [row[0] for row in connection.execute("SELECT id FROM runs ORDER BY sequence DESC")]
        if not ids:
            raise InputError(f"run log {str(self._path)!r} holds no runs yet: verify an article first")
        if name == "last":
            return str(ids[0])
        matches = [known for known in ids if known == name] or [
            known for known in ids if name and known.startswith(name)
        ]
        if len(matches) == 1:
            return str(matches[0])
        wrong = f"fits {len(matches)} runs: give more of its id" if matches else "is not known"
        raise InputError(f"run {name!r} {wrong}; the last runs are {', '.join(ids[:5])}, or say 'last'")

    def _ledger(self, connection: sqlite3.Connection, run_id: str) -> Ledger:
        rows = connection.execute(
            "SELECT entry, claims FROM ledger_entries WHERE run_id = ? ORDER BY sentence", (run_id,)
        ).fetchall()
        return Ledger(
            entries=tuple(self._read(LedgerEntry, entry) for entry, _ in rows),
            claims=tuple(claim for _, kept in rows for claim in self._read(_Claims, kept).claims),
        )

    def _verifications(self, connection: sqlite3.Connection, run_id: str) -> dict[str, Verification]:
        rows = connection.execute(
            "SELECT claim_id, verification FROM verifications WHERE run_id = ? ORDER BY claim_id", (run_id,)
        ).fetchall()
        return {claim_id: self._read(Verification, kept) for claim_id, kept in rows}

    def _documents(self, connection: sqlite3.Connection, run_id: str, wanted: Sequence[str]) -> dict[str, Document]:
        rows = connection.execute(
            "SELECT document_id, document FROM run_documents JOIN documents USING (sha256) WHERE run_id = ?",
            (run_id,),
        ).fetchall()
        kept = dict(rows)
        return {key: self._read(Document, kept[key]) for key in wanted}

    def _read(self, kind: type[_DataT], text: str) -> _DataT:
        try:
            return kind.model_validate(json.loads(text))
        except (ValidationError, ValueError) as error:
            raise StoreError(
                f"run log {str(self._path)!r} holds a {kind.__name__} that cannot be read ({error}): {_MOVE_AWAY}"
            ) from error


def _open(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Connect, one process at a time: switching a new file to WAL does not wait for others by itself."""
    from filelock import FileLock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=busy_seconds):
            path.touch(mode=0o600)
            return _connect(path, busy_seconds)
    except sqlite3.Error as error:
        raise _explain(error, path) from error
    except OSError as error:
        raise _explain_os(error, path) from error


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        _check_version(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a log of a newer version before anything in it is touched."""
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"run log {str(path)!r} has version {version}, this factdesk knows up to {len(MIGRATIONS)}:"
            " use a newer factdesk, or another folder with FACTDESK_RUN_DIR"
        )


def _migrate(connection: sqlite3.Connection) -> None:
    if _version(connection) == len(MIGRATIONS):
        return
    with _begin(connection, "IMMEDIATE"):
        for statements in MIGRATIONS[_version(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@contextmanager
def _begin(connection: sqlite3.Connection, mode: str) -> Iterator[None]:
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back after some errors
            connection.execute("ROLLBACK")
        raise


def _explain(error: sqlite3.Error, path: Path) -> AgentError:
    """Our error for one of SQLite's, with the file and the cure."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest is detail
    kind, cure = _CURES.get(code, (StoreError, f"open it again; if that does not help, {_MOVE_AWAY}"))
    return kind(f"run log {str(path)!r}: {error}: {cure}")


def _explain_os(error: OSError, path: Path) -> AgentError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreError(f"run log {str(path)!r}: {error}: {_FREE_SPACE}")
    if isinstance(error, TimeoutError):
        return StoreError(f"run log {str(path)!r}: {error}: {_CURES[sqlite3.SQLITE_BUSY][1]}")
    return ConfigError(f"run log {str(path)!r} cannot be opened: {error}: {_CHOOSE_FOLDER}")


def _dump(data: Data) -> str:
    """ASCII JSON: unlike pydantic's own it keeps lone surrogates, which a model can send, and infinities."""
    return json.dumps(data.model_dump(mode="json"))


def _hit_documents(verifications: Sequence[Verification]) -> list[str]:
    found = {hit.passage.document_id for verification in verifications for hit in verification.hits}
    return sorted(found)


def _save_documents(connection: sqlite3.Connection, run_id: str, documents: Sequence[Document]) -> None:
    """Keep each distinct record once for all runs, and link it to this run."""
    for document in documents:
        kept = _dump(document)
        sha256 = text_sha256(kept)
        connection.execute("INSERT OR IGNORE INTO documents VALUES (?, ?)", (sha256, kept))
        connection.execute("INSERT OR REPLACE INTO run_documents VALUES (?, ?, ?)", (run_id, document.id, sha256))


def _is_linked(connection: sqlite3.Connection, run_id: str, document_id: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM run_documents WHERE run_id = ? AND document_id = ?", (run_id, document_id)
    ).fetchone()
    return row is not None


def _in_order(found: Mapping[str, Verification], ledger: Ledger) -> tuple[Verification, ...]:
    """In the order of the ledger's claims; then claims given without an article, by id.

    A claim of a sentence whose ledger entry no longer lists it is left out: it belongs to an earlier attempt.
    """
    listed = dict.fromkeys(claim.id for claim in ledger.claims)
    given = [key for key, kept in found.items() if key not in listed and kept.claim.sentence_index is None]
    return tuple(found[key] for key in (*listed, *given) if key in found)
