"""What a metric is to the bootstrap."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Statistic(Protocol):
    """A number computed from weighted cases."""

    @property
    def name(self) -> str:
        """Name of the metric, as in the contract of the command line."""
        ...

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The n cases it is computed from."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """Cluster of each case."""
        ...

    def under(self, weights: Floats) -> Floats:
        """Values under weights of shape (b, n), shape (b,): all ones give the plain value, a bootstrap gives counts.

        NaN where it is not defined under such weights.
        """
        ...
