"""Extraction of single sentences, and its score."""

import asyncio
from pathlib import Path

import pytest

from agent.domain import SentenceStatus
from agent.errors import ModelError
from agent.llm.fake import ScriptedModel
from agent.stages.select import RecordedSelector
from evals.cases import SentenceCase
from evals.record import Outcome
from evals.scorers.extraction import score_sentence
from evals.solvers.extract import ClassifierSolver, ExtractSolver
from tests.desk import answer, settings_for

CONTEXT = "The mill in Norvik burnt down on 4 March 2019. What a disgrace! The mill made 900 tons of flour in 2018."


def case(text="The mill in Norvik burnt down on 4 March 2019.", context=CONTEXT, **fields):
    return SentenceCase(**({"id": "s", "text": text, "context": context, "checkworthy": True} | fields))


def solve(given, script=answer, window=8):
    model = ScriptedModel(script)
    return asyncio.run(ExtractSolver(model, settings_for(Path(), window=window)).solve(given)), model


class Words:
    """Entailment by equal sets of words, and a record of what was asked."""

    def __init__(self):
        self.asked = []

    def probabilities(self, pairs):
        self.asked += pairs
        return tuple(float(set(b.casefold().split()) <= set(a.casefold().split())) for a, b in pairs)


def test_a_sentence_is_extracted_in_its_article():
    """The model sees the whole window, the case gets its own sentence's claims."""
    outcome, model = solve(case())
    assert outcome.entry.status is SentenceStatus.CHECKED
    assert [claim.text for claim in outcome.claims] == ["The mill in Norvik burnt down on 4 March 2019."]
    assert "900 tons" in model.requests[0].messages[-1].content


def test_cases_of_one_article_ask_the_same():
    """So that kept calls serve all of them."""
    asked = [solve(case(text))[1].requests for text in (case().text, "What a disgrace!")]
    assert asked[0] == asked[1]


def test_a_dismissed_sentence_is_told_without_a_call():
    """As in the pipeline; the classifier alone says the same of it, and no more."""
    selector = RecordedSelector("x", {"What a disgrace!": 0.1, case().text: 0.8})
    model = ScriptedModel(answer)
    solver = ExtractSolver(model, settings_for(Path(), window=8), selector=selector)
    skipped, asked = (asyncio.run(solver.solve(case(text))) for text in ("What a disgrace!", case().text))
    assert (skipped.entry.status, skipped.entry.chance) == (SentenceStatus.NOT_CHECKABLE, 0.1)
    assert (asked.entry.status, asked.entry.chance) == (SentenceStatus.CHECKED, 0.8)
    assert all("disgrace" not in request.messages[-1].content.partition("[1]")[2] for request in model.requests)
    alone = ClassifierSolver(selector)
    found = [asyncio.run(alone.solve(case(text))) for text in ("What a disgrace!", case().text)]
    assert [one.entry.status for one in found] == [SentenceStatus.NOT_CHECKABLE, SentenceStatus.CHECKED]
    assert found[1].claims is None
    assert score_sentence(case(claims=("The mill burnt down.",)), found[1], entails=None).ratios == {}


def test_without_context_the_sentence_stands_alone():
    """Also when the context does not hold it."""
    for context in (None, "Something else."):
        outcome, model = solve(case(context=context))
        assert outcome.entry.sentence.text == case().text
        assert "disgrace" not in model.requests[0].messages[-1].content


def test_several_of_our_sentences_make_one_case():
    """It is checkable if one of them is, and has the claims of all."""
    both = "What a disgrace! The mill made 900 tons of flour in 2018."
    outcome, _ = solve(case(both))
    assert outcome.entry.status is SentenceStatus.CHECKED
    assert len(outcome.claims) == 1


@pytest.mark.parametrize("reply", [ModelError("no"), "garbage"])
def test_a_model_of_no_use_is_a_failure(reply):
    """Not an uncheckable sentence."""
    outcome, _ = solve(case(), lambda request: reply)
    assert outcome.failure.stage == "extract"
    assert score_sentence(case(), outcome, entails=None).failure.startswith("extract: ")


def test_classes_and_coverage():
    """Checkable found checkable; its gold claim is covered both by words and by entailment."""
    outcome, _ = solve(case())
    gold = ("the mill in Norvik burnt down on 4 March 2019.", "A cat was seen.")
    score = score_sentence(case(claims=gold), outcome, entails=Words())
    assert (score.gold, score.found) == ("checkable", "checkable")
    ratios = {name: (ratio.top, ratio.bottom) for name, ratio in score.ratios.items()}
    assert ratios == {
        "claim_coverage_words": (1, 2),
        "claim_coverage": (1, 2),
        "claim_recall": (1, 2),
        "claim_entailed": (1, 1),
        "claim_is_sentence": (1, 1),
        "stands_alone": (1, 1),
    }


def test_a_claim_that_says_more_or_less_does_not_cover():
    """Entailment must hold both ways."""
    outcome, _ = solve(case())
    less = score_sentence(case(claims=("The mill in Norvik burnt down",)), outcome, entails=Words())
    assert less.ratios["claim_coverage"].top == 0


def test_sources_that_say_nothing_of_checkworthiness_are_not_classified():
    """Their claims are still scored."""
    outcome, _ = solve(case())
    score = score_sentence(case(source="factscore", claims=(case().text,)), outcome, entails=None)
    assert (score.gold, score.found) == (None, None)
    assert set(score.ratios) == {"claim_coverage_words", "claim_is_sentence", "stands_alone"}


def test_sentences_without_annotated_claims_have_no_coverage():
    """None annotated is not none there."""
    outcome, _ = solve(case("What a disgrace!", checkworthy=False, claims=None))
    score = score_sentence(case("What a disgrace!", checkworthy=False), outcome, entails=Words())
    assert (score.gold, score.found, score.ratios) == ("not_checkable", "not_checkable", {})
    assert score.note
    assert score_sentence(case(), Outcome(case_id="s"), entails=None).failure == "no outcome"
