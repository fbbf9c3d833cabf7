"""The tables of a store's record, as the steps that lead from one version to the next."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE documents (
            id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, fingerprint TEXT NOT NULL, published INTEGER,
            publisher TEXT, kind TEXT NOT NULL, title TEXT NOT NULL, json TEXT NOT NULL)""",
        """CREATE TABLE passages (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
            document_id TEXT NOT NULL REFERENCES documents (id),
            start_at INTEGER NOT NULL, end_at INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL)""",
        "CREATE INDEX passages_of_document ON passages (document_id, id)",
        "CREATE INDEX documents_by_day ON documents (published, id)",
        """CREATE VIEW passage_words AS SELECT p.number AS number, d.title AS title, p.text AS text
            FROM passages p JOIN documents d ON d.id = p.document_id""",
        """CREATE VIRTUAL TABLE words USING fts5 (title, text, content = 'passage_words',
            content_rowid = 'number', tokenize = 'porter unicode61 remove_diacritics 2')""",
        "CREATE TABLE pending (passage_id TEXT PRIMARY KEY) WITHOUT ROWID",
    ),
)
"""Statements that lead from schema version n to n + 1; never edit one that was released."""
