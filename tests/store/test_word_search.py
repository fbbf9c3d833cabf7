"""The search by words looks at the best matches only, and finds what looking at all of them would."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import date

import numpy as np
import pytest

from agent.domain import Document, text_sha256
from agent.ingest.chunk import cut_passages
from agent.store.base import TimeLimit
from agent.store.lexical import Asked, Bounds, best_matches
from agent.store.record import Entry, RecordStore

LIMITS = (
    TimeLimit(undated="keep"), TimeLimit(as_of=date(2015, 6, 1), undated="drop"),
    TimeLimit(as_of=date(2011, 6, 1), undated="keep"),
)  # fmt: skip


def documents(count):
    dice = random.Random(4)
    for number in range(count):
        words = dice.choices(
            ["mill", "flour", "river", "town", "bridge", "fire", "quay", "toll"], k=dice.choice((2, 3, 9))
        )
        text = " ".join(words + ["lighthouse"] * (number % 30 == 7) + ["signal"] * (number % 40 == 7))
        day = f"{dice.randint(2010, 2020)}-03-01" if number % 5 else None
        yield Document(id=f"d{number}", text=text, published=day, sha256=text_sha256(text))


def entries_of(count):
    for document in documents(count):
        passages = tuple(cut_passages(document))
        yield Entry(document, passages, np.ones((len(passages), 2), dtype=np.float32))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = RecordStore(tmp_path_factory.mktemp("words") / "record.sqlite", write=True, made_with=("e:2", 2))
    with closing(made):
        made.put(list(entries_of(600)))
        yield made


def looking_at(store, **bounds):
    """The same file, of which a search looks at so much."""
    narrow = type("Narrow", (RecordStore,), {"bounds": Bounds(**bounds)})
    return closing(narrow(store.path))


class Watched(RecordStore):
    """Calls `watch` after its first count of a word."""

    watch = None

    def _rows(self, sql, values=None):
        rows = super()._rows(sql, values)
        if self.watch and "count(*) FROM words" in sql:
            watch, self.watch = self.watch, None
            watch()
        return rows


@pytest.mark.parametrize("limit", [1, 7, 40, 1000])
@pytest.mark.parametrize("when", LIMITS)
@pytest.mark.parametrize("text", ["mill", "the flour of the mill", "a fire at the quay by the river", "nothing of it"])
def test_a_few_looked_at_give_what_all_would(store, text, when, limit):
    """Whatever is asked for, however many have equal scores and however few may be seen."""
    everything = store.search(text, limit=limit, when=when)
    with looking_at(store, looked_at=3, wider=2) as narrow:
        assert narrow.search(text, limit=limit, when=when) == everything
    allowed = [one for one in documents(600) if when.allows(one) and set(one.text.split()) & set(text.split())]
    assert len(everything) == min(limit, len(allowed))


@pytest.mark.parametrize("limit", [1, 7, 40])
@pytest.mark.parametrize("when", LIMITS)
def test_a_frequent_word_adds_to_the_score_of_what_a_rare_one_led_to(store, when, limit):
    """In a large store: the order of those with a rare word is that of a search that looks at all."""
    text = "the lighthouse by the river mill, beside the signal"
    everything = store.search(text, limit=1000, when=when)
    led_to = [one for one in everything if {"lighthouse", "signal"} & set(one.text.split())]
    with looking_at(store, scored=5) as narrow:
        found = narrow.search(text, limit=limit, when=when)
    assert list(found[: len(led_to)]) == led_to[:limit]


def test_what_has_frequent_words_alone_is_not_looked_at_where_there_are_enough(store):
    """Else a search would read a tenth of every store; what matches best without a rare word is lost for it."""
    terms, limits = ("lighthouse", "signal", "mill"), store._limits(LIMITS[0])
    asked = []

    def read(sql, values):
        asked.append(values)
        return store._rows(sql, values)

    found = best_matches(read, Asked(terms, 20, limits, Bounds(scored=5)), {})
    assert found == best_matches(store._rows, Asked(terms, 20, limits), {})
    assert [values["without"] for values in asked if "without" in values] == ['("signal" OR "lighthouse") NOT ("mill")']


@pytest.mark.parametrize("when", LIMITS)
def test_what_has_frequent_words_alone_is_found_when_there_is_nothing_better(store, when):
    """None is lost: with too few for the rare word the search goes on to the others."""
    everything = store.search("lighthouse river mill", limit=1000, when=when)
    with looking_at(store, scored=5) as narrow:
        assert narrow.search("lighthouse river mill", limit=1000, when=when) == everything


def test_a_store_that_changes_meanwhile_is_searched_as_it_was(tmp_path):
    """Counting the words and looking for them is reading one state of the file."""
    place = tmp_path / "record.sqlite"
    with closing(RecordStore(place, write=True, made_with=("e:2", 2))) as writer:
        entries = list(entries_of(20))
        writer.put(entries)
        before = writer.search("mill river", limit=20, when=LIMITS[0])
        assert before
        with closing(Watched(place)) as reader:
            reader.watch = lambda: [writer.remove(entry.document.id) for entry in entries]
            assert reader.search("mill river", limit=20, when=LIMITS[0]) == before
            assert reader.search("mill river", limit=20, when=LIMITS[0]) == ()


@pytest.mark.parametrize("same_process", [True, False])
def test_a_word_that_nothing_had_is_found_once_something_has_it(tmp_path, same_process):
    """How many passages have a word is remembered only until the file changes, whoever changes it."""
    place = tmp_path / "record.sqlite"
    first, second = entries_of(2)
    with closing(RecordStore(place, write=True, made_with=("e:2", 2))) as writer, closing(RecordStore(place)) as other:
        reader = writer if same_process else other
        writer.put([first])
        assert reader.search("chandlery", limit=5, when=LIMITS[0]) == ()
        text = "The chandlery burnt."
        document = second.document.model_copy(update={"text": text, "sha256": text_sha256(text)})
        writer.put([Entry(document, passages := tuple(cut_passages(document)), second.vectors)])
        assert reader.search("chandlery", limit=5, when=LIMITS[0]) == passages


def test_very_many_words_asked_for_are_not_all_remembered(store):
    """A server that answers for months keeps no word of every question."""
    with looking_at(store, counts_kept=10) as narrow:
        counts = narrow._kept("passages with a word", dict)
        for number in range(40):
            narrow.search(f"mill word{number}", limit=5, when=LIMITS[0])
            assert len(counts) <= 10 + 2
        assert narrow.search("mill", limit=5, when=LIMITS[0])
