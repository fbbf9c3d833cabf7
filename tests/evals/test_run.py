"""Running suites: kept outcomes, resuming, and the figures that come of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.errors import ConfigError, InputError, ModelError
from agent.events import Waiting
from agent.llm.fake import ScriptedModel
from agent.store.memory import HashEmbedder
from evals.rescore import rescore
from evals.run import CaseDone, SuiteReady, resume, run_suite
from evals.runs import RunFolder, find_run, list_runs
from evals.suites import load_suite
from evals.work import Parts, Plan, prompts_of, task_of
from tests.desk import answer, settings_for
from tests.evals.suite import write_rows, write_suite


def parts(script=answer):
    return Parts(embedder=lambda settings: HashEmbedder(), model=ScriptedModel(script))


@pytest.fixture
def suite(tmp_path):
    return write_suite(tmp_path / "mills")


@pytest.fixture
def settings(tmp_path):
    return settings_for(tmp_path / "runs", cache_dir=tmp_path / "cache")


def run(suite, settings, *, script=answer, listener=lambda event: None, out=None, **plan):
    return run_suite(Plan(suite=suite, **plan), settings, listener, out=out, parts=parts(script))


def bytes_of(folder):
    return [(folder.path / name).read_bytes() for name in ("results.json", "cases.jsonl")]


def test_a_suite_runs_to_figures(suite, settings):
    """Every case has an outcome and a score, and the figures are those of the scores."""
    folder = run(suite, settings)
    results = folder.results
    assert (results.suite, results.n, results.failures, results.unscored) == ("mills", 5, 0, 0)
    assert [score.case_id for score in folder.scores()] == ["c1", "c2", "c3", "c4", "c5"]
    right = [score.is_right for score in folder.scores()]
    assert results.metrics["accuracy"].value == sum(right) / 5
    assert results.metrics["quote_validity"].value == 1
    assert results.metrics["pair_accuracy"].n == 1


def test_the_manifest_tells_how_to_do_it_again(suite, settings):
    """Suite, hash, stage, evidence, models, prompts and settings are in it, and no key."""
    facts = run(suite, settings).manifest
    assert (facts.suite, facts.stage, facts.evidence, facts.solver) == ("mills", "verdict", "retrieved", "pipeline")
    assert facts.models["judge"] == "scripted"
    assert set(facts.prompts) == {"judge"}
    assert facts.settings["passages"] == 5
    assert "key" not in facts.model_dump_json()


def test_gold_evidence_needs_no_search(suite, settings):
    """The oracle shows the gold passages, and recall is not scored."""
    folder = run(suite, settings, evidence="gold")
    assert folder.manifest.evidence == "gold"
    assert "recall@5" not in folder.results.metrics
    assert folder.outcome("c1").verification.hits[0].passage.document_id == "mill"


def test_withheld_evidence_leaves_the_gold_documents_out(suite, settings):
    """Nothing is left that decides, so only not enough evidence is right; what else was found keeps its order."""
    whole = run(suite, settings)
    folder = run(suite, settings, evidence="withheld")
    assert folder.manifest.evidence == "withheld"
    assert {score.gold for score in folder.scores()} == {"not_enough_evidence"}
    assert {"recall@5", "citation_precision", "pair_accuracy"}.isdisjoint(folder.results.metrics)
    for case in load_suite(suite).claims:
        hidden = {piece.doc_id for piece in case.evidence}
        found, before = (one.outcome(case.id).verification.hits for one in (folder, whole))
        assert hidden.isdisjoint(hit.passage.document_id for hit in found)
        assert [hit.rank for hit in found] == list(range(1, len(found) + 1))
        left = [hit.passage.id for hit in before if hit.passage.document_id not in hidden]
        assert [hit.passage.id for hit in found][: len(left)] == left


@pytest.mark.parametrize(
    ("plan", "words"), [({"stage": "retrieve"}, "nothing to retrieve"), ({"solver": "bm25"}, "bm25")]
)
def test_evidence_is_withheld_from_the_pipeline_alone(suite, settings, plan, words):
    with pytest.raises(InputError, match=words):
        run(suite, settings, evidence="withheld", **plan)


def test_retrieval_alone_asks_no_model(suite, settings):
    """No judge is needed to score a search."""
    folder = run(suite, settings, stage="retrieve", script=[])
    assert {"recall@1", "recall@10", "mrr", "ndcg@10"} <= set(folder.results.metrics)
    assert folder.results.unscored == 1  # the claim without gold


@pytest.mark.parametrize("solver", ["bm25", "fused"])
def test_a_search_can_be_named(suite, settings, solver):
    """By words alone, and fused: each with its own figures, none with a judge."""
    folder = run(suite, settings, stage="retrieve", solver=solver, script=[])
    assert folder.results.metrics["recall@5"].n > 0
    ranks = [hit.dense_rank for outcome in folder.outcomes() for hit in outcome.hits]
    assert any(rank is not None for rank in ranks) == (solver == "fused")


def test_a_re_ranked_search_needs_the_cross_encoder(suite, settings):
    """Without its files the cure is named."""
    with pytest.raises(ConfigError, match="factdesk models pull"):
        run(suite, settings, stage="retrieve", solver="reranked", script=[])


def test_stances_are_judged_one_passage_at_a_time(suite, settings):
    """Cases are passages, named after their claim."""
    folder = run(suite, settings, stage="stance")
    assert [score.case_id for score in folder.scores()] == ["c1:0", "c2:0", "c3:0", "c4:0", "c4:1"]
    assert folder.results.confusion["supports"]["supports"] >= 2


def test_sentences_are_extracted(tmp_path, settings):
    """Checkable sentences are told from others, with the pipeline's own extraction."""
    context = "The mill in Norvik burnt down in 2019. What a disgrace!"
    rows = [
        {"id": "1", "text": "The mill in Norvik burnt down in 2019.", "context": context, "checkworthy": True,
         "claims": ["The mill in Norvik burnt down in 2019."]},
        {"id": "2", "text": "What a disgrace!", "context": context, "checkworthy": False, "claims": []},
    ]  # fmt: skip
    (tmp_path / "sentences").mkdir()
    write_rows(tmp_path / "sentences" / "items.jsonl", rows)
    folder = run(tmp_path / "sentences", settings)
    assert folder.results.metrics["checkable_f1"].value == 1
    assert folder.results.metrics["claim_coverage_words"].value == 1
    assert folder.spent.usage.model_calls == 1  # both cases ask the same of the model


def test_the_seed_article_runs_as_a_suite(settings):
    """Found claims are set against gold ones; no sentence of the gold is missing from the ledger."""
    folder = run("deir-ez-zor", settings)
    assert folder.results.n == 45
    assert folder.results.metrics["sentence_in_ledger"].value == 1
    assert folder.results.metrics["claim_coverage"].n == 35


def test_baselines_run_like_the_pipeline(suite, settings):
    """Majority and BM25 ask no model; both give verdicts for every case."""
    for name in ("majority", "bm25"):
        folder = run(suite, settings, solver=name, script=[])
        assert (folder.results.n, folder.results.failures) == (5, 0)
        assert folder.manifest.solver == name
        assert folder.manifest.prompts == {}
        # What looks for nothing has no figure of search, not a zero.
        assert ("recall@5" in folder.results.metrics) == (name == "bm25")


def test_an_unknown_baseline_is_named(suite, settings):
    """The message lists those there are."""
    with pytest.raises(InputError, match="'oracle'.*majority, bm25"):
        run(suite, settings, solver="oracle")


def test_a_stage_the_suite_has_not_is_named(suite, settings):
    """Claims have no sentences to extract."""
    with pytest.raises(InputError, match="stage 'extract' cannot be run on 'mills'"):
        run(suite, settings, stage="extract")
    with pytest.raises(InputError, match="leaves nothing to retrieve"):
        run(suite, settings, stage="retrieve", evidence="gold")


def test_a_half_without_cases_is_told(suite, settings):
    """Nothing is run on nothing."""
    with pytest.raises(InputError, match="has no case"):
        run(suite, settings, limit=0)


def test_failures_are_counted_and_never_labels(suite, settings):
    """A model that fails gives failures, no verdicts; the rest is scored."""

    def script(request):
        return ModelError("no") if "ferry" in request.messages[-1].content.split("\n")[0] else answer(request)

    results = run(suite, settings, script=script).results
    assert results.failures == 1
    assert results.metrics["accuracy"].n == 4


def test_a_broken_setting_ends_the_run_and_keeps_what_was_done(suite, settings):
    """A wrong key is no case's fault: the run stops, and the same plan goes on from there."""
    calls = []

    def script(request):
        calls.append(request)
        return ConfigError("wrong key") if len(calls) > 2 else answer(request)

    with pytest.raises(ConfigError, match="wrong key"):
        run(suite, settings, script=script, workers=1)
    (folder,) = list_runs(settings.run_dir / "evals")
    assert not folder.is_complete
    heard = []
    again = run(suite, settings, listener=heard.append)
    assert again.path == folder.path
    assert next(event for event in heard if isinstance(event, SuiteReady)).kept == 2
    assert again.spent.sittings == 2


def test_a_resumed_run_equals_an_unbroken_one(suite, settings, tmp_path):
    """Broken after any number of calls and gone on with, the result files are the same bytes."""
    whole = run(suite, settings_for(tmp_path / "whole", cache_dir=tmp_path / "cache"))
    for most in range(1, 5):
        count = iter(range(100))

        def script(request, most=most, count=count):
            return ConfigError("stopped") if next(count) >= most else answer(request)

        chosen = settings_for(tmp_path / f"broken{most}", cache_dir=tmp_path / "cache")
        with pytest.raises(ConfigError):
            run(suite, chosen, script=script)
        assert bytes_of(run(suite, chosen)) == bytes_of(whole)


def test_failed_cases_are_tried_again(suite, settings):
    """A finished run with failures, run again, works on those alone."""
    run(suite, settings, script=lambda request: ModelError("busy"))
    heard = []
    results = run(suite, settings, listener=heard.append).results
    assert results.failures == 0
    assert sum(isinstance(event, CaseDone) for event in heard) == 5


def test_another_plan_in_the_same_folder_is_refused(suite, settings, tmp_path):
    """What differs is named, and nothing is overwritten."""
    out = tmp_path / "out"
    before = bytes_of(run(suite, settings, out=out))
    with pytest.raises(InputError, match="holds another run: evidence"):
        run(suite, settings, out=out, evidence="gold")
    assert bytes_of(RunFolder(out)) == before
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="is not empty"):
        run(suite, settings, out=tmp_path / "notes")


def test_scoring_again_gives_the_same_bytes_and_needs_no_model(suite, settings):
    """`replay` reads the journal alone."""
    folder = run(suite, settings)
    before = bytes_of(folder)
    for name in ("results.json", "cases.jsonl"):
        (folder.path / name).unlink()
    rescore(folder)
    assert bytes_of(folder) == before


def test_a_suite_that_changed_is_not_scored_as_if_it_had_not(suite, settings):
    """The hash of the gold is part of the run."""
    folder = run(suite, settings)
    claims = suite / "claims.jsonl"
    claims.write_text(claims.read_text().replace('"refuted"', '"supported"'))
    with pytest.raises(InputError, match="has changed since run"):
        rescore(folder)


def test_repeats_ask_afresh_and_are_compared(suite, settings):
    """Each repeat has calls of its own; a judge that wavers is inconsistent."""
    count = iter(range(100))

    def script(request):
        return answer(request) if next(count) < 5 else answer(request).replace('"supports"', '"refutes"')

    folder = run(suite, settings, repeats=2, workers=1, script=script)
    assert folder.results.metrics["consistency"].value < 1
    assert folder.results.n == 5
    steady = run(suite, settings, repeats=3)
    assert steady.results.metrics["consistency"].value == 1


def test_runs_are_found_by_id_and_last(suite, settings):
    """By the beginning of the id, by folder, and the latest."""
    folder = run(suite, settings)
    place = settings.run_dir / "evals"
    for name in (folder.manifest.id[:6], "last", str(folder.path)):
        assert find_run(name, place).path == folder.path
    with pytest.raises(InputError, match="'nosuch' is no evaluation run"):
        find_run("nosuch", place)


def test_resume_uses_the_plan_of_the_manifest(suite, settings, tmp_path):
    """A broken-off run, named by its folder alone, goes on with its own evidence and limit."""
    out = tmp_path / "out"
    count = iter(range(100))

    def script(request):
        return ConfigError("stopped") if next(count) >= 2 else answer(request)

    with pytest.raises(ConfigError):
        run(suite, settings, script=script, out=out, evidence="gold", limit=4, workers=1)
    done = resume(RunFolder(out), settings, parts=parts())
    assert (done.results.n, done.manifest.evidence, done.spent.sittings) == (4, "gold", 2)


def test_the_first_run_says_that_it_fills_a_store(suite, settings):
    """Long work before the first case is told."""
    heard = []
    run(suite, settings, listener=heard.append)
    assert isinstance(heard[0], Waiting)
    assert "5 documents of mills" in heard[0].what


_CHILD = """
import sys, time
from pathlib import Path
from agent.llm.fake import ScriptedModel
from agent.store.memory import HashEmbedder
from evals.run import run_suite
from evals.suites import load_suite
from evals.work import Parts, Plan, prompts_of, task_of
from tests.desk import answer, settings_for

def script(request):
    time.sleep(0.03)
    return answer(request)

suite, runs, cache = map(Path, sys.argv[1:4])
parts = Parts(embedder=lambda settings: HashEmbedder(), model=ScriptedModel(script))
settings = settings_for(runs, cache_dir=cache)
run_suite(Plan(suite=suite, workers=1), settings, lambda event: print(event, flush=True), parts=parts)
"""


@pytest.mark.parametrize("after", [0.05, 0.11, 0.17])
def test_a_killed_run_goes_on_and_ends_the_same(suite, settings, tmp_path, after):
    """SIGKILL in the middle of the cases: the same plan again gives the bytes of an unbroken run."""
    whole = run(suite, settings)
    runs = tmp_path / "killed"
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(suite), str(runs), str(settings.cache_dir)],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    for line in child.stdout:
        if "total" in line:
            break
    time.sleep(after)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    (broken,) = list_runs(runs / "evals")
    assert not broken.is_complete
    assert bytes_of(run(suite, settings_for(runs, cache_dir=settings.cache_dir))) == bytes_of(whole)


def test_results_hold_no_time(suite, settings):
    """Two runs of the same on different days give the same result files; the time stands elsewhere."""
    folder = run(suite, settings)
    told = json.loads((folder.path / "results.json").read_text())
    assert "started" not in json.dumps(told)
    assert "seconds" not in json.dumps(told)
    assert folder.spent.seconds_per_case.keys() == {"c1", "c2", "c3", "c4", "c5"}


@pytest.mark.parametrize(
    ("chosen", "prompts"),
    [({"judge": "small"}, ()), ({"judge": "small", "thorough": True}, ("judge",)), ({}, ("judge",))],
)
def test_a_judge_that_asks_the_language_model_is_given_one(suite, settings, chosen, prompts):
    """Also where the model is only a second opinion; a run that asks none needs none."""
    task = task_of(Plan(suite=suite, stage="verdict"), load_suite(suite))
    found = prompts_of(task, settings.model_copy(update=chosen))
    assert found == prompts
