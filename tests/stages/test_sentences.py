"""Splitting: spans are exact, tile the text, and end where a reader would end a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.stages.sentences import split_sentences

ROOT = Path(__file__).parents[2]
ARTICLE = ROOT / "seeds" / "deir-ez-zor" / "article.txt"
GOLD = ROOT / "evals" / "cases" / "deir-ez-zor" / "gold.jsonl"


def texts(text):
    return [sentence.text for sentence in split_sentences(text)]


def test_seed_article():
    """The seed article gives exactly the sixteen sentences of its gold annotation."""
    article = ARTICLE.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in GOLD.read_text(encoding="utf-8").splitlines()]
    gold = sorted({(row["sentence_index"], row["start"], row["end"]) for row in rows})
    found = [(sentence.index, sentence.span.start, sentence.span.end) for sentence in split_sentences(article)]
    assert len(gold) == 16
    assert found == gold


@pytest.mark.parametrize("text", ["", " ", "\n\n\t\r\n"])
def test_nothing(text):
    """White space holds no sentence."""
    assert split_sentences(text) == ()


@pytest.mark.parametrize(
    "sentences",
    [
        ["J. K. Rowling met Dr. A. B. Smith in the U.S. Army base.", "It was 3.5 km away at 5 p.m. Monday."],
        ['"Stop!" he said.', '"Why?" asked Gen. Smith.', "(See p. 5.)", "Then he left."],
        ["He lives in the U.S.", "The U.N. said so.", "No. 5 is in St. Petersburg, e.g. since Jan. 5, 2016."],
        ["Sen. John (R., Tex.) said: “We won.", "They lost.”", "Then… nothing.", "Apple Inc. said so."],
        ["The Lt. Col. Smith, Ph.D., spoke.", "Prof. Dr. Müller agrees.", "The U.S. Central Command denied it."],
        ["Approx. 1,200 died [1].", "Others fled.[2]", "More came.[3][4]", "It ended."],
        ["The war came to Homs.", "The army left Poland.", "15 died so.", "They will.", "It was a bombardment."],
        ["Prices rose 3.5 percent to $1.2 bn.", "What?!", "Visit example.com.", "It began in Sept. 2016."],
        ["He said 'no.'", "She said so (in May).", "It is over."],
        ["Seit dem 29. Juni war sie gesperrt.", "Am 14. Juli 2024 fuhr er.", "It was page 14.", "Then he left."],
        ["これは文です。", "次の文です。"],
    ],
)
def test_boundaries(sentences):
    """Abbreviations, initials, numbers, quotes and note marks do not end a sentence; place names do."""
    joint = "" if sentences[0].endswith("\u3002") else " "
    assert texts(joint.join(sentences)) == sentences


def test_lone_closing_mark_stays_with_its_sentence():
    """A closing mark behind white space is no sentence of its own."""
    assert texts('He left. " Then she did.')[0].startswith("He left.")
    assert '"' not in texts('He left. " Then she did.')


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Bridge closed\n\nIt rained", ["Bridge closed", "It rained"]),
        ("Bridge closed\n \t\nit rained", ["Bridge closed", "it rained"]),
        ("Bridge closed\nBy Ilva Tarn\nVELM - It rained.", ["Bridge closed", "By Ilva Tarn", "VELM - It rained."]),
        ("It rained all\nday. Then it stopped.", ["It rained all\nday.", "Then it stopped."]),
        ("It rained.\nthen it stopped.", ["It rained.", "then it stopped."]),
        ("# Bridge\nclosed for now", ["# Bridge", "closed for now"]),
        ("They sell\n- apples\n- pears\nand plums\n* nuts", ["They sell", "- apples", "- pears\nand plums", "* nuts"]),
        ("1. one\n2) two\n(3) three\na) four", ["1. one", "2) two", "(3) three", "a) four"]),
        ("One\r\ntwo.\r\n\r\nThree.\rFour.\u2028Five.", ["One\r\ntwo.", "Three.", "Four.", "Five."]),
    ],
)
def test_layout(text, sentences):
    """Blank lines, headings, list items and paragraphs end a sentence; a line that goes on in lower case does not."""
    assert texts(text) == sentences


WRAPPED = """\
The ceasefire that had been agreed on by Washington and
Moscow collapsed on Monday, officials said in a letter to
President Bush. He did not answer. The report by Mr.
Smith of the U.N. said that 3.5 million people had left
their homes since the beginning of the year, when
Aleppo fell."""


def test_hard_wrapped_text():
    """In hard-wrapped prose a full line goes on, also before a capital letter."""
    assert [text.split()[0] for text in texts(WRAPPED)] == ["The", "He", "The"]
    assert texts(WRAPPED)[-1].endswith("when\nAleppo fell.")


def test_long_sentence_is_cut():
    """A sentence of more than 2,000 characters is cut at a clause, else at white space, else anywhere."""
    clauses = texts("one two three, " * 400 + "end.")
    assert all(text.endswith((",", "end.")) for text in clauses)
    words = texts("word " * 1000)
    assert {word for text in words for word in text.split()} == {"word"}
    runs = texts("x" * 4500)
    assert [len(text) for text in runs] == [2000, 2000, 500]
    assert all(len(text) <= 2000 for text in clauses + words)


@pytest.mark.parametrize("piece", ["!?", ".)", "[1]", ' "a.', "(", "\n", "a\n", "U.S. ", "A.\n\n"])
def test_hostile_text_takes_linear_time(piece):
    """Repetition of what confuses splitters does not take for ever."""
    assert len(split_sentences(piece * 10_000 + "x")) >= 1


PIECES = st.sampled_from(
    ["Dr. ", "U.S. ", "so. ", "No. 5", "end.", "A", "a", '"', "”", "[1]", ")", " ", "\n", "\n\n", "\r", "\r\n", "\x0b",
     "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u2028", "\u200b", "\ufeff", "- ", "# ", "1. ", "。", "…", "x" * 450,
     "word, " * 400, "!?" * 300]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=10), max_size=40).map("".join))
def test_spans_tile_any_text(text):
    """Spans ascend, are tight, hold their text and leave out white space alone."""
    end = 0
    for index, sentence in enumerate(split_sentences(text)):
        assert sentence.index == index
        assert sentence.text == sentence.span.of(text) == sentence.text.strip()
        assert sentence.span.start >= end
        assert not text[end : sentence.span.start].strip()
        assert 0 < len(sentence.text) <= 2000
        end = sentence.span.end
    assert not text[end:].strip()
