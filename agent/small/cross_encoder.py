"""A small stance cross-encoder as an int8 ONNX file: what a text says about a claim, on the CPU, without a network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.errors import ConfigError, ModelError

Probabilities = NDArray[np.float32]

SHIPPED_SHA256 = "8471536a82bfa71ba97479e178a5597f34ba3818420500d8f7216850aa93de88"
"""Of the weights in `weights/stance-minilm-int8.onnx`; its model card lies beside it."""

_MAX_TOKENS = 128
_MAX_CLAIM_TOKENS = 96
"""Longer claims are cut, so that some room is left for the text."""
_BATCH = 8
"""Larger batches are slower on a CPU, and hold more memory."""
_MODEL_ORDER = (1, 0, 2)
"""The model says refutes, supports, neutral; we say supports, refutes, neutral."""


class _Parts(NamedTuple):
    """What ONNX Runtime and Tokenizers made of the two files."""

    session: Any
    tokenizer: Any
    opening: int
    """Id of the token a pair begins with."""
    separator: int
    """Id of the token that ends a text and a claim."""


class _Pair(NamedTuple):
    """One text and one claim as word pieces."""

    ids: list[int]
    first: int
    """Tokens of the first segment, the text's."""


class CrossEncoder:
    """Scores pairs of a text and a claim; the files are opened at the first `score`. Safe to call from many threads."""

    def __init__(self, model: Path, tokenizer: Path, *, sha256: str, intra_op_num_threads: int = 2) -> None:
        """Name the two files, and the SHA-256 the model must have.

        Raises:
            ConfigError: a file does not exist.
        """
        if not model.is_file():
            raise ConfigError(f"stance model file {str(model)!r} does not exist: install factdesk again")
        if not tokenizer.is_file():
            raise ConfigError(f"tokenizer file {str(tokenizer)!r} does not exist: run `factdesk models pull`")
        self._model = model
        self._tokenizer = tokenizer
        self._sha256 = sha256
        self._threads = intra_op_num_threads
        self._parts: _Parts | None = None
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        """`stance-minilm-int8:` and the first 12 hexadecimal digits of the model's SHA-256."""
        return f"stance-minilm-int8:{self._sha256[:12]}"

    def score(self, pairs: Sequence[tuple[str, str]]) -> Probabilities:
        """Probabilities that each text supports, refutes, or is neutral to its claim.

        Args:
            pairs: text and claim; of both together 128 tokens are read, and the text is cut before the claim.

        Returns:
            Array of shape (len(pairs), 3) in the order supports, refutes, neutral.

        Raises:
            ConfigError: a file is damaged.
            ModelError: the model gave no numbers.
        """
        found = np.zeros((len(pairs), 3), dtype=np.float32)
        if not pairs:
            return found
        parts = self._load()
        encoded = _encode(parts, pairs)
        by_length = sorted(range(len(encoded)), key=lambda row: len(encoded[row].ids))
        for start in range(0, len(by_length), _BATCH):
            rows = by_length[start : start + _BATCH]
            found[rows] = _score_batch(parts.session, [encoded[row] for row in rows])
        return found

    def _load(self) -> _Parts:
        with self._lock:
            if self._parts is None:
                session = _open_session(self._model, self._sha256, self._threads)
                tokenizer = _open_tokenizer(self._tokenizer)
                marks = [_mark(tokenizer, name, self._tokenizer) for name in ("[CLS]", "[SEP]")]
                self._parts = _Parts(session, tokenizer, *marks)
            return self._parts


def shipped_cross_encoder(tokenizer: Path, *, intra_op_num_threads: int = 2) -> CrossEncoder:
    """The cross-encoder whose weights come with the package; `tokenizer` is the embedding model's.

    Raises:
        ConfigError: the tokenizer file does not exist.
    """
    weights = Path(str(files("agent.small").joinpath("weights", "stance-minilm-int8.onnx")))
    return CrossEncoder(weights, tokenizer, sha256=SHIPPED_SHA256, intra_op_num_threads=intra_op_num_threads)


def _open_session(path: Path, sha256: str, threads: int) -> Any:
    import onnxruntime

    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ConfigError(
            f"stance model {str(path)!r} is damaged, its SHA-256 is {found!r} and not {sha256!r}: "
            "install factdesk again"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no base class but this
        raise ConfigError(f"stance model {str(path)!r} cannot be read ({error}): install factdesk again") from error


def _open_tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the package raises bare Exception for a bad file
        raise _bad_tokenizer(path, str(error)) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _mark(tokenizer: Any, name: str, path: Path) -> int:
    number: int | None = tokenizer.token_to_id(name)
    if number is None:
        raise _bad_tokenizer(path, f"it has no token {name!r}")
    return number


def _bad_tokenizer(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"tokenizer {str(path)!r} cannot be used ({reason}): delete it and run `factdesk models pull`")


def _encode(parts: _Parts, pairs: Sequence[tuple[str, str]]) -> list[_Pair]:
    """Texts and claims as the model was trained on them; each is turned into word pieces once."""
    texts = list(dict.fromkeys(part for pair in pairs for part in pair))
    encodings = parts.tokenizer.encode_batch(texts, add_special_tokens=False)
    pieces: dict[str, list[int]] = {
        text: encoding.ids[:_MAX_TOKENS] for text, encoding in zip(texts, encodings, strict=True)
    }
    return [_pair(parts, pieces[text], pieces[claim][:_MAX_CLAIM_TOKENS]) for text, claim in pairs]


def _pair(parts: _Parts, text: list[int], claim: list[int]) -> _Pair:
    first = [parts.opening, *text[: _MAX_TOKENS - len(claim) - 3], parts.separator]
    return _Pair([*first, *claim, parts.separator], len(first))


def _score_batch(session: Any, pairs: Sequence[_Pair]) -> Probabilities:
    ids = np.zeros((len(pairs), max(len(pair.ids) for pair in pairs)), dtype=np.int64)
    mask, segments = np.zeros_like(ids), np.zeros_like(ids)
    for row, pair in enumerate(pairs):
        ids[row, : len(pair.ids)] = pair.ids
        mask[row, : len(pair.ids)] = 1
        segments[row, pair.first : len(pair.ids)] = 1
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
    try:
        (logits,) = session.run(["logits"], feed)
    except Exception as error:  # ONNX Runtime's errors have no base class but this
        raise ModelError(f"the stance model failed on {len(pairs)} pairs ({error}): check free memory") from error
    return _softmax(logits[:, _MODEL_ORDER])


def _softmax(logits: NDArray[np.float32]) -> Probabilities:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Probabilities = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return found
