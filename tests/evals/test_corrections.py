"""Corrections by people."""

import json

import pytest

from agent.domain import Failure, FailureKind, Label, Stance, Verification
from agent.errors import InputError
from agent.stages.decide import decide
from evals.corrections import add_case
from evals.suite_check import check_suite
from evals.suites import load_suite
from tests.build import claim, document, evidence, hit

MILL = document("The mill burnt down.", "mill", publisher="Post", published="2019-03")
OTHER = document("The mill never burnt.", "other", publisher="Daily")
DOCUMENTS = {one.id: one for one in (MILL, OTHER)}


def verified(text="The mill burnt down."):
    pieces = (evidence(MILL, Stance.SUPPORTS, score=0.9), evidence(OTHER, Stance.REFUTES, score=0.9))
    hits = (hit(MILL), hit(OTHER, 2))
    return Verification(claim=claim(text), hits=hits, evidence=pieces, outcome=decide(pieces, (), DOCUMENTS))


def rows(folder, name="claims.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_a_correction_is_a_sound_suite(tmp_path):
    """It loads, passes its check, and keeps all that was read as corpus."""
    name = add_case(tmp_path, verified(), DOCUMENTS, label=Label.REFUTED, why="The Daily is right.", who="Ida")
    suite = load_suite(tmp_path)
    (case,) = suite.claims
    assert (case.id, case.label, case.tags) == (name, Label.REFUTED, ("correction",))
    assert set(suite.corpus) == {"mill", "other"}
    assert suite.corpus["mill"].published == "2019-03"
    assert [piece.doc_id for piece in case.evidence] == ["other"]
    assert check_suite(tmp_path) == ()


def test_what_who_when_and_why_are_kept(tmp_path):
    """The verdict that was corrected stands beside the reason."""
    add_case(tmp_path, verified(), DOCUMENTS, label=Label.SUPPORTED, why=" Seen it. ", who="Ida")
    told = rows(tmp_path)[0]["correction"]
    assert (told["was"], told["why"], told["who"]) == ("conflicting", "Seen it.", "Ida")
    assert told["when"].endswith("+00:00")


def test_the_same_claim_corrected_again_replaces_its_case(tmp_path):
    """The last word counts; other cases stay."""
    add_case(tmp_path, verified(), DOCUMENTS, label=Label.REFUTED, why="first")
    add_case(tmp_path, verified("The mill made flour."), DOCUMENTS, label=Label.SUPPORTED, why="other claim")
    add_case(tmp_path, verified(), DOCUMENTS, label=Label.CONFLICTING, why="second")
    found = rows(tmp_path)
    assert sorted(row["correction"]["why"] for row in found) == ["other claim", "second"]
    assert len(rows(tmp_path, "corpus.jsonl")) == 2


def test_not_enough_evidence_has_no_evidence(tmp_path):
    """Citations that took a side are not gold for it."""
    add_case(tmp_path, verified(), DOCUMENTS, label=Label.NOT_ENOUGH_EVIDENCE, why="Both are rumours.")
    assert rows(tmp_path)[0]["evidence"] == []


def test_a_correction_without_reason_or_verdict_is_refused(tmp_path):
    """Nothing is written."""
    with pytest.raises(InputError, match="--why"):
        add_case(tmp_path, verified(), DOCUMENTS, label=Label.REFUTED, why="  ")
    failure = Failure(stage="judge", kind=FailureKind.REPLY, message="garbage")
    with pytest.raises(InputError, match="no verdict to correct"):
        add_case(tmp_path, Verification(claim=claim(), outcome=failure), DOCUMENTS, label=Label.REFUTED, why="x")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_folder_is_named_and_left_alone(tmp_path):
    """A person may have edited it."""
    (tmp_path / "corpus.jsonl").write_text("{broken\n")
    with pytest.raises(InputError, match=r"corpus\.jsonl"):
        add_case(tmp_path, verified(), DOCUMENTS, label=Label.REFUTED, why="x")
    assert (tmp_path / "corpus.jsonl").read_text() == "{broken\n"
