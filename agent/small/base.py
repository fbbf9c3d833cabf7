"""What an embedder is to a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors whose dot product is the cosine similarity."""

    @property
    def id(self) -> str:
        """Name and hash of the model; a store made with one id refuses another."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Array of shape (len(texts), dimension), rows in the order of the texts, each of length one."""
        ...
