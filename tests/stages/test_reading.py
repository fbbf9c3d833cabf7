"""Scout and reader as judge, with scorers that follow rules."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from agent.domain import Stance
from agent.errors import ModelError
from agent.stages.reading import Opinions, Pool, ReadingJudge, load_pool
from agent.stages.stance import Calibration, load_calibration
from tests.build import claim, document, hit

FIRST = document("Norvik grew fast. The bridge opened in 1931, the Post said. It rained.", "a", title="Post")
SECOND = document("Nobody knew why. The bridge was not opened before 1934.", "b", title="Gazette")
DOCUMENTS = {"a": FIRST, "b": SECOND}
HITS = (hit(FIRST), hit(SECOND, rank=2))


class RuleScorer:
    """Sure by what a text holds; keeps what it was asked."""

    def __init__(self, name, supports, refutes, sure=0.9):
        self.id = name
        self._columns = (supports, refutes)
        self._sure = sure
        self.pairs = []

    def score(self, pairs):
        self.pairs += pairs
        return np.array([self._row(text) for text, _ in pairs], dtype=np.float32).reshape(len(pairs), 3)

    def _row(self, text):
        column = next((n for n, word in enumerate(self._columns) if word in text), 2)
        return [self._sure if place == column else (1 - self._sure) / 2 for place in range(3)]


def judge(scout, reader, hits=HITS, **pool):
    calibration = Calibration(scorer=scout.id, sentences=1, title=True)
    maker = ReadingJudge(scout, calibration, reader, Pool(scout=scout.id, reader=reader.id, **pool))
    return asyncio.run(maker.judge(claim(), hits, DOCUMENTS))


def scout():
    return RuleScorer("scout", "1931", "1934")


def test_the_scout_finds_the_quote_and_the_reader_says_what_it_means():
    """The reader finds the other sides: its word counts, at the places the scout found."""
    reader = RuleScorer("reader", "1934", "1931")
    found = judge(scout(), reader).evidence
    assert [piece.stance for piece in found] == [Stance.REFUTES, Stance.SUPPORTS]
    for piece in found:
        assert piece.citation.span.of(DOCUMENTS[piece.document_id].text) == piece.citation.quote
    assert found[0].citation.quote == "The bridge opened in 1931, the Post said."


def test_the_reader_reads_one_sentence_of_a_passage_with_its_title():
    """One pair a passage, however many sentences it has."""
    reader = RuleScorer("reader", "1931", "1934")
    judge(scout(), reader)
    assert sorted(text for text, _ in reader.pairs) == [
        "Gazette. The bridge was not opened before 1934.",
        "Post. The bridge opened in 1931, the Post said.",
    ]


def test_the_scout_sees_only_the_sentences_that_share_most_words():
    """As many of each passage as it is given glances, in the order of the text."""
    asked = scout()
    judge(asked, RuleScorer("reader", "1931", "1934"), glances=1)
    assert sorted(text for text, _ in asked.pairs) == [
        "Gazette. The bridge was not opened before 1934.",
        "Post. The bridge opened in 1931, the Post said.",
    ]
    wide = scout()
    judge(wide, RuleScorer("reader", "1931", "1934"), glances=9)
    assert len(wide.pairs) == 5


def test_a_weak_voice_is_no_side():
    """Below `least` a passage is neutral and has no citation."""
    reader = RuleScorer("reader", "never", "nor this", sure=0.8)
    found = judge(scout(), reader, least=0.3)
    assert {piece.stance for piece in found.evidence} == {Stance.NEUTRAL}
    assert all(piece.citation is None for piece in found.evidence)


def test_no_passages_and_passages_without_words_are_nothing_to_read():
    empty = document(" \n ", "e", title="t")
    assert judge(scout(), scout_like_reader(), hits=()).evidence == ()
    maker = ReadingJudge(
        scout(), Calibration(scorer="scout"), scout_like_reader(), Pool(scout="scout", reader="reader")
    )
    (piece,) = asyncio.run(maker.judge(claim(), (hit(empty),), {"e": empty})).evidence
    assert (piece.stance, piece.citation) == (Stance.NEUTRAL, None)


def scout_like_reader():
    return RuleScorer("reader", "1931", "1934")


def test_weighed_opinions_are_probabilities():
    """With a weight of one, no bias and half of the words shared, an opinion stays what it is."""
    one = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    pool = Pool(scout="s", reader="r", sentence=1, words=3)
    found = pool.apply(Opinions(one, np.array([0.5, 0.5])))
    assert np.allclose(found.sum(axis=1), 1)
    assert np.allclose(found[0], one[0], atol=1e-6)
    assert found[1].argmax() == 1


def test_a_sentence_with_few_words_of_the_claim_is_likelier_neutral():
    one = np.array([[0.4, 0.3, 0.3]])
    pool = Pool(scout="s", reader="r", words=2)
    few, half, all_of_them = (pool.apply(Opinions(one, np.array([share])))[0, 2] for share in (0.0, 0.5, 1.0))
    assert few > half > all_of_them


def test_only_the_passages_in_which_the_scout_finds_most_are_read():
    """What was not read is neutral, with the scout's own probabilities, and has no citation."""
    third = document("It may have been opened by 1934, it seems.", "c", title="Courier")
    asked = RuleScorer("scout", "1931", "was not")
    reader = RuleScorer("reader", "1931", "1934")
    maker = ReadingJudge(
        asked, Calibration(scorer="scout", sentences=1), reader, Pool(scout="scout", reader="reader", reads=2)
    )
    hits = (hit(third), hit(FIRST, rank=2), hit(SECOND, rank=3))
    found = asyncio.run(maker.judge(claim(), hits, DOCUMENTS | {"c": third})).evidence
    assert [piece.stance for piece in found] == [Stance.NEUTRAL, Stance.SUPPORTS, Stance.REFUTES]
    assert found[0].citation is None
    assert found[0].scores.neutral == pytest.approx(0.9, abs=0.001)
    assert not any("it seems" in text for text, _ in reader.pairs)


def test_many_texts_of_one_origin_do_not_keep_the_reader_from_the_others():
    """The scout finds most in them; of every origin one passage is read before the second of any."""
    flood = [document(f"The bridge opened in 1931, report {n}.", f"f{n}") for n in range(6)]
    hits = [hit(one, rank=n + 1, origin="flood") for n, one in enumerate(flood)] + [hit(SECOND, rank=7, origin="other")]
    documents = {one.id: one for one in (*flood, SECOND)}
    loud = RuleScorer("scout", "1931", "was not")
    reader = RuleScorer("reader", "1931", "1934")
    calibration = Calibration(scorer=loud.id, sentences=1, title=True)
    maker = ReadingJudge(loud, calibration, reader, Pool(scout=loud.id, reader=reader.id, reads=2))
    found = asyncio.run(maker.judge(claim(), hits, documents)).evidence
    assert [piece.stance for piece in found if piece.document_id == "b"] == [Stance.REFUTES]


def test_parameters_of_other_scorers_are_refused():
    with pytest.raises(ModelError, match="fit_reading"):
        ReadingJudge(scout(), Calibration(scorer="scout"), scout_like_reader(), Pool(scout="scout", reader="another"))


def test_the_shipped_parameters_belong_to_the_shipped_weights():
    """Fitted on tuning halves, for the scout and the reader that ship."""
    from agent.small.cross_encoder import MINILM, MPNET

    pool = load_pool()
    assert (pool.scout, pool.reader) == (MINILM.id, MPNET.id)
    assert pool.fitted.half == "tuning"
    assert load_calibration().scorer == MINILM.id
