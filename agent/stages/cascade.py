"""A cascade of two judges: the small one settles what it is sure of, the large one is asked about the rest."""

from __future__ import annotations

from collections.abc import Sequence

from agent.domain import Check, Claim, Document, Evidence, Hit, Label
from agent.stages.checks import compare
from agent.stages.decide import decide
from agent.stages.judge import Judgement, StanceJudge

_SIDES = frozenset({Label.SUPPORTED, Label.REFUTED})


class CascadeJudge:
    """Asks the second judge only where the first, decided alone, is not sure of a side or a check disagrees.

    Args:
        first: cheap; judges every claim.
        second: judges what is left.
        sure: least confidence at which the first settles a claim.
    """

    def __init__(self, first: StanceJudge, second: StanceJudge, *, sure: float) -> None:
        self._first = first
        self._second = second
        self._sure = sure

    @property
    def id(self) -> str:
        """Both judges and the threshold."""
        return f"{self._first.id} from {self._sure}, else {self._second.id}"

    async def judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        """Judge all hits of a claim, by one of the two.

        Raises:
            ModelError: no usable reply of the one that was asked.
        """
        found = await self._first.judge(claim, hits, documents)
        if _settles(claim, hits, found.evidence, documents, self._sure):
            return found
        return await self._second.judge(claim, hits, documents)


def _settles(
    claim: Claim, hits: Sequence[Hit], evidence: Sequence[Evidence], documents: dict[str, Document], sure: float
) -> bool:
    texts = {hit.passage.id: hit.passage.text for hit in hits}
    checks = [check for piece in evidence for check in _checks(claim, piece, texts[piece.passage_id])]
    verdict = decide(evidence, checks, documents)
    return verdict.label in _SIDES and (verdict.confidence or 0) >= sure and all(check.agrees for check in checks)


def _checks(claim: Claim, piece: Evidence, context: str) -> tuple[Check, ...]:
    if piece.citation is None:
        return ()
    return compare(claim.text, piece.citation.quote, piece.passage_id, context=context)
