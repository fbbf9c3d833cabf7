"""The small cross-encoder as judge: every sentence of a passage is scored, and the one that decides is the quote.

The quote is a span we cut ourselves, so a citation cannot miss; the price is that only what stands in one or two
sentences next to each other is understood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import files
from itertools import groupby
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import (
    Citation,
    Claim,
    Data,
    Document,
    Evidence,
    Fit,
    Hit,
    Passage,
    Span,
    Stance,
    StanceScores,
    short_hash,
)
from agent.errors import ModelError
from agent.spans import passage_sentences
from agent.stages.judge import Judgement
from agent.text import content_words

_LONGEST_WINDOW = 600
"""Characters of several sentences taken together: about what the model reads."""
_STANCES = (Stance.SUPPORTS, Stance.REFUTES, Stance.NEUTRAL)
_SUPPORTS, _REFUTES, _NEUTRAL = range(3)
_TINY = 1e-9


class PairScorer(Protocol):
    """Scores pairs of a text and a claim."""

    @property
    def id(self) -> str:
        """Name and hash of the model."""
        ...

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Array of shape (len(pairs), 3): probabilities of supports, refutes, neutral."""
        ...


class Calibration(Data):
    """How raw scores become a stance: fitted on gold by `evals.training.fit_stance`, kept as JSON."""

    version: Literal[1] = 1
    scorer: str
    """Id of the scorer it was fitted for."""
    temperature: float = Field(default=1, gt=0)
    neutral_bias: float = 0
    """Added to the log-probability of neutral."""
    refutes_bias: float = 0
    """Added to the log-probability of refutes."""
    words_weight: float = Field(default=0, ge=0)
    """Taken from the log-probability of neutral in proportion to the share of the claim's content words that
    are in what was read, counted from one half: to a model of this size unrelated sentences read as refuting."""
    least: float = Field(default=0, ge=0, le=1)
    """The likelier side is taken from this probability on, even where neutral is likelier still: what so weak a voice
    weighs is the decision's to say."""
    sentences: int = Field(default=2, ge=1, le=5)
    """Most neighbouring sentences scored together."""
    title: bool = False
    """Whether the document's title goes before the sentence."""
    fitted: Fit | None = None

    def apply(self, raw: NDArray[np.float32], shared: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of raw ones, row by row; `shared` holds each row's share of the claim's words."""
        logits = np.log(np.maximum(raw.astype(np.float64), _TINY)) / self.temperature
        logits += np.array([0.0, self.refutes_bias, self.neutral_bias])
        logits[:, _NEUTRAL] += self.words_weight * (0.5 - shared)
        return softmax(logits)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of logits, row by row."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return found


def log_of(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of probabilities; one of nothing is taken as a millionth, so that no opinion is a veto in a pool."""
    found: NDArray[np.float64] = np.log(np.maximum(shares, 1e-6))
    return found


class Window(NamedTuple):
    """One or more sentences of a passage, and what the scorer reads of them."""

    hit: int
    span: Span
    """In the passage."""
    text: str


class CrossEncoderJudge:
    """A scorer of pairs as judge: one batch for all passages of a claim, no language model."""

    def __init__(self, scorer: PairScorer, calibration: Calibration) -> None:
        """Take a scorer and the calibration that was fitted for it.

        Raises:
            ModelError: the calibration was fitted for another scorer.
        """
        if calibration.scorer != scorer.id:
            raise ModelError(
                f"calibration is for {calibration.scorer!r} and not for {scorer.id!r}: run evals.training.fit_stance"
            )
        self._scorer = scorer
        self._calibration = calibration

    @property
    def id(self) -> str:
        """Id of the scorer and a hash of its calibration."""
        return f"{self._scorer.id}+{short_hash(self._calibration.model_dump_json())[:8]}"

    async def judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        """What each passage says; none of its quotes can be missing, so none is dropped.

        Raises:
            ModelError: the scorer gave something else than one row of probabilities a pair.
        """
        if not hits:
            return Judgement((), 0)
        return await asyncio.to_thread(self._judge, claim, hits, documents)

    def _judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        windows = cut_windows(hits, documents, sentences=self._calibration.sentences, title=self._calibration.title)
        pairs = [(window.text, claim.text) for window in windows]
        scores = self._calibration.apply(raw_scores(self._scorer, pairs), shared_words(pairs))
        best = deciding(windows, scores)
        evidence = (
            evidence_of(claim, hit, windows[row].span, scores[row], least=self._calibration.least)
            if (row := best.get(number)) is not None
            else nothing_read(claim, hit)
            for number, hit in enumerate(hits)
        )
        return Judgement(tuple(evidence), 0)


def load_calibration() -> Calibration:
    """The parameters that belong to the weights we ship."""
    path = files("agent.small").joinpath("weights", "stance-minilm.json")
    return Calibration.model_validate_json(path.read_text(encoding="utf-8"))


def cut_windows(
    hits: Sequence[Hit], documents: dict[str, Document], *, sentences: int, title: bool
) -> tuple[Window, ...]:
    """Every sentence of every passage, and runs of up to `sentences` neighbours that are not too long to be read."""
    return tuple(
        Window(number, span, shown(hit.passage, span, documents[hit.passage.document_id].title if title else ""))
        for number, hit in enumerate(hits)
        for span in _runs(passage_sentences(hit.passage.text), sentences)
    )


def _runs(spans: Sequence[Span], most: int) -> list[Span]:
    runs = [
        Span(start=spans[first].start, end=spans[first + length - 1].end)
        for length in range(1, most + 1)
        for first in range(len(spans) - length + 1)
    ]
    return [run for number, run in enumerate(runs) if number < len(spans) or run.end - run.start <= _LONGEST_WINDOW]


def shown(passage: Passage, span: Span, title: str) -> str:
    """What a scorer reads of a span of a passage: the title of its document, then the words on one line."""
    text = " ".join(span.of(passage.text).split())
    return f"{' '.join(title.split()).rstrip('.')}. {text}" if title.strip() else text


def raw_scores(scorer: PairScorer, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """The scores of a scorer, proved to be what its role promises; identical pairs are scored once.

    Raises:
        ModelError: a wrong shape, or numbers that are no probabilities.
    """
    unique = sorted(set(pairs))
    rows = {pair: row for row, pair in enumerate(unique)}
    found = scorer.score(unique) if unique else np.zeros((0, 3), dtype=np.float32)
    if found.shape != (len(unique), 3):
        raise ModelError(f"{scorer.id!r} gave scores of shape {found.shape!r} for {len(unique)} pairs: check the model")
    if not np.isfinite(found).all() or (found < 0).any():
        raise ModelError(f"{scorer.id!r} gave scores that are no probabilities: check the model file")
    return found[[rows[pair] for pair in pairs]] if pairs else found


def shared_words(pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """Share of each claim's content words that are in its text."""
    words = {part: frozenset(content_words(part)) for part in {part for pair in pairs for part in pair}}
    shares = [len(words[claim] & words[text]) / max(1, len(words[claim])) for text, claim in pairs]
    return np.array(shares, dtype=np.float64)


def deciding(windows: Sequence[Window], scores: NDArray[np.float64]) -> dict[int, int]:
    """For each hit the row of the window that takes a side most surely; the shorter, then the first, when equal."""
    best = {}
    for hit, rows in groupby(range(len(windows)), key=lambda row: windows[row].hit):
        best[hit] = max(rows, key=lambda row: (scores[row, :_NEUTRAL].max(), -len(windows[row].text), -row))
    return best


def nothing_read(claim: Claim, hit: Hit) -> Evidence:
    """Evidence of a passage without a sentence: neutral."""
    return evidence_of(claim, hit, None, np.array([0.0, 0.0, 1.0]), least=0)


def evidence_of(claim: Claim, hit: Hit, span: Span | None, scores: NDArray[np.float64], *, least: float) -> Evidence:
    """Evidence of a passage: the likelier side where it reaches `least`, with the words at `span` as its quote."""
    side = int(scores[:_NEUTRAL].argmax())
    stance = _STANCES[side] if scores[side] >= least and scores[side] > 0 else Stance.NEUTRAL
    values = StanceScores(supports=scores[_SUPPORTS], refutes=scores[_REFUTES], neutral=scores[_NEUTRAL])
    return Evidence(
        claim_id=claim.id,
        passage_id=hit.passage.id,
        document_id=hit.passage.document_id,
        span=hit.passage.span,
        origin=hit.origin,
        stance=stance,
        scores=values,
        citation=None if span is None or stance is Stance.NEUTRAL else _citation(hit.passage, span, stance),
    )


def _citation(passage: Passage, span: Span, stance: Stance) -> Citation:
    start = passage.span.start + span.start
    return Citation(
        document_id=passage.document_id,
        span=Span(start=start, end=start + span.end - span.start),
        quote=span.of(passage.text),
        stance=stance,
    )
