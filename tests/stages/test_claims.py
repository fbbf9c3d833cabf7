"""Claims of a window: a second wording for what a guard stopped, and what was said apart from that it was said."""

import asyncio
import json

import pytest

from agent.domain import Claim, ClaimKind
from agent.errors import ModelError
from agent.llm.fake import ScriptedModel
from agent.stages.claims import claims_of, content_of
from agent.stages.extract import plan_windows
from agent.stages.guard import RecordedGuard
from agent.stages.sentences import split_sentences

TEXT = "The mill in Norvik burnt down in 2019. Mayor Lorca said that the mill had no sprinklers."
OWN = "The mill in Norvik burnt down in 2019."
FIRST = "The mill in Norvik burnt in 2019 in Norvik."
WRONG = "The mill in Norvik burnt down in 2020."
SAID = "Mayor Lorca said that the mill in Norvik had no sprinklers."


def item(kind, *claims):
    return {"kind": kind, "claims": list(claims)}


def run(*claims, second=None, stopped=(), repair=True):
    replies = {
        "extraction": json.dumps({"s1": item("event", *claims), "s2": item("quote", SAID)}),
        "repair": second if isinstance(second, str) else json.dumps({"s1": {"claims": second or []}}),
    }
    model = ScriptedModel(lambda request: replies[request.schema_name])
    (window,) = plan_windows(split_sentences(TEXT), "The mill fire", size=4)
    found = asyncio.run(
        claims_of(window, model, RecordedGuard("g", [(OWN, wording) for wording in stopped]), repair=repair)
    )
    return [claim for one in found for claim in one.claims], found, [one.schema_name for one in model.requests]


def test_what_a_guard_of_words_stopped_is_worded_once_more():
    """The second wording is checked, remembers what it stands for, and the sentence is not needed."""
    claims, found, asked = run(WRONG, second=["The mill of Norvik burnt down in 2019."])
    assert (claims[0].text, claims[0].replaced, claims[0].is_sentence) == (
        "The mill of Norvik burnt down in 2019.", (WRONG,), False,
    )  # fmt: skip
    assert found[0].entry.claim_ids == (claims[0].id,)
    assert asked == ["extraction", "repair"]


def test_what_the_guard_of_meaning_stopped_is_worded_once_more():
    """The same for what the cross-encoder does not find entailed."""
    claims, _, _ = run(FIRST, second=["Norvik's mill burnt down in 2019."], stopped=[FIRST])
    assert (claims[0].text, claims[0].replaced) == ("Norvik's mill burnt down in 2019.", (FIRST,))


def test_what_was_stopped_twice_is_stopped_again_in_a_replay():
    """The record of the sentence names both wordings, so a guard made of it lets neither pass."""
    second = "The mill in Norvik may have burnt."
    claims, _, _ = run(FIRST, second=[second], stopped=[FIRST, second])
    assert (claims[0].text, claims[0].replaced) == (OWN, (FIRST, second))
    again, _, _ = run(FIRST, second=[second], stopped=claims[0].replaced)
    assert again == claims


@pytest.mark.parametrize("second", [[], [WRONG], ["Dragons burnt it."], "no JSON", "{}"])
def test_a_second_wording_of_no_use_leaves_the_sentence(second):
    """Once is enough; nothing is lost, and nothing is invented."""
    claims, _, asked = run(WRONG, second=second)
    assert (claims[0].text, claims[0].is_sentence) == (OWN, True)
    assert WRONG in claims[0].replaced
    assert asked.count("repair") <= 2  # a reply that cannot be read is asked for once more, as everywhere


def test_a_second_wording_that_is_stopped_too_is_told():
    """What passes stands beside the sentence, which remembers all that was stopped."""
    claims, _, _ = run(WRONG, second=["The mill in Norvik burnt.", "The mill burnt in 2021."])
    assert [claim.text for claim in claims[:2]] == ["The mill in Norvik burnt.", OWN]
    assert claims[1].replaced == (WRONG, "The mill burnt in 2021.")


def test_without_repair_or_need_there_is_one_call():
    """The setting is off for slow models."""
    assert run(WRONG, repair=False)[2] == ["extraction"]
    assert run(OWN)[2] == ["extraction"]


def test_a_model_that_fails_at_the_second_wording_costs_nothing():
    """What the first call found stands."""
    replies = iter([json.dumps({"s1": item("event", WRONG), "s2": item("quote", SAID)})])

    def script(request):
        if request.schema_name == "repair":
            raise ModelError("gone")
        return next(replies)

    (window,) = plan_windows(split_sentences(TEXT), "The mill fire", size=4)
    found = asyncio.run(claims_of(window, ScriptedModel(script), None, repair=True))
    assert found[0].claims[0].is_sentence


def test_what_was_said_is_a_claim_of_its_own():
    """Behind the claim that it was said, marked with it and with the speaker, in the ledger."""
    _, found, _ = run(OWN)
    said, content = found[1].claims
    assert (content.text, content.content_of, content.speaker) == (
        "The mill in Norvik had no sprinklers.", said.id, "Mayor Lorca",
    )  # fmt: skip
    assert found[1].entry.claim_ids == (said.id, content.id)


@pytest.mark.parametrize(
    "text",
    [
        "Lorca said that he had warned the council.",
        "Lorca said that we are lost without it.",
        "Lorca told Velmar Radio: “The sprinklers never worked.”",
        "Lorca said that it was a scandal in Norvik.",
        "Lorca denied that the mill had no sprinklers.",
        "The mill had no sprinklers.",
        "Lorca said that no.",
        "The mayor has never claimed that the mill had no sprinklers.",
        "Nobody said that the mill had no sprinklers.",
        "Lorca hasn't said that the mill had no sprinklers.",
    ],
)
def test_what_needs_its_speaker_is_not_taken_apart(text):
    """A content with "he" or "we", or none at all, would be another claim without the one who says it."""
    assert content_of(Claim(id="c", text=text, kind=ClaimKind.QUOTE)) is None


def test_only_quotations_are_taken_apart():
    """And not the sentence that stands in for one."""
    assert content_of(Claim(id="c", text=SAID, kind=ClaimKind.EVENT)) is None
    assert content_of(Claim(id="c", text=SAID, kind=ClaimKind.QUOTE, is_sentence=True)) is None
