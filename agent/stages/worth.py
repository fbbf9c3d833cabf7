"""Check-worthiness: which claims to look at first when there is not time or money for all.

A sum of plain signs, not a fitted model: no public set rates claims by what a mistake in them would cost. It orders and
spends a budget; it hides no claim.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.domain import Claim, ClaimKind, Failure, FailureKind, Verification
from agent.text import numbers

_BY_KIND = {
    ClaimKind.QUANTITY: 0.2,
    ClaimKind.CAUSAL: 0.2,
    ClaimKind.EVENT: 0.15,
    ClaimKind.LAW: 0.15,
    ClaimKind.COMPARISON: 0.15,
}
_AFFECTED = re.compile(
    r"\b(?:kill|dead|death|die[sd]?|injur|wound|victim|patient|child|people|resident|refugee|voter|worker|million|billion"
    r"|arrest|accus|fraud|attack|illegal|convict|poison|cancer|vaccin)",
    re.IGNORECASE,
)
_SURPRISING = re.compile(
    r"\b(?:first|only|never|no one|nobody|record|largest|most|least|worst|all|none|every)\b", re.IGNORECASE
)
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[^\W\d_a-z][\w'’-]+")


def worth(claim: Claim) -> float:
    """How much a claim is worth checking, from 0 to 1: who is affected, how specific, how surprising."""
    names = len(_NAME.findall(claim.text))
    points = (
        _BY_KIND.get(claim.kind, 0.1)
        + (0.25 if numbers(claim.text) else 0)
        + min(0.2, 0.07 * names)
        + (0.25 if _AFFECTED.search(claim.text) else 0)
        + (0.1 if _SURPRISING.search(claim.text) else 0)
        - (0.1 if claim.is_sentence else 0)
    )
    return round(max(0.0, min(1.0, points)), 3)


def spend(claims: Sequence[Claim], most: int) -> tuple[tuple[Claim, ...], tuple[Verification, ...]]:
    """The claims that a budget is best spent on, best first, and a failure with the reason for each of the others.

    What was said goes with the claim that it was said only as far as it is rated itself. Equals are taken in the order
    of their sentences, whatever window was finished first.
    """
    order = sorted(claims, key=lambda claim: (-worth(claim), claim.sentence_index or 0))
    left = Failure(
        stage="budget",
        kind=FailureKind.BUDGET,
        message=f"left out: past the limit of {most} claims (max_claims); others were rated more worth checking",
    )
    return tuple(order[:most]), tuple(Verification(claim=claim, outcome=left) for claim in order[most:])
