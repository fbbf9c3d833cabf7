"""The dense index: vectors in Chroma, in a folder or on a server. The only module that knows Chroma."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.errors import ConfigError, StoreError
from agent.small.base import Vectors

_SCHEMA = 1
_BATCH = 2000
"""Chroma refuses more than some five thousand rows in one call."""
_HNSW = {"space": "cosine", "ef_construction": 100, "ef_search": 100, "max_neighbors": 32}
"""In 22 of 124 builds with half the neighbours one or two of 250 vectors that are much alike were led to by nothing; in
none with these, nor (but one) with a width of 200, which takes twice the time and finds hardly more."""


@dataclass(frozen=True)
class Place:
    """Where the index is: a folder, or the server at `url` when that is given."""

    folder: Path
    url: str | None = None

    def __str__(self) -> str:
        return repr(self.url or str(self.folder))


@dataclass(frozen=True)
class Collection:
    """What the vectors of one store are: the index refuses to mix them with others."""

    store_id: str
    embedder_id: str
    dimension: int

    @property
    def name(self) -> str:
        """Name of the collection in Chroma."""
        return f"factdesk-{self.store_id}"

    @property
    def metadata(self) -> dict[str, str | int]:
        """What the collection says of itself."""
        return {"embedder": self.embedder_id, "dimension": self.dimension, "schema": _SCHEMA}


class DenseIndex:
    """Nearest passages by the cosine of their vectors. Safe to call from many threads, not from two processes."""

    def __init__(self, collection: Collection, place: Place, *, create: bool = False) -> None:
        """Open the collection; with `create` it is made when it does not exist.

        Raises:
            StoreError: it does not exist, is broken, or holds vectors of another embedder.
        """
        self._of = collection
        self._place = place
        if place.url is None and not create and not place.folder.is_dir():
            raise _missing(place)
        with _translated(place):
            self._client = _connect(place)
        try:
            self._collection = self._get(create=create)
        except BaseException:
            self._client.close()
            raise

    def close(self) -> None:
        """Let go of the folder or the connection."""
        self._client.close()

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Add vectors under ids that are not in the index."""
        with _translated(self._place):
            for start in range(0, len(ids), _BATCH):
                part = slice(start, start + _BATCH)
                self._collection.add(ids=list(ids[part]), embeddings=vectors[part])

    def remove(self, ids: Sequence[str]) -> None:
        """Take ids out; those that are not in the index are left alone."""
        with _translated(self._place):
            for start in range(0, len(ids), _BATCH):
                held = self._collection.get(ids=list(ids[start : start + _BATCH]), include=[])["ids"]
                if held:
                    self._collection.delete(ids=held)

    def query(self, vector: Vectors, limit: int) -> tuple[str, ...]:
        """The ids nearest to the vector, best first, at most `limit`."""
        from chromadb.errors import NotFoundError

        with _translated(self._place):
            try:
                found = self._asked(vector, limit)
            except NotFoundError:  # another process has rebuilt the index since
                self._collection = self._get(create=False)
                found = self._asked(vector, limit)
        return tuple(found["ids"][0][:limit])

    def _asked(self, vector: Vectors, limit: int) -> Any:
        return self._collection.query(query_embeddings=vector.reshape(1, -1), n_results=max(limit, 1), include=[])

    def ids(self) -> frozenset[str]:
        """Every id in the index."""
        with _translated(self._place):
            return frozenset(self._collection.get(include=[])["ids"])

    def count(self) -> int:
        """Number of vectors."""
        with _translated(self._place):
            return int(self._collection.count())

    def reset(self) -> None:
        """Make the collection anew, empty."""
        with _translated(self._place):
            self._client.delete_collection(self._of.name)
        self._collection = self._get(create=True)

    def _get(self, *, create: bool) -> Any:
        from chromadb.errors import NotFoundError

        with _translated(self._place):
            try:
                found = self._client.get_collection(self._of.name, embedding_function=None)
            except NotFoundError:
                if not create:
                    raise _missing(self._place) from None
                found = self._client.create_collection(
                    self._of.name,
                    metadata=self._of.metadata,
                    configuration={"hnsw": _HNSW},
                    embedding_function=None,
                )
        self._check(found.metadata or {})
        return found

    def _check(self, metadata: dict[str, str | int]) -> None:
        if metadata != self._of.metadata:
            raise StoreError(
                f"dense index at {self._place} was made with {metadata!r}, the store has {self._of.metadata!r}: "
                "make it anew with `factdesk store rebuild`"
            )


def discard(collection: Collection, place: Place) -> None:
    """Delete the whole index, readable or not; it can be made again from the record."""
    if place.url is None:
        shutil.rmtree(place.folder, ignore_errors=True)
        return
    from chromadb.errors import NotFoundError

    with _translated(place):
        client = _connect(place)
        try:
            client.delete_collection(collection.name)
        except NotFoundError:
            pass
        finally:
            client.close()


def _connect(place: Place) -> Any:
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if place.url is None:
        return _connect_folder(str(place.folder), settings)
    host, port, is_https = _parts(place.url)
    return chromadb.HttpClient(host=host, port=port, ssl=is_https, settings=settings)


def _connect_folder(folder: str, settings: Any) -> Any:
    import chromadb
    from chromadb.api.shared_system_client import SharedSystemClient as Shared

    _wipe_memory()
    try:
        return chromadb.PersistentClient(path=folder, settings=settings)
    except BaseException:
        # Chroma keeps what it failed to start under the name of the folder, and would hand it out at the next try.
        if folder not in Shared._identifier_to_refcount:  # noqa: SLF001 (no public way)
            Shared._identifier_to_system.pop(folder, None)  # noqa: SLF001 (no public way)
        raise


def _wipe_memory() -> None:
    """From now on new memory is zero and freed memory is wiped, where the C library is glibc.

    Chroma writes memory it never filled to its files: pieces of deleted articles, or a key, would stay on disk in them.
    """
    perturb, freed = -6, 0xFF  # mallopt(3), M_PERTURB: freed memory gets the byte, new memory its opposite
    try:
        ctypes.CDLL(None).mallopt(perturb, freed)
    except (AttributeError, OSError, TypeError):  # another C library; Windows has no such handle
        return


def _parts(url: str) -> tuple[str, int, bool]:
    """Host, port and whether it is https."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            f"Chroma address {url!r} is not one: set FACTDESK_CHROMA_URL to something like http://127.0.0.1:8000"
        )
    is_https = parts.scheme == "https"
    return parts.hostname, port or (443 if is_https else 80), is_https


def _missing(place: Place) -> StoreError:
    return StoreError(f"no dense index at {place}: make it from the record with `factdesk store rebuild`")


@contextmanager
def _translated(place: Place) -> Iterator[None]:
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, httpx.HTTPError, ValueError, RuntimeError, OSError) as error:
        cure = "make it anew with `factdesk store rebuild`" if place.url is None else "is the server running?"
        raise StoreError(f"dense index at {place} cannot be used ({error}): {cure}") from error
