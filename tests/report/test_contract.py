"""The JSON of a run and the check that needs nothing else."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import Label, Ledger, SentenceStatus
from agent.report.contract import State, dumps, pair_claims, state_of, summarise, to_json, verify_contract
from tests.report.sample import HARMLESS, HOSTILE, sample_result

TOP = ["run", "summary", "article", "sentences", "claims", "documents"]
CLAIM = [
    "id",
    "text",
    "sentence_index",
    "start",
    "end",
    "kind",
    "speaker",
    "replaced",
    "content_of",
    "worth",
    "verdict",
    "failure",
    "evidence",
    "checks",
    "queries",
    "hits",
]


@pytest.fixture
def data():
    return to_json(sample_result())


def violations(data):
    return verify_contract(data, {key: row["text"] for key, row in data["documents"].items()})


def test_form(data):
    """The names of the contract stand at their places."""
    assert list(data) == TOP
    assert list(data["article"]) == ["id", "sha256", "title", "text", "facts"]
    assert list(data["sentences"][0]) == ["index", "start", "end", "status", "reason", "claim_ids"]
    assert list(data["claims"][0]) == CLAIM
    verdict = data["claims"][0]["verdict"]
    assert list(verdict) == ["label", "confidence", "abstained", "justification", "origins", "citations"]
    assert list(verdict["citations"][0]) == ["document_id", "start", "end", "quote", "stance"]
    row = ["passage_id", "document_id", "start", "end", "stance", "score", "citation"]
    assert list(data["claims"][0]["evidence"][0]) == row
    assert list(data["claims"][0]["checks"][0]) == [
        "kind",
        "claim_value",
        "quote_value",
        "agrees",
        "passage_id",
    ]
    assert list(data["claims"][0]["queries"][0]) == ["text", "purpose", "round", "reason"]
    assert set(data["documents"]["doc-port"]) == {"title", "publisher", "url", "published", "kind", "text"}
    usage = {"model_calls", "prompt_tokens", "completion_tokens", "seconds", "cost"}
    assert usage <= set(data["run"]["usage"])


def test_values(data):
    """Scores are the probability of the stance, neutral evidence has no citation, dates are text."""
    first, second = data["claims"][0]["evidence"]
    assert first["score"] == pytest.approx(0.97)
    assert second["citation"] is None
    assert data["documents"]["doc-survey"]["published"] == "2031-11"
    assert data["documents"]["doc-residents"]["published"] is None
    assert data["claims"][2]["verdict"]["label"] == "refuted"
    assert data["run"]["complete"] is False


def test_failure_and_left(data):
    """A failed claim has a failure and no verdict; one the run did not come to has neither."""
    failed, left = data["claims"][8], data["claims"][9]
    assert failed["failure"] == {
        "stage": "judge",
        "kind": "transient",
        "message": "The server did not answer within 120 s, 4 tries.",
    }
    assert failed["verdict"] is None
    assert (left["verdict"], left["failure"], left["evidence"]) == (None, None, [])


def test_summary():
    """Labels, abstentions, failures and claims left are counted apart and add up."""
    summary = summarise(sample_result())
    assert summary.labels == {
        Label.SUPPORTED: 3,
        Label.REFUTED: 2,
        Label.NOT_ENOUGH_EVIDENCE: 1,
        Label.CONFLICTING: 1,
    }
    assert (summary.abstentions, summary.failures, summary.left) == (1, 1, 1)
    assert summary.claims == sum(summary.labels.values()) + 3
    assert summary.dropped_citations == 1
    assert summary.sentences == {
        SentenceStatus.CHECKED: 7,
        SentenceStatus.NOT_CHECKABLE: 2,
        SentenceStatus.AMBIGUOUS: 1,
        SentenceStatus.FAILED: 1,
    }


def test_states():
    """Every state occurs in the sample, so every test that walks it sees them all."""
    assert {state_of(verification) for _, verification in pair_claims(sample_result())} == set(State)


def test_same_result_same_bytes():
    """The order in which mappings were filled does not change a byte."""
    result = sample_result()
    turned = result.model_copy(update={"documents": dict(reversed(result.documents.items()))})
    assert turned == result
    assert dumps(turned) == dumps(result)
    assert dumps(result).endswith("}\n")


def test_dumps_reads_back():
    """The text is JSON, with letters as they are, and survives a lone surrogate."""
    result = sample_result(" Łódź \ud800")
    text = dumps(result)
    assert "Łódź" in text
    text.encode("utf-8")
    assert json.loads(text) == to_json(result)


@settings(max_examples=25)
@given(st.text())
def test_contract_holds_for_any_text(spice):
    """What `to_json` writes keeps the contract, whatever the texts hold."""
    assert violations(json.loads(dumps(sample_result(f"{spice} x")))) == []


@pytest.mark.parametrize("spice", ["", HARMLESS, HOSTILE])
def test_contract_holds(spice):
    """The sample keeps the contract."""
    assert violations(to_json(sample_result(spice))) == []


def test_moved_offset_is_found(data):
    """A citation moved by one character is a violation, in the verdict and in the evidence."""
    for place in (data["claims"][0]["verdict"]["citations"][0], data["claims"][0]["evidence"][0]["citation"]):
        moved = copy.deepcopy(data)
        assert violations(moved) == []
        place["start"], place["end"] = place["start"] + 1, place["end"] + 1
        assert any("is not the text at" in line for line in violations(data))
        place["start"], place["end"] = place["start"] - 1, place["end"] - 1


def test_negative_offsets_are_found(data):
    """Offsets counted from the end of the text do not pass, though Python would slice them."""
    citation, text = data["claims"][0]["verdict"]["citations"][0], data["documents"]["doc-port"]["text"]
    citation["start"] -= len(text)
    citation["end"] -= len(text)
    assert len(violations(data)) == 1


@pytest.mark.parametrize("index", range(11))
def test_lost_sentence_is_found(data, index):
    """Any sentence left out of the ledger is a violation."""
    del data["sentences"][index]
    assert any("is in no sentence" in line for line in violations(data))


def _lose_first_claim(data):
    del data["claims"][0]


def _point_claim_nowhere(data):
    data["claims"][0]["sentence_index"] = 99


def _move_claim_out(data):
    data["claims"][0]["start"] = 0


def _double_claim(data):
    data["claims"].append(data["claims"][0])


def _overlap_sentences(data):
    data["sentences"][1]["start"] -= 10


def _change_article(data):
    data["article"]["text"] = data["article"]["text"].replace("4.2", "9.9")


def _forget_document(data):
    del data["documents"]["doc-port"]


def _cite_unread_document(data):
    data["claims"][0]["evidence"] = []


def _drop_citation(data):
    data["claims"][0]["evidence"][0]["citation"] = None


def _fail_and_judge(data):
    data["claims"][0]["failure"] = data["claims"][8]["failure"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_lose_first_claim, "which is not a claim of it"),
        (_point_claim_nowhere, "there is no sentence 99"),
        (_move_claim_out, "is outside sentence 1"),
        (_double_claim, "two claims have the same id"),
        (_overlap_sentences, "overlaps or is out of range"),
        (_change_article, "sha256 is not that of its text"),
        (_forget_document, "whose text is not there"),
        (_cite_unread_document, "which was not judged for it"),
        (_drop_citation, "without a citation"),
        (_fail_and_judge, "has a verdict and a failure"),
    ],
)
def test_damage_is_found(data, damage, message):
    """Each way to break the contract is named."""
    damage(data)
    assert any(message in line for line in violations(data))


def test_stored_text_wins(data):
    """A quote and a text changed together in the JSON are found against the stored text."""
    stored = {key: row["text"] for key, row in data["documents"].items()}
    text = json.dumps(data).replace("4.2 million tonnes", "9.9 million tonnes")
    found = verify_contract(json.loads(text), stored)
    assert any("is not the stored text" in line for line in found)
    assert any("is not the text at" in line for line in found)


@pytest.mark.parametrize("broken", [{}, {"article": 1, "sentences": [{}], "claims": [1], "documents": []}])
def test_other_form_is_a_violation(broken):
    """Data of another form gives violations, not a crash."""
    assert any("not in the form of" in line for line in verify_contract(broken, {}))


def test_claims_without_article():
    """A claim given by the user has no sentence, and there is nothing to tile."""
    result = sample_result()
    claim = result.ledger.claims[0].model_copy(update={"sentence_index": None, "origin": None})
    verification = result.verifications[0].model_copy(update={"claim": claim})
    alone = result.model_copy(update={"ledger": Ledger(entries=(), claims=(claim,)), "verifications": (verification,)})
    data = to_json(alone)
    assert (data["claims"][0]["start"], data["sentences"]) == (None, [])
    assert violations(data) == []
