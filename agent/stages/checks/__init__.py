"""Deterministic checks: what numbers, units, dates, names and negation of a claim do in its quote.

A check that disagrees blocks the label `supported`, so a check is only made when the quote speaks of the same
kind of thing; where code cannot tell, there is no check.
"""

from __future__ import annotations

from agent.domain import Check
from agent.stages.checks.dates import compare_dates
from agent.stages.checks.names import compare_names
from agent.stages.checks.negation import compare_negation
from agent.stages.checks.numbers import compare_numbers
from agent.stages.checks.words import clean


def compare(claim_text: str, quote: str, passage_id: str, *, context: str = "") -> tuple[Check, ...]:
    """Checks of a claim against a quote, in the order numbers, dates, names, negation, each in claim order.

    `context` is the text around the quote: names found there count as named. It never makes a check disagree.
    """
    claim, said, around = clean(claim_text), clean(quote), clean(context)
    return (
        *compare_numbers(claim, said, passage_id),
        *compare_dates(claim, said, passage_id),
        *compare_names(claim, said, passage_id, context=around),
        *compare_negation(claim, said, passage_id),
    )
