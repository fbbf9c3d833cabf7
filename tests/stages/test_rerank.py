"""Re-ranking: what is read, how it is mixed, and what a search makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from agent.desk import reranker_of, shipped_reranker
from agent.domain import Hit, Purpose, Query
from agent.errors import ConfigError, ModelError
from agent.ingest.chunk import cut_passages
from agent.settings import load_settings
from agent.stages.rerank import FEATURES, CrossEncoderReranker, Mixture, features_of, load_mixture
from agent.stages.retrieve import Fused, retrieve
from agent.store.base import TimeLimit
from agent.store.memory import MemoryStore
from tests.build import document
from tests.cli.command import needs_embedder
from tests.stages.test_retrieve import ScriptedStore, words
from tests.stages.test_retrieve import document as plain

ALWAYS = TimeLimit()


class Bearing:
    """Takes a side on texts that hold this word; notes the pairs it was shown."""

    id = "bearing"

    def __init__(self, word: str) -> None:
        self._word = word
        self.pairs: list[tuple[str, str]] = []

    def score(self, pairs):
        self.pairs += pairs
        return np.array([[0.9, 0.05, 0.05] if self._word in text else [0.05, 0.05, 0.9] for text, _ in pairs], "f4")


class Told:
    """A re-ranker that likes documents by their titles; notes how many passages it read."""

    id = "told"

    def __init__(self, depth: int, **liking: float) -> None:
        self.depth = depth
        self._liking = liking
        self.read: list[str] = []

    def scores(self, claim, passages):
        self.read += [passage.title for passage in passages]
        return [self._liking.get(passage.title, 0.0) for passage in passages]


def query(purpose=Purpose.CLAIM):
    return Query(claim_id="c", text="q", purpose=purpose, round=1)


def store_of(names, publisher=None):
    documents = [plain(name, title=name, publisher=publisher) for name in names]
    return ScriptedStore(documents, {"q": list(names)}, {"q": list(names)})


def names(hits):
    return [hit.passage.document_id for hit in hits]


def mixture(*weights, depth=20):
    return Mixture(scorer="bearing", depth=depth, weights=weights)


def test_the_first_passages_are_ordered_anew_and_say_so():
    """What was read stands before what was not, and each hit shows the score it was ordered by."""
    hits = retrieve([query()], store_of("abcd"), limit=4, when=ALWAYS, reranker=Told(3, c=2.0, b=1.0, d=9.0))
    assert names(hits) == ["c", "b", "a", "d"]
    assert [hit.reranked for hit in hits] == [2.0, 1.0, 0.0, None]
    assert hits[0].score < hits[2].score


def test_a_passage_that_ranks_low_can_come_among_the_few_that_are_taken():
    """Re-ranking comes before the cut."""
    hits = retrieve([query()], store_of("abcdef"), limit=1, when=ALWAYS, reranker=Told(6, d=1.0))
    assert names(hits) == ["d"]


def test_the_cap_of_a_publisher_holds_for_the_new_order():
    """Three of one paper, liked best, take two places of three."""
    liked = [plain(name, title=name, publisher="Courier") for name in "xyz"]
    others = [plain(name, title=name) for name in "ab"]
    order = ["a", "b", "x", "y", "z"]
    store = ScriptedStore([*liked, *others], {"q": order}, {"q": order})
    hits = retrieve([query()], store, limit=3, when=ALWAYS, reranker=Told(5, x=3.0, y=2.0, z=1.0))
    assert names(hits) == ["x", "y", "a"]


def test_queries_that_are_not_the_claim_are_not_re_ranked():
    """Key words are no statement that a passage could support."""
    reranker = Told(5, b=1.0)
    hits = retrieve([query(Purpose.KEYWORDS)], store_of("ab"), limit=2, when=ALWAYS, reranker=reranker)
    assert names(hits) == ["a", "b"]
    assert reranker.read == []


def test_no_passage_is_read_twice_when_the_search_is_widened():
    """Copies make the search go further down; what was read keeps its score."""
    sources = [plain(f"n{number}", words("story"), title=f"n{number}") for number in range(30)]
    order = [source.id for source in sources]
    reranker = Told(8)
    retrieve([query()], ScriptedStore(sources, {"q": order}, {"q": order}), limit=3, when=ALWAYS, reranker=reranker)
    assert len(reranker.read) == len(set(reranker.read)) == 8


def test_the_same_score_leaves_the_fused_order():
    """A re-ranker without an opinion changes nothing but the shown score."""
    plain_hits = retrieve([query()], store_of("abc"), limit=3, when=ALWAYS)
    read = retrieve([query()], store_of("abc"), limit=3, when=ALWAYS, reranker=Told(3))
    assert names(read) == names(plain_hits)


def test_features_are_the_fused_score_what_takes_a_side_and_the_words():
    """The title counts for the words, not for the cross-encoder."""
    scorer = Bearing("mill")
    passages = [Fused("The mill  burnt.", "Velm", 1 / 10), Fused("Nothing here.", "", 1 / 20)]
    found = features_of(scorer, "The mill of Velm burnt.", passages)
    assert found.shape == (2, len(FEATURES))
    assert found[:, 0] == pytest.approx([1.0, 0.5])
    assert found[0, 1] > 2 > -2 > found[1, 1]
    assert found[:, 2] == pytest.approx([1.0, 0.0])
    assert set(scorer.pairs) == {
        ("The mill burnt.", "The mill of Velm burnt."),
        ("Nothing here.", "The mill of Velm burnt."),
    }


def test_an_unsure_scorer_gives_finite_scores():
    """Probabilities of nought and one are cut before their logarithm is taken."""

    class Sure:
        id = "bearing"

        def score(self, pairs):
            return np.array([[1.0, 0, 0], [0, 0, 1.0]][: len(pairs)], "f4")

    scores = CrossEncoderReranker(Sure(), mixture(1, 1, 1)).scores("A.", [Fused("b", "", 0.1), Fused("c", "", 0.1)])
    assert np.isfinite(scores).all()


def test_a_mixture_for_another_scorer_is_refused():
    """Weights hold for the model they were fitted for."""
    with pytest.raises(ModelError, match="'bearing'.*'other'"):
        CrossEncoderReranker(type("Other", (), {"id": "other"})(), mixture(1, 1, 1))


def test_the_cross_encoder_lifts_what_bears_on_the_claim():
    """The search itself, with a scorer that knows the passage that matters."""
    rows = [document(f"The bridge of Velm, part {number}: tolls and boats.", name=f"d{number}") for number in range(6)]
    rows.append(document("Velm opened its crossing in 1931.", name="right"))
    store = MemoryStore([(row, cut_passages(row)) for row in rows])
    reranker = CrossEncoderReranker(Bearing("1931"), mixture(1, 1, 0))
    asked = [Query(claim_id="c", text="The bridge of Velm is open to tolls and boats", purpose=Purpose.CLAIM, round=1)]
    assert retrieve(asked, store, limit=1, when=ALWAYS)[0].passage.document_id != "right"
    assert retrieve(asked, store, limit=1, when=ALWAYS, reranker=reranker)[0].passage.document_id == "right"


def test_the_weights_that_ship_are_for_the_scorer_that_ships():
    """They say what they were fitted on."""
    from agent.small.cross_encoder import MINILM

    found = load_mixture()
    assert found.scorer == MINILM.id
    assert found.fitted is not None
    assert found.fitted.half == "tuning"


def test_a_hit_of_an_old_record_is_still_read():
    """The field is not there in what was written before."""
    old = retrieve([query()], store_of("a"), limit=1, when=ALWAYS)[0].model_dump(exclude={"reranked"})
    assert Hit.model_validate(old).reranked is None


def test_settings_ask_for_a_re_ranker_or_for_none(tmp_path):
    """Off unless it is said; without the files of the cross-encoder the cure is named."""
    assert reranker_of(load_settings({"profile": "local"}, {}, tmp_path)) is None
    asked = load_settings({"profile": "local", "rerank": True, "cache_dir": tmp_path}, {}, tmp_path)
    assert asked.of_result()["rerank"] is True
    with pytest.raises(ConfigError, match="factdesk models pull"):
        reranker_of(asked)


class TestShipped:
    pytestmark = needs_embedder

    def test_the_shipped_re_ranker_reads_and_lifts_what_speaks_of_the_claim(self):
        """The real cross-encoder and the real weights, over passages the fused ranking has the wrong way round."""
        found = shipped_reranker(load_settings({"profile": "local"}))
        texts = ["The river was low that year.", "Tolls are collected by hand.", "The bridge was opened in 1931."]
        passages = [Fused(text, "", 1 / 20 - number / 1_000) for number, text in enumerate(texts)]
        scores = found.scores("The bridge opened in 1931.", passages)
        assert max(range(3), key=lambda place: scores[place]) == 2
