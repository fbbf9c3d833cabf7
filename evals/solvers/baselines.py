"""Baselines: solvers of claims that any system should beat, scored and compared like the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent.domain import Label, Verdict, Verification
from agent.errors import InputError
from agent.llm.base import ChatModel
from agent.sources import Sources
from evals.cases import ClaimCase, Suite
from evals.passages import claim_of
from evals.record import Outcome
from evals.solvers.base import Solver
from evals.solvers.bm25 import Bm25Solver
from evals.solvers.closed_book import ClosedBookSolver
from evals.solvers.one_call import OneCallSolver
from evals.suites import find_suite, half_of, load_suite, name_of

BASELINES = ("majority", "bm25", "closed_book", "one_call")
NEEDS_MODEL = frozenset({"closed_book", "one_call"})
NEEDS_SEARCH = frozenset({"one_call"})
LOOKS_NOWHERE = frozenset({"majority", "closed_book"})
"""These find nothing because they look for nothing: no figure of search is theirs."""


class MajoritySolver:
    """Gives every claim the most frequent label of the cases it is not scored on, with that label's share."""

    def __init__(self, cases: Sequence[ClaimCase]) -> None:
        counts = Counter(case.label for case in cases)
        self._label = max(Label, key=lambda label: counts[label])
        self._share = counts[self._label] / max(1, counts.total())

    async def solve(self, case: ClaimCase) -> Outcome:
        """The same verdict as ever, resting on nothing."""
        verdict = Verdict(
            label=self._label,
            confidence=self._share,
            justification="The most frequent label; no evidence was looked at.",
            origins=0,
        )
        return Outcome(case_id=case.id, verification=Verification(claim=claim_of(case), outcome=verdict))


def baseline(name: str, *, suite: Suite, model: ChatModel, sources: Sources) -> Solver[ClaimCase]:
    """The baseline of that name.

    Raises:
        InputError: there is none.
    """
    if name == "majority":
        return MajoritySolver(_others(suite))
    if name == "bm25":
        return Bm25Solver(suite.corpus)
    if name == "closed_book":
        return ClosedBookSolver(model)
    if name == "one_call":
        return OneCallSolver(model, sources)
    raise InputError(f"there is no baseline {name!r}: give one of {', '.join(BASELINES)}")


def _others(suite: Suite) -> Sequence[ClaimCase]:
    """The cases of the other half; all of them when the run is not on one half."""
    halves = {half_of(case.group_id or case.id) for case in suite.claims}
    whole = load_suite(find_suite(name_of(suite.folder))).claims
    if len(halves) == 1:
        whole = tuple(case for case in whole if half_of(case.group_id or case.id) not in halves)
    return whole or suite.claims
