"""Articles of many kinds: whatever the text, every sentence is accounted for and every claim has its place in it."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain import SentenceStatus
from agent.ingest.read import read_document
from agent.pipeline import verify_text
from agent.stages.sentences import split_sentences
from tests.build import document
from tests.desk import fake_desk

KINDS = sorted((Path(__file__).parents[1] / "seeds" / "kinds" / "articles").iterdir())
WORDS = st.sampled_from([
    "The mill", "in Norvik", "burnt down.", "He said", "“Never!”", "3.5 km", "on 4 March 2019", "U.S. troops", "\n\n",
    "- item", "| a | b |", "> quoted", "# Head", "Dr. Lorca", "?", "...", "\u202e", "これは文です。", "Q:", "e.g.", "(see p. 5)",
])  # fmt: skip
TEXTS = st.lists(WORDS | st.text(max_size=12), min_size=1, max_size=40).map(" ".join).filter(str.strip)


def run(folder, article, **options):
    with fake_desk(folder, article=article, **options) as (given_article, run, deps, _):
        return asyncio.run(verify_text(given_article, run, deps))


def assert_sound(result):
    """Spans tile the text in order, ids are those of the ledger, each claim lies in its sentence and has an outcome."""
    text, entries = result.article.text, result.ledger.entries
    assert [entry.sentence.index for entry in entries] == list(range(len(entries)))
    at = 0
    for entry in entries:
        span = entry.sentence.span
        assert not text[at : span.start].strip()
        assert text[span.start : span.end] == entry.sentence.text
        assert entry.reason or entry.status is SentenceStatus.CHECKED
        at = span.end
    assert not text[at:].strip()
    ids = [key for entry in entries for key in entry.claim_ids]
    assert ids == [claim.id for claim in result.ledger.claims]
    assert len(set(ids)) == len(ids)
    spans = {entry.sentence.index: entry.sentence.span for entry in entries}
    assert all(claim.origin == spans[claim.sentence_index] for claim in result.ledger.claims)
    assert [one.claim.id for one in result.verifications] == ids


@pytest.mark.parametrize("path", KINDS, ids=lambda path: path.name)
def test_no_sentence_of_any_kind_of_article_is_lost(path, tmp_path):
    """Wire report, release, interview, live blog, opinion, table, obituary, corrections, German, speech, history."""
    result = run(tmp_path, read_document(path))
    assert len(result.ledger.entries) >= 9
    assert_sound(result)


def test_there_are_articles_of_ten_kinds():
    """So that nobody deletes them unseen."""
    assert len(KINDS) >= 10


@given(text=TEXTS, size=st.integers(1, 9))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_keeps_the_invariants_of_the_ledger(text, size, tmp_path_factory):
    """And the same text gives the same ledger, whatever the windows were."""
    article = document(text)
    first = run(tmp_path_factory.mktemp("a"), article, script=flawed, sources=(), window=size)
    assert_sound(first)
    whole = run(tmp_path_factory.mktemp("b"), article, script=flawed, sources=(), window=40)
    assert first.ledger == whole.ledger


def flawed(request):
    """A model that answers by the sentence alone: one claim as it stands, one that the article does not carry."""
    if request.schema_name != "extraction":
        return json.dumps({key: {"claims": []} for key in request.json_schema["properties"]})
    rows = re.findall(r"^\[(\d+)\] (.*)$", request.messages[-1].content, re.MULTILINE)
    reply = {}
    for number, text in rows:
        kind = ("event", "quote", "opinion", "ambiguous")[len(text) % 4]
        reply[f"s{number}"] = {"kind": kind, "claims": [text, "Dragons ate 77 dockers."] if kind != "opinion" else []}
    return json.dumps(reply)


def test_the_border_of_a_window_changes_no_claim(tmp_path):
    """The seed's text in windows of every size, with a model that answers by the sentence."""
    article = read_document(Path(__file__).parents[1] / "seeds" / "deir-ez-zor" / "article.txt")
    ledgers = [
        run(tmp_path / str(size), article, script=flawed, sources=(), window=size).ledger for size in (1, 3, 8, 40)
    ]
    assert len(split_sentences(article.text)) == len(ledgers[0].entries)
    assert all(ledger == ledgers[0] for ledger in ledgers)
