"""Stance stage: a judge reads one passage about one claim."""

from __future__ import annotations

from agent.domain import Hit
from agent.errors import AgentError, ConfigError
from agent.stages.judge import StanceJudge
from evals.cases import StanceCase
from evals.record import Outcome
from evals.solvers.failure import failed


class StanceSolver:
    """Each passage is judged alone."""

    def __init__(self, judge: StanceJudge) -> None:
        self._judge = judge

    async def solve(self, case: StanceCase) -> Outcome:
        """The evidence, or why there is none."""
        hit = Hit(passage=case.passage, rank=1, score=1.0, origin=case.document.id)
        try:
            judged = await self._judge.judge(case.claim, (hit,), {case.document.id: case.document})
        except ConfigError:
            raise
        except AgentError as error:
            return failed(case.id, "judge", error)
        return Outcome(case_id=case.id, evidence=judged.evidence)
