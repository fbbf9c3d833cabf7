"""Static embeddings: the mean of fixed word-piece vectors, hundreds of times as quick as a network, and less exact.

The weights are those of WordLlama (MIT), read out of its wheel by their hashes; its code is not run. For stores so
large that MiniLM would take days; the extra is `factdesk[static]`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import ConfigError
from agent.small.base import Vectors

_WEIGHTS = ("weights/l2_supercat_256.safetensors", "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5")
_TOKENIZER = (
    "tokenizers/l2_supercat_tokenizer_config.json",
    "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
)
_MOST = 512
"""Word pieces read of a text."""


class StaticEmbedder:
    """Means of word-piece vectors. Safe to call from many threads."""

    def __init__(self, table: Vectors, tokenizer: Any) -> None:
        self._table = table
        self._tokenizer = tokenizer

    @property
    def id(self) -> str:
        """Name, and the first 12 hexadecimal digits of the SHA-256 of the weights."""
        return f"wordllama-256:{_WEIGHTS[1][:12]}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._table.shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors in the order of the texts; of one without a word piece, that of nothing in particular."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        vectors[:, 0] = 1e-6
        for row, encoding in enumerate(self._tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            if ids := encoding.ids[:_MOST]:
                vectors[row] = self._table[ids].astype(np.float32).mean(axis=0)
        unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return unit


@cache
def static_embedder() -> StaticEmbedder:
    """The embedder of the installed wheel: the same for all who ask.

    Raises:
        ConfigError: it is not installed, or is another version.
    """
    from tokenizers import Tokenizer

    spec = find_spec("wordllama")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ConfigError("embedder 'static' needs the weights of wordllama: pip install 'factdesk[static]'")
    weights, tokenizer = (_read(Path(folders[0], name), sha256) for name, sha256 in (_WEIGHTS, _TOKENIZER))
    pieces = Tokenizer.from_str(tokenizer.decode("utf-8"))
    pieces.no_padding()
    pieces.no_truncation()
    return StaticEmbedder(_table(weights), pieces)


def _read(path: Path, sha256: str) -> bytes:
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ConfigError(f"{str(path)!r} is not the file of wordllama 0.4.0.post1: pip install 'factdesk[static]'")
    return content


def _table(content: bytes) -> Vectors:
    """The one tensor of a safetensors file: eight bytes of length, a header in JSON, the numbers."""
    length = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + length])["embedding.weight"]
    start, end = about["data_offsets"]
    numbers = np.frombuffer(content[8 + length :][start:end], dtype="<f2")
    return numbers.reshape(about["shape"])  # half precision: as exact, half the memory
