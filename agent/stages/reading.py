"""Two cross-encoders as judge: the small one finds the sentence that speaks most, the stronger one reads it.

A log-linear model with fitted weights, kept as JSON, weighs what the stronger one says and how many of the claim's
words the sentence holds: the fewer, the likelier neutral. Work is kept for what matters: the small one looks at the
sentences of a passage that share most words with the claim, the stronger one reads those in which the small one finds
most; the other passages are taken as neutral.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from itertools import groupby
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Claim, Data, Document, Fit, Hit, short_hash
from agent.errors import ModelError
from agent.stages.judge import Judgement
from agent.stages.stance import (
    Calibration,
    PairScorer,
    Window,
    cut_windows,
    deciding,
    evidence_of,
    log_of,
    nothing_read,
    raw_scores,
    shared_words,
    softmax,
)

_NEUTRAL = 2
_UNHEARD = 2.0
"""A probability that nothing reaches: what was not read takes no side."""


class Opinions(NamedTuple):
    """What the reader made of passages."""

    sentence: NDArray[np.float64]
    """On the sentence of each that will be quoted: supports, refutes, neutral; shape (passages, 3)."""
    shared: NDArray[np.float64]
    """Share of the claim's content words that are in that sentence; shape (passages,)."""


class Pool(Data):
    """Weights of what is known of a sentence: fitted on gold by `evals.training.fit_reading`, kept as JSON."""

    version: Literal[2] = 2
    scout: str
    """Id of the scout it was fitted for."""
    reader: str
    sentence: float = 1
    """Weight of the log-probabilities of the reader."""
    words: float = Field(default=0, ge=0)
    """Taken from the log-probability of neutral in proportion to the share of the claim's content words that are in
    the sentence, counted from one half."""
    refutes_bias: float = 0
    """Added to the log-probability of refutes."""
    neutral_bias: float = 0
    least: float = Field(default=0.3, ge=0, le=1)
    """The likelier side is taken from this probability on, even where neutral is likelier still."""
    reads: int = Field(default=4, ge=1)
    """Most passages of a claim in which the reader reads a sentence."""
    glances: int = Field(default=4, ge=1)
    """Most sentences, or neighbours together, that the scout sees of a passage: those with most words of the claim."""
    fitted: Fit | None = None

    def apply(self, opinions: Opinions) -> NDArray[np.float64]:
        """Probabilities of supports, refutes and neutral, row by row."""
        logits = self.sentence * log_of(opinions.sentence)
        logits += np.array([0.0, self.refutes_bias, self.neutral_bias])
        logits[:, _NEUTRAL] += self.words * (0.5 - opinions.shared)
        return softmax(logits)


class Reading(NamedTuple):
    """Passages as they were read: the deciding window of each that has a sentence, and what was made of it."""

    windows: tuple[Window, ...]
    scouted: NDArray[np.float64]
    """The scout on each window; shape (windows, 3)."""
    read: NDArray[np.intp]
    """Numbers of the windows that were read."""
    opinions: Opinions
    """Of those."""


class ReadingJudge:
    """Scout and reader as judge: no language model, and a quote cut by code, so that it cannot miss."""

    def __init__(self, scout: PairScorer, calibration: Calibration, reader: PairScorer, pool: Pool) -> None:
        """Take two scorers and the parameters that were fitted for them.

        Raises:
            ModelError: the parameters were fitted for other scorers.
        """
        wanted = (calibration.scorer, pool.scout, pool.reader)
        if wanted != (given := (scout.id, scout.id, reader.id)):
            raise ModelError(f"parameters are for {wanted!r} and not for {given!r}: run evals.training.fit_reading")
        self._scout = scout
        self._calibration = calibration
        self._reader = reader
        self._pool = pool

    @property
    def id(self) -> str:
        """Ids of both scorers and a hash of their parameters."""
        parameters = self._calibration.model_dump_json() + self._pool.model_dump_json()
        return f"{self._scout.id}+{self._reader.id}+{short_hash(parameters)[:8]}"

    async def judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        """What each passage says; none of its quotes can be missing, so none is dropped.

        Raises:
            ModelError: a scorer gave something else than one row of probabilities a pair.
        """
        if not hits:
            return Judgement((), 0)
        return await asyncio.to_thread(self._judge, claim, hits, documents)

    def _judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        readers = (self._scout, self._calibration, self._reader)
        claims = [claim.text] * len(hits)
        found = read(claims, hits, documents, readers, most=self._pool.reads, glances=self._pool.glances)
        scores = found.scouted.copy()
        scores[found.read] = self._pool.apply(found.opinions)
        least = np.full(len(scores), _UNHEARD)
        least[found.read] = self._pool.least
        rows = {window.hit: row for row, window in enumerate(found.windows)}
        evidence = (
            evidence_of(claim, hit, found.windows[row].span, scores[row], least=least[row])
            if (row := rows.get(number)) is not None
            else nothing_read(claim, hit)
            for number, hit in enumerate(hits)
        )
        return Judgement(tuple(evidence), 0)


def read(  # noqa: PLR0913 (two of them say how much)
    claims: Sequence[str],
    hits: Sequence[Hit],
    documents: dict[str, Document],
    readers: tuple[PairScorer, Calibration, PairScorer],
    *,
    glances: int,
    most: int | None = None,
) -> Reading:
    """Scout the sentences, then read the one that decides in each passage.

    Args:
        claims: the claim of each hit.
        hits: passages.
        documents: where they are from.
        readers: the scout with its calibration, and the reader.
        glances: most windows of a passage that are scouted.
        most: read only in so many passages, those in which the scout finds most, of as many origins as there are; in
            all without it.
    """
    scout, calibration, reader = readers
    windows = cut_windows(hits, documents, sentences=calibration.sentences, title=calibration.title)
    pairs = [(window.text, claims[window.hit]) for window in windows]
    shared = shared_words(pairs)
    near = _near(windows, shared, glances)
    windows, pairs, shared = tuple(windows[row] for row in near), [pairs[row] for row in near], shared[near]
    scores = calibration.apply(raw_scores(scout, pairs), shared)
    rows = sorted(deciding(windows, scores).values())
    origins = [(claims[windows[row].hit], hits[windows[row].hit].origin) for row in rows]
    telling = _telling(scores[rows, :_NEUTRAL].max(axis=1), origins, most)
    chosen = [rows[number] for number in telling]
    found = raw_scores(reader, [pairs[row] for row in chosen]).astype(np.float64)
    return Reading(tuple(windows[row] for row in rows), scores[rows], telling, Opinions(found, shared[chosen]))


def _telling(scores: NDArray[np.float64], origins: Sequence[tuple[str, str]], most: int | None) -> NDArray[np.intp]:
    """Numbers of the passages in which the scout finds most, one of every origin before the second of any.

    Otherwise many texts of one publisher would keep the reader from all others.
    """
    best = np.argsort(-scores, kind="stable")
    seen = Counter[tuple[str, str]]()
    turns = []
    for number in best:
        turns.append(seen[origins[number]])
        seen[origins[number]] += 1
    return np.sort(best[np.argsort(turns, kind="stable")][:most])


def _near(windows: Sequence[Window], shared: NDArray[np.float64], most: int) -> list[int]:
    """Rows of the windows of each hit that share most words with its claim, in their order."""
    groups = groupby(range(len(windows)), key=lambda row: windows[row].hit)
    return sorted(row for _, rows in groups for row in sorted(rows, key=lambda row: -shared[row])[:most])


def load_pool() -> Pool:
    """The parameters that belong to the weights we ship."""
    path = files("agent.small").joinpath("weights", "reading.json")
    return Pool.model_validate_json(path.read_text(encoding="utf-8"))
