"""Made-up texts and vectors that cost a store what real ones do, as far as that was measured."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from agent.domain import Document, text_sha256
from agent.small.base import Vectors

WORDS = 90
"""Words of a text, in sentences of fifteen."""
_SENTENCE = 15
_VOCABULARY = 50_000
_SHIFT = 2.7
"""Of the law of Zipf and Mandelbrot: the word of rank r comes in proportion to 1 / (r + shift)."""
_COMMON = 50
"""Words that a question leaves out, as stop words are. With so many, about 23 of 100 passages have one of its words; of
the claims of seven public sets as many, among 100,000 passages mixed from the sentences of their documents."""
_SYLLABLES = [a + b for a in "bdfgklmnprstv" for b in ("a", "e", "i", "o", "u", "an", "el", "or")]
_LATENT, _NOISE = 24, 1.5


def documents(count: int) -> Iterator[Document]:
    """Texts of words as frequent as those of a language, each one passage, dated over ten years."""
    dice = np.random.default_rng(0)
    words = _words()
    shares = np.cumsum(1 / (np.arange(1, _VOCABULARY + 1) + _SHIFT))
    for number in range(count):
        chosen = [words[rank] for rank in np.searchsorted(shares, dice.random(WORDS) * shares[-1])]
        sentences = (" ".join(chosen[start : start + _SENTENCE]) for start in range(0, WORDS, _SENTENCE))
        text = " ".join(f"{sentence.capitalize()}." for sentence in sentences)
        yield Document(
            id=f"d{number}",
            text=text,
            publisher=f"Publisher {number % 500}",
            published=f"{2012 + number % 10}-0{1 + number % 9}-15",
            sha256=text_sha256(text),
        )


def question(text: str) -> str:
    """The first sentence of a made-up text without its commonest words."""
    common = frozenset(_words()[:_COMMON])
    return " ".join(word for word in text.partition(".")[0].lower().split() if word not in common)


@cache
def _words() -> list[str]:
    """All words, the commonest first; these are the short ones."""
    dice = random.Random(0)  # noqa: S311 (made-up data)
    found: dict[str, None] = {}
    while len(found) < _VOCABULARY:
        syllables = 1 + (len(found) >= _COMMON) + (len(found) >= 5000)
        found.setdefault("".join(dice.choices(_SYLLABLES, k=syllables)))
    return list(found)


class GivenVectors:
    """Unit vectors near a surface of few dimensions, the same for the same text; no embedder's arithmetic is in it.

    A store takes these in at 0.75 times the rate of MiniLM's vectors of real passages (15,000, measured), and at 1.5
    times that of vectors at random, which no texts have.
    """

    id = "made up:384"
    dimension = 384

    def __init__(self) -> None:
        self._surface = np.random.default_rng(0).standard_normal((_LATENT, self.dimension))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text."""
        rows = np.stack([self._row(text) for text in texts])
        unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def _row(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        dice = np.random.default_rng(int(text_sha256(text)[:16], 16))
        row: np.ndarray[tuple[int], np.dtype[np.float64]] = dice.standard_normal(
            _LATENT
        ) @ self._surface + _NOISE * dice.standard_normal(self.dimension)
        return row
