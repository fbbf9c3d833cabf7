"""The stance eval: which items it makes of a set, and how it counts."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from agent.domain import Stance, StanceScores
from agent.errors import InputError
from agent.stages.judge import Judgement
from evals.tasks.stance import Judged, half_of, judge_items, load_items, macro_f1, score
from tests.build import evidence

DOCUMENTS = [
    {"id": "d1", "title": "Bridge", "text": "It rained. The bridge opened in 1931. It is long.", "published": None},
    {"id": "d2", "title": None, "text": "The bridge was built by nobody in particular.", "published": "2001"},
]
GOLD = {"doc_id": "d1", "quote": "The bridge opened in 1931.", "stance": "supports"}
FIRST, SECOND = Stance.SUPPORTS, Stance.REFUTES


def claim_row(name, group, pieces, **fields):
    return {"id": name, "text": "The bridge opened in 1931.", "group_id": group, "evidence": pieces} | fields


@pytest.fixture
def folder(tmp_path):
    """A small set; `write` fills it."""

    def write(*claims):
        for name, rows in (("claims", claims), ("corpus", DOCUMENTS)):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path

    return write


def items_of(folder, **given):
    return [item for half in ("tuning", "reporting") for item in load_items(folder, half=half, **given)]


def test_a_quote_judged_alone_is_the_passage(folder):
    """Without groups each quote is one item."""
    other = GOLD | {"quote": "It rained.", "stance": "neutral"}
    found = items_of(folder(claim_row("fsy-1", "g", [GOLD, other])))
    assert [(item.passage.text, item.stance) for item in found] == [(GOLD["quote"], FIRST), ("It rained.", "neutral")]


def test_grouped_quotes_stand_in_the_passage_our_chunker_cuts(folder):
    """And a foil from elsewhere is neutral."""
    found = items_of(folder(claim_row("fm2-1", "g", [GOLD | {"group": 0}])))
    assert [(item.document.id, item.stance) for item in found] == [("d1", FIRST), ("d2", Stance.NEUTRAL)]
    assert found[0].passage.text == DOCUMENTS[0]["text"]


def test_gold_spread_over_documents_is_left_out(folder):
    """No single passage decides it."""
    spread = GOLD | {"doc_id": "d2", "quote": "The bridge was built", "group": 0}
    found = items_of(folder(claim_row("other-1", "g", [GOLD | {"group": 0}, spread])))
    assert found == []


def test_groups_fall_into_one_half_each(folder):
    """The parity of the hash decides; `limit` draws the same items every time."""
    assert half_of("g") == ("reporting" if int(hashlib.sha256(b"g").hexdigest(), 16) % 2 else "tuning")
    many = folder(*(claim_row(f"fsy-{n}", f"g{n}", [GOLD]) for n in range(40)))
    tuning, reporting = (load_items(many, half=half) for half in ("tuning", "reporting"))
    assert (len(tuning) + len(reporting), bool(tuning), bool(reporting)) == (40, True, True)
    assert load_items(many, half="tuning", limit=5) == load_items(many, half="tuning", limit=5)
    assert len(load_items(many, half="tuning", limit=5)) == 5


def test_a_missing_set_is_named(tmp_path):
    """With the option that helps."""
    with pytest.raises(InputError, match=r"corpus\.jsonl.*--data"):
        load_items(tmp_path, half="tuning")


def test_scores_count_what_was_judged(folder):
    """A judge that is always right scores one everywhere; the interval holds the value."""

    class Oracle:
        id = "oracle"

        async def judge(self, claim, hits, documents):
            (hit,) = hits
            stance = FIRST if "1931" in hit.passage.text else Stance.NEUTRAL
            return Judgement((evidence(documents[hit.passage.document_id], stance, score=0.8),), 0)

    items = items_of(folder(claim_row("fm2-1", "g", [GOLD | {"group": 0}]), claim_row("fm2-2", "h", [])))
    found = score(asyncio.run(judge_items(Oracle(), items[:2])))
    assert {name: (value.value, value.n) for name, value in found.items()} == {
        "three_way": (1.0, 2),
        "macro_f1": (1.0, 2),
        "two_way": (1.0, 1),
    }
    wrong = [Judged(items[0], SECOND, StanceScores(supports=0.1, refutes=0.9, neutral=0))]
    assert score(wrong)["two_way"].value == 0.0


def test_macro_f1_is_over_the_stances_in_gold():
    """Two right of four, by hand: F1 of 2/3 and 1/2."""
    pairs = [(FIRST, FIRST), (FIRST, SECOND), (SECOND, SECOND), (SECOND, Stance.NEUTRAL)]
    assert macro_f1(pairs) == pytest.approx((2 / 3 + 1 / 2) / 2)
