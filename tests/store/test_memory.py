"""The fakes: an embedder by hashing, and a store in dictionaries (see test_contract.py for the rest)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.store.memory import HashEmbedder


@given(st.lists(st.text(max_size=40), max_size=6))
def test_vectors_have_length_one_and_depend_on_the_text_alone(texts):
    """Any texts give unit rows, the same whether embedded together or alone."""
    embedder = HashEmbedder(dimension=32)
    vectors = embedder.embed(texts)
    assert vectors.shape == (len(texts), 32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(HashEmbedder(dimension=32).embed([text])[0], vector)


def test_texts_that_share_words_are_close():
    """More shared words, greater cosine; stop words do not count."""
    first, second, third = HashEmbedder().embed(
        ["the bridge at Velm was closed", "a closed bridge in Velm", "the mayor was at home"]
    )
    assert first @ second > 0.9
    assert abs(first @ third) < 0.3


def test_the_id_tells_the_dimension():
    """Two dimensions are two embedders."""
    assert HashEmbedder(dimension=8).id != HashEmbedder(dimension=16).id
