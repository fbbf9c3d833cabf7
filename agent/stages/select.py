"""Selection: how likely a sentence holds something that sources could confirm or deny, before any model is asked.

A logistic regression on the sentence's embedding and on some things that can be counted in it, fitted on sentences
that people have sorted (`evals.training.fit_select`): a few kilobytes, and better at this than a language model of 1.5
billion parameters. What it dismisses stands in the ledger with its likelihood.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.domain import Data, Fit, Sentence, SentenceStatus, short_hash
from agent.errors import ModelError
from agent.small.base import Embedder
from agent.stages.extract import SKIPPED_BELOW, Extracted, unchecked

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|%")
_KINDS_OF_WORDS = {
    "first person": "i we my our me us i'm i've i'd i'll we're we've we'll mine ours",
    "second person": "you your yours you're you've you'll",
    "modal": "should must ought need let let's will would won't can could may might shall cannot can't",
    "opinion": "think believe feel hope want wish know guess see say opinion maybe perhaps clearly truly",
    "past": "was were had did said been became made began took won lost died born signed voted founded",
    "quantity": "million billion percent % thousand hundred dozen half third quarter dollars euros years months people",
    "pointing": "it that this they he she those these there here",
}
_WORDS_OF = {name: frozenset(words.split()) for name, words in _KINDS_OF_WORDS.items()}
_PER_WORD = 5
"""Brings shares of words to about the size of the other features."""


class Selector(Protocol):
    """Says how likely sentences hold something to check."""

    @property
    def id(self) -> str:
        """Name of the selector, with all that can change what it says."""
        ...

    def chances(self, sentences: Sequence[str]) -> Sequence[float]:
        """A probability for each sentence."""
        ...


class SentenceModel(Data):
    """Weights of the regression: fitted by `evals.training.fit_select`, kept as JSON."""

    version: Literal[1] = 1
    embedder: str
    """Id of the embedder it was fitted for."""
    embedding: tuple[float, ...]
    features: dict[str, float]
    bias: float
    fitted: Fit | None = None


class SentenceClassifier:
    """Embedding and counted features, weighed."""

    def __init__(self, embedder: Embedder, model: SentenceModel) -> None:
        """Take an embedder and the weights that were fitted for it.

        Raises:
            ModelError: the weights were fitted for another embedder.
        """
        if model.embedder != embedder.id:
            raise ModelError(
                f"sentence weights are for {model.embedder!r}, not for {embedder.id!r}: run evals.training.fit_select"
            )
        self._embedder = embedder
        self._model = model

    @property
    def id(self) -> str:
        """Id of the embedder and a hash of the weights."""
        return f"{self._embedder.id}+{short_hash(self._model.model_dump_json())[:8]}"

    def chances(self, sentences: Sequence[str]) -> Sequence[float]:
        """The regression's probabilities."""
        if not sentences:
            return ()
        weights = np.array([self._model.features[name] for name in FEATURES])
        logits = self._embedder.embed(sentences) @ np.array(self._model.embedding) + features_of(sentences) @ weights
        return tuple(float(one) for one in 1 / (1 + np.exp(-(logits + self._model.bias))))


class RecordedSelector:
    """Says what was said when a run was made: a replay needs no model."""

    def __init__(self, name: str, chances: Mapping[str, float]) -> None:
        self.id = name
        self._chances = chances

    def chances(self, sentences: Sequence[str]) -> Sequence[float]:
        """The recorded probabilities; a sentence that is not in the record is sent to the language model."""
        return tuple(self._chances.get(sentence, SKIPPED_BELOW) for sentence in sentences)


def select(sentences: Sequence[Sentence], selector: Selector | None) -> dict[int, float]:
    """The chance of each sentence by its index; without a selector only of those without a word, which have none."""
    wordless = {sentence.index: 0.0 for sentence in sentences if not _has_word(sentence.text)}
    if selector is None:
        return wordless
    found = selector.chances([sentence.text for sentence in sentences])
    return {one.index: round(chance, 3) for one, chance in zip(sentences, found, strict=True)} | wordless


def _has_word(text: str) -> bool:
    """Whether there is a letter or a digit: a rule of a table or a lone mark has none."""
    return any(character.isalnum() for character in text)


def dismissed(sentences: Sequence[Sentence], chances: Mapping[int, float]) -> tuple[Extracted, ...]:
    """The ledger lines of the sentences about which no language model is asked."""
    return tuple(
        unchecked(
            sentence,
            SentenceStatus.NOT_CHECKABLE,
            f"hardly anything in it to check (likelihood {chance:.2f})"
            if _has_word(sentence.text)
            else "holds no word",
            chance=chance,
        )
        for sentence in sentences
        if (chance := chances.get(sentence.index, 1.0)) < SKIPPED_BELOW
    )


def load_sentence_model() -> SentenceModel:
    """The weights that belong to the embedder we use by default."""
    return SentenceModel.model_validate_json(files("agent.stages").joinpath("select.json").read_text(encoding="utf-8"))


def features_of(sentences: Sequence[str]) -> NDArray[np.float64]:
    """What is counted in each sentence; shape (sentences, features)."""
    return np.array([_counted(sentence) for sentence in sentences], dtype=np.float64)


def _counted(sentence: str) -> list[float]:
    words = _WORD.findall(sentence)
    lower = [word.lower().replace("’", "'") for word in words]
    total = max(1, len(words))
    capitals = sum(word[0].isupper() and word.lower() not in _WORDS_OF["first person"] for word in words[1:])
    digits = sum(character.isdigit() for character in sentence)
    ending = sentence.rstrip(" \"'”’)")[-1:]
    return [
        math.log1p(len(words)),
        float(digits > 0),
        10 * digits / max(1, len(sentence)),
        math.log1p(capitals),
        capitals / total,
        float(ending == "?"),
        float(ending == "!"),
        float(len(words) < 6),
        *(_PER_WORD * sum(word in kind for word in lower) / total for kind in _WORDS_OF.values()),
    ]


FEATURES = (
    "length", "has digits", "digits", "capitals", "share of capitals", "question", "exclamation", "short", *_WORDS_OF,
)  # fmt: skip
"""Names of the features, in their order."""
