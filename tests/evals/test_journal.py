"""Outcomes on disk."""

import sqlite3

import pytest

from agent.domain import Failure, FailureKind, Label, Verdict, Verification
from agent.errors import StoreError
from evals.journal import Journal
from evals.record import Outcome
from tests.build import claim


def outcome(name, *, repeat=1, fails=False, verdict_fails=False):
    failure = Failure(stage="judge", kind=FailureKind.REPLY, message="garbage")
    verdict = Verdict(label=Label.REFUTED, justification="So it says.", origins=1)
    done = Verification(claim=claim(), outcome=failure if verdict_fails else verdict)
    return Outcome(case_id=name, repeat=repeat, verification=done, failure=failure if fails else None)


def test_what_is_saved_comes_back_in_order(tmp_path):
    """Outcomes come by case id and repeat, equal to what was saved."""
    kept = [outcome("b"), outcome("a", repeat=2), outcome("a")]
    with Journal(tmp_path / "j.db") as journal:
        for one in kept:
            journal.save(one, seconds=0.5)
        assert list(journal.outcomes()) == [kept[2], kept[1], kept[0]]
        assert journal.outcome("a", 2) == kept[1]
        assert journal.outcome("c") is None
        assert journal.seconds() == {"a": 1.0, "b": 0.5}


def test_failed_cases_are_not_done(tmp_path):
    """A case that failed, itself or in a stage, is tried again; its outcome is kept until then."""
    with Journal(tmp_path / "j.db") as journal:
        for one in (outcome("right"), outcome("fails", fails=True), outcome("stage", verdict_fails=True)):
            journal.save(one, seconds=0)
        assert journal.done() == {("right", 1)}
        assert len(list(journal.outcomes())) == 3


def test_a_later_outcome_replaces_the_failed_one(tmp_path):
    """One row a case and repeat."""
    with Journal(tmp_path / "j.db") as journal:
        journal.save(outcome("a", fails=True), seconds=1)
        journal.save(outcome("a"), seconds=2)
        assert list(journal.outcomes()) == [outcome("a")]


def test_what_was_saved_survives_a_writer_that_never_closed(tmp_path):
    """Each outcome is on disk when `save` returns."""
    Journal(tmp_path / "j.db").save(outcome("a"), seconds=0)
    with Journal(tmp_path / "j.db") as journal:
        assert journal.done() == {("a", 1)}


def test_a_file_that_is_no_journal_is_named(tmp_path):
    """The error names the file."""
    path = tmp_path / "j.db"
    path.write_text("not a database, but long enough to be taken for one" * 10)
    with pytest.raises(StoreError, match=r"j\.db"):
        Journal(path)


def test_a_journal_that_cannot_be_written_is_named(tmp_path):
    """A full or read-only disk gives an error of ours, not one of SQLite's."""
    with Journal(tmp_path / "j.db") as journal:
        other = sqlite3.connect(tmp_path / "j.db")
        other.execute("drop table outcome")
        with pytest.raises(StoreError, match="cannot be written"):
            journal.save(outcome("a"), seconds=0)
        other.close()
