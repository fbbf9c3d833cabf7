"""Outcomes as they come, so that nothing done is lost when a run is broken off."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from agent.errors import StoreError
from evals.record import Outcome

_SCHEMA = """
create table if not exists outcome (
  case_id text not null, repeat integer not null, seconds real not null, outcome text not null,
  primary key (case_id, repeat)
) without rowid
"""


class Journal:
    """A SQLite file with one row for every finished case; each is on disk before the next begins to be told of."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = full")
            self._connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise StoreError(f"the journal {str(path)!r} cannot be used: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self._connection.close()

    def save(self, outcome: Outcome, *, seconds: float) -> None:
        """Keep an outcome; one that was kept before is replaced.

        Raises:
            StoreError: it cannot be written.
        """
        row = (outcome.case_id, outcome.repeat, seconds, outcome.model_dump_json(exclude_defaults=True))
        try:
            self._connection.execute("insert or replace into outcome values (?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise StoreError(f"the journal {str(self._path)!r} cannot be written: {error}") from error

    def done(self) -> frozenset[tuple[str, int]]:
        """Case ids and repeats that need no more work: failed ones are tried again."""
        rows = self._connection.execute(
            "select case_id, repeat from outcome where json_extract(outcome, '$.failure') is null"
            " and json_extract(outcome, '$.verification.outcome.kind') is null"
        )
        return frozenset((case_id, repeat) for case_id, repeat in rows)

    def outcomes(self) -> Iterator[Outcome]:
        """All outcomes by case id and repeat, one at a time."""
        for (text,) in self._connection.execute("select outcome from outcome order by case_id, repeat"):
            yield Outcome.model_validate_json(text)

    def outcome(self, case_id: str, repeat: int = 1) -> Outcome | None:
        """One outcome."""
        query = "select outcome from outcome where case_id = ? and repeat = ?"
        row = self._connection.execute(query, (case_id, repeat)).fetchone()
        return Outcome.model_validate_json(row[0]) if row else None

    def seconds(self) -> dict[str, float]:
        """Seconds of work by case id, all repeats together."""
        rows = self._connection.execute("select case_id, sum(seconds) from outcome group by case_id order by case_id")
        return dict(rows)
