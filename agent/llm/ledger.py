"""Which requests were sent to a provider in which batch: on the disk before they are sent, gone once answered."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from agent.domain import short_hash
from agent.errors import StoreError
from agent.llm.base import ChatRequest

FILE_NAME = "provider.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (number INTEGER PRIMARY KEY, mark TEXT NOT NULL UNIQUE, begun REAL NOT NULL,
  batch TEXT, count INTEGER NOT NULL, ended TEXT);
CREATE TABLE IF NOT EXISTS requests (sha256 TEXT PRIMARY KEY, mark TEXT NOT NULL, request BLOB NOT NULL);
"""


class Sent(NamedTuple):
    """One batch that has not been collected."""

    mark: str
    begun: float
    """Seconds since 1970."""
    batch: str | None
    """Its id; None when the process ended before the provider had told it."""
    size: int
    """Requests in it."""


class BatchLedger:
    """The batches of one folder, safe for several threads of one process.

    Raises:
        StoreError: the file cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, timeout=60, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._told(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        with self._lock:
            self._db.close()

    def begin(self, requests: Mapping[str, ChatRequest]) -> Sent:
        """Write down what is about to be sent."""
        ((number,),) = self._do(("SELECT coalesce(max(number), 0) + 1 FROM batches", ()))
        sent = Sent(short_hash("batch", str(number), *sorted(requests)), time.time(), None, len(requests))
        rows = [(sha, sent.mark, _packed(request)) for sha, request in requests.items()]
        self._do(
            ("INSERT INTO batches VALUES (?, ?, ?, NULL, ?, NULL)", (number, sent.mark, sent.begun, sent.size)),
            *(("INSERT OR REPLACE INTO requests VALUES (?, ?, ?)", row) for row in rows),
        )
        return sent

    def entered(self, mark: str, batch: str) -> None:
        """The provider has taken it, under this id."""
        self._do(("UPDATE batches SET batch = ? WHERE mark = ?", (batch, mark)))

    def end(self, mark: str, how: str) -> None:
        """It has been collected, or never was sent: its requests may be sent again."""
        self._do(
            ("UPDATE batches SET ended = ? WHERE mark = ?", (how, mark)),
            ("DELETE FROM requests WHERE mark = ?", (mark,)),
        )

    def open(self) -> tuple[Sent, ...]:
        """Those that have not ended, the oldest first."""
        query = "SELECT mark, begun, batch, count FROM batches WHERE ended IS NULL ORDER BY number"
        return tuple(Sent(*row) for row in self._do((query, ())))

    def is_sent(self, sha256: str) -> bool:
        """Whether a request is in a batch that has not ended."""
        return bool(self._do(("SELECT 1 FROM requests WHERE sha256 = ?", (sha256,))))

    def requests(self, mark: str) -> dict[str, ChatRequest]:
        """What was sent in a batch that has not ended, by hash."""
        rows = self._do(("SELECT sha256, request FROM requests WHERE mark = ?", (mark,)))
        return {sha: ChatRequest.model_validate(json.loads(zlib.decompress(blob))) for sha, blob in rows}

    def _do(self, *work: tuple[str, tuple[Any, ...]]) -> list[Any]:
        """One transaction; gives the rows of its last statement."""
        with self._lock:
            try:
                with self._db:
                    for statement, values in work:
                        found = self._db.execute(statement, values)
                    return found.fetchall()
            except sqlite3.Error as error:
                raise self._told(error) from error

    def _told(self, error: Exception) -> StoreError:
        return StoreError(f"ledger {str(self._path)!r}: {error}: free some space or check the rights, then go on")


def _packed(request: ChatRequest) -> bytes:
    return zlib.compress(json.dumps(request.model_dump(mode="json")).encode())
