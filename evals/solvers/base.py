"""What a solver is to the runner."""

from __future__ import annotations

from typing import Protocol, TypeVar

from evals.record import Outcome

CaseT_contra = TypeVar("CaseT_contra", contravariant=True)


class Solver(Protocol[CaseT_contra]):
    """Works on one case at a time; cases can be worked on side by side."""

    async def solve(self, case: CaseT_contra) -> Outcome:
        """The outcome of a case; what goes wrong with the case alone becomes its `failure`.

        Raises:
            ConfigError: a key, address or model name is wrong; the run must end.
        """
        ...
