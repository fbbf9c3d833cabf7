"""Intervals for proportions."""

from __future__ import annotations

import math
from typing import NamedTuple

_Z = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


class Proportion(NamedTuple):
    """A share with its 95 % interval; all three are NaN when n is 0."""

    value: float
    low: float
    high: float
    n: int


def wilson(hits: int, n: int) -> Proportion:
    """Share of `hits` in `n` with the Wilson score interval (Wilson 1927).

    Raises:
        ValueError: hits is not between 0 and n.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} is no proportion")
    if n == 0:
        return Proportion(math.nan, math.nan, math.nan, 0)
    share, square = hits / n, _Z * _Z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return Proportion(share, max(0.0, centre - half), min(1.0, centre + half), n)
