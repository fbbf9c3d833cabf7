"""The cross-encoder as judge, with a scorer that follows rules."""

from __future__ import annotations

import asyncio
import random
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Span, Stance
from agent.errors import ModelError
from agent.stages.stance import Calibration, CrossEncoderJudge, load_calibration
from tests.build import claim, document, hit

FIRST = document("Norvik grew fast. The bridge opened in 1931, the Post said. It rained.", "a", title="Post")
SECOND = document("Nobody knew why. The bridge was not opened before 1934.", "b", title="Gazette")
DOCUMENTS = {"a": FIRST, "b": SECOND}
HITS = (hit(FIRST), hit(SECOND, rank=2))


class RuleScorer:
    """Sure by what a text holds: 1931 supports, 1934 refutes, all else is neutral; keeps what it was asked."""

    id = "rules"

    def __init__(self, sure=0.9):
        self.sure = sure
        self.pairs = []
        self.calls = 0
        self.threads = set()

    def score(self, pairs):
        self.calls += 1
        self.pairs += pairs
        self.threads.add(threading.get_ident())
        rows = [self._row(text) for text, _ in pairs]
        return np.array(rows, dtype=np.float32).reshape(len(pairs), 3)

    def _row(self, text):
        column = 0 if "1931" in text else 1 if "1934" in text else 2
        sure = self.sure - len(text) / 1e6
        return [sure if place == column else (1 - sure) / 2 for place in range(3)]


class FixedScorer:
    """Gives one array, whatever it is asked."""

    id = "rules"

    def __init__(self, make):
        self._make = make

    def score(self, pairs):
        return self._make(len(pairs))


def judge(scorer, hits=HITS, documents=DOCUMENTS, **calibration):
    chosen = Calibration(scorer="rules", **calibration)
    return asyncio.run(CrossEncoderJudge(scorer, chosen).judge(claim(), hits, documents))


def test_the_deciding_sentence_is_the_quote_at_its_exact_place():
    """One piece of evidence a hit, in their order; the quote is cut from the document."""
    found = judge(RuleScorer())
    assert [piece.stance for piece in found.evidence] == [Stance.SUPPORTS, Stance.REFUTES]
    assert [piece.citation.quote for piece in found.evidence] == [
        "The bridge opened in 1931, the Post said.",
        "The bridge was not opened before 1934.",
    ]
    for piece in found.evidence:
        assert piece.citation.span.of(DOCUMENTS[piece.document_id].text) == piece.citation.quote
        assert piece.citation.stance is piece.stance
    assert found.dropped_citations == 0


def test_a_passage_inside_a_document_is_cited_at_the_documents_offsets():
    """Spans are of the document, not of the passage."""
    start = FIRST.text.index("The bridge")
    found = judge(RuleScorer(), (hit(FIRST, span=Span(start=start, end=len(FIRST.text))),))
    assert found.evidence[0].citation.span.start == start


def test_two_sentences_are_cited_together_where_only_they_decide():
    """What one sentence leaves open, two neighbours may say."""

    class Both(RuleScorer):
        def _row(self, text):
            return [0.9, 0.05, 0.05] if "bridge" in text and "1931" in text else [0.1, 0.1, 0.8]

    source = document("They built the bridge. It opened in 1931. It rained.", "c")
    found = judge(Both(), (hit(source),), {"c": source}, least=0.5)
    assert found.evidence[0].citation.quote == "They built the bridge. It opened in 1931."
    assert judge(Both(), (hit(source),), {"c": source}, sentences=1, least=0.5).evidence[0].citation is None


def test_unsure_is_neutral_and_has_no_citation():
    """A stance that is not likely enough is not taken, but its scores are kept."""
    found = judge(RuleScorer(sure=0.45), least=0.5).evidence
    assert [(piece.stance, piece.citation) for piece in found] == [(Stance.NEUTRAL, None)] * 2
    assert found[0].scores.supports == pytest.approx(0.45, abs=1e-3)


def test_a_weak_side_is_taken_where_the_calibration_says_so():
    """From `least` on, even where neutral is likelier: its small weight is the decision's business."""
    found = judge(RuleScorer(sure=0.35), neutral_bias=0.5, least=0.2).evidence
    assert {piece.stance for piece in found} == {Stance.SUPPORTS, Stance.REFUTES}
    assert all(piece.scores.neutral > piece.scores.of(piece.stance) for piece in found)
    assert all(piece.citation is not None for piece in found)


def test_a_bias_moves_what_is_left_open():
    """The calibration is applied before the stance is chosen."""
    neutral = judge(RuleScorer(sure=0.6), neutral_bias=3.0, least=0.5).evidence
    assert {piece.stance for piece in neutral} == {Stance.NEUTRAL}
    raw = np.array([[0.5, 0.3, 0.2]], dtype=np.float32)
    assert Calibration(scorer="rules").apply(raw, np.zeros(1)) == pytest.approx(raw, abs=1e-6)
    flat = Calibration(scorer="rules", temperature=100).apply(raw, np.zeros(1))
    assert flat == pytest.approx(1 / 3, abs=0.01)


def test_a_sentence_about_something_else_weighs_less():
    """A model this small takes unrelated sentences for refuting; words shared with the claim count against that."""
    off = document("Apples cost 1934 crowns.", "c")
    hits, documents = (*HITS[1:], hit(off, rank=2)), DOCUMENTS | {"c": off}
    found = judge(RuleScorer(), hits, documents, words_weight=8.0, least=0.5).evidence
    assert [piece.stance for piece in found] == [Stance.REFUTES, Stance.NEUTRAL]


def test_nothing_to_judge_asks_nobody():
    """An empty search is no call and no evidence."""
    scorer = RuleScorer()
    assert judge(scorer, (), {}) == ((), 0)
    assert scorer.calls == 0


def test_a_passage_without_a_sentence_is_neutral():
    """White space says nothing."""
    blank = document("  \n ", "c")
    (piece,) = judge(RuleScorer(), (hit(blank),), {"c": blank}).evidence
    assert (piece.stance, piece.scores.neutral) == (Stance.NEUTRAL, 1.0)


def test_all_passages_are_one_call_in_another_thread():
    """The event loop is not blocked, and a repeated pair is scored once."""
    scorer = RuleScorer()
    judge(scorer, (*HITS, hit(FIRST, rank=3)))
    assert scorer.calls == 1
    assert threading.get_ident() not in scorer.threads
    assert len(scorer.pairs) == len(set(scorer.pairs))


@given(st.randoms(use_true_random=False))
def test_the_order_of_hits_changes_nothing_but_the_order(dice: random.Random):
    """A passage is judged the same wherever it stands."""
    shuffled = list(HITS)
    dice.shuffle(shuffled)
    expected = {piece.passage_id: piece for piece in judge(RuleScorer()).evidence}
    found = judge(RuleScorer(), shuffled).evidence
    assert [piece.passage_id for piece in found] == [one.passage.id for one in shuffled]
    assert {piece.passage_id: piece for piece in found} == expected


@given(
    st.lists(st.sampled_from(["It rained.", "In 1931!", "Was it 1934?", "So.", "\n\n", "Dr. Ash left "]), min_size=1)
)
def test_quotes_are_exact_whatever_the_text(parts):
    """Every citation slices back to its quote."""
    source = document(" ".join(parts), "c")
    for piece in judge(RuleScorer(), (hit(source),), {"c": source}).evidence:
        if piece.citation is not None:
            assert piece.citation.span.of(source.text) == piece.citation.quote


def test_the_title_is_read_but_never_quoted():
    """It stands before every sentence when the calibration says so."""
    scorer = RuleScorer()
    found = judge(scorer, title=True)
    assert ("Post. It rained.", claim().text) in scorer.pairs
    assert not any(piece.citation.quote.startswith(("Post", "Gazette")) for piece in found.evidence)
    plain = RuleScorer()
    judge(plain, title=False)
    assert ("It rained.", claim().text) in plain.pairs


def test_a_long_passage_is_read_to_its_end():
    """The deciding sentence may be the last of many; long neighbours are not taken together."""
    text = "It rained on the wide river and on the old town. " * 200 + "The bridge opened in 1931."
    source = document(text, "c")
    (piece,) = judge(RuleScorer(), (hit(source),), {"c": source}).evidence
    assert piece.citation.span == Span(start=text.index("The bridge"), end=len(text))
    wide = document("x" * 500 + ". " + "The bridge opened in 1931" + ", they say" * 40 + ".", "d")
    scorer = RuleScorer()
    judge(scorer, (hit(wide),), {"d": wide})
    assert max(len(text) for text, _ in scorer.pairs) < 600


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda n: np.full((n, 3), np.nan, dtype=np.float32), "no probabilities"),
        (lambda n: np.full((n, 3), np.inf, dtype=np.float32), "no probabilities"),
        (lambda n: np.full((n, 3), -0.1, dtype=np.float32), "no probabilities"),
        (lambda n: np.zeros((n, 2), dtype=np.float32), "shape"),
        (lambda n: np.zeros((n + 1, 3), dtype=np.float32), "shape"),
        (lambda n: np.zeros(3 * n, dtype=np.float32), "shape"),
    ],
)
def test_scores_that_are_none_are_an_error(make, message):
    """No default stance."""
    with pytest.raises(ModelError, match=rf"'rules'.*{message}"):
        judge(FixedScorer(make))


def test_a_calibration_of_another_scorer_is_refused():
    """Parameters belong to the weights they were fitted for."""
    with pytest.raises(ModelError, match=r"'other'.*'rules'.*fit_stance"):
        CrossEncoderJudge(RuleScorer(), Calibration(scorer="other"))


def test_the_shipped_calibration_belongs_to_the_shipped_weights():
    """Its scorer id holds the hash of the weights, and it says what it was fitted on."""
    from agent.small.cross_encoder import MINILM

    found = load_calibration()
    assert found.scorer == MINILM.id
    assert found.fitted.half == "tuning"
