"""The embedding model: real files when they are in the cache, small wrong ones otherwise."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from agent.errors import ConfigError
from agent.small.minilm import MiniLM

TEXTS = [
    "The bridge was closed for repairs in May.",
    "Repair works shut the bridge that spring.",
    "She bought three kilograms of apples.",
    "Short.",
    "A much longer sentence about the price of grain, " * 12,
]


@pytest.fixture(scope="module")
def minilm():
    """The real model, or a skip with the reason."""
    cache = Path(os.environ.get("FACTDESK_CACHE") or platformdirs.user_cache_path("factdesk"))
    files = [cache / "models" / name for name in ("minilm-int8.onnx", "minilm-tokenizer.json")]
    for path in files:
        if not path.is_file():
            pytest.skip(f"{path.name} is not in the cache: run `factdesk models pull`")
    return MiniLM(*files)


def test_a_missing_file_is_named_with_the_cure(tmp_path):
    """A missing model file is an error at once that says what to run."""
    with pytest.raises(ConfigError, match=r"gone\.onnx.*models pull"):
        MiniLM(tmp_path / "gone.onnx", tmp_path / "tokenizer.json")


@pytest.mark.parametrize("broken", ["model", "tokenizer"])
def test_a_broken_file_is_named_when_it_is_first_used(tmp_path, broken):
    """The files are opened at the first embed; a broken one is named with the cure."""
    model, tokenizer = tmp_path / "model.onnx", tmp_path / "tokenizer.json"
    model.write_bytes(b"not an ONNX file")
    tokenizer.write_text("{}")
    if broken == "tokenizer":
        from agent.small import minilm

        with pytest.raises(ConfigError, match=r"tokenizer\.json.*models pull"):
            minilm._open_tokenizer(tokenizer)
    else:
        with pytest.raises(ConfigError, match=r"model\.onnx.*models pull"):
            MiniLM(model, tokenizer).embed(["text"])


def test_the_id_holds_the_hash_of_the_file_or_the_one_given(tmp_path):
    """The id starts with the first 12 digits of the SHA-256, computed when it is not given."""
    model, tokenizer = tmp_path / "model.onnx", tmp_path / "tokenizer.json"
    model.write_bytes(b"abc")
    tokenizer.write_text("{}")
    assert MiniLM(model, tokenizer).id == "minilm-int8:ba7816bf8f01"
    assert MiniLM(model, tokenizer, sha256="0123456789abcdef").id == "minilm-int8:0123456789ab"


@pytest.mark.embedder
def test_vectors_have_length_one_and_no_texts_give_no_rows(minilm):
    """Every row is a unit vector of the stated dimension."""
    vectors = minilm.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), minilm.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert minilm.embed([]).shape == (0, minilm.dimension)


@pytest.mark.embedder
def test_rows_keep_the_order_of_the_texts_whatever_the_batch(minilm):
    """A text has the same vector alone as among others, so sorting by length shows nowhere."""
    many = (TEXTS * 4)[:18]
    vectors = minilm.embed(many)
    for text, vector in zip(TEXTS, vectors, strict=False):
        assert np.allclose(minilm.embed([text])[0], vector, atol=1e-5)


@pytest.mark.embedder
def test_texts_of_one_meaning_are_close(minilm):
    """A paraphrase is nearer than another subject; an empty text is no error."""
    vectors = minilm.embed([*TEXTS[:3], ""])
    assert vectors[0] @ vectors[1] > 0.6
    assert vectors[0] @ vectors[2] < 0.3
    assert np.isfinite(vectors).all()


@pytest.mark.embedder
def test_text_beyond_256_tokens_is_not_read(minilm):
    """A long text has the vector of its first 256 tokens."""
    long = "grain " * 300
    first, second = minilm.embed([long, long + "apples bridge " * 50])
    assert np.allclose(first, second)


@pytest.mark.embedder
def test_threads_may_share_it(minilm):
    """Calls from many threads give what one thread gets."""
    expected = minilm.embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(minilm.embed, [TEXTS] * 6):
            assert np.allclose(vectors, expected, atol=1e-5)
