"""A second opinion on the best two passages, pooled with the first."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from agent.desk import facts_of, open_desk
from agent.domain import Stance
from agent.errors import ConfigError
from agent.runlog import RunLog
from agent.settings import load_settings
from agent.stages.judge import Judgement
from agent.stages.thorough import Blend, ThoroughJudge, best_rows, load_blend, scores_of
from agent.store.memory import HashEmbedder, MemoryStore
from tests.build import claim, document, evidence, hit

DOCUMENTS = {name: document("The bridge opened in 1931.", name, publisher=f"Paper {name}") for name in "abc"}
A, B, C = DOCUMENTS.values()


class Fixed:
    """Says of each document what it was told; keeps what it was asked about."""

    def __init__(self, name, **said):
        self.id = name
        self.said = said
        self.asked = []

    async def judge(self, claim, hits, documents):
        self.asked = [one.passage.document_id for one in hits]
        return Judgement(tuple(self.said[name] for name in self.asked), 0)


FIRST = {
    "a": evidence(A, Stance.NEUTRAL, score=0.9),
    "b": evidence(B, Stance.SUPPORTS, score=0.6),
    "c": evidence(C, Stance.REFUTES, score=0.7),
}


def judged(second, **blend):
    judge = ThoroughJudge(Fixed("first", **FIRST), second, Blend(**blend))
    return asyncio.run(judge.judge(claim(), [hit(one) for one in DOCUMENTS.values()], DOCUMENTS)).evidence


def test_the_second_judge_reads_the_two_best_passages_alone():
    second = Fixed("second", **FIRST)
    found = judged(second)
    assert second.asked == ["b", "c"]
    assert found[0] == FIRST["a"]


def test_a_second_judge_that_agrees_makes_surer():
    found = judged(Fixed("second", **FIRST), own=1, other=1)
    assert [piece.stance for piece in found] == [Stance.NEUTRAL, Stance.SUPPORTS, Stance.REFUTES]
    assert found[1].scores.supports > 0.6
    assert found[2].scores.refutes > 0.7


def test_a_side_that_only_the_second_sees_brings_its_own_citation():
    """Heavier than the first, it turns the stance, and the quote shown is the one it pointed at."""
    other = FIRST | {"b": evidence(B, Stance.REFUTES, score=0.95)}
    found = judged(Fixed("second", **other), own=0.2, other=1)
    assert found[1].stance is Stance.REFUTES
    assert found[1].citation == other["b"].citation


def test_without_weight_the_second_changes_nothing_but_what_is_too_weak():
    other = {name: evidence(one, Stance.NEUTRAL, score=0.9) for name, one in DOCUMENTS.items()}
    found = judged(Fixed("second", **other), own=1, other=0)
    assert [piece.stance for piece in found] == [piece.stance for piece in FIRST.values()]
    weak = judged(Fixed("second", **other), own=1, other=0, least=0.65)
    assert [piece.stance for piece in weak] == [Stance.NEUTRAL, Stance.NEUTRAL, Stance.REFUTES]
    assert weak[1].citation is None


def test_a_judge_without_probabilities_counts_by_its_stance():
    plain = FIRST["b"].model_copy(update={"scores": None})
    assert np.allclose(scores_of(plain), [0.75, 0.125, 0.125])
    assert best_rows([plain, FIRST["a"], FIRST["c"]]) == [0, 2]
    assert best_rows([]) == []


def test_parameters_are_those_of_the_two_judges_or_none():
    """Weights fitted for one pair of judges say nothing of another pair."""
    assert load_blend("x", "y") == Blend(first="x", second="y")


def desk_facts(tmp_path, **chosen):
    async def work():
        settings = load_settings({"base_url": "http://127.0.0.1:1/v1", "model": "m", "run_dir": tmp_path} | chosen, {})
        store = MemoryStore([], embedder=HashEmbedder())
        async with open_desk(settings, store, RunLog(tmp_path)) as desk:
            return facts_of(desk, store, HashEmbedder())

    return asyncio.run(work())


def test_the_run_records_both_judges_and_the_prompt(tmp_path):
    facts = desk_facts(tmp_path, judge="small", thorough=True)
    assert facts["models"]["judge"].count("then") == 1
    assert "judge" in facts["prompts"]
    assert facts["settings"]["thorough"] is True


def test_a_language_model_as_judge_needs_no_second_look_at_itself(tmp_path):
    with pytest.raises(ConfigError, match="set judge to"):
        desk_facts(tmp_path, judge="model", thorough=True)
