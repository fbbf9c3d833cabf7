"""Extraction with parts left out: each leaves out that part, and nothing else."""

import asyncio
import dataclasses
import json

import pytest

from agent.domain import SentenceStatus
from agent.llm.fake import ScriptedModel
from agent.stages.guard import RecordedGuard
from agent.stages.select import RecordedSelector
from evals.cases import SentenceCase
from evals.solvers.variants import VARIANTS, SelectionSolver, _WithoutExamples
from prompts import load
from tests.desk import fake_desk

TEXT = "The mill in Norvik burnt down in 2019."
FREE = "Norvik lost its mill in 2019."
WRONG = "The mill in Norvik burnt down in 2020."


def script(request):
    if request.schema_name == "repair":
        return json.dumps({"s1": {"claims": [TEXT.replace("down ", "")]}})
    return json.dumps({"s1": {"kind": "event", "claims": [WRONG, FREE]}})


def solve(name, folder, chance=0.9):
    case = SentenceCase(id="s", text=TEXT, checkworthy=True)
    with fake_desk(folder, script) as (_, _, deps, model):
        guard, selector = RecordedGuard("g", [(TEXT, FREE)]), RecordedSelector("s", {TEXT: chance})
        solver = VARIANTS[name](dataclasses.replace(deps, guard=guard, selector=selector))
        return asyncio.run(solver.solve(case)), model


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("alone", [TEXT]),
        ("no_word_guards", [WRONG, TEXT]),
        ("no_entailment", [FREE, TEXT]),
        ("no_guards", [WRONG, FREE]),
        ("no_classifier", [TEXT]),
        ("no_examples", [TEXT]),
        ("repair", [TEXT.replace("down ", "")]),
    ],
)
def test_each_variant_lets_pass_what_its_missing_part_stopped(name, claims, tmp_path):
    """The guard of words stops another year, that of meaning another wording."""
    outcome, _ = solve(name, tmp_path)
    assert [claim.text for claim in outcome.claims] == claims


def test_without_the_classifier_a_dismissed_sentence_is_asked_about(tmp_path):
    """With it, it is not."""
    dismissed, model = solve("alone", tmp_path / "a", chance=0.1)
    assert (dismissed.entry.status, model.requests) == (SentenceStatus.NOT_CHECKABLE, [])
    asked, _ = solve("no_classifier", tmp_path / "b", chance=0.1)
    assert asked.entry.status is SentenceStatus.CHECKED


def test_without_examples_the_model_sees_instructions_and_question(tmp_path):
    """And a repair turn, where one follows."""
    _, model = solve("no_examples", tmp_path)
    (request,) = model.requests
    assert [message.role for message in request.messages] == ["system", "user"]
    assert "[1] The mill" in request.messages[1].content
    scripted = ScriptedModel(["no", json.dumps({"s1": {"kind": "opinion", "claims": []}})])
    bare = _WithoutExamples(scripted)
    turns = len(load("extract").turns)
    long = request.model_copy(update={"messages": request.messages[:1] * (turns - 1) + request.messages[1:] * 3})
    asyncio.run(bare.complete(long))
    assert len(scripted.requests[0].messages) == 4


@pytest.mark.parametrize(("chance", "calls", "status"), [
    (0.1, 0, SentenceStatus.NOT_CHECKABLE), (0.4, 1, SentenceStatus.CHECKED), (0.9, 0, SentenceStatus.CHECKED),
])  # fmt: skip
def test_selection_asks_the_model_only_in_doubt(chance, calls, status, tmp_path):
    """As the pipeline does; it tells nothing of claims."""
    with fake_desk(tmp_path, script) as (_, _, deps, model):
        selector = RecordedSelector("s", {TEXT: chance})
        doubtful = VARIANTS["alone"](dataclasses.replace(deps, selector=selector))
        case = SentenceCase(id="s", text=TEXT, checkworthy=True)
        outcome = asyncio.run(SelectionSolver(selector, doubtful).solve(case))
    assert (len(model.requests), outcome.entry.status, outcome.claims) == (calls, status, None)
