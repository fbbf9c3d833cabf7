"""A small stance cross-encoder as an int8 ONNX file: what a text says about a claim, on the CPU, without a network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.errors import ConfigError, ModelError
from agent.small.memory import give_back_memory

Probabilities = NDArray[np.float32]

_BATCH = 8
"""Larger batches are slower on a CPU, and hold more memory."""


class Encoder(NamedTuple):
    """A shipped cross-encoder: its file in `weights/`, and how it wants its pairs. Its model card lies beside it."""

    name: str
    sha256: str
    order: tuple[int, int, int]
    """Places of supports, refutes and neutral among its outputs."""
    most: int
    """Word pieces of a pair; a text is cut before its claim."""
    claim: int
    """Word pieces of a claim: longer ones are cut, so that some room is left for the text."""
    opening: int
    """Id of the token a pair begins with."""
    between: tuple[int, ...]
    """Ids between text and claim; the last of them ends a pair, too."""
    shift: int = 0
    """What lies between the ids of its word pieces and those of the tokenizer."""
    padding: int = 0
    has_segments: bool = False

    @property
    def id(self) -> str:
        """Name and the first 12 hexadecimal digits of the SHA-256 of the weights."""
        return f"{self.name}:{self.sha256[:12]}"


MINILM = Encoder(
    "stance-minilm-int8",
    "8471536a82bfa71ba97479e178a5597f34ba3818420500d8f7216850aa93de88",
    order=(1, 0, 2),
    most=128,
    claim=96,
    opening=101,
    between=(102,),
    has_segments=True,
)
"""The small one: seven times as quick, and it finds the sentence that matters."""
MPNET = Encoder(
    "stance-mpnet-int8",
    "be3a6d047a616952d2058d30f6fc4596937d115cca34742376730e42f73d7e66",
    order=(0, 1, 2),
    most=160,
    claim=120,
    opening=0,
    between=(2, 2),
    shift=4,  # MPNet's vocabulary is BERT's behind four marks of its own
    padding=1,
)
"""The stronger one: the judge."""
_CLS = 101
"""Id of `[CLS]` in BERT's vocabulary, by which a tokenizer of another one is told."""


class _Parts(NamedTuple):
    """What ONNX Runtime and Tokenizers made of the two files."""

    session: Any
    tokenizer: Any


class _Pair(NamedTuple):
    """One text and one claim as word pieces."""

    ids: list[int]
    first: int
    """Tokens of the first segment, the text's."""


class CrossEncoder:
    """Scores pairs of a text and a claim; the files are opened at the first `score`. Safe to call from many threads."""

    def __init__(self, encoder: Encoder, model: Path, tokenizer: Path, *, intra_op_num_threads: int = 2) -> None:
        """Name the two files; the model must have the SHA-256 of the encoder.

        Raises:
            ConfigError: a file does not exist.
        """
        if not model.is_file():
            raise ConfigError(f"stance model file {str(model)!r} does not exist: install factdesk again")
        if not tokenizer.is_file():
            raise ConfigError(f"tokenizer file {str(tokenizer)!r} does not exist: run `factdesk models pull`")
        self._encoder = encoder
        self._model = model
        self._tokenizer = tokenizer
        self._threads = intra_op_num_threads
        self._parts: _Parts | None = None
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()  # a run uses all its cores; side by side they get in each other's way

    @property
    def id(self) -> str:
        """Name and the first 12 hexadecimal digits of the SHA-256 of the weights."""
        return self._encoder.id

    def score(self, pairs: Sequence[tuple[str, str]]) -> Probabilities:
        """Probabilities that each text supports, refutes, or is neutral to its claim.

        Args:
            pairs: text and claim; of both together the encoder's `most` word pieces are read, the text is cut first.

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
        encoded = _encode(parts, self._encoder, pairs)
        by_length = sorted(range(len(encoded)), key=lambda row: len(encoded[row].ids))
        for start in range(0, len(by_length), _BATCH):
            rows = by_length[start : start + _BATCH]
            with self._one_at_a_time:
                found[rows] = _score_batch(parts.session, self._encoder, [encoded[row] for row in rows])
        return found

    def _load(self) -> _Parts:
        with self._lock:
            if self._parts is None:
                session = _open_session(self._model, self._encoder.sha256, self._threads)
                self._parts = _Parts(session, _open_tokenizer(self._tokenizer))
                give_back_memory()
            return self._parts


@lru_cache(maxsize=4)
def shipped_cross_encoder(encoder: Encoder, tokenizer: Path) -> CrossEncoder:
    """A cross-encoder whose weights come with the package; `tokenizer` is the embedding model's.

    The same one for all who ask: judge and guard share it, and opening the stronger one takes a second and 0.4 GB.

    Raises:
        ConfigError: the tokenizer file does not exist.
    """
    weights = Path(str(files("agent.small").joinpath("weights", f"{encoder.name}.onnx")))
    return CrossEncoder(encoder, weights, tokenizer)


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
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
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
    if tokenizer.token_to_id("[CLS]") != _CLS:
        raise _bad_tokenizer(path, "its vocabulary is not BERT's")
    return tokenizer


def _bad_tokenizer(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"tokenizer {str(path)!r} cannot be used ({reason}): delete it and run `factdesk models pull`")


def _encode(parts: _Parts, encoder: Encoder, pairs: Sequence[tuple[str, str]]) -> list[_Pair]:
    """Texts and claims as the model was trained on them; each is turned into word pieces once."""
    texts = list(dict.fromkeys(part for pair in pairs for part in pair))
    encodings = parts.tokenizer.encode_batch(texts, add_special_tokens=False)
    pieces: dict[str, list[int]] = {
        text: [number + encoder.shift for number in encoding.ids[: encoder.most]]
        for text, encoding in zip(texts, encodings, strict=True)
    }
    return [_pair(encoder, pieces[text], pieces[claim][: encoder.claim]) for text, claim in pairs]


def _pair(encoder: Encoder, text: list[int], claim: list[int]) -> _Pair:
    room = encoder.most - len(claim) - len(encoder.between) - 2
    first = [encoder.opening, *text[:room], *encoder.between]
    return _Pair([*first, *claim, encoder.between[-1]], len(first))


def _score_batch(session: Any, encoder: Encoder, pairs: Sequence[_Pair]) -> Probabilities:
    ids = np.full((len(pairs), max(len(pair.ids) for pair in pairs)), encoder.padding, dtype=np.int64)
    mask, segments = np.zeros_like(ids), np.zeros_like(ids)
    for row, pair in enumerate(pairs):
        ids[row, : len(pair.ids)] = pair.ids
        mask[row, : len(pair.ids)] = 1
        segments[row, pair.first : len(pair.ids)] = 1
    feed = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": segments} if encoder.has_segments else {})
    try:
        (logits,) = session.run(["logits"], feed)
    except Exception as error:  # ONNX Runtime's errors have no base class but this
        raise ModelError(f"the stance model failed on {len(pairs)} pairs ({error}): check free memory") from error
    return _softmax(logits[:, encoder.order])


def _softmax(logits: NDArray[np.float32]) -> Probabilities:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Probabilities = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return found
