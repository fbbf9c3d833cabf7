"""The stance cross-encoder: the real weights, with the tokenizer when it is in the cache."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from agent.errors import ConfigError
from agent.small.cross_encoder import MINILM, MPNET, CrossEncoder, shipped_cross_encoder

CLAIM = "The bridge opened in 1931."
PAIRS = [
    ("The bridge was opened in 1931 by the queen.", CLAIM),
    ("The bridge was not opened in 1931.", CLAIM),
    ("The bridge is long and grey.", CLAIM),
    ("The price of grain rose. " * 30, CLAIM),
    ("", ""),
]


@pytest.fixture(scope="module")
def tokenizer():
    """The tokenizer file, or a skip with the reason."""
    cache = Path(os.environ.get("FACTDESK_CACHE") or platformdirs.user_cache_path("factdesk"))
    path = cache / "models" / "minilm-tokenizer.json"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the cache: run `factdesk models pull`")
    return path


@pytest.fixture(scope="module", params=[MINILM, MPNET], ids=["minilm", "mpnet"])
def encoder(request):
    """Each of the two that ship."""
    return request.param


@pytest.fixture(scope="module")
def scorer(encoder, tokenizer):
    """The shipped model."""
    return shipped_cross_encoder(encoder, tokenizer)


def test_missing_files_are_named_with_the_cure(tmp_path):
    """Weights come with the package, the tokenizer is pulled."""
    there = tmp_path / "there"
    there.write_text("{}")
    with pytest.raises(ConfigError, match=r"gone\.onnx.*install"):
        CrossEncoder(MINILM, tmp_path / "gone.onnx", there)
    with pytest.raises(ConfigError, match=r"gone\.json.*models pull"):
        CrossEncoder(MINILM, there, tmp_path / "gone.json")


def test_other_bytes_than_promised_are_refused(tmp_path):
    """The hash is checked when the model is loaded."""
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    with pytest.raises(ConfigError, match=r"damaged.*ba7816bf.*install"):
        CrossEncoder(MINILM, file, file).score([("a", "b")])
    with pytest.raises(ConfigError, match="cannot be read"):
        CrossEncoder(MINILM._replace(sha256=hashlib.sha256(b"abc").hexdigest()), file, file).score([("a", "b")])


@pytest.mark.parametrize(
    "content", ["{}", "not JSON", '{"model": {"type": "WordLevel", "vocab": {}, "unk_token": "a"}}']
)
def test_a_broken_tokenizer_is_named(tmp_path, content):
    """It is opened at the first score."""
    broken = tmp_path / "tokenizer.json"
    broken.write_text(content)
    with pytest.raises(ConfigError, match=r"tokenizer\.json.*models pull"):
        shipped_cross_encoder(MINILM, broken).score(PAIRS[:1])


def test_the_id_names_the_weights_we_ship(encoder, tmp_path):
    """The id holds the first 12 digits of their hash, without reading them."""
    (tmp_path / "t").write_text("{}")
    assert shipped_cross_encoder(encoder, tmp_path / "t").id == f"{encoder.name}:{encoder.sha256[:12]}"
    weights = files("agent.small").joinpath("weights", f"{encoder.name}.onnx").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == encoder.sha256
    assert len(weights) <= 120_000_000


@pytest.mark.embedder
def test_rows_are_probabilities_in_the_order_supports_refutes_neutral(scorer):
    """Plain cases come out as they should; an empty pair is no error."""
    found = scorer.score(PAIRS)
    assert (found.shape, found.dtype) == ((len(PAIRS), 3), np.float32)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert list(found[:3].argmax(axis=1)) == [0, 1, 2]
    assert scorer.score([]).shape == (0, 3)


@pytest.mark.embedder
def test_a_score_does_not_depend_on_its_neighbours(scorer):
    """Alone, in another order or in a full batch: the same numbers."""
    found = scorer.score(PAIRS * 4)
    for pair, row in zip(PAIRS, found, strict=False):
        assert np.allclose(scorer.score([pair])[0], row, atol=1e-4)
    assert np.allclose(scorer.score(PAIRS[::-1]), found[: len(PAIRS)][::-1], atol=1e-4)


@pytest.mark.embedder
def test_pairs_are_encoded_as_in_training(tokenizer):
    """Ids and segments of the small one are those of the tokenizer's own pairs, the text cut first."""
    from tokenizers import Tokenizer

    from agent.small.cross_encoder import _encode

    reference = Tokenizer.from_file(str(tokenizer))
    reference.no_padding()
    reference.enable_truncation(128, strategy="only_first")
    loaded = shipped_cross_encoder(MINILM, tokenizer)._load()
    for (text, claim), pair in zip(PAIRS, _encode(loaded, MINILM, PAIRS), strict=True):
        wanted = reference.encode(text, claim)
        assert pair.ids == wanted.ids
        assert pair.first == wanted.type_ids.count(0)


@pytest.mark.embedder
def test_the_stronger_one_reads_the_same_words_under_its_own_marks(tokenizer):
    """MPNet's vocabulary is BERT's behind four marks: <s> text </s></s> claim </s>, the text cut first."""
    from agent.small.cross_encoder import _encode

    loaded = shipped_cross_encoder(MPNET, tokenizer)._load()
    small = _encode(loaded, MINILM._replace(most=1000), PAIRS)
    for pair, plain in zip(_encode(loaded, MPNET, PAIRS), small, strict=True):
        claim = [number + 4 for number in plain.ids[plain.first : -1]]
        text = [number + 4 for number in plain.ids[1 : plain.first - 1]][: 160 - 4 - len(claim)]
        assert pair.ids == [0, *text, 2, 2, *claim, 2]


@pytest.mark.embedder
def test_a_very_long_claim_leaves_room_for_the_text(scorer):
    """The claim is cut at 96 tokens, so two texts still score differently."""
    found = scorer.score([(text, CLAIM * 60) for text, _ in PAIRS[:2]])
    assert np.isfinite(found).all()
    assert not np.allclose(found[0], found[1])


@pytest.mark.embedder
def test_threads_may_share_it(scorer):
    """Calls from many threads give what one thread gets."""
    expected = scorer.score(PAIRS)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(scorer.score, [PAIRS] * 4):
            assert np.allclose(found, expected, atol=1e-4)
