"""Copies of a source are one voice: however many there are, they change neither verdict nor count."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.attempt import Attempt
from agent.domain import Citation, Claim, Evidence, Span, Stance, StanceScores, claim_id
from agent.ingest.chunk import cut_passages
from agent.sources import StoreSources
from agent.stages.judge import Judgement
from agent.stages.queries import plan_queries
from agent.stages.retrieve import retrieve
from agent.store.base import TimeLimit
from agent.store.memory import MemoryStore
from tests.build import document

CLAIM = "The Norvik mill burnt down in March."
STANCES = list(Stance)


class MarkJudge:
    """Reads the stance out of the passage, where the test wrote it."""

    id = "mark"

    async def judge(self, claim, hits, documents):
        return Judgement(tuple(self._evidence(claim, hit.passage, hit.origin) for hit in hits), 0)

    def _evidence(self, claim, passage, origin):
        stance = next(stance for stance in STANCES if f"mark{stance.value}" in passage.text)
        rest = {other.value: 0.1 for other in STANCES if other is not stance}
        start = passage.span.start + passage.text.index("mark")
        quote = f"mark{stance.value}"
        cited = Citation(
            document_id=passage.document_id, span=Span(start=start, end=start + len(quote)), quote=quote, stance=stance
        )
        return Evidence(
            claim_id=claim.id, passage_id=passage.id, document_id=passage.document_id, span=passage.span, origin=origin,
            stance=stance, scores=StanceScores(**rest, **{stance.value: 0.8}),
            citation=None if stance is Stance.NEUTRAL else cited,
        )  # fmt: skip


def source(name, stance, *, lead="", publisher=None):
    """A text about the claim with words of its own."""
    own = " ".join(f"{name}{n}" for n in range(30))
    return document(f"{lead}{CLAIM} {own} mark{stance.value}.", f"{name}{lead}", publisher=publisher or name)


def verdict_on(sources):
    store = MemoryStore([(one, cut_passages(one)) for one in sources])
    claim = Claim(id=claim_id(CLAIM, None), text=CLAIM)
    attempt = Attempt(claim, MarkJudge(), StoreSources(store, limit=5, when=TimeLimit()))
    asyncio.run(attempt.look(1))
    found = attempt.conclude(abstain_below=0).verdict
    return found.label, found.origins, pytest.approx(found.confidence)


@settings(max_examples=25)
@example(stances=[Stance.SUPPORTS, Stance.REFUTES], copied=0, copies=60)
@given(
    stances=st.lists(st.sampled_from(STANCES), min_size=1, max_size=5),
    copied=st.integers(0, 4),
    copies=st.integers(1, 60),
)
def test_copies_change_neither_verdict_nor_count(stances, copied, copies):
    """Copies under other names and other leads, of any source that was found, up to far more than a search returns."""
    sources = [source(f"w{n}x", stance) for n, stance in enumerate(stances)]
    number = copied % len(sources)
    others = [
        source(f"w{number}x", stances[number], lead=f"TOWN{n} (Agency) - ", publisher=f"Paper {n}")
        for n in range(copies)
    ]
    assert verdict_on([*sources, *others]) == verdict_on(sources)


def test_a_flood_of_copies_hides_no_source():
    """A hundred copies, each nearer to the claim than the one text that refutes it: it is found all the same."""
    flood = [source("flood", Stance.SUPPORTS, lead=f"{CLAIM} {n} ", publisher=f"Paper {n}") for n in range(100)]
    lone = document(f"In March no mill burnt. {' '.join(f'own{n}' for n in range(60))} markrefutes.", "lone")
    store = MemoryStore([(one, cut_passages(one)) for one in [*flood, lone]])
    queries = plan_queries(Claim(id="c", text=CLAIM), round=1)
    hits = retrieve(queries, store, limit=5, when=TimeLimit())
    assert "lone" in {hit.passage.document_id for hit in hits}
    assert len(hits) == 5
