"""Closed book: what a language model says of a claim without any source."""

from __future__ import annotations

from agent.domain import Failure, FailureKind, Verdict, Verification
from agent.errors import ConfigError, ModelError, TransientModelError
from agent.llm.base import ChatModel, ChatRequest, Message
from agent.llm.reply import ask, keyed_schema, parse_keyed
from agent.text import as_data
from evals.cases import ClaimCase
from evals.passages import claim_of
from evals.record import Outcome
from evals.solvers.ratings import Ratings, label_of
from prompts import load

_KEYS = ("verdict",)
_TOKENS = 200


class _Reply(Ratings):
    reason: str


class ClosedBookSolver:
    """One call a claim; the label rated highest. A yardstick for how much of a score is memory."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def solve(self, case: ClaimCase) -> Outcome:
        """The verdict, resting on nothing that could be cited."""
        claim = claim_of(case)
        request = ChatRequest(
            messages=tuple(
                Message(role=role, content=text) for role, text in load("closed_book").render(claim=as_data(claim.text))
            ),
            schema_name="closed_book",
            json_schema=keyed_schema(_KEYS, _Reply),
            max_tokens=_TOKENS,
        )
        try:
            items, _ = await ask(self._model, request, lambda text: parse_keyed(text, _KEYS, _Reply))
        except ConfigError:
            raise
        except ModelError as error:
            return Outcome(case_id=case.id, verification=Verification(claim=claim, outcome=failure_of(error)))
        label, confidence = label_of(items[0])
        verdict = Verdict(label=label, confidence=confidence, justification=items[0].reason, origins=0)
        return Outcome(case_id=case.id, verification=Verification(claim=claim, outcome=verdict))


def failure_of(error: ModelError) -> Failure:
    """A model's failure in a baseline's only stage."""
    kind = FailureKind.TRANSIENT if isinstance(error, TransientModelError) else FailureKind.REPLY
    return Failure(stage="judge", kind=kind, message=str(error))
