"""A passage store in dictionaries and an embedder by hashing: the fakes that tests and examples use."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from agent.domain import Document, Passage
from agent.errors import StoreError
from agent.small.base import Embedder, Vectors
from agent.small.titled import passage_text
from agent.store.base import TimeLimit
from agent.store.record import fingerprint_of, snapshot_of
from agent.store.words import match_terms

_K1, _B = 1.2, 0.75
"""BM25 as SQLite sets it."""


class HashEmbedder:
    """Unit vectors that count hashed words: texts that share words are close, and nothing is learnt."""

    def __init__(self, *, dimension: int = 384) -> None:
        self._dimension = dimension

    @property
    def id(self) -> str:
        """Name with the dimension."""
        return f"hash:{self._dimension}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text."""
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._vector(text)
        return vectors

    def _vector(self, text: str) -> Vectors:
        vector = np.zeros(self._dimension, dtype=np.float32)
        for word in match_terms(text):
            digest = hashlib.sha256(word.casefold().encode()).digest()
            # Eight places for a word: two words that share one by chance are still far apart.
            for number in np.frombuffer(digest, dtype="<u4").tolist():
                vector[(number >> 1) % self._dimension] += 1 if number % 2 else -1
        if not vector.any():
            vector[0] = 1
        unit: Vectors = vector / np.linalg.norm(vector)
        return unit


class MemoryStore:
    """A passage store that lives as long as the object."""

    def __init__(
        self,
        items: Iterable[tuple[Document, tuple[Passage, ...]]] = (),
        *,
        embedder: Embedder | None = None,
    ) -> None:
        self._embedder = embedder or HashEmbedder()
        self._items: dict[str, tuple[Document, tuple[Passage, ...]]] = {}
        self._vectors: dict[str, Vectors] = {}
        self.add(items)

    def add(self, items: Iterable[tuple[Document, tuple[Passage, ...]]]) -> None:
        """Add documents with their passages, in place of any with the same id."""
        for document, passages in items:
            self._items[document.id] = (document, passages)
            vectors = self._embedder.embed([passage_text(self._embedder, document, passage) for passage in passages])
            self._vectors |= {passage.id: row for passage, row in zip(passages, vectors, strict=True)}

    def remove(self, document_id: str) -> None:
        """Delete a document and its passages.

        Raises:
            StoreError: there is no such document.
        """
        if document_id not in self._items:
            raise StoreError(f"no document {document_id!r} in the store")
        del self._items[document_id]

    def list(self) -> tuple[tuple[Document, int], ...]:
        """Every document, by id, with the number of its passages."""
        return tuple((document, len(passages)) for _, (document, passages) in sorted(self._items.items()))

    def snapshot(self) -> str:
        """Hash of the content: the same as of a store on disk that holds the same."""
        return snapshot_of(self._embedder.id, (fingerprint_of(*item) for item in self._items.values()))

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """The documents with these ids; unknown ids are left out."""
        return {id_: self._items[id_][0] for id_ in ids if id_ in self._items}

    def publishers(self) -> frozenset[str]:
        """Who published its documents, as it is written there; empty for those of which that is not known."""
        return frozenset(document.publisher or "" for document, _ in self._items.values())

    def search_dense(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """The passages closest in meaning, best first, at most `limit`, obeying `when`."""
        query = self._embedder.embed([text])[0]
        scored = [
            (-round(float(self._vectors[passage.id] @ query), 6), passage.id, passage)
            for _, passage in self._allowed(when)
        ]
        return _first(scored, limit)

    def search_lexical(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """The passages that share the rarest words (BM25), best first, at most `limit`, obeying `when`."""
        terms = {term.casefold() for term in match_terms(text)}
        counts = {passage.id: _counts(f"{document.title} {passage.text}") for document, passage in self._allowed()}
        weights = {term: _rarity(term, counts.values()) for term in terms}
        mean = sum(words.total() for words in counts.values()) / max(len(counts), 1)
        scored = [
            (-round(_bm25(counts[passage.id], weights, mean), 6), passage.id, passage)
            for _, passage in self._allowed(when)
            if terms & counts[passage.id].keys()
        ]
        return _first(scored, limit)

    def _allowed(self, when: TimeLimit = TimeLimit()) -> Sequence[tuple[Document, Passage]]:  # noqa: B008 (frozen)
        return [
            (document, passage)
            for document, passages in self._items.values()
            if when.allows(document)
            for passage in passages
        ]


def _first(scored: Iterable[tuple[float, str, Passage]], limit: int) -> tuple[Passage, ...]:
    in_order = sorted(scored, key=lambda item: item[:2])
    return tuple(passage for _, _, passage in in_order[: max(limit, 0)])


def _counts(text: str) -> Counter[str]:
    return Counter(term.casefold() for word in text.split() for term in match_terms(word))


def _rarity(term: str, texts: Iterable[Counter[str]]) -> float:
    has_term = [term in words for words in texts]
    rarity = math.log((len(has_term) - sum(has_term) + 0.5) / (sum(has_term) + 0.5))
    return max(rarity, 1e-6)


def _bm25(words: Counter[str], weights: dict[str, float], mean: float) -> float:
    """Okapi BM25 (Robertson et al. 1995) of one text."""
    length = _K1 * (1 - _B + _B * words.total() / max(mean, 1))
    return sum(weight * words[term] * (_K1 + 1) / (words[term] + length) for term, weight in weights.items())
