"""Scopes in SQL: which documents one admits, found once for each state of the file."""

from __future__ import annotations

import sqlite3

from agent.scope import Facts, Scope

DATED = "JOIN documents d ON d.id = p.document_id"
IN_TIME = """(:day IS NULL OR d.published <= :day OR (d.published IS NULL AND :keep))
    AND (:scope IS NULL OR admits(:scope, d.id))"""
"""Whether a document d may be seen."""


class Admission:
    """Lends a connection the function `admits(key, id)`. What was added since the key was made is not admitted."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._version = -1
        self._admitted: dict[str, frozenset[str]] = {}
        db.create_function("admits", 2, lambda key, id_: id_ in self._admitted.get(key, ()))

    def key(self, scope: Scope) -> str:
        """What `admits` must be told to ask for this scope."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self.forget()
            self._version = version
        key = scope.model_dump_json()
        if key not in self._admitted:
            rows = self._db.execute("SELECT id, kind, publisher, json_extract(json, '$.url') FROM documents")
            self._admitted[key] = frozenset(row[0] for row in rows if scope.admits(Facts(*row)))
        return key

    def forget(self) -> None:
        """The documents have changed."""
        self._admitted = {}
