"""Passages embedded with their title and heading."""

from __future__ import annotations

import numpy as np
import pytest

from agent.errors import StoreError
from agent.ingest.chunk import Size, cut_passages
from agent.small.titled import TitledEmbedder, passage_text
from agent.store.base import TimeLimit
from agent.store.edits import Edit
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder, MemoryStore
from tests.build import document

TEXT = "# Mills\n\nRye is ground.\n\n## The fire of 1931\n\nIt began at night."
ALWAYS = TimeLimit()


def rows(**fields):
    source = document(TEXT, **fields)
    return source, cut_passages(source, Size(enough=2, most=4))


def test_title_and_nearest_heading_go_before_the_passage():
    """Only into what is embedded: the passage is the slice of its document as ever."""
    source, passages = rows(title="Norvik.")
    embedder = TitledEmbedder(HashEmbedder())
    last = passages[-1]
    assert passage_text(embedder, source, last).startswith("Norvik. The fire of 1931. ")
    assert passage_text(embedder, source, last).endswith(last.text)
    assert passage_text(HashEmbedder(), source, last) == last.text
    assert last.span.of(source.text) == last.text


def test_a_heading_that_is_the_title_stands_once():
    """As in a Markdown file, whose first heading is its title."""
    source, passages = rows(title="Mills")
    rye = next(passage for passage in passages if passage.text.startswith("Rye"))
    assert passage_text(TitledEmbedder(HashEmbedder()), source, rye) == f"Mills. {rye.text}"


def test_a_passage_is_found_by_a_title_it_does_not_repeat():
    """By meaning, in both stores."""
    titled, other = document("It burnt down in 1931.", "a", title="Norvik mill"), document("It was rebuilt later.", "b")
    store = MemoryStore([(one, cut_passages(one)) for one in (other, titled)], embedder=TitledEmbedder(HashEmbedder()))
    assert store.search_dense("Norvik mill", limit=1, when=ALWAYS)[0].document_id == "a"


def test_a_store_with_titles_and_one_without_are_not_mixed(tmp_path):
    """The embedder's id tells them apart, and the message names both."""
    with Store.open(tmp_path, TitledEmbedder(HashEmbedder()), write=True, create=True) as store:
        store.add([rows(title="Norvik")])
    with pytest.raises(StoreError, match=r"'hash:384\+title'.*'hash:384'.*--store"):
        Store.open(tmp_path, HashEmbedder(), write=True)


def test_a_mended_title_is_embedded_anew(tmp_path):
    """And the store is then the same as one that was made with it."""
    embedder = TitledEmbedder(HashEmbedder())
    source, passages = rows(title="Old")
    with Store.open(tmp_path / "one", embedder, write=True, create=True) as store:
        store.add([(source, passages)])
        store.edit(source.id, Edit(title="Norvik mill"))
        edited = store.search_dense("Norvik mill", limit=3, when=ALWAYS)
        vectors = store._record.vectors([passage.id for passage in passages], when=ALWAYS)
    with Store.open(tmp_path / "two", embedder, write=True, create=True) as store:
        store.add([rows(title="Norvik mill")])
        fresh = store._record.vectors([passage.id for passage in passages], when=ALWAYS)
        assert store.search_dense("Norvik mill", limit=3, when=ALWAYS) == edited
    assert vectors[0] == fresh[0]
    assert np.allclose(vectors[1], fresh[1])
