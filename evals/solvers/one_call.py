"""One long call: ten passages, one reply with a rating for each label.

After the design of CTU AIC at the AVeriTeC shared tasks (Ullrich, Mlynář & Drchal 2024, arXiv 2410.11446): retrieval,
then a single prompt that finds evidence and rates the labels on a Likert scale; confidence is the softmax of ratings.
The prompt is our own, and quotes are checked as everywhere else here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.domain import Citation, Document, Evidence, Hit, Stance, Verdict, Verification
from agent.errors import AgentError, ConfigError, ModelError
from agent.llm.base import ChatModel, ChatRequest, Message
from agent.llm.reply import ask, keyed_schema, parse_keyed
from agent.sources import Sources
from agent.stages.cite import locate_quote
from agent.stages.queries import plan_queries
from agent.text import as_data
from evals.cases import ClaimCase
from evals.passages import claim_of
from evals.record import Outcome
from evals.solvers.closed_book import failure_of
from evals.solvers.failure import failed
from evals.solvers.ratings import Ratings, label_of
from prompts import load

PASSAGES = 10
_KEYS = ("verdict",)
_TOKENS = 700


class _Quote(BaseModel):
    model_config = ConfigDict(extra="forbid")
    passage: int
    quote: str
    stance: Literal["supports", "refutes"]


class _Reply(Ratings):
    reason: str
    quotes: list[_Quote] = Field(max_length=6)


class OneCallSolver:
    """Searches once and asks once."""

    def __init__(self, model: ChatModel, sources: Sources) -> None:
        self._model = model
        self._sources = sources

    async def solve(self, case: ClaimCase) -> Outcome:
        """The label rated highest, with those of its quotes that are in their passages."""
        claim = claim_of(case)
        try:
            hits = await asyncio.to_thread(self._sources.find, plan_queries(claim, round=1), frozenset[str]())
            documents = self._sources.documents(dict.fromkeys(hit.passage.document_id for hit in hits))
            request = _request(claim.text, hits, documents)
            items, _ = await ask(self._model, request, lambda text: parse_keyed(text, _KEYS, _Reply))
        except ConfigError:
            raise
        except ModelError as error:
            return Outcome(case_id=case.id, verification=Verification(claim=claim, outcome=failure_of(error)))
        except AgentError as error:
            return failed(case.id, "retrieve", error)
        return Outcome(case_id=case.id, verification=_verified(case, hits, items[0]))


def _request(claim: str, hits: Sequence[Hit], documents: dict[str, Document]) -> ChatRequest:
    passages = "\n".join(
        f"<p{number}> {as_data(documents[hit.passage.document_id].title)}\n{as_data(hit.passage.text)}\n</p{number}>"
        for number, hit in enumerate(hits, start=1)
    )
    turns = load("one_call").render(claim=as_data(claim), passages=passages or "(none)")
    return ChatRequest(
        messages=tuple(Message(role=role, content=text) for role, text in turns),
        schema_name="one_call",
        json_schema=keyed_schema(_KEYS, _Reply),
        max_tokens=_TOKENS,
    )


def _verified(case: ClaimCase, hits: Sequence[Hit], reply: _Reply) -> Verification:
    claim = claim_of(case)
    found = [_evidence(claim.id, hits, quote) for quote in reply.quotes]
    evidence = tuple(one for one in found if one is not None)
    label, confidence = label_of(reply)
    citations: dict[Citation, None] = {one.citation: None for one in evidence if one.citation is not None}
    verdict = Verdict(
        label=label,
        confidence=confidence,
        rationale=tuple(citations),
        justification=reply.reason,
        origins=len({one.origin for one in evidence}),
    )
    return Verification(
        claim=claim,
        hits=tuple(hits),
        evidence=evidence,
        dropped_citations=len(found) - len(evidence),
        outcome=verdict,
    )


def _evidence(claim_id: str, hits: Sequence[Hit], answer: _Quote) -> Evidence | None:
    """None when there is no such passage, or the quote is not in it."""
    if not 1 <= answer.passage <= len(hits):
        return None
    hit, stance = hits[answer.passage - 1], Stance(answer.stance)
    citation = locate_quote(answer.quote, hit.passage, stance)
    if citation is None:
        return None
    return Evidence(
        claim_id=claim_id,
        passage_id=hit.passage.id,
        document_id=hit.passage.document_id,
        span=hit.passage.span,
        origin=hit.origin,
        stance=stance,
        citation=citation,
    )
