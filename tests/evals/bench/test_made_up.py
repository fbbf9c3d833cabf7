"""What the search benchmark searches: made-up texts and vectors."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from agent.ingest.chunk import cut_passages
from evals.bench.made_up import WORDS, GivenVectors, documents, question


def test_texts_are_the_same_every_time_and_the_first_do_not_depend_on_how_many():
    """So that figures of two runs, and of two sizes, are of the same store."""
    assert list(documents(5)) == list(islice(documents(50), 5))


def test_each_text_is_one_passage_of_ninety_words():
    """A rate in documents is one in passages."""
    for document in documents(40):
        assert len(cut_passages(document)) == 1
        assert len(document.text.split()) == WORDS


def test_words_are_as_unequal_as_those_of_a_language():
    """The commonest word is in most texts; half of the words that occur do so once (Zipf)."""
    made = [document.text.lower().replace(".", "").split() for document in documents(200)]
    held = Counter(word for words in made for word in set(words))
    said = Counter(word for words in made for word in words)
    assert held.most_common(1)[0][1] > 0.9 * len(made)
    once = sum(count == 1 for count in said.values())
    assert 0.4 < once / len(said) < 0.75


def test_a_question_leaves_out_the_commonest_words_alone():
    """As a search leaves out stop words; what is left is in the order of the text."""
    commonest = Counter(word for made in documents(200) for word in made.text.lower().replace(".", "").split())
    for document in documents(50):
        asked = question(document.text).split()
        first = document.text.partition(".")[0].lower().split()
        assert 3 < len(asked) <= len(first)
        assert [word for word in first if word in asked] == asked
        assert not {word for word, _ in commonest.most_common(10)} & set(asked)


def test_a_text_has_one_unit_vector_whoever_asks():
    """Two processes, or two batches, give the same."""
    texts = [document.text for document in documents(20)]
    together = GivenVectors().embed(texts)
    apart = np.concatenate([GivenVectors().embed([text]) for text in texts])
    assert np.array_equal(together, apart)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1)
    assert len({vector.tobytes() for vector in together}) == len(texts)


def test_vectors_lie_near_a_surface_of_few_dimensions():
    """Most of their spread is in some twenty of 384 directions: those of texts are like that, random ones are not."""
    vectors = GivenVectors().embed([document.text for document in documents(600)])
    spread = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False) ** 2
    assert spread[:24].sum() > 0.8 * spread.sum()
