"""The SQLite record by itself."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date

import numpy as np
import pytest

from agent.domain import SourceKind
from agent.errors import StoreError
from agent.store.base import TimeLimit
from agent.store.memory import HashEmbedder
from agent.store.record import Entry, RecordStore
from tests.store.sources import ITEMS, item_of

ANY = TimeLimit()
EMBEDDER = HashEmbedder(dimension=16)


def entry_of(item):
    """A document as the record takes it."""
    return Entry(*item, EMBEDDER.embed([passage.text for passage in item[1]]))


@pytest.fixture
def path(tmp_path):
    """Path of a record with four documents, closed."""
    path = tmp_path / "record.sqlite"
    with closing(RecordStore(path, write=True, made_with=(EMBEDDER.id, EMBEDDER.dimension))) as record:
        record.put([entry_of(item) for item in ITEMS])
    return path


def test_what_goes_in_comes_out(path):
    """Documents, passages, vectors and the names in `meta` survive closing."""
    with closing(RecordStore(path)) as record:
        assert (record.embedder_id, record.dimension) == (EMBEDDER.id, EMBEDDER.dimension)
        assert len(record.store_id) == 16
        assert record.counts() == (len(ITEMS), sum(len(passages) for _, passages in ITEMS))
        for item in ITEMS:
            ids = [passage.id for passage in item[1]]
            assert record.documents([item[0].id]) == {item[0].id: item[0]}
            assert record.passages(ids) == record.passages_of(item[0].id) == item[1]
            held, vectors = record.vectors(ids, when=ANY)
            assert dict(zip(held, vectors.tolist(), strict=True)) == dict(
                zip(ids, entry_of(item).vectors.tolist(), strict=True)
            )


def test_provenance_is_in_columns_too(path):
    """A date is kept as the number of its last possible day, beside publisher and kind."""
    item = item_of("ngo", "A report.", published="2016-02", publisher="Relief", kind=SourceKind.NGO)
    with closing(RecordStore(path, write=True)) as record:
        record.put([entry_of(item)])
    with closing(sqlite3.connect(path)) as db:
        row = db.execute("SELECT published, publisher, kind FROM documents WHERE id = ?", (item[0].id,)).fetchone()
    assert row == (20160229, "Relief", "ngo")


def test_more_ids_than_one_statement_holds(path):
    """Long lists of ids are asked for in parts, and the order of the question is kept."""
    known = [passage.id for _, passages in ITEMS for passage in passages]
    with closing(RecordStore(path)) as record:
        asked = [f"unknown {n}" for n in range(1200)]
        found = record.passages([known[-1], *asked, *known[:-1]])
    assert [passage.id for passage in found] == [known[-1], *known[:-1]]


def test_a_failed_write_leaves_nothing_behind(path):
    """A batch is written as a whole: when its last document fails, its first is not there either."""
    good = entry_of(item_of("new", "A new text."))
    with closing(RecordStore(path, write=True)) as record:
        before = record.snapshot()
        clash = Entry(ITEMS[1][0].model_copy(update={"id": "other"}), ITEMS[0][1], entry_of(ITEMS[0]).vectors)
        with pytest.raises(StoreError, match="UNIQUE"):
            record.put([good, clash])
        assert record.snapshot() == before
        assert record.damage() == []


def test_a_reader_cannot_write_and_sees_what_a_writer_adds(path):
    """The snapshot that a reader has kept is made anew when another connection writes."""
    with closing(RecordStore(path)) as reader, closing(RecordStore(path, write=True)) as writer:
        before = reader.snapshot()
        assert reader.snapshot() == before
        with pytest.raises(StoreError, match="readonly"):
            reader.remove(ITEMS[0][0].id)
        writer.remove(ITEMS[0][0].id)
        assert reader.snapshot() == writer.snapshot() != before


def test_changed_passages_are_pending_until_settled(path):
    """New and removed passages are both listed until the dense index has them."""
    removed = {passage.id for passage in ITEMS[0][1]}
    with closing(RecordStore(path, write=True)) as record:
        record.settle(record.pending())
        record.remove(ITEMS[0][0].id)
        assert set(record.pending()) == removed
        record.settle(removed)
        assert record.pending() == []


def test_a_word_index_without_a_passage_is_found_and_mended(path):
    """A missing row of the lexical index is named, and making it anew mends it."""
    lost = ITEMS[0][1][0]
    with closing(RecordStore(path, write=True)) as record:
        with record._transaction() as db:
            db.execute(
                """INSERT INTO words (words, rowid, title, text)
                SELECT 'delete', number, title, text FROM passage_words WHERE text = ?""",
                (lost.text,),
            )
        assert record.damage() == [f"passage {lost.id!r} is not in the lexical index"]
        record.rebuild_words()
        assert record.damage() == []
        assert record.search("closed repairs", limit=1, when=ANY) == (lost,)


@pytest.mark.parametrize("write", [True, False])
def test_a_file_that_is_no_database_is_named_with_the_cure(tmp_path, write):
    """A broken file is a StoreError with its path and what to do."""
    path = tmp_path / "record.sqlite"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match=r"record\.sqlite.*not a database.*store rebuild.*restore"):
        RecordStore(path, write=write)


def test_a_damaged_page_is_named(path):
    """Damage inside the file shows as a StoreError with the path, at the latest in a check."""
    data = bytearray(path.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    data[page * 2 : page * 12] = b"\xff" * page * 10
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"record\.sqlite.*store rebuild"):
        _read_all(path)


def _read_all(path):
    with closing(RecordStore(path)) as record:
        record.passage_ids()
        tuple(record.listing())


def test_another_database_is_no_record(tmp_path):
    """A database without our tables is refused."""
    path = tmp_path / "record.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE other (x)")
    with pytest.raises(StoreError, match=r"not a store record.*store add"):
        RecordStore(path)


def test_a_newer_version_is_refused(path):
    """A record of a later schema asks for a newer factdesk."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99.*newer factdesk"):
        RecordStore(path)


def test_searches_from_many_threads_agree(path):
    """Threads take turns: each gets what one thread would get."""
    with closing(RecordStore(path)) as record, ThreadPoolExecutor(8) as pool:
        expected = record.search("bridge ferry", limit=5, when=ANY)
        searches = [pool.submit(record.search, "bridge ferry", limit=5, when=ANY) for _ in range(40)]
        assert all(search.result() == expected for search in searches)


def test_scanning_gives_every_vector_once(path):
    """A scan goes through all passages that may be seen."""
    with closing(RecordStore(path)) as record:
        parts = list(record.scan(when=ANY))
        assert sorted(id_ for ids, _ in parts for id_ in ids) == record.passage_ids()
        assert np.concatenate([vectors for _, vectors in parts]).shape == (record.counts()[1], EMBEDDER.dimension)


def test_how_many_may_be_seen_follows_the_file(path):
    """The count is kept for a limit, and counted anew when another process has written."""
    late, early = (TimeLimit(as_of=date(year, 1, 1)) for year in (2017, 2015))
    with closing(RecordStore(path)) as reader, closing(RecordStore(path, write=True)) as writer:
        before = [reader.count_seen(when=when) for when in (ANY, late, early)]
        assert [reader.count_seen(when=when) for when in (ANY, late, early)] == before
        writer.put([entry_of(new := item_of("ngo", "A report.", published="2016-02"))])
        assert [reader.count_seen(when=when) for when in (ANY, late, early)] == [
            before[0] + 1,
            before[1] + 1,
            before[2],
        ]
        assert writer.remove(new[0].id)
        assert [reader.count_seen(when=when) for when in (ANY, late, early)] == before
