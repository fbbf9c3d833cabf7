"""Calls that were paid before, as a file that many machines may read and nobody writes to any more."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from urllib.parse import quote

from agent.errors import StoreError


class CallSnapshot:
    """What `RunLog.snapshot_calls` wrote; safe for several threads.

    Raises:
        StoreError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._dropped: set[str] = set()
        try:
            uri = f"file:{quote(str(path.absolute()))}?immutable=1"
            self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._told(error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def find(self, sha256: str) -> tuple[str] | None:
        """The reply as it was written, as a row of one."""
        if sha256 in self._dropped:
            return None
        try:
            with self._lock:
                query = "SELECT reply FROM model_calls WHERE sha256 = ?"
                row: tuple[str] | None = self._db.execute(query, (sha256,)).fetchone()
        except sqlite3.Error as error:
            raise self._told(error) from error
        return row

    def drop(self, sha256: str) -> None:
        """Do not find this one any more, as long as we live."""
        self._dropped.add(sha256)

    def _told(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"paid calls in {str(self._path)!r} cannot be read ({error}): does this machine see the file?"
        )
