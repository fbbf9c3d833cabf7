"""Probabilities of the choices in a reply, read off the log-probabilities of its tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from agent.llm.base import TokenLogprobs


def choice_probabilities(
    tokens: Sequence[TokenLogprobs], field: str, options: Sequence[str]
) -> tuple[dict[str, float], ...]:
    """For each occurrence of `field` in a JSON reply: how probable each option was as its value.

    The first token of the value is looked at; each of its alternatives counts for the option it begins. An option
    that is not among the alternatives gets the smallest probability seen there. Values are normalised over the
    options.

    Returns:
        One distribution for each occurrence, in order; empty when there are no log-probabilities.
    """
    text = "".join(token.token for token in tokens)
    places = [match.end() for match in re.finditer(rf'"{re.escape(field)}"\s*:\s*"', text)]
    return tuple(_distribution(_token_at(tokens, place).alternatives, options) for place in places if place < len(text))


def _token_at(tokens: Sequence[TokenLogprobs], place: int) -> TokenLogprobs:
    end = 0
    for token in tokens:
        end += len(token.token)
        if end > place:
            return token
    raise IndexError(f"no token at character {place}")


def _distribution(alternatives: dict[str, float], options: Sequence[str]) -> dict[str, float]:
    floor = math.exp(min(alternatives.values(), default=-20.0))
    mass = dict.fromkeys(options, 0.0)
    for token, logprob in alternatives.items():
        start = token.strip(' "\n')
        for option in options:
            if start and option.startswith(start):
                mass[option] += math.exp(logprob)
                break
    mass = {option: value or floor for option, value in mass.items()}
    total = sum(mass.values())
    return {option: value / total for option, value in mass.items()}
