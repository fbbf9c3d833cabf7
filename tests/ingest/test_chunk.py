"""Cutting: passages are exact slices of whole sentences, about 90 words long, and nothing is left out."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Anchor
from agent.ingest.chunk import cut_passages
from agent.ingest.read import read_document
from tests.build import document
from tests.ingest.files import pdf_of


def sentences(count, words=20):
    return " ".join(f"Number {number} " + "word " * (words - 3) + "end." for number in range(count))


def test_short_document_is_one_passage():
    """What fits into a passage stays whole, without the white space around it."""
    passages = cut_passages(document("\n  It rained. All day.\n\nThen it stopped. \n"))
    assert [passage.text for passage in passages] == ["It rained. All day.\n\nThen it stopped."]
    assert passages[0].span.start == 3


def test_blank_document_has_no_passage():
    """White space alone gives nothing."""
    assert cut_passages(document(" \n\n\t ")) == ()


def test_windows_overlap_by_one_sentence():
    """A long document is cut into windows of about 90 words, the last sentence of one being the first of the next."""
    passages = cut_passages(document(sentences(20)))
    lengths = [len(passage.text.split()) for passage in passages]
    assert all(80 <= length <= 120 for length in lengths[:-1])
    assert all(passage.text.startswith("Number") and passage.text.endswith("end.") for passage in passages)
    for before, after in itertools.pairwise(passages):
        assert before.text.rsplit("Number", 1)[1].split()[0] == after.text.split()[1]


def test_no_passage_holds_nothing_new():
    """The last window is not a mere repetition."""
    for count in range(1, 30):
        spans = [passage.span for passage in cut_passages(document(sentences(count)))]
        assert all(after.end > before.end for before, after in itertools.pairwise(spans))


def test_long_sentences_do_not_overlap():
    """Where a sentence fills a passage nearly by itself, windows follow each other without overlap."""
    passages = cut_passages(document(sentences(3, words=100)))
    assert [len(passage.text.split()) for passage in passages] == [100, 100, 100]


def test_huge_sentence_is_cut_at_white_space():
    """A sentence that fits into no passage is cut between words, a word that does not anywhere."""
    text = "word " * 1000 + "x" * 3000
    passages = cut_passages(document(text))
    assert all(len(passage.text) <= 1200 and len(passage.text.split()) <= 120 for passage in passages)
    assert all(set(passage.text.split()) <= {"word"} or set(passage.text) == {"x"} for passage in passages[:-4])
    assert not set(text) - set("".join(passage.text for passage in passages)) - {" "}


def test_pages_are_kept_apart():
    """No passage reaches from one page of a PDF to another."""
    found = read_document(None, data=pdf_of("The bridge is closed.", "It rained all day."), name="a.pdf")
    assert [passage.text for passage in cut_passages(found)] == ["The bridge is closed.", "It rained all day."]


def test_anchor_at_the_end():
    """An anchor behind the text does no harm."""
    assert len(cut_passages(document("It rained.", anchors=(Anchor(name="page 2", start=10),)))) == 1


def test_ids_are_derived():
    """The same document gives the same passages, all of them with ids of their own."""
    passages = cut_passages(document(sentences(20)))
    assert passages == cut_passages(document(sentences(20)))
    assert len({passage.id for passage in passages}) == len(passages)


def test_hostile_text_is_cut_in_linear_time():
    """Long runs of punctuation, for which the sentence splitter needs quadratic time, are no trouble."""
    assert cut_passages(document("!?" * 100_000))


PIECES = st.sampled_from(
    ["a", "Word.", "Dr. ", " ", "\n", "\n\n", "x" * 130, "\u2028", "\x85", "?! ", '"', "It is so. " * 9]
)


@given(st.lists(PIECES | st.text(max_size=20), max_size=60).map("".join), st.data())
def test_every_word_is_in_a_passage(text, data):
    """Passages are slices in ascending order, tight, bounded, on one page, and leave out white space alone."""
    starts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=3)))
    source = document(text, anchors=tuple(Anchor(name=f"page {start}", start=start) for start in starts))
    covered = 0
    for passage in cut_passages(source):
        start, end = passage.span.start, passage.span.end
        assert passage.text == text[start:end] == passage.text.strip()
        assert len(passage.text) <= 1200
        assert not text[covered : max(start, covered)].strip()
        assert end > covered
        assert not any(start < anchor < end for anchor in starts)
        covered = end
    assert not text[covered:].strip()
