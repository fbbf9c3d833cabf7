"""Conversations on disk: one SQLite file that lists them, and a folder for each with its run log and its own store."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

from agent.chat.state import State
from agent.domain import Data
from agent.errors import InputError, StoreError

_TABLE = """CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL, title TEXT NOT NULL,
    words TEXT NOT NULL, state TEXT NOT NULL)"""


class Listed(Data):
    """A line of the list."""

    id: str
    title: str
    created: str
    updated: str


class Shelves:
    """All conversations of one folder. Deleting overwrites the row and removes the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(root / "chat.sqlite", check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"conversations in {str(root)!r} cannot be opened ({error}): choose another --run-dir"
            ) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def folder(self, name: str) -> Path:
        """Where the run log and the own store of a conversation are."""
        return self._root / name

    def save(self, name: str, state: State) -> None:
        """Keep a conversation as it is now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        title = state.article.title if state.article else "Conversation"
        words = "\n".join((title, *(turn.note for turn in state.turns), *(claim.text for claim in state.claims)))
        with self._lock:
            self._db.execute(
                """INSERT INTO conversations VALUES (:id, :now, :now, :title, :words, :state) ON CONFLICT (id)
                DO UPDATE SET updated = :now, title = :title, words = :words, state = :state""",
                {
                    "id": name,
                    "now": now,
                    "title": _plain(title),
                    "words": _plain(words).casefold(),
                    "state": _dump(state),
                },
            )

    def load(self, name: str) -> State:
        """The conversation with this id.

        Raises:
            InputError: there is none.
        """
        with self._lock:
            row = self._db.execute("SELECT state FROM conversations WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise InputError(f"no conversation {name!r}: it may have been deleted")
        return State.model_validate_json(row[0])

    def list(self, search: str = "") -> tuple[Listed, ...]:
        """The conversations whose words hold the search, newest first."""
        pattern = "%" + search.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        with self._lock:
            rows = self._db.execute(
                "SELECT id, title, created, updated FROM conversations WHERE words LIKE ? ESCAPE '\\'"
                " ORDER BY updated DESC, id",
                (pattern,),
            ).fetchall()
        return tuple(Listed(id=row[0], title=row[1], created=row[2], updated=row[3]) for row in rows)

    def delete(self, name: str) -> None:
        """Remove a conversation, its run, its model calls and its sources for good.

        Raises:
            InputError: there is none.
        """
        self.load(name)
        with self._lock:
            self._db.execute("DELETE FROM conversations WHERE id = ?", (name,))
            self._db.execute("VACUUM")
        shutil.rmtree(self.folder(name), ignore_errors=True)


def _dump(state: State) -> str:
    return _plain(state.model_dump_json())


def _plain(text: str) -> str:
    """Without halves of surrogate pairs, which SQLite cannot keep."""
    return text.encode("utf-8", "replace").decode()
