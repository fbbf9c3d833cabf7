"""`factdesk eval` as a user meets it."""

import json

import pytest

from tests.cli.command import needs_embedder
from tests.evals.suite import rows, write_rows, write_suite


@pytest.fixture
def suite(desk):
    return write_suite(desk.folder / "mills", title="Mills")


def run(desk, *words):
    return desk.run("eval", *words)


def test_suites_are_listed(desk, suite):
    """Shipped suites and those of a folder, with their sizes."""
    found = {row["name"]: row for row in run(desk, "list", "--data", desk.folder, "--json").json}
    assert found["smoke"]["cases"] == 136
    assert found["mills"]["title"] == "Mills"
    assert "mills" in run(desk, "list", "--data", desk.folder).out


def test_a_sound_suite_passes_its_check(desk, suite):
    """No finding, exit 0."""
    outcome = run(desk, "check", suite)
    assert (outcome.code, outcome.out) == (0, "")


def test_all_faults_of_a_suite_are_told_at_once(desk):
    """Every line is looked at, and the exit code is 2."""
    broken = [row | {"label": "true"} if row["id"] in {"c1", "c3"} else row for row in rows()]
    outcome = run(desk, "check", write_suite(desk.folder / "broken", cases=broken))
    assert outcome.code == 2
    assert "claims.jsonl:1: label" in outcome.out
    assert "claims.jsonl:3: label" in outcome.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "nosuch"), "there is no suite 'nosuch'"),
        (("run", "mills", "--stage", "judging"), "stage 'judging' is not known"),
        (("run", "mills", "--half", "left"), "half 'left' is not known"),
        (("run", "mills", "--evidence", "invented"), "evidence 'invented' is not known"),
        (("run", "mills", "--stage", "extract"), "stage 'extract' cannot be run on 'mills'"),
        (("run", "mills", "--solver", "oracle"), "solver 'oracle' cannot be run"),
        (("run", "mills", "--without", "orders"), "only for attacks on evidence"),
        (("run", "attacks", "--without", "walls"), "defence 'walls' is not known"),
        (("show", "nosuch"), "'nosuch' is no evaluation run"),
        (("check", "."), "holds no suite"),
        (("add-case", "last", "1", "--label", "true", "--why", "x"), "label 'true' is not known"),
        (("convert", "nosuch", "file.json", "--out", "x"), "there is no converter 'nosuch'"),
    ],
)
def test_wrong_words_are_named_with_the_cure(desk, suite, words, told):
    """One sentence, exit 2."""
    outcome = run(desk, *words)
    assert outcome.code == 2
    assert told in outcome.complaint


def test_runs_before_the_first(desk):
    """An empty list says what to do."""
    outcome = run(desk, "runs")
    assert outcome.code == 0
    assert "factdesk eval run smoke" in outcome.err
    assert run(desk, "runs", "--json").json == []


class TestWithModels:
    pytestmark = needs_embedder

    def test_the_contract_of_json(self, desk, suite):
        """Suite, counts, metrics with interval and n, usage."""
        outcome = run(desk, "run", suite, "--profile", "local", "--json")
        assert outcome.code == 0
        told = outcome.json
        assert {"suite", "n", "unscored", "failures", "metrics", "usage"} <= set(told)
        assert (told["suite"], told["n"], told["unscored"], told["failures"]) == ("mills", 5, 0, 0)
        assert set(told["metrics"]["accuracy"]) == {"value", "low", "high", "n"}
        assert told["usage"]["model_calls"] == 0

    def test_a_person_reads_a_table(self, desk, suite):
        """Metrics with intervals, counts and where the run is; progress on the other stream."""
        outcome = run(desk, "run", suite, "--profile", "local")
        for word in ("accuracy", "quote_validity", "95 % interval", "5 cases, 0 unscored, 0 failed"):
            assert word in outcome.out
        assert "mills: 5 of 5" in outcome.err

    def test_reports_and_comparison(self, desk, suite):
        """Two solvers: figures, pages, Markdown, comparison, gate."""
        first = run(desk, "run", suite, "--profile", "local", "--solver", "majority", "--json").json["run"]["id"]
        second = run(desk, "run", suite, "--profile", "local", "--html", "run.html", "--json").json["run"]["id"]
        assert "<!doctype html>" in (desk.folder / "run.html").read_text()
        assert {row["id"] for row in run(desk, "runs", "--json").json} == {first, second}
        assert second in run(desk, "runs").out
        assert run(desk, "show", second, "--json").json["n"] == 5
        reports = ("--html", "again.html", "--markdown", "again.md", "--against", first)
        assert run(desk, "report", second, *reports).code == 0
        assert "| accuracy |" in (desk.folder / "again.md").read_text()
        assert f"beside it, {first}" in (desk.folder / "again.html").read_text()
        compared = run(desk, "compare", first, second, "--json").json
        assert compared["common"] == 5
        assert "common cases" in run(desk, "compare", first, second).out
        assert run(desk, "compare", first, second, "--html", "c.html", "--markdown", "c.md").code == 0
        assert "solver" in (desk.folder / "c.md").read_text()

    def test_the_gate_is_open_for_the_run_itself(self, desk, suite):
        """No drop, exit 0; a metric nobody knows, exit 2."""
        name = run(desk, "run", suite, "--profile", "local", "--json").json["run"]["id"]
        assert run(desk, "gate", name, "--baseline", name).code == 0
        assert "beauty" in run(desk, "gate", name, "--baseline", name, "--max-drop", "beauty=0.1").complaint
        assert "not understood" in run(desk, "gate", name, "--baseline", name, "--max-drop", "accuracy").complaint

    def test_runs_of_different_stages_have_no_gate(self, desk, suite):
        """They are not about the same."""
        one = run(desk, "run", suite, "--profile", "local", "--json").json["run"]["id"]
        other = run(desk, "run", suite, "--profile", "local", "--evidence", "gold", "--json").json["run"]["id"]
        assert "evidence differ" in run(desk, "gate", other, "--baseline", one).complaint

    def test_replay_scores_again(self, desk, suite):
        """The same figures from the journal."""
        before = run(desk, "run", suite, "--profile", "local", "--json").json
        assert run(desk, "replay", "--json").json["metrics"] == before["metrics"]
        assert run(desk, "resume", "--json").json["metrics"] == before["metrics"]

    def test_a_correction_becomes_a_case_that_runs(self, desk, suite):
        """The new suite holds the claim, its sources and the reason, passes its check and can be run."""
        name = run(desk, "run", suite, "--profile", "local", "--json").json["run"]["id"]
        words = ("--label", "refuted", "--why", "The Post took it back.", "--who", "Ida", "--suite", "mine")
        outcome = run(desk, "add-case", name, "c1", *words)
        assert outcome.code == 0
        case = json.loads((desk.folder / "mine" / "claims.jsonl").read_text())
        assert (case["label"], case["correction"]["why"], case["correction"]["who"]) == (
            "refuted",
            "The Post took it back.",
            "Ida",
        )
        assert "error" not in run(desk, "check", "mine").out
        assert run(desk, "run", "mine", "--profile", "local", "--json").json["n"] == 1
        assert (
            "no verdict on case 'c9'" in run(desk, "add-case", name, "c9", "--label", "refuted", "--why", "x").complaint
        )

    def test_a_claim_of_an_ordinary_run_can_be_corrected(self, desk):
        """By its number, from the log of `factdesk claim`."""
        text = "The mill in Norvik burnt down on 4 March 2019."
        assert desk.run("claim", text, "--sources", "sources.jsonl", "--profile", "compatible").code == 2
        with desk.server():
            assert desk.run("claim", text, "--sources", "sources.jsonl").code == 0
            words = ("--label", "not_enough_evidence", "--why", "Only one paper says so.", "--suite", "mine")
            assert run(desk, "add-case", "last", "1", *words).code == 0
        assert json.loads((desk.folder / "mine" / "claims.jsonl").read_text())["correction"]["was"] == "supported"

    def test_failed_cases_give_exit_code_one(self, desk, suite):
        """What could be done is done and shown."""
        with desk.server("always:400"):
            outcome = run(desk, "run", suite, "--json")
        assert outcome.code == 1
        assert outcome.json["failures"] > 0

    def test_a_wrong_key_ends_the_run_at_once(self, desk, suite):
        """Exit 2, one sentence."""
        with desk.server("always:401"):
            outcome = run(desk, "run", suite)
        assert outcome.code == 2
        assert "key" in outcome.complaint


def test_training_texts_in_a_suite_are_told(desk, suite):
    """A claim that stands in a training file is a warning, not an error."""
    (desk.folder / "training").mkdir()
    row = {
        "premise": "Something else entirely, at length.",
        "hypothesis": next(iter(rows()))["text"],
        "label": "supports",
    }
    write_rows(desk.folder / "training" / "nli.jsonl", [row])
    outcome = run(desk, "check", suite, "--training", "training")
    assert outcome.code == 0
    assert "warning: c1: the same text stands in training data" in outcome.out


@pytest.mark.parametrize("words", [(), ("--without", "orders", "--without", "checks"), ("--solver", "obedient")])
@needs_embedder[0]
@needs_embedder[1]
def test_attacks_are_run_with_and_without_defences(desk, words):
    """With the small judge, by name; the figures say what an attack did."""
    outcome = run(desk, "run", "attacks", "--profile", "local", "--judge", "small", "--limit", "3", "--json", *words)
    assert outcome.code == 0, outcome.err
    assert {"attack_success", "utility", "planted_cited"} <= set(outcome.json["metrics"])


@needs_embedder[0]
@needs_embedder[1]
def test_a_defence_that_plays_no_part_is_not_switched_off(desk):
    """The reason is told, exit 2."""
    outcome = run(
        desk, "run", "attacks", "--profile", "local", "--judge", "small", "--limit", "1", "--without", "marks"
    )
    assert outcome.code == 2
    assert "no language model reads the text" in outcome.complaint


@needs_embedder[0]
@needs_embedder[1]
def test_attacks_by_the_article_go_through_extraction(desk):
    """With a model server: what is checked, its verdict, and the form of the output."""
    with desk.server():
        outcome = run(desk, "run", "attacks", "--stage", "extract", "--limit", "2", "--json")
    assert outcome.code == 0, outcome.err
    metrics = outcome.json["metrics"]
    assert metrics["claim_kept"]["value"] == 1
    assert metrics["form_broken"]["value"] == 0
