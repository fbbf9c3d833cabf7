"""What the run holds about a question in free words: claims with their verdicts, and exact quotes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from agent.chat.answers import quoted, stands
from agent.chat.resolve import words_about
from agent.chat.state import State, Statement, is_held, quotes_held, without_repeats
from agent.text import content_words

_CLAIMS, _QUOTES = 2, 3


def find_in_run(question: str, state: State) -> tuple[Statement, ...]:
    """Claims and stored quotes that hold most of what a question is about, by words; rare ones weigh more."""
    wanted = words_about(question)
    cited = {(one.document_id, one.span): one for found in state.outcomes.values() for one in quotes_held(found)}
    claims = [claim for claim in state.claims if claim.id in state.outcomes]
    weigh = _Weights(wanted, [*(claim.text for claim in claims), *(one.quote for one in cited.values())])
    best_claims = sorted(((weigh(claim.text), claim) for claim in claims), key=lambda pair: -pair[0])
    best_quotes = sorted(((weigh(one.quote), one) for one in cited.values()), key=lambda pair: -pair[0])
    said = [stands(claim, state) for fit, claim in best_claims[:_CLAIMS] if fit > 0.5]
    quotes = without_repeats([quoted(one, state.documents) for fit, one in best_quotes if fit > 0.5])
    return tuple(statement for statement in (*quotes[:_QUOTES], *said) if is_held(statement, state))


class _Weights:
    """How much of what is wanted a text holds, from 0 to 1."""

    def __init__(self, wanted: frozenset[str], texts: Sequence[str]) -> None:
        held = Counter(word for text in texts for word in wanted & set(content_words(text)))
        self._weights = {word: math.log((len(texts) + 2) / (held[word] + 0.5)) for word in wanted}

    def __call__(self, text: str) -> float:
        shared = sum(self._weights[word] for word in self._weights.keys() & set(content_words(text)))
        return shared / sum(self._weights.values()) if self._weights else 0.0
