"""Claims that their sentences do not entail are replaced by the sentences, and marked."""

from __future__ import annotations

import numpy as np

from agent.domain import Claim, LedgerEntry, Sentence, SentenceStatus, Span, claim_id
from agent.stages.extract import Extracted, Window
from agent.stages.guard import EntailmentGuard, RecordedGuard, keep_entailed, premise_of

TEXT = "The mill is old. It burnt down in March, the police said."
FIRST = Sentence(index=0, span=Span(start=0, end=16), text=TEXT[:16])
SECOND = Sentence(index=1, span=Span(start=17, end=len(TEXT)), text=TEXT[17:])
WINDOW = Window(title="News", before=(), sentences=(FIRST, SECOND))


class WordScorer:
    """Supports a claim without the word `arson`; keeps what it was asked."""

    id = "words"

    def __init__(self):
        self.pairs = []

    def score(self, pairs):
        self.pairs += pairs
        return np.array([[0.01, 0.5, 0.49] if "arson" in claim else [0.6, 0.2, 0.2] for _, claim in pairs], np.float32)


def extracted(sentence, *texts, own=False):
    claims = [
        Claim(id=claim_id(text, sentence.index), text=text, sentence_index=sentence.index, origin=sentence.span)
        for text in texts
    ]
    if own:
        claims.append(claims[0].model_copy(update={"id": claim_id(sentence.text, sentence.index),
                                                   "text": sentence.text, "is_sentence": True}))  # fmt: skip
    entry = LedgerEntry(
        sentence=sentence, status=SentenceStatus.CHECKED, reason="", claim_ids=tuple(claim.id for claim in claims)
    )
    return Extracted(entry, tuple(claims))


def test_a_claim_that_is_not_entailed_gives_way_to_its_sentence():
    """The sentence is the claim then, and tells which wording it replaced; the others stay."""
    scorer = WordScorer()
    before = (extracted(FIRST, "The mill is old."), extracted(SECOND, "The mill burnt down.", "It was arson."))
    first, second = keep_entailed(before, WINDOW, EntailmentGuard(scorer))
    assert first == before[0]
    assert [claim.text for claim in second.claims] == ["The mill burnt down.", SECOND.text]
    assert (second.claims[1].is_sentence, second.claims[1].replaced) == (True, ("It was arson.",))
    assert second.claims[1].id == claim_id(SECOND.text, 1)
    assert second.entry.claim_ids == tuple(claim.id for claim in second.claims)


def test_several_wordings_are_replaced_once():
    """A sentence that stands for two, or stood there already, is checked once."""
    for own in (False, True):
        before = (extracted(SECOND, "It was arson.", "arson, then", own=own),)
        (found,) = keep_entailed(before, WINDOW, EntailmentGuard(WordScorer()))
        assert [(claim.text, claim.replaced) for claim in found.claims] == [
            (SECOND.text, ("It was arson.", "arson, then"))
        ]


def test_the_premise_holds_title_and_text_before():
    """So that a claim may say what `it` is; the sentence itself is never asked about."""
    scorer = WordScorer()
    keep_entailed((extracted(SECOND, "The mill burnt down.", own=True),), WINDOW, EntailmentGuard(scorer))
    assert scorer.pairs == [("News. The mill is old. It burnt down in March, the police said.", "The mill burnt down.")]
    assert premise_of(extracted(FIRST, "x"), Window(title="", before=(), sentences=(FIRST,))) == "The mill is old."


def test_nothing_to_ask_asks_nothing():
    scorer = WordScorer()
    assert keep_entailed((), WINDOW, EntailmentGuard(scorer)) == ()
    assert scorer.pairs == []


def test_a_recorded_guard_stops_what_was_stopped():
    """A replay comes to the same claims without a model."""
    before = (extracted(SECOND, "The mill burnt down.", "It was arson."),)
    found = keep_entailed(before, WINDOW, EntailmentGuard(WordScorer()))
    stopped = [(SECOND.text, text) for one in found for claim in one.claims for text in claim.replaced]
    assert keep_entailed(before, WINDOW, RecordedGuard("x", stopped)) == found
    elsewhere = [("Another sentence.", text) for _, text in stopped]
    assert keep_entailed(before, WINDOW, RecordedGuard("x", elsewhere)) == before


def test_what_the_guard_of_words_stopped_is_still_told():
    """What this one stops is added to it."""
    (one,) = (extracted(SECOND, "It was arson.", own=True),)
    claims = tuple(
        claim.model_copy(update={"replaced": ("First.",)} if claim.is_sentence else {}) for claim in one.claims
    )
    (found,) = keep_entailed((one._replace(claims=claims),), WINDOW, EntailmentGuard(WordScorer()))
    assert found.claims[-1].replaced == ("First.", "It was arson.")


def test_a_guard_that_cannot_read_makes_a_failure_not_a_claim():
    """The sentence is in the ledger as failed, with the reason; one that asked for nothing stays."""

    class Broken(WordScorer):
        def score(self, pairs):
            return np.full((len(pairs), 3), np.nan, np.float32)

    kept = Extracted(extracted(FIRST).entry, ())
    first, second = keep_entailed((kept, extracted(SECOND, "It was arson.")), WINDOW, EntailmentGuard(Broken()))
    assert first == kept
    assert (second.entry.status, second.claims) == (SentenceStatus.FAILED, ())
    assert "no probabilities" in second.entry.reason
