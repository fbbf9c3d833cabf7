"""The dense index by itself, embedded and without a server."""

from __future__ import annotations

import platform
import socket
from contextlib import closing

import numpy as np
import pytest

from agent.errors import ConfigError, StoreError
from agent.store.chroma import Collection, DenseIndex, Place, discard

OF = Collection("0123456789abcdef", "hash:4", 4)
ROWS = np.eye(4, dtype=np.float32)


@pytest.fixture
def place(tmp_path):
    """A folder for the index."""
    return Place(tmp_path / "chroma")


@pytest.fixture
def index(place):
    """An index with four vectors, a to d."""
    with closing(DenseIndex(OF, place, create=True)) as index:
        index.add(list("abcd"), ROWS)
        yield index


def test_the_nearest_comes_first(index):
    """The order is that of the cosine, at most `limit`, and no more than there are."""
    query = np.array([0.1, 0.9, 0.3, 0.0], dtype=np.float32)
    assert index.query(query, 3) == ("b", "c", "a")
    assert len(index.query(query, 50)) == 4
    assert index.query(query, 0) == ()


def test_ids_and_count_follow_adding_and_removing(index):
    """Removing an id that is not there is no error."""
    index.remove(["a", "unknown"])
    assert index.ids() == {"b", "c", "d"}
    assert index.count() == 3
    index.remove(["unknown"])
    index.reset()
    assert index.count() == 0


def test_it_is_kept_on_disk(index, place):
    """A second opening sees what the first wrote."""
    with closing(DenseIndex(OF, place)) as again:
        assert again.ids() == set("abcd")


def test_more_rows_than_one_call_takes(index):
    """Large sets are added and removed in parts."""
    rows = np.tile(ROWS, (600, 1))
    ids = [f"id{n}" for n in range(len(rows))]
    index.add(ids, rows)
    assert index.count() == 2404
    index.remove(ids)
    assert index.count() == 4


@pytest.mark.parametrize(
    "other", [Collection(OF.store_id, "hash:other", 4), Collection(OF.store_id, OF.embedder_id, 8)]
)
def test_another_embedder_is_refused(index, place, other):
    """Both embedders are named, and the cure."""
    with pytest.raises(StoreError, match=f"{OF.embedder_id}.*{other.embedder_id}.*store rebuild"):
        DenseIndex(other, place)


def test_a_missing_index_is_named_and_not_created(place):
    """Opening to read makes no folder."""
    with pytest.raises(StoreError, match=r"no dense index.*chroma.*store rebuild"):
        DenseIndex(OF, place)
    assert not place.folder.exists()


def test_a_missing_collection_is_named(index, place):
    """Another store's folder does not hold ours."""
    with pytest.raises(StoreError, match=r"no dense index.*store rebuild"):
        DenseIndex(Collection("f" * 16, "hash:4", 4), place)


def test_errors_of_the_index_are_translated_once(index):
    """A vector of the wrong length comes back as a StoreError with the place."""
    with pytest.raises(StoreError, match=r"dense index at .*chroma.* cannot be used"):
        index.add(["e"], np.ones((1, 3), dtype=np.float32))


def test_a_broken_index_is_named_and_can_be_discarded(place):
    """A folder that Chroma cannot read is a StoreError; discarding it lets a new one be made."""
    place.folder.mkdir()
    (place.folder / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match=r"cannot be used.*store rebuild"):
        DenseIndex(OF, place, create=True)
    discard(OF, place)
    with closing(DenseIndex(OF, place, create=True)) as index:
        assert index.count() == 0


def test_a_server_that_does_not_answer_is_named(tmp_path):
    """The address is in the message."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(StoreError, match=f"{url}.*is the server running"):
            DenseIndex(OF, Place(tmp_path, url))


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_is_none_is_a_setting_error(tmp_path, url):
    """A wrong address names the setting."""
    with pytest.raises(ConfigError, match="FACTDESK_CHROMA_URL"):
        DenseIndex(OF, Place(tmp_path, url))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to wipe memory")
def test_files_hold_nothing_but_the_vectors(tmp_path):
    """Room that Chroma keeps in its files for later vectors is zero, not what lay in memory there before."""
    for number in range(6):
        place = Place(tmp_path / str(number))
        with closing(DenseIndex(OF, place, create=True)) as index:
            index.add(list("abcd"), ROWS)
        (file,) = place.folder.glob("*/data_level0.bin")
        held = file.read_bytes()
        room_of_one = len(held) // 100
        assert room_of_one * 100 == len(held)
        assert not any(held[room_of_one * len(ROWS) :])
