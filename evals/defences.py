"""The defences of code against hostile sources, each of which an evaluation can switch off to see what it is worth.

They are functions handed to the stages (`agent.attempt.Rules`, `agent.stages.judge.Between`) and a way to search, so
nothing here can be reached from `factdesk verify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Literal, get_args

from agent.attempt import RULES, Rules
from agent.domain import Check, Citation, Document, Hit, Passage, Purpose, Query, Span, Stance, short_hash
from agent.sources import Sources, StoreSources
from agent.stages.cite import locate_quote
from agent.stages.judge import BETWEEN, Between
from agent.stages.retrieve import RRF_K, Fused, Reranker
from agent.store.base import PassageStore, TimeLimit

Defence = Literal["orders", "marks", "quotes", "origins", "spread", "dates", "checks"]
DEFENCES: tuple[Defence, ...] = get_args(Defence)
SAYS: Mapping[Defence, str] = {
    "orders": "passages that give their reader orders are set aside",
    "marks": "control tokens, our own marks and unseen characters are taken out of what a language model reads",
    "quotes": "a quote must stand in its passage",
    "origins": "support is counted by independent origin",
    "spread": "of five passages that are read at most three are of a publisher, and one of several copies",
    "dates": "nothing later than the claim's date is read",
    "checks": "numbers, dates, names and negation must agree",
}
_OF_LANGUAGE_MODEL: frozenset[Defence] = frozenset({"marks", "quotes"})
_OVERFETCH = 4


def unused(solver: str, *, has_prompt: bool) -> Mapping[Defence, str]:
    """The defences that play no part, each with the reason: to switch them off would show nothing.

    Args:
        solver: of the attacks.
        has_prompt: whether the judge is a language model alone.
    """
    if has_prompt:
        return {}
    why = {
        "marks": "no language model reads the text",
        "quotes": "code cuts the quotes, so none can be made up",
    }
    kept: dict[Defence, str] = {name: why[name] for name in _OF_LANGUAGE_MODEL}
    if solver == "inventing":
        del kept["quotes"]
    return kept


def rules_without(off: AbstractSet[Defence]) -> Rules:
    """What code holds against sources, but for what is switched off."""
    rules = RULES
    if "orders" in off:
        rules = replace(rules, order_in=lambda _: "")
    if "origins" in off:
        rules = replace(rules, origins=_each_its_own)
    if "checks" in off:
        rules = replace(rules, compare=_never_compared)
    return rules


def between_without(off: AbstractSet[Defence]) -> Between:
    """What stands between outside text and a language model, but for what is switched off."""
    between = BETWEEN
    if "marks" in off:
        between = replace(between, shown=lambda text: " ".join(text.split()))
    if "quotes" in off:
        between = replace(between, located=_believed)
    return between


def sources_without(
    off: AbstractSet[Defence], store: PassageStore, *, limit: int, when: TimeLimit, reranker: Reranker | None = None
) -> Sources | None:
    """How evidence is looked for without what is switched off; None where that changes nothing in the search."""
    if not off & {"dates", "spread"}:
        return None
    seen = TimeLimit(scope=when.scope) if "dates" in off else when
    if "spread" in off:
        return _BestFirst(store, limit, seen, reranker)
    return StoreSources(store, limit=limit, when=seen, reranker=reranker)


def _each_its_own(passages: Sequence[Passage], documents: Mapping[str, Document]) -> dict[str, str]:
    """Origins as if all documents were independent."""
    del documents
    return {passage.id: short_hash("origin", passage.document_id) for passage in passages}


def _never_compared(claim_text: str, quote: str, passage_id: str, *, context: str = "") -> tuple[Check, ...]:
    del claim_text, quote, passage_id, context
    return ()


def _believed(quote: str, passage: Passage, stance: Stance) -> Citation | None:
    """A quote that does not stand in its passage is taken for the whole of it."""
    whole = Citation(
        document_id=passage.document_id,
        span=Span(start=passage.span.start, end=passage.span.end),
        quote=passage.text,
        stance=stance,
    )
    return locate_quote(quote, passage, stance) or whole


class _BestFirst:
    """The same two rankings, fused, and then simply the first: whoever publishes most fills most places."""

    def __init__(self, store: PassageStore, limit: int, when: TimeLimit, reranker: Reranker | None) -> None:
        self._store = store
        self._limit = limit
        self._when = when
        self._reranker = reranker

    def find(self, queries: Sequence[Query], seen: frozenset[str]) -> tuple[Hit, ...]:
        """The passages with the best sums of reciprocal ranks."""
        depth = self._reranker.depth if self._reranker else 0
        width = max(_OVERFETCH * self._limit, depth) + len(seen)
        scores: dict[str, float] = {}
        passages: dict[str, Passage] = {}
        for query in queries:
            for search in (self._store.search_dense, self._store.search_lexical):
                for rank, passage in enumerate(search(query.text, limit=width, when=self._when), start=1):
                    passages[passage.id] = passage
                    scores[passage.id] = scores.get(passage.id, 0.0) + 1 / (RRF_K + rank)
        best = sorted((name for name in scores if name not in seen), key=lambda name: (-scores[name], name))
        best = self._reranked(queries, [(passages[name], scores[name]) for name in best])
        return tuple(
            Hit(
                passage=passages[name],
                rank=rank,
                score=scores[name],
                origin=passages[name].document_id,
                round=queries[0].round,
            )
            for rank, name in enumerate(best[: self._limit], start=1)
        )

    def _reranked(self, queries: Sequence[Query], best: Sequence[tuple[Passage, float]]) -> list[str]:
        """Ids in the order of the re-ranking, which reads the first of them."""
        names = [passage.id for passage, _ in best]
        claim = next((query.text for query in queries if query.purpose is Purpose.CLAIM), None)
        if self._reranker is None or claim is None or not best:
            return names
        first = best[: self._reranker.depth]
        documents = self.documents({passage.document_id for passage, _ in first})
        fused = [Fused(one.text, documents[one.document_id].title, score) for one, score in first]
        scores = self._reranker.scores(claim, fused)
        order = sorted(range(len(first)), key=lambda at: -scores[at])
        return [names[at] for at in order] + names[len(first) :]

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """From the store's record."""
        return self._store.documents(tuple(ids))
