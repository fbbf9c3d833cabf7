"""Takes sources into a store: found, cut into passages, added in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

from agent.domain import Data, Document, Passage
from agent.errors import InputError
from agent.ingest.chunk import cut_passages
from agent.ingest.sources import Rejected, iterate_sources

_BATCH = 1000
"""Passages given to the store at once, by whole documents: every call costs its dense index some."""

Item = tuple[Document, tuple[Passage, ...]]


class IngestProgress(Data):
    """How far it has come."""

    documents: int
    """Taken in so far, unchanged ones among them."""
    passages: int


class IngestReport(Data):
    """What became of the sources."""

    added: int = 0
    unchanged: int = 0
    replaced: int = 0
    passages: int = 0
    """Of all these documents."""
    rejected: tuple[Rejected, ...] = ()


class AddCounts(Protocol):
    """What a store says about the documents it was given."""

    @property
    def added(self) -> int:
        """New ones."""
        ...

    @property
    def unchanged(self) -> int:
        """Already there."""
        ...

    @property
    def replaced(self) -> int:
        """Changed ones."""
        ...


class WritableStore(Protocol):
    """A store that takes documents in."""

    def add(self, items: Sequence[Item], *, progress: Callable[[int], None]) -> AddCounts:
        """Add documents with their passages; `progress` is told how many more passages are done."""
        ...


def ingest(
    paths: Sequence[Path],
    store: WritableStore,
    *,
    listener: Callable[[IngestProgress], None],
    pages: Iterable[Document | Rejected] = (),
) -> IngestReport:
    """Take the sources in these files and folders into the store, and after them what was fetched.

    Raises:
        InputError: not one of them can be used.
    """
    rejected: list[Rejected] = []
    found = chain(iterate_sources(paths), pages)
    report = ingest_documents(_usable(found, rejected), store, listener=listener)
    if not report.added + report.unchanged + report.replaced:
        reason = rejected[0].reason if rejected else "no file was found"
        names = ", ".join(repr(str(path)) for path in paths)
        raise InputError(f"nothing to take in{f' from {names}' if names else ''}: {reason}")
    return report.model_copy(update={"rejected": tuple(rejected)})


def ingest_documents(
    documents: Iterable[Document], store: WritableStore, *, listener: Callable[[IngestProgress], None]
) -> IngestReport:
    """Take documents into the store, in batches; the listener hears of every step."""
    items = ((document, cut_passages(document)) for document in documents)
    report = IngestReport()
    for batch in _batches(items):
        heard = _Steps(report, listener)
        report = _sum(report, store.add(batch, progress=heard.more), batch)
        listener(_progress(report))
    return report


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    passages = 0
    for item in items:
        batch.append(item)
        passages += len(item[1])
        if passages >= _BATCH:
            yield batch
            batch, passages = [], 0
    if batch:
        yield batch


def _usable(sources: Iterable[Document | Rejected], rejected: list[Rejected]) -> Iterator[Document]:
    """The documents, while what cannot be used is put on the list."""
    for found in sources:
        if isinstance(found, Rejected):
            rejected.append(found)
        else:
            yield found


class _Steps:
    """Counts passages inside a batch."""

    def __init__(self, report: IngestReport, listener: Callable[[IngestProgress], None]) -> None:
        self._progress = _progress(report)
        self._listener = listener

    def more(self, passages: int) -> None:
        """So many more are done."""
        if passages:
            done = self._progress.passages + passages
            self._progress = self._progress.model_copy(update={"passages": done})
            self._listener(self._progress)


def _progress(report: IngestReport) -> IngestProgress:
    documents = report.added + report.unchanged + report.replaced
    return IngestProgress(documents=documents, passages=report.passages)


def _sum(report: IngestReport, counts: AddCounts, batch: Sequence[Item]) -> IngestReport:
    return IngestReport(
        added=report.added + counts.added,
        unchanged=report.unchanged + counts.unchanged,
        replaced=report.replaced + counts.replaced,
        passages=report.passages + sum(len(passages) for _, passages in batch),
    )
