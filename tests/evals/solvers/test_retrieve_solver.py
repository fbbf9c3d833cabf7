"""The searches of the retrieve stage, and the second look."""

from __future__ import annotations

import asyncio

from agent.ingest.chunk import cut_passages
from agent.sources import StoreSources
from agent.stages.queries import plan_queries
from agent.store.base import TimeLimit
from agent.store.memory import HashEmbedder, MemoryStore
from evals.cases import ClaimCase
from evals.passages import claim_of
from evals.solvers.lexical import LexicalSources
from evals.solvers.retrieve import RetrieveSolver
from evals.solvers.verdict import Search
from tests.build import document

ALWAYS = TimeLimit(undated="keep")
LONG = " ".join(f"The mill of Norvik ground rye in the year {number}, and it rained." for number in range(60))


def store_of(*documents):
    return MemoryStore([(one, cut_passages(one)) for one in documents], embedder=HashEmbedder())


class Same:
    """The same sources for every case."""

    def __init__(self, sources):
        self._sources = sources

    def of(self, case):
        return self._sources


def test_words_alone_take_two_passages_of_a_document():
    """One long document does not fill the ranking, and the rank of the lexical index is kept."""
    store = store_of(document(LONG, "long"), document("Norvik has a mill.", "short"))
    sources = Search(store, ALWAYS, by_words=True).sources(5)
    assert isinstance(sources, LexicalSources)
    case = ClaimCase(id="c", text="mill of Norvik", label="supported")
    hits = sources.find(plan_queries(claim_of(case), round=1), frozenset())
    assert sorted(hit.passage.document_id for hit in hits) == ["long", "long", "short"]
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert all(hit.dense_rank is None for hit in hits)


def test_what_two_rounds_would_read_is_kept_apart_from_the_ranking():
    """The second round gives what the first did not, and says so."""
    store = store_of(*(document(f"Norvik mill number {number} and its rye.", f"d{number}") for number in range(9)))
    wide, narrow = (StoreSources(store, limit=limit, when=ALWAYS) for limit in (6, 2))
    case = ClaimCase(id="c", text="The Norvik mill sold its rye.", label="supported")
    outcome = asyncio.run(RetrieveSolver(Same(wide), Same(narrow), most=2).solve(case))
    assert len(outcome.hits) == 6
    assert [hit.round for hit in outcome.read] == [1, 1, 2, 2]
    assert len({hit.passage.id for hit in outcome.read}) == 4
