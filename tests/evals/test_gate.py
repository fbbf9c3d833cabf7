"""The gate for continuous integration."""

import pytest

from agent.errors import InputError
from evals.gate import gate, incomparable, require_comparable
from evals.runs import RunFolder
from tests.evals.manifest import manifest
from tests.evals.scores import many, score


def spoilt(scores, number):
    """The first right cases made wrong."""
    right = [one.case_id for one in scores if one.is_right][:number]
    return [one.model_copy(update={"found": "nothing"}) if one.case_id in right else one for one in scores]


def test_a_run_passes_against_itself():
    """Nothing got worse."""
    scores = many(60)
    report = gate(scores, scores)
    assert report.ok
    assert report.watched == {"accuracy": 0, "macro_f1": 0, "citation_precision": 0}


def test_a_clear_loss_closes_the_gate_and_is_named():
    """Thirty of a hundred cases broken."""
    scores = many(100, skill=0.9)
    report = gate(scores, spoilt(scores, 30))
    assert not report.ok
    assert "accuracy" in {one.name for one in report.worse}
    assert len(report.comparison.broken) == 30


def test_a_loss_that_could_be_chance_lets_pass():
    """One case more wrong among sixty is no proof."""
    scores = many(60, skill=0.9)
    assert gate(scores, spoilt(scores, 1)).ok


def test_an_allowed_drop_lets_a_clear_loss_pass():
    """What is let pass is said in the report."""
    scores = many(100, skill=0.9)
    report = gate(scores, spoilt(scores, 10), allowed={"accuracy": 0.5})
    assert report.ok
    assert report.watched == {"accuracy": 0.5}


def test_runs_without_common_cases_are_refused():
    """There is nothing to hold the run against."""
    with pytest.raises(InputError, match="share no scored case"):
        gate([score("a")], [score("b")])


def test_a_metric_that_is_not_there_is_named():
    """With those that are."""
    with pytest.raises(InputError, match="'beauty'.*accuracy"):
        gate(many(10), many(10), allowed={"beauty": 0})


def test_runs_about_other_things_are_told_apart(tmp_path):
    """Suite, stage and evidence must be the same; code and models are what a gate is for."""
    one = manifest()
    assert incomparable(one, manifest(code_version="2", models={"judge": "other"})) == ()
    assert incomparable(one, manifest(suite_sha256="x", stage="stance")) == ("suites", "stage")
    for name, facts in (("a", one), ("b", manifest(evidence="gold"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(facts.model_dump_json())
    with pytest.raises(InputError, match="evidence differ"):
        require_comparable(RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b"))
