"""all-MiniLM-L6-v2 as an int8 ONNX file: sentence embeddings on the CPU, without a network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.errors import ConfigError
from agent.small.base import Vectors
from agent.small.memory import give_back_memory

_DIMENSION = 384
_MAX_TOKENS = 256
_BATCH = 8
"""Larger batches are slower on a CPU, and hold more memory."""


class _Parts(NamedTuple):
    """What ONNX Runtime and Tokenizers made of the two files."""

    session: Any
    tokenizer: Any


class MiniLM:
    """The embedder used by default; the files are opened at the first `embed`. Safe to call from many threads."""

    def __init__(
        self, model: Path, tokenizer: Path, *, intra_op_num_threads: int = 2, sha256: str | None = None
    ) -> None:
        """Name the two files; `sha256` of the model saves reading it when it is known already.

        Raises:
            ConfigError: a file does not exist.
        """
        for path in (model, tokenizer):
            if not path.is_file():
                raise ConfigError(f"embedding model file {str(path)!r} does not exist: run `factdesk models pull`")
        self._model = model
        self._tokenizer = tokenizer
        self._threads = intra_op_num_threads
        self._sha256 = sha256
        self._parts: _Parts | None = None
        self._lock = threading.Lock()

    @cached_property
    def id(self) -> str:
        """`minilm-int8:` and the first 12 hexadecimal digits of the model's SHA-256."""
        return f"minilm-int8:{(self._sha256 or _file_sha256(self._model))[:12]}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return _DIMENSION

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors in the order of the texts; what is beyond 256 tokens of a text is not read."""
        vectors = np.zeros((len(texts), _DIMENSION), dtype=np.float32)
        if not texts:
            return vectors
        parts = self._load()
        tokens = [encoding.ids for encoding in parts.tokenizer.encode_batch(list(texts))]
        by_length = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        for start in range(0, len(by_length), _BATCH):
            rows = by_length[start : start + _BATCH]
            vectors[rows] = _embed_batch(parts.session, [tokens[row] for row in rows])
        return vectors

    def _load(self) -> _Parts:
        with self._lock:
            if self._parts is None:
                self._parts = _Parts(_open_session(self._model, self._threads), _open_tokenizer(self._tokenizer))
                give_back_memory()
            return self._parts


@lru_cache(maxsize=2)
def shared_minilm(model: Path, tokenizer: Path, sha256: str) -> MiniLM:
    """The embedder of these files: the same for all who ask, so that it is opened once."""
    return MiniLM(model, tokenizer, sha256=sha256)


def _open_session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no base class but this
        raise ConfigError(
            f"embedding model {str(path)!r} cannot be read ({error}): delete it and run `factdesk models pull`"
        ) from error


def _open_tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the package raises bare Exception for a bad file
        raise ConfigError(
            f"tokenizer {str(path)!r} cannot be read ({error}): delete it and run `factdesk models pull`"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MAX_TOKENS)
    return tokenizer


def _embed_batch(session: Any, tokens: Sequence[Sequence[int]]) -> Vectors:
    ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, numbers in enumerate(tokens):
        ids[row, : len(numbers)] = numbers
        mask[row, : len(numbers)] = 1
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (hidden,) = session.run(["last_hidden_state"], feed)
    return _mean_unit(hidden, mask)


def _mean_unit(hidden: NDArray[np.float32], mask: NDArray[np.int64]) -> Vectors:
    """Mean over the tokens the mask lets through, scaled to length one."""
    weights = mask[:, :, np.newaxis].astype(np.float32)
    mean = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    unit: Vectors = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
