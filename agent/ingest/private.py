"""The store a run searches: a named one, or a private one made from the sources given for the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from agent.domain import Document, short_hash
from agent.errors import InputError
from agent.ingest.index import IngestProgress, ingest_documents
from agent.ingest.sources import Rejected, find_sources
from agent.ingest.vectors import with_given
from agent.settings import Settings
from agent.small.base import Embedder
from agent.store.hybrid import Store


class SourcesView(Protocol):
    """Hears how the reading of sources goes."""

    def ingested(self, progress: IngestProgress) -> None:
        """So much has been read in."""
        ...

    def rejected(self, rejected: Rejected) -> None:
        """This one cannot be used."""
        ...


@contextmanager
def open_store(settings: Settings, embedder: Embedder, sources: Sequence[Path], view: SourcesView) -> Iterator[Store]:
    """The store for a run, open for reading.

    Sources given for the run go into a store of their own under the run folder, named after their content: the same
    sources are read in once.

    Raises:
        InputError: none of the sources can be used.
        StoreError: the store is missing, locked or of another embedder.
    """
    if sources:
        documents = _documents(sources, view)
        with open_documents(
            documents, with_given(embedder, sources), settings.run_dir / "stores", view.ingested
        ) as store:
            yield store
        return
    with Store.open(settings.store_dir, embedder, chroma_url=settings.chroma_url) as store:
        yield store


@contextmanager
def open_documents(
    documents: Sequence[Document], embedder: Embedder, root: Path, listener: Callable[[IngestProgress], None]
) -> Iterator[Store]:
    """A store of just these documents, open for reading; it is kept under `root`, named after their content.

    Raises:
        StoreError: another process is filling it.
    """
    folder = root / _name(documents, embedder)
    _fill(folder, embedder, documents, listener)
    with Store.open(folder, embedder) as store:
        yield store


def _documents(sources: Sequence[Path], view: SourcesView) -> tuple[Document, ...]:
    documents, rejected = find_sources(sources)
    if not documents:
        names = ", ".join(repr(str(path)) for path in sources)
        reason = rejected[0].reason if rejected else "no file was found"
        raise InputError(f"no source in {names} can be used: {reason}")
    for one in rejected:
        view.rejected(one)
    return documents


def _name(documents: Sequence[Document], embedder: Embedder) -> str:
    return short_hash(embedder.id, *sorted(f"{document.id} {document.model_dump_json()}" for document in documents))


def _fill(
    folder: Path, embedder: Embedder, documents: Sequence[Document], listener: Callable[[IngestProgress], None]
) -> None:
    """Read the documents in, unless a finished store is there. The mark comes last, so a broken-off one goes on."""
    mark = folder / "complete"
    if mark.exists():
        return
    with Store.open(folder, embedder, write=True, create=True) as store:
        ingest_documents(documents, store, listener=listener)
    mark.touch()
