"""The journal: a write that fails takes nothing with it."""

from __future__ import annotations

import csv
import resource
import sqlite3
import subprocess
import sys

import pytest

from agent.batch.engine import item_of
from agent.batch.inputs import Row, read_inputs
from agent.batch.journal import Item, Journal
from agent.batch.results import write_results
from agent.errors import ConfigError, StoreError
from agent.report.tables import claim_rows
from tests.report.sample import sample_result


class Failing:
    """A connection whose n-th statement fails as a full disk does."""

    def __init__(self, connection, nth):
        self._connection, self._left = connection, nth

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, *words):
        self._left -= 1
        if self._left == 0:
            raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(*words)


def fill(journal, count=12):
    for number in range(count):
        row = Row(f"p{number}", f"a{number}", None, extra={"n": number})
        journal.save(row, number, Item(f"k{number}", "failed", "extract", "because"))


@pytest.mark.parametrize("nth", range(1, 51))
def test_the_nth_write_fails_and_nothing_finished_is_lost(tmp_path, nth):
    """The error names the cure, the file is whole, and what was acknowledged is there; then it goes on."""
    saved = 0
    with Journal(tmp_path) as journal:
        journal._db = Failing(journal._db, nth)
        with pytest.raises(StoreError, match="free some space"):  # noqa: PT012 (some of them succeed)
            for number in range(13):
                row = Row(f"p{number}", f"a{number}", None)
                journal.save(row, number, Item(f"k{number}", "failed", "extract", "because"))
                saved += 1
        assert saved < 13
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    with Journal(tmp_path) as journal:
        assert len(list(journal.rows())) == saved
        fill(journal)
        assert len(list(journal.rows())) == 12


def test_a_full_disk_is_told_and_the_journal_stays_readable(tmp_path):
    """A real limit of the operating system, in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from tests.batch.test_journal import fill; "
        "from agent.batch.journal import Journal\n"
        "from agent.errors import StoreError\n"
        "try:\n  fill(Journal(Path(sys.argv[1])), 5000)\nexcept StoreError as error:\n  print(error)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    ).stdout  # fmt: skip
    assert "free some space" in out
    with Journal(tmp_path) as journal:
        assert len(list(journal.rows())) > 10


def test_a_journal_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    """It names the version."""
    with Journal(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="version 99"):
        Journal(tmp_path)


def test_a_bad_byte_in_a_table_costs_its_row_alone(tmp_path):
    """A CSV file in which one cell was saved in another encoding: the rows before and after it are read."""
    rows = [f"{n},Some text of row {n}.".encode() for n in range(200)]
    rows[100] = b"100,Caf\xe9 closed."
    (tmp_path / "t.csv").write_bytes(b"id,text\n" + b"\n".join(rows))
    found = list(read_inputs([str(tmp_path / "t.csv")]))
    assert len(found) == 200
    assert [(row.place.rpartition(":")[2], "UTF-8" in row.reason) for row in found if row.article is None] == [
        ("102", True)
    ]


def test_inputs_of_every_kind_one_at_a_time(tmp_path):
    """Bad rows are rows; the good ones after them are read."""
    (tmp_path / "a.txt").write_text("A text.")
    (tmp_path / "b.csv").write_text("id,text,desk\nx,Some text.,city\ny,,city\nz,More text.,sport\n")
    (tmp_path / "c.jsonl").write_text('{"id": "p", "path": "a.txt", "date": "2020-01-02"}\n[1]\n{"text": "T."}\n')
    (tmp_path / "d.pdf").write_bytes(b"no pdf")
    found = list(read_inputs([str(tmp_path)]))
    assert [row.id for row in found] == ["a.txt", "x", "y", "z", "p", "c.jsonl:2", "c.jsonl:3", "d.pdf"]
    assert [row.article is None for row in found] == [False, False, True, False, False, True, False, True]
    assert found[1].extra == {"desk": "city"}
    assert found[4].article.published == "2020-01-02"
    assert [row.place for row in read_inputs([str(tmp_path / "*.txt")])] == [str(tmp_path / "a.txt")]


@pytest.mark.parametrize(
    "line", ['{"text": "A.", "n": NaN}', '{"text": "A.", "n": [-Infinity]}', "[" * 100_000, '{"text": "A."', "\xff"]
)
def test_a_hostile_line_is_a_rejected_row(tmp_path, line):
    """What other programs could not read again, what is nested too deeply, what is no JSON; the next one counts."""
    (tmp_path / "a.jsonl").write_text(line + '\n{"text": "B."}\n', encoding="latin-1")
    bad, good = read_inputs([str(tmp_path)])
    assert (bad.article, good.article.text) == (None, "B.")
    assert "no readable JSON" in bad.reason


def test_parquet_in_and_out(tmp_path):
    """Types survive; extra columns come through; a row without a text is a row; a broken file is one too."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"id": ["x", "y"], "text": ["Some text.", None], "date": ["2020-01-02", None], "rank": [7, 8]}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"no parquet")
    found = list(read_inputs([str(tmp_path)]))
    assert [(row.id, row.article is None) for row in found] == [("x", False), ("y", True), ("b.parquet:1", True)]
    assert (found[0].article.published, found[0].extra) == ("2020-01-02", {"rank": 7})
    with Journal(tmp_path / "run") as journal:
        for number, row in enumerate(found):
            journal.save(row, number, Item(f"k{number}", "failed", "extract", f"because {number}"))
        assert tmp_path / "run" / "claims.parquet" in write_results(journal, tmp_path / "run")
    rows = parquet.read_table(tmp_path / "run" / "claims.parquet").to_pylist()
    assert [row["article_id"] for row in rows] == ["x", "y", "b.parquet:1"]
    assert [row["article_reason"] for row in rows] == ["because 0", "because 1", "because 2"]
    assert rows[0]["extra"] == '{"rank": 7}'


def test_parquet_holds_the_claims_with_their_types(tmp_path):
    """Numbers are numbers, and the verdicts are those of the CSV."""
    parquet = pytest.importorskip("pyarrow.parquet")
    result = sample_result()
    with Journal(tmp_path) as journal:
        journal.save(Row("p", "a", None), 0, item_of("k", result))
        write_results(journal, tmp_path)
    table = parquet.read_table(tmp_path / "claims.parquet")
    with (tmp_path / "claims.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert table.num_rows == len(rows) == len(claim_rows(result))
    assert table.schema.field("confidence").type == "double"
    assert [row or "" for row in table.column("label").to_pylist()] == [row["label"] for row in rows]


def test_what_another_journal_finished_is_taken_in_under_the_same_keys(tmp_path):
    """Once, however often; a later end of an article replaces an earlier one, documents are kept once."""
    result = sample_result()
    with Journal(tmp_path / "part", is_shared=True) as part:
        part.save(Row("p1", "a1", None), 1, item_of("k1", result))
        part.save(Row("p2", "a2", None), 2, Item("k2", "done"))
    with Journal(tmp_path / "main") as journal:
        fill(journal, 3)
        for _ in range(2):
            journal.merge(tmp_path / "part")
        found = list(journal.rows())
    assert [(row.place, item.state) for row, item in found] == [
        ("p0", "failed"), ("p1", item_of("k1", result).state), ("p2", "done"),
    ]  # fmt: skip
    assert found[1][1].result == result


def test_a_journal_that_cannot_be_merged_takes_nothing_with_it(tmp_path):
    """A clear error; ours is as before and goes on."""
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "journal.sqlite").write_bytes(b"no journal at all" * 100)
    with Journal(tmp_path / "main") as journal:
        fill(journal, 3)
        with pytest.raises(StoreError, match="cannot be merged"):
            journal.merge(tmp_path / "part")
        fill(journal, 4)
        assert len(list(journal.rows())) == 4
