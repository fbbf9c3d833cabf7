"""One claim on its way through the stages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

from agent.domain import (
    Check,
    CheckKind,
    Claim,
    Document,
    Evidence,
    Failure,
    FailureKind,
    Hit,
    Passage,
    Query,
    SourceKind,
    Stance,
    Verdict,
    Verification,
)
from agent.errors import AgentError, ConfigError, StoreError, TransientModelError
from agent.settings import Settings
from agent.sources import Sources
from agent.stages.checks import compare
from agent.stages.checks.instructions import instruction_in
from agent.stages.decide import check_verdict, decide
from agent.stages.judge import Judgement, StanceJudge
from agent.stages.queries import plan_queries
from agent.stages.retrieve import origins_of

LookAgain = Literal["nothing", "one_side"]
_ALL_ALIKE: Mapping[SourceKind, float] = MappingProxyType({})

log = logging.getLogger(__name__)


class Compare(Protocol):
    """Compares a claim with a quote; see `agent.stages.checks.compare`."""

    def __call__(self, claim_text: str, quote: str, passage_id: str, *, context: str = "") -> tuple[Check, ...]:
        """What was compared, and whether it agrees."""
        ...


@dataclass(frozen=True)
class Rules:
    """What code holds against sources, whatever a judge says; only an evaluation takes others than these."""

    order_in: Callable[[str], str] = instruction_in
    """The words with which a text gives its reader orders; empty when there are none."""
    compare: Compare = compare
    origins: Callable[[Sequence[Passage], Mapping[str, Document]], dict[str, str]] = origins_of


RULES = Rules()


async def attempt(claim: Claim, judge: StanceJudge, sources: Sources, settings: Settings, rules: Rules) -> Verification:
    """Retrieve, judge, check and decide for one claim; what goes wrong becomes a Failure.

    Raises:
        ConfigError: the model cannot be used at all.
    """
    one = Attempt(claim, judge, sources, rules)
    try:
        for number in range(1, settings.max_rounds + 1):
            await one.look(number)
            if one.is_settled(settings.look_again):
                break
        return one.conclude(abstain_below=settings.abstain_below, weights=settings.kind_weights)
    except ConfigError:
        raise
    except AgentError as error:
        return one.fail(error)
    except Exception as error:  # a defect of ours in one claim must not end the article
        log.exception("defect while verifying claim %s", claim.id)
        return one.fail(error)


class Attempt:
    """One claim on its way through the stages: what has been found so far."""

    def __init__(self, claim: Claim, judge: StanceJudge, sources: Sources, rules: Rules = RULES) -> None:
        self._rules = rules
        self._claim = claim
        self._judge = judge
        self._sources = sources
        self._stage = "queries"
        self._queries: tuple[Query, ...] = ()
        self._hits: tuple[Hit, ...] = ()
        self._evidence: tuple[Evidence, ...] = ()
        self._documents: dict[str, Document] = {}
        self._dropped = 0
        self._round = 0
        self._is_new = False
        self._orders: dict[str, str] = {}
        """By passage, the words with which it gives its reader orders."""

    def is_settled(self, look_again: LookAgain) -> bool:
        """Whether a further round is not called for, or of no use because the last one found nothing new."""
        is_vain = self._round > 1 and not self._is_new
        return is_vain or not self._lack(look_again)

    async def look(self, number: int) -> None:
        """One round: queries, retrieval, judgement of what is new.

        A passage that gives its reader orders is not shown to the judge: they could sway it about the others, too. It
        stays among the evidence, for neither side.
        """
        self._stage = "queries"
        reason = self._lack("one_side") if number > 1 else ""
        queries = tuple(q.model_copy(update={"reason": reason}) for q in plan_queries(self._claim, round=number))
        self._queries += queries
        self._stage = "retrieve"
        seen = frozenset(hit.passage.id for hit in self._hits)
        new = await asyncio.to_thread(self._sources.find, queries, seen)
        self._round, self._is_new = number, bool(new)
        self._hits += new
        self._documents |= self._sources.documents(tuple({hit.passage.document_id: None for hit in new}))
        self._stage = "judge"
        self._orders |= {hit.passage.id: words for hit in new if (words := self._order_in(hit))}
        read = tuple(hit for hit in new if hit.passage.id not in self._orders)
        judged: Judgement = await self._judge.judge(self._claim, read, self._documents)
        self._evidence += judged.evidence
        self._evidence += tuple(self._set_aside(hit) for hit in new if hit.passage.id in self._orders)
        self._dropped += judged.dropped_citations

    def _lack(self, look_again: LookAgain) -> str:
        """What is missing in the evidence so far, in words; empty when nothing is."""
        sides = {piece.stance for piece in self._evidence} - {Stance.NEUTRAL}
        if not sides:
            return "nothing read so far bears on the claim"
        is_one_sided = look_again == "one_side" and len(sides) == 1
        return f"all that was found so far {sides.pop().value} the claim" if is_one_sided else ""

    def _order_in(self, hit: Hit) -> str:
        """The order in what a judge would be shown of a hit."""
        document = self._documents[hit.passage.document_id]
        return self._rules.order_in(f"{document.publisher or ''}\n{document.title}\n{hit.passage.text}")

    def _set_aside(self, hit: Hit) -> Evidence:
        return Evidence(
            claim_id=self._claim.id,
            passage_id=hit.passage.id,
            document_id=hit.passage.document_id,
            span=hit.passage.span,
            origin=hit.origin,
            stance=Stance.NEUTRAL,
        )

    def conclude(self, *, abstain_below: float, weights: Mapping[SourceKind, float] = _ALL_ALIKE) -> Verification:
        """Checks and decision; a voice counts as much as the kind of its source weighs, 1 where that is not said."""
        self._join_origins()
        self._weigh(weights)
        self._stage = "checks"
        texts = {hit.passage.id: hit.passage.text for hit in self._hits}
        checks = tuple(
            check
            for piece in self._evidence
            if piece.citation is not None
            for check in self._rules.compare(
                self._claim.text, piece.citation.quote, piece.passage_id, context=texts[piece.passage_id]
            )
        )
        checks += tuple(
            Check(kind=CheckKind.INSTRUCTION, claim_value="", quote_value=words, agrees=False, passage_id=passage)
            for passage, words in self._orders.items()
        )
        self._stage = "decide"
        verdict = decide(self._evidence, checks, self._documents, abstain_below=abstain_below)
        check_verdict(verdict, self._evidence, self._documents)
        return self._verification(verdict).model_copy(update={"checks": checks})

    def _join_origins(self) -> None:
        """Copies found in different rounds are one origin, too."""
        origins = self._rules.origins([hit.passage for hit in self._hits], self._documents)
        self._hits = tuple(hit.model_copy(update={"origin": origins[hit.passage.id]}) for hit in self._hits)
        self._evidence = tuple(
            piece.model_copy(update={"origin": origins[piece.passage_id]}) for piece in self._evidence
        )

    def _weigh(self, weights: Mapping[SourceKind, float]) -> None:
        kinds = {name: document.kind for name, document in self._documents.items()}
        self._evidence = tuple(
            piece.model_copy(update={"weight": weights.get(kinds[piece.document_id], 1.0)}) for piece in self._evidence
        )

    def fail(self, error: Exception) -> Verification:
        """What was done until it went wrong, with the reason instead of a verdict."""
        kind = FailureKind.BUG
        if isinstance(error, AgentError):
            kind = FailureKind.REPLY
        if isinstance(error, TransientModelError):
            kind = FailureKind.TRANSIENT
        if isinstance(error, StoreError):
            kind = FailureKind.STORE
        return self._verification(Failure(stage=self._stage, kind=kind, message=str(error) or type(error).__name__))

    def _verification(self, outcome: Verdict | Failure) -> Verification:
        return Verification(
            claim=self._claim,
            queries=self._queries,
            hits=self._hits,
            evidence=self._evidence,
            dropped_citations=self._dropped,
            outcome=outcome,
        )
