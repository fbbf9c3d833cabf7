"""Mending provenance: it shows in every search, costs no embedding, and outlives adding the source again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date

import pytest

from agent.errors import InputError, StoreError
from agent.store.base import TimeLimit
from agent.store.edits import Edit
from agent.store.hybrid import AddReport, Store
from tests.store.sources import ITEMS, item_of
from tests.store.test_hybrid import CountingEmbedder

MAYOR, PASSAGES = ITEMS[2]


@pytest.fixture
def embedder():
    """Counts what it embeds."""
    return CountingEmbedder()


@pytest.fixture
def store(tmp_path, embedder):
    """A store with four documents, open to write."""
    with Store.open(tmp_path / "store", embedder, write=True, create=True) as store:
        store.add(ITEMS)
        yield store


def test_a_date_that_was_mended_lets_the_document_be_found(store, embedder):
    """An undated text is not seen with a day; with its date it is, by words and by meaning, without embedding anew."""
    when = TimeLimit(as_of=date(2015, 1, 1))
    assert store.search_lexical("mayor of Orsk", limit=3, when=when) == ()
    before, embedded = store.snapshot(), embedder.seen.total()
    mended = store.edit(MAYOR.id, Edit(published="2014"))
    assert mended == MAYOR.model_copy(update={"published": "2014"})
    assert store.snapshot() != before
    assert embedder.seen.total() == embedded
    assert {p.document_id for p in store.search_lexical("mayor of Orsk", limit=3, when=when)} == {MAYOR.id}
    assert {p.document_id for p in store.search_dense("mayor of Orsk", limit=3, when=when)} == {MAYOR.id}
    assert store.check().ok


def test_the_words_of_a_new_title_find_it_and_those_of_the_old_do_not(store):
    """The lexical index follows the title."""
    store.edit(MAYOR.id, Edit(title="Quarrel in the town hall"))
    assert {p.document_id for p in store.search_lexical("quarrel", limit=5, when=TimeLimit())} == {MAYOR.id}
    store.edit(MAYOR.id, Edit(title="Calm"))
    assert store.search_lexical("quarrel", limit=5, when=TimeLimit()) == ()


def test_edits_add_up_and_outlive_adding_again(store, tmp_path, embedder):
    """The same source again is unchanged; another text under its id takes the edit over; what was not set is not."""
    store.edit(MAYOR.id, Edit(publisher="Orsk Daily"))
    store.edit(MAYOR.id, Edit(published="2014"))
    assert store.add(ITEMS) == AddReport(unchanged=4)
    store.add([item_of("mayor", "The mayor of Orsk stayed.", publisher="Other", published="2020")])
    found = store.documents([MAYOR.id])[MAYOR.id]
    assert (found.text, found.publisher, found.published) == ("The mayor of Orsk stayed.", "Orsk Daily", "2014")
    assert found.title == MAYOR.title


def test_a_value_can_be_taken_away(store):
    """None is an edit like any other."""
    bridge = ITEMS[0][0]
    store.edit(bridge.id, Edit(published=None))
    assert store.documents([bridge.id])[bridge.id].published is None


def test_removing_a_document_forgets_its_edit(store):
    """Who removes it and adds it again begins anew."""
    store.edit(MAYOR.id, Edit(published="2014"))
    store.remove(MAYOR.id)
    store.add(ITEMS)
    assert store.documents([MAYOR.id])[MAYOR.id] == MAYOR


def test_an_edit_that_breaks_off_leaves_nothing_behind(store, tmp_path):
    """Document and edit are written together or not at all: a later add must not bring half an edit to light."""
    with closing(sqlite3.connect(tmp_path / "store" / "record.sqlite")) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON documents BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        with pytest.raises(StoreError, match="disk is full"):
            store.edit(MAYOR.id, Edit(published="2014"))
        other.execute("DROP TRIGGER full")
    assert store.add(ITEMS) == AddReport(unchanged=4)
    assert store.documents([MAYOR.id])[MAYOR.id] == MAYOR


def test_what_cannot_be_mended(store, tmp_path, embedder):
    """An unknown document, a day that is none, a store open to read; nothing is changed."""
    before = store.snapshot()
    with pytest.raises(StoreError, match="no document 'nothing'.*store list"):
        store.edit("nothing", Edit(title="x"))
    with pytest.raises(InputError, match="'2015-02-30' is no date of the calendar"):
        store.edit(MAYOR.id, Edit(published="2015-02-30"))
    assert store.snapshot() == before
    with Store.open(tmp_path / "store", embedder) as reader, pytest.raises(StoreError, match="read only"):
        reader.edit(MAYOR.id, Edit(title="x"))
