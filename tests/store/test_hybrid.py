"""The store on disk: locks, crashes, mends (see test_contract.py for what all stores do)."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import pytest

from agent.domain import Document, SourceKind, Span, short_hash, text_sha256
from agent.errors import InputError, StoreError
from agent.store.base import TimeLimit
from agent.store.hybrid import AddReport, Store, rebuild_store
from agent.store.memory import HashEmbedder, MemoryStore
from tests.store.sources import ITEMS, item_of

ANY = TimeLimit()
EMBEDDER = HashEmbedder(dimension=64)
N_PASSAGES = sum(len(passages) for _, passages in ITEMS)


class CountingEmbedder(HashEmbedder):
    """Counts how often each text was embedded."""

    def __init__(self):
        super().__init__(dimension=64)
        self.seen = Counter()

    def embed(self, texts):
        self.seen.update(texts)
        return super().embed(texts)


@pytest.fixture
def folder(tmp_path):
    """Folder of a store with four documents, closed."""
    with Store.open(tmp_path / "a" / "store", EMBEDDER, write=True, create=True) as store:
        store.add(ITEMS)
    return tmp_path / "a" / "store"


def test_a_closed_store_opens_again_with_the_same_content(folder):
    """What was written is there after closing, for readers and for the next writer."""
    expected = MemoryStore(ITEMS, embedder=EMBEDDER).snapshot()
    for write in (False, True):
        with Store.open(folder, EMBEDDER, write=write) as store:
            assert store.snapshot() == expected
            assert len(store.search_dense("bridge", limit=5, when=ANY)) == 5


def test_adding_tells_what_became_of_each_document(folder):
    """New, unchanged and replaced documents are counted, and every passage is reported as done."""
    done = []
    items = [ITEMS[0], item_of("grain", "Grain got cheaper. Nobody knew why."), item_of("new", "One. Two. Three.")]
    with Store.open(folder, EMBEDDER, write=True) as store:
        report = store.add(items, progress=done.append)
    assert report == AddReport(added=1, unchanged=1, replaced=1)
    assert sum(done) == sum(len(passages) for _, passages in items)


def test_unchanged_documents_are_not_embedded_again(folder):
    """The same again costs no embedding, and a query is embedded once."""
    embedder = CountingEmbedder()
    with Store.open(folder, embedder, write=True) as store:
        store.add(ITEMS)
        assert not embedder.seen
        for _ in range(3):
            store.search_dense("the same query", limit=2, when=ANY)
    assert embedder.seen == {"the same query": 1}


def test_one_id_twice_in_one_call_ends_with_the_last(tmp_path):
    """Later items win, as if they had come in another call."""
    items = [item_of("x", "First text."), item_of("x", "Other text.")]
    with Store.open(tmp_path, EMBEDDER, write=True, create=True) as store:
        assert store.add(items) == AddReport(added=1, replaced=1)
        assert store.list() == ((items[1][0], 1),)


def test_many_documents_are_written_in_batches(tmp_path):
    """More passages than one batch holds all arrive."""
    items = [item_of(f"doc {n}", " ".join(f"Sentence {n} {m}." for m in range(40))) for n in range(15)]
    with Store.open(tmp_path, EMBEDDER, write=True, create=True) as store:
        assert store.add(iter(items)).added == len(items)
        assert store.check().ok


def test_a_document_without_passages_is_kept(tmp_path):
    """A document need not have passages."""
    document = item_of("x", "Text.")[0]
    with Store.open(tmp_path, EMBEDDER, write=True, create=True) as store:
        store.add([(document, ())])
        assert store.list() == ((document, 0),)
        assert store.check().ok


def test_a_passage_that_is_no_slice_is_refused(folder):
    """Nothing is written of a passage whose text is not in its document."""
    document, (passage, *_) = ITEMS[0]
    wrong = passage.model_copy(update={"span": Span(start=1, end=passage.span.end + 1)})
    with Store.open(folder, EMBEDDER, write=True) as store:
        before = store.snapshot()
        with pytest.raises(InputError, match="not a slice"):
            store.add([(document, (wrong,))])
        with pytest.raises(InputError, match="surrogates"):
            store.add([(item_of("x", "ok")[0].model_copy(update={"text": "\ud800"}), ())])
        assert store.snapshot() == before


@pytest.mark.parametrize("write", [False, True])
def test_a_missing_store_says_how_to_make_one(tmp_path, write):
    """No folder is made by opening a store that does not exist."""
    with pytest.raises(StoreError, match=r"no store at '.*gone'.*factdesk store add PATH"):
        Store.open(tmp_path / "gone", EMBEDDER, write=write)
    assert not (tmp_path / "gone").exists()


def test_an_empty_store_cannot_be_read(tmp_path):
    """A reader of an empty store is told so rather than finding nothing; a writer may open it."""
    for _ in range(2):
        with Store.open(tmp_path, EMBEDDER, write=True, create=True) as store:
            assert store.list() == ()
    with pytest.raises(StoreError, match=r"is empty.*store add"):
        Store.open(tmp_path, EMBEDDER)


def test_creating_needs_writing(tmp_path):
    """Asking to create a store that is only read is a mistake of the caller."""
    with pytest.raises(ValueError, match="write=True"):
        Store.open(tmp_path, EMBEDDER, create=True)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    """A file in the place of the folder is a StoreError with the cure."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"store '.*file' cannot be written to.*--store"):
        Store.open(tmp_path / "file", EMBEDDER, write=True, create=True)


def test_another_embedder_is_refused(folder):
    """Both embedders are named, with the cure; the lock is free afterwards."""
    for write in (False, True):
        with pytest.raises(StoreError, match=r"'hash:64' \(64 dimensions\), not 'hash:8' \(8\).*--store"):
            Store.open(folder, HashEmbedder(dimension=8), write=write)
    with Store.open(folder, EMBEDDER, write=True):
        pass


def test_a_second_writer_is_refused_and_readers_are_not(folder):
    """One writer at a time; when it closes, the next may come."""
    with Store.open(folder, EMBEDDER, write=True):
        with pytest.raises(StoreError, match=r"store '.*store' is being written to.*wait"):
            Store.open(folder, EMBEDDER, write=True)
        with Store.open(folder, EMBEDDER) as reader:
            assert len(reader.list()) == len(ITEMS)
    with Store.open(folder, EMBEDDER, write=True) as store:
        store.remove(ITEMS[0][0].id)


def test_a_reader_cannot_write(folder):
    """Writing needs the lock, so a store that was opened to read refuses."""
    with Store.open(folder, EMBEDDER) as store:
        for write in (lambda: store.add(ITEMS), lambda: store.remove(ITEMS[0][0].id), store.rebuild):
            with pytest.raises(StoreError, match="open to read only"):
                write()


def test_passages_lost_from_the_dense_index_are_healed(folder):
    """A crash between record and index: the next writer adds what is missing from the stored vectors."""
    lost = [passage.id for passage in ITEMS[0][1]]
    embedder = CountingEmbedder()
    with Store.open(folder, embedder, write=True) as store:
        store._dense.remove(lost)
        assert not store._dense.ids() & set(lost)
    with Store.open(folder, embedder, write=True) as store:
        assert store._dense.ids() >= set(lost)
        assert store.check().ok
    assert not embedder.seen


def test_a_crash_before_the_index_is_written_is_finished_by_the_next_writer(folder):
    """A replaced text of the same length has the same ids: the pending list knows it is not in the index yet."""
    item = item_of("bridge", ITEMS[0][0].text.replace("bridge", "museum"), published="2016-05-02")
    with Store.open(folder, EMBEDDER, write=True) as store:
        store._record.put(store._embed([item], lambda _: None))
    with Store.open(folder, EMBEDDER, write=True) as store:
        assert store._record.pending() == []
        nearest = store._dense.query(EMBEDDER.embed(["The museum at Velm was closed for repairs."])[0], 1)
        assert nearest == (item[1][0].id,)


def test_a_check_finds_and_a_writer_mends(folder):
    """A reader's check names what is lost and what is too much; a writer's check puts both right."""
    lost = ITEMS[0][1][0].id
    with Store.open(folder, EMBEDDER, write=True) as store:
        store._dense.remove([lost])
        store._dense.add(["stray"], EMBEDDER.embed(["stray"]))
    with Store.open(folder, EMBEDDER) as store:
        report = store.check()
        assert not report.ok
        assert f"passage {lost!r} is not in the dense index" in report.problems
        assert "'stray'" in str(report)
        assert str(report).splitlines()[-1] == "mend this with `factdesk store rebuild`"
        assert store.search_dense("bridge closed repairs", limit=1, when=ANY)
    with Store.open(folder, EMBEDDER, write=True) as store:
        report = store.check()
        assert (report.ok, report.healed, report.documents, report.passages) == (True, 2, len(ITEMS), N_PASSAGES)
        assert str(report) == (
            f"{len(ITEMS)} documents, {N_PASSAGES} passages, {N_PASSAGES} of them searched for, 2 put right in the dense"
            " index: all found again"
        )


def test_a_check_says_how_many_passages_of_a_large_store_it_searched_for(tmp_path):
    """All are looked for by id; a search for each would take hours."""
    items = [item_of(f"doc {n}", f"House {n} has {n} windows.") for n in range(250)]
    with Store.open(tmp_path, EMBEDDER, write=True, create=True) as store:
        store.add(items)
        assert str(store.check()) == "250 documents, 250 passages, 50 of them searched for: all found again"


def test_a_check_finds_a_vector_that_is_not_the_passages_own(folder):
    """The same ids with other vectors: only searching for itself shows it."""
    with Store.open(folder, EMBEDDER, write=True) as store:
        ids = store._record.passage_ids()
        crowd = [f"crowd {n}" for n in range(60)]
        first, vectors = store._record.vectors(ids[:1], when=ANY)
        store._dense.remove(first)
        store._dense.add(first, -vectors)
        store._dense.add(crowd, np.repeat(np.ones((1, 64), dtype=np.float32), len(crowd), axis=0))
        assert any("own vector" in problem for problem in store._lost_in_search(ids))
        store.rebuild()
        assert store.check().ok


class SmallSteps(Store):
    """Puts the dense index in step two vectors at a time."""

    synced_at_once = 2


class KilledError(Exception):
    """Stands for the end of the process."""


class Dying:
    """A dense index that takes so many calls of `add`, notes how long each is, and then dies."""

    def __init__(self, index, calls):
        self._index = index
        self._calls = calls
        self.added = []

    def __getattr__(self, name):
        return getattr(self._index, name)

    def add(self, ids, vectors):
        if len(self.added) == self._calls:
            raise KilledError
        self.added.append(len(ids))
        self._index.add(ids, vectors)


def test_a_rebuild_goes_through_the_vectors_in_steps(folder):
    """So that a large store needs no more memory than a small one; all are found afterwards."""
    with SmallSteps.open(folder, EMBEDDER, write=True) as store:
        store._dense = Dying(store._dense, calls=N_PASSAGES)
        assert store.rebuild() == N_PASSAGES
        assert store._dense.added == [2] * (N_PASSAGES // 2) + [1] * (N_PASSAGES % 2)
        assert store.check().ok


def test_a_rebuild_that_was_killed_goes_on_where_it_was(folder):
    """What a step has done is settled, and the next writer does the rest alone."""
    with SmallSteps.open(folder, EMBEDDER, write=True) as store:
        store._dense = Dying(store._dense, calls=1)
        with pytest.raises(KilledError):
            store.rebuild()
        assert store._dense.count() == 2
        assert len(store._record.pending()) == N_PASSAGES - 2
        assert not store._dense.ids() & set(store._record.pending())
    with Store.open(folder, EMBEDDER, write=True) as store:
        assert store._record.pending() == []
        assert store.check().ok


@pytest.mark.parametrize("damage", ["garbage", "gone"])
def test_a_broken_index_is_made_anew_from_the_record(folder, damage):
    """Whatever became of the dense index, rebuilding needs the record alone and embeds nothing."""
    files = sorted((folder / "chroma").rglob("*"), reverse=True)
    for path in files:
        if path.is_dir():
            path.rmdir()
        elif damage == "garbage" and path.name == "chroma.sqlite3":
            path.write_bytes(b"garbage" * 1000)
        else:
            path.unlink()
    with pytest.raises(StoreError, match="store rebuild"):
        Store.open(folder, EMBEDDER)
    embedder = CountingEmbedder()
    assert rebuild_store(folder, embedder) == N_PASSAGES
    assert not embedder.seen
    with Store.open(folder, EMBEDDER) as store:
        assert store.check().ok


def test_a_broken_record_is_named(folder):
    """A record that cannot be read is named with the cure, and the lock is free afterwards."""
    (folder / "record.sqlite").write_bytes(b"garbage" * 1000)
    for open_it in (lambda: Store.open(folder, EMBEDDER, write=True), lambda: Store.open(folder, EMBEDDER)):
        with pytest.raises(StoreError, match=r"record\.sqlite.*restore"):
            open_it()


def test_a_search_widens_until_enough_may_be_seen(tmp_path):
    """When the nearest passages are all too late, those further away that may be seen are still found."""
    late = [item_of(f"late {n}", f"Bridge closed repairs {n}.", published="2020") for n in range(120)]
    early = [item_of(f"early {n}", f"Bridge {n} and other things like boats.", published="2010") for n in range(4)]
    with Store.open(tmp_path, EMBEDDER, write=True, create=True) as store:
        store.add([*late, *early])
        found = store.search_dense("bridge closed repairs", limit=3, when=TimeLimit(as_of=date(2015, 1, 1)))
        expected = MemoryStore(early, embedder=EMBEDDER).search_dense("bridge closed repairs", limit=3, when=ANY)
    assert found == expected


def test_searches_from_many_threads_agree(folder):
    """Threads get what one thread gets."""
    with Store.open(folder, EMBEDDER) as store, ThreadPoolExecutor(8) as pool:
        expected = store.search_dense("ferry", limit=3, when=ANY), store.search_lexical("ferry", limit=3, when=ANY)
        jobs = [(pool.submit(store.search_dense, "ferry", limit=3, when=ANY), expected[0]) for _ in range(20)] + [
            (pool.submit(store.search_lexical, "ferry", limit=3, when=ANY), expected[1]) for _ in range(20)
        ]
        assert all(job.result() == result for job, result in jobs)


def test_an_undated_copy_does_not_hide_a_dated_page(tmp_path):
    """Of documents named by their text what is known is kept, whichever was added first; a given id means what it says."""
    text = "The bridge at Velm was closed."
    fields = {"text": text, "sha256": text_sha256(text)}
    bare = Document(id=short_hash("document", fields["sha256"]), **fields)
    known = {"published": "2016", "publisher": "Courier", "url": "https://courier.example/1", "kind": SourceKind.WIRE}
    page = bare.model_copy(update=known)
    for number, (first, second) in enumerate([(bare, page), (page, bare)]):
        with Store.open(tmp_path / str(number), EMBEDDER, write=True, create=True) as store:
            store.add([(first, ())])
            store.add([(second, ())])
            assert store.documents([bare.id]) == {bare.id: page}
            own = page.model_copy(update={"id": "own"})
            store.add([(own, ())])
            store.add([(own.model_copy(update={"published": None}), ())])
            assert store.documents(["own"])["own"].published is None
