"""The store: a SQLite record with a lexical index, and a dense index in Chroma kept in step with it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from filelock import FileLock, Timeout

from agent.domain import Document, Passage
from agent.errors import InputError, StoreError
from agent.small.base import Embedder, Vectors
from agent.small.titled import TitledEmbedder, passage_text
from agent.store.base import TimeLimit
from agent.store.chroma import Collection, DenseIndex, Place, discard
from agent.store.edits import Edit
from agent.store.record import Entry, RecordStore, fingerprint_of
from agent.store.report import AddReport, CheckReport
from agent.store.writing import Item, batches

_log = logging.getLogger(__name__)

_SYNC_BATCH = 1000
"""New passages that go into the dense index at once: every call costs it some."""
_EMBED_BATCH = 64
"""Passages between two reports of progress."""
_OVERFETCH = 5
_FEWEST, _MOST = 50, 2000
"""Passages asked of the dense index at first and at last."""
_FEW_SEEN = 4096
"""So many passages are compared one by one sooner than the dense index is asked again."""
_QUERIES_KEPT = 64
_SAMPLE = 50
"""Passages that `check` searches for."""
_ANY_TIME = TimeLimit()


class Store:
    """A passage store on disk; open it with `Store.open`. Searches may come from many threads, writes from one."""

    synced_at_once: ClassVar[int] = 5000
    """Vectors in memory while the dense index is put in step; what is killed goes on after those that were done."""

    def __init__(self, record: RecordStore, dense: DenseIndex, embedder: Embedder, *, write: bool) -> None:
        self._record = record
        self._dense = dense
        self._embedder = embedder
        self._write = write
        self._resources = ExitStack()
        self._queries: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        folder: Path,
        embedder: Embedder,
        *,
        chroma_url: str | None = None,
        write: bool = False,
        create: bool = False,
    ) -> Self:
        """Open the store in `folder`, to read or (one process at a time) to write; `create` needs `write`.

        Opening to write puts the dense index in step with the record when a crash left it behind.

        Raises:
            StoreError: there is none, it is empty, broken, made with another embedder, or being written to.
        """
        if create and not write:
            raise ValueError("create=True needs write=True")
        with ExitStack() as stack:
            if write:
                stack.enter_context(_writer_lock(folder, create=create))
            record = stack.enter_context(closing(_open_record(folder, embedder, write=write, create=create)))
            place = Place(folder / "chroma", chroma_url)
            dense = stack.enter_context(closing(DenseIndex(_collection(record), place, create=write)))
            store = cls(record, dense, embedder, write=write)
            store._settle_on_opening()
            store._resources = stack.pop_all()
            return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both indexes and let the next writer in."""
        self._resources.close()

    def snapshot(self) -> str:
        """Hash of the content: embedder, documents with their provenance, and passages."""
        return self._record.snapshot()

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """The documents with these ids; unknown ids are left out."""
        return self._record.documents(ids)

    def publishers(self) -> frozenset[str]:
        """Who published its documents, as it is written there; empty for those of which that is not known."""
        return self._record.publishers()

    def list(self) -> tuple[tuple[Document, int], ...]:
        """Every document, by id, with the number of its passages."""
        return tuple(self._record.listing())

    def search_lexical(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """The passages that share the rarest words (BM25), best first, at most `limit`, obeying `when`."""
        return self._record.search(text, limit=limit, when=when)

    def search_dense(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """The passages closest in meaning, best first, at most `limit`, obeying `when`."""
        if limit < 1:
            return ()
        query = self._query_vector(text)
        ids = self._nearest(query, limit=limit, when=when)
        return self._record.passages(ids)

    def likeness(self, text: str, others: Sequence[str]) -> tuple[float, ...]:
        """Similarity of meaning between a text and others, as the dense index measures it."""
        query = self._query_vector(text)
        return tuple(float(value) for value in self._embedder.embed(others) @ query)

    def add(self, items: Iterable[Item], *, progress: Callable[[int], None] = lambda _: None) -> AddReport:
        """Add documents with their passages; the same again changes nothing, another text replaces the old.

        What was mended of a document by `edit` stays mended. Of one that is named by its text a copy of which less is
        known takes nothing away.

        `progress` is told how many more passages are done.

        Raises:
            InputError: a passage is not the slice of its document that it says it is.
        """
        self._require_write()
        report = AddReport()
        waiting = 0
        try:
            for given in batches(items):
                batch = self._mended(given)
                held = self._record.fingerprints([document.id for document, _ in batch])
                new = [item for item in batch if held.get(item[0].id) != fingerprint_of(*item)]
                progress(sum(len(passages) for _, passages in batch) - sum(len(passages) for _, passages in new))
                self._record.put(self._embed(new, progress))
                replaced = sum(document.id in held for document, _ in new)
                report = AddReport(
                    added=report.added + len(new) - replaced,
                    unchanged=report.unchanged + len(batch) - len(new),
                    replaced=report.replaced + replaced,
                )
                waiting += sum(len(passages) for _, passages in new)
                if waiting >= _SYNC_BATCH:
                    waiting = 0
                    self._sync()
        except BaseException:
            if waiting:  # what is written is to be found, whatever went wrong later
                with suppress(StoreError):
                    self._sync()
            raise
        self._sync()
        return report

    def edit(self, document_id: str, edit: Edit) -> Document:
        """Mend what is known of a document; it stays so when its source is added again. Returns it as mended.

        Raises:
            StoreError: there is no such document.
            InputError: a date is none of the calendar.
        """
        self._require_write()
        document = self._record.documents([document_id]).get(document_id)
        if document is None:
            raise _no_document(document_id)
        earlier = Edit.model_validate_json(self._record.edits([document_id]).get(document_id, "{}"))
        try:
            mended = edit.of(document)
        except ValueError as error:
            raise InputError(f"published {edit.published!r} is no date of the calendar: give another") from error
        passages = self._record.passages_of(document_id)
        entry = self._entry_of(mended, passages, is_new=mended.title != document.title)
        self._record.put([entry], {document_id: earlier.and_then(edit).model_dump_json(exclude_unset=True)})
        self._sync()
        return mended

    def _entry_of(self, document: Document, passages: tuple[Passage, ...], *, is_new: bool) -> Entry:
        """The document with the vectors it has; embedded anew where its new title is embedded, too."""
        if is_new and isinstance(self._embedder, TitledEmbedder):
            return self._embed([(document, passages)], lambda _: None)[0]
        ids, vectors = self._record.vectors([passage.id for passage in passages], when=_ANY_TIME)
        rows = dict(zip(ids, vectors, strict=True))
        return Entry(document, passages, np.array([rows[passage.id] for passage in passages]))

    def remove(self, document_id: str) -> None:
        """Delete a document and its passages.

        Raises:
            StoreError: there is no such document.
        """
        self._require_write()
        if not self._record.remove(document_id):
            raise _no_document(document_id)
        self._sync()

    def rebuild(self) -> int:
        """Make both indexes anew from the record; returns the number of passages."""
        self._require_write()
        self._record.rebuild_words()
        self._dense.reset()
        return self._heal()

    def check(self) -> CheckReport:
        """Prove that every passage is in both indexes, and search for some; heals the dense one if open to write."""
        healed = self._heal() if self._write else 0
        ids = self._record.passage_ids()
        sample = ids[:: max(len(ids) // _SAMPLE, 1)]
        problems = [*self._record.damage(), *self._differences(), *self._wrong_slices(), *self._lost_in_search(sample)]
        return CheckReport(
            documents=self._record.counts()[0],
            passages=len(ids),
            searched=len(sample),
            healed=healed,
            problems=tuple(problems),
        )

    def _nearest(self, query: Vectors, *, limit: int, when: TimeLimit) -> Sequence[str]:
        """Ids nearest to the query: from the dense index while it gives enough, else compared one by one."""
        wanted = max(limit * _OVERFETCH, _FEWEST)
        while True:
            found = self._dense.query(query, wanted)
            ids, vectors = self._record.vectors(found, when=when)
            if len(ids) >= limit:
                return _best(query, [(ids, vectors)], limit)
            is_exhausted = len(found) < wanted or wanted >= _MOST
            if is_exhausted or self._record.count_seen(when=when) <= _FEW_SEEN:
                return _best(query, self._record.scan(when=when), limit)
            wanted = min(wanted * 4, max(_MOST, limit))

    def _query_vector(self, text: str) -> Vectors:
        with self._lock:
            if text in self._queries:
                self._queries.move_to_end(text)
                return self._queries[text]
        vector: Vectors = _vectors_of([text], self._embedder)[0]
        with self._lock:
            self._queries[text] = vector
            while len(self._queries) > _QUERIES_KEPT:
                self._queries.popitem(last=False)
        return vector

    def _mended(self, items: Sequence[Item]) -> Sequence[Item]:
        """With what is known of the same text already, and what was mended by hand."""
        held = self._record.documents([document.id for document, _ in items if document.is_named_by_text])
        items = [(d.completed_by(held[d.id]) if d.id in held else d, passages) for d, passages in items]
        edits = self._record.edits([document.id for document, _ in items])
        read = {id_: Edit.model_validate_json(json) for id_, json in edits.items()}
        return [(read[d.id].of(d) if d.id in read else d, passages) for d, passages in items]

    def _embed(self, items: Sequence[Item], progress: Callable[[int], None]) -> Sequence[Entry]:
        texts = [passage_text(self._embedder, document, one) for document, passages in items for one in passages]
        vectors = np.zeros((len(texts), self._embedder.dimension), dtype=np.float32)
        for start in range(0, len(texts), _EMBED_BATCH):
            part = texts[start : start + _EMBED_BATCH]
            vectors[start : start + len(part)] = _vectors_of(part, self._embedder)
            progress(len(part))
        ends = np.cumsum([len(passages) for _, passages in items])[:-1]
        parts = np.split(vectors, ends) if items else []
        return [Entry(*item, part) for item, part in zip(items, parts, strict=True)]

    def _require_write(self) -> None:
        if not self._write:
            raise StoreError(f"store {str(self._record.path.parent)!r} is open to read only: open it with write=True")

    def _settle_on_opening(self) -> None:
        _, passages = self._record.counts()
        is_behind = self._dense.count() != passages
        if self._write and is_behind:
            self._heal()
        elif self._write:
            self._sync()
        elif is_behind:
            _log.warning("the dense index is not in step with the record: run `factdesk store check`")

    def _sync(self) -> int:
        """Write what is pending to the dense index: first out, then in, so that a crash between does no harm."""
        ids = self._record.pending()
        for start in range(0, len(ids), self.synced_at_once):
            part = ids[start : start + self.synced_at_once]
            self._dense.remove(part)
            self._dense.add(*self._record.vectors(part, when=_ANY_TIME))
            self._record.settle(part)
        return len(ids)

    def _heal(self) -> int:
        self._record.mark_pending(frozenset(self._record.passage_ids()) ^ self._dense.ids())
        return self._sync()

    def _differences(self) -> Iterator[str]:
        record, dense = frozenset(self._record.passage_ids()), self._dense.ids()
        yield from (f"passage {id_!r} is not in the dense index" for id_ in sorted(record - dense))
        yield from (f"the dense index has {id_!r}, which is no passage" for id_ in sorted(dense - record))

    def _wrong_slices(self) -> Iterator[str]:
        for document, _ in self._record.listing():
            for passage in self._record.passages_of(document.id):
                if passage.span.of(document.text) != passage.text:
                    yield f"passage {passage.id!r} is not the text of its span in document {document.id!r}"

    def _lost_in_search(self, sample: Sequence[str]) -> Iterator[str]:
        """Those that the dense index does not find by their own vector."""
        for id_, vector in zip(*self._record.vectors(sample, when=_ANY_TIME), strict=True):
            found = self._dense.query(vector, _FEWEST)
            _, others = self._record.vectors(found, when=_ANY_TIME)
            if id_ not in found and not np.any(others @ vector > 1 - 1e-4):
                yield f"passage {id_!r} is not found by its own vector"


def _vectors_of(texts: Sequence[str], embedder: Embedder) -> Vectors:
    """The vectors of some texts, proved to be what the role of an embedder promises.

    Raises:
        StoreError: another number of vectors, of another length, or numbers that are none; nothing is written then.
    """
    found = embedder.embed(texts)
    wanted = (len(texts), embedder.dimension)
    if found.shape != wanted or not np.isfinite(found).all():
        raise StoreError(
            f"embedder {embedder.id!r} gave vectors of shape {found.shape!r} for {wanted!r}, or numbers that are none: "
            "check its files with `factdesk models check`"
        )
    return found


def rebuild_store(folder: Path, embedder: Embedder, *, chroma_url: str | None = None) -> int:
    """Make both indexes anew even when the dense one cannot be opened; returns the number of passages."""
    with ExitStack() as stack:
        stack.enter_context(_writer_lock(folder, create=False))
        record = stack.enter_context(closing(_open_record(folder, embedder, write=True, create=False)))
        discard(_collection(record), Place(folder / "chroma", chroma_url))
        record.rebuild_words()
        n_passages = record.counts()[1]
    with Store.open(folder, embedder, chroma_url=chroma_url, write=True):
        return n_passages


def _collection(record: RecordStore) -> Collection:
    return Collection(record.store_id, record.embedder_id, record.dimension)


@contextmanager
def _writer_lock(folder: Path, *, create: bool) -> Iterator[None]:
    if not create and not _record_path(folder).exists():
        raise _no_store(folder)
    lock = FileLock(folder / "writer.lock", timeout=0, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"store {str(folder)!r} is being written to by another process: wait until it is done, or stop it"
        ) from None
    except OSError as error:
        raise StoreError(
            f"store {str(folder)!r} cannot be written to ({error}): choose another folder with --store"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _open_record(folder: Path, embedder: Embedder, *, write: bool, create: bool) -> RecordStore:
    if not create and not _record_path(folder).exists():
        raise _no_store(folder)
    made_with = (embedder.id, embedder.dimension) if create else None
    record = RecordStore(_record_path(folder), write=write, made_with=made_with)
    try:
        _check_embedder(record, embedder)
        _check_filled(record, write=write)
    except BaseException:
        record.close()
        raise
    return record


def _check_embedder(record: RecordStore, embedder: Embedder) -> None:
    held, given = (record.embedder_id, record.dimension), (embedder.id, embedder.dimension)
    if held != given:
        raise StoreError(
            f"store {str(record.path.parent)!r} was made with embedder {held[0]!r} ({held[1]} dimensions), not "
            f"{given[0]!r} ({given[1]}): use that embedder, or add the sources to a new store with --store"
        )


def _check_filled(record: RecordStore, *, write: bool) -> None:
    if not write and record.counts()[0] == 0:
        folder = str(record.path.parent)
        raise StoreError(f"store {folder!r} is empty: add sources with `factdesk store add PATH`")


def _record_path(folder: Path) -> Path:
    return folder / "record.sqlite"


def _no_store(folder: Path) -> StoreError:
    return StoreError(f"no store at {str(folder)!r}: add sources with `factdesk store add PATH`")


def _no_document(document_id: str) -> StoreError:
    return StoreError(f"no document {document_id!r} in the store: `factdesk store list` shows their ids")


def _best(query: Vectors, parts: Iterable[tuple[list[str], Vectors]], limit: int) -> Sequence[str]:
    """Ids with the greatest cosine, ties (of copies of one text) in the order of their ids."""
    scored: list[tuple[float, str]] = []
    for ids, vectors in parts:
        scores = np.round(vectors @ query, 6)
        scored += [(-float(score), id_) for score, id_ in zip(scores, ids, strict=True)]
    return [id_ for _, id_ in sorted(scored)[:limit]]
