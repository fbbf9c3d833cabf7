"""Adding that breaks off: what was written is found, and the error is the one that came first."""

from __future__ import annotations

import pytest

from agent.errors import ModelError, StoreError
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder
from tests.store.sources import item_of


class BreakingEmbedder(HashEmbedder):
    """Embeds until it comes to a text with `STOP`; then it raises what it was given."""

    def __init__(self, error):
        super().__init__(dimension=64)
        self._error = error

    def embed(self, texts):
        if any("STOP" in text for text in texts):
            raise self._error
        return super().embed(texts)


class DenseIndex:
    """A dense index whose calls of `add` are noted, and that may be down."""

    def __init__(self, index, *, error=None):
        self._index = index
        self._error = error
        self.calls = []

    def __getattr__(self, name):
        return getattr(self._index, name)

    def add(self, ids, vectors):
        self.calls.append(len(ids))
        if self._error:
            raise self._error
        self._index.add(ids, vectors)


def items(count, *more):
    return [item_of(f"d{number}", f"House {number} was built of brick.") for number in range(count)] + list(more)


def opened(tmp_path, error, *, is_down=False):
    store = Store.open(tmp_path / "store", BreakingEmbedder(error), write=True, create=True)
    store._dense = DenseIndex(store._dense, error=StoreError("the server does not answer") if is_down else None)
    return store


def test_what_was_written_before_an_error_is_found(tmp_path):
    """The embedder's server goes away in the middle: what it gave is not lost, and its error is told."""
    with opened(tmp_path, ModelError("the embedder is gone")) as store:
        with pytest.raises(ModelError, match="the embedder is gone"):
            store.add(items(300, item_of("last", "STOP here.")))
        assert store._record.pending() == []
        assert store._dense.count() == store._record.counts()[1] >= 256
        assert store.check().ok


def test_the_first_error_is_the_one_that_is_told(tmp_path):
    """That the dense index is down, too, hides nothing; the next writer puts it in step."""
    gone = pytest.raises(ModelError, match="the embedder is gone")
    with opened(tmp_path, ModelError("the embedder is gone"), is_down=True) as store, gone:
        store.add(items(300, item_of("last", "STOP here.")))
    with Store.open(tmp_path / "store", HashEmbedder(dimension=64), write=True) as store:
        assert store.check().ok
        assert store._dense.count() >= 256


def test_an_index_that_is_down_is_asked_once(tmp_path):
    """A server that does not answer takes its time; it is not waited for twice."""
    with opened(tmp_path, ModelError("-"), is_down=True) as store:
        with pytest.raises(StoreError, match="does not answer"):
            store.add(items(1100))
        assert len(store._dense.calls) == 1


def test_an_interruption_loses_nothing_that_was_written(tmp_path):
    """Ctrl-C while embedding: what was written is found at once, and the same again adds the rest."""
    with opened(tmp_path, KeyboardInterrupt()) as store:
        with pytest.raises(KeyboardInterrupt):
            store.add(items(300, item_of("last", "STOP here.")))
        assert store._dense.count() == store._record.counts()[1] >= 256
    with Store.open(tmp_path / "store", HashEmbedder(dimension=64), write=True) as store:
        report = store.add(items(300))
        assert report.unchanged >= 256
        assert report.added == 300 - report.unchanged
        assert store.check().ok


def test_an_interruption_of_the_index_is_obeyed(tmp_path):
    """Ctrl-C while vectors go in: they are not sent a second time; the next writer puts the index in step."""
    with opened(tmp_path, ModelError("-")) as store:
        store._dense = DenseIndex(store._dense, error=KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            store.add(items(1100))
        assert len(store._dense.calls) == 1
    with Store.open(tmp_path / "store", HashEmbedder(dimension=64), write=True) as store:
        assert store.check().ok


def test_vectors_go_into_the_dense_index_in_large_parts(tmp_path):
    """A thousand or so at once, and the rest at the end."""
    with opened(tmp_path, ModelError("-")) as store:
        store.add(items(1300))
        first, *rest = store._dense.calls
        assert 1000 <= first < 1300
        assert sum(rest) == 1300 - first
        assert store._dense.count() == 1300
