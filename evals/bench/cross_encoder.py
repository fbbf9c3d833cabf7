"""Pairs a second of the two cross-encoders."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from agent.desk import small_scorer, strong_scorer
from agent.settings import load_settings
from evals.bench.measure import Measure, of, timed

_TEXT = "The mill in Norvik burnt down on the fourth of March, the police said, and nobody was hurt in the fire. "
_CLAIM = "The mill in Norvik burnt down in March 2019."


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Pairs of about 128 tokens and of about 40."""
    settings = load_settings({"profile": "local"})
    for which, scorer, most in (("small", small_scorer(settings), 128), ("strong", strong_scorer(settings), 32)):
        count = 8 if quick else most
        for name, times in (("128 tokens", 5), ("40 tokens", 1)):
            pairs = [(f"{_TEXT * times}{number}", _CLAIM) for number in range(count)]
            seconds = timed(partial(scorer.score, pairs), repeats=1 if quick else 5)
            rates = [count / one for one in seconds]
            yield of(
                f"cross-encoder, {which}, {name}", rates, "pairs/s", better="higher", note=f"{count} pairs at once"
            )
