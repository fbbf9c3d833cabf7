"""What a conversation searches: the desk's store and the conversation's own, as one; the desk's is never written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.chat.state import Controls
from agent.domain import Document, Passage, short_hash
from agent.store.base import PassageStore, TimeLimit
from agent.store.hybrid import Store
from agent.text import content_words

_MOST = 2000


class Shelf:
    """A passage store of two, without what the controls leave out. A document of the own store hides its namesake."""

    def __init__(self, base: PassageStore | None, own: Store | None, controls: Controls) -> None:
        self._base = base
        self._own = own
        self._own_ids = frozenset(document.id for document, _ in own.list()) if own is not None else frozenset()
        self._controls = controls

    def snapshot(self) -> str:
        """Hash of the content that can be seen: the base's own when nothing is added and nothing left out."""
        base = "" if self._base is None else self._base.snapshot()
        own = self._own.snapshot() if self._own is not None and self._own_ids else ""
        limits = (*sorted(self._controls.hidden), *sorted(self._controls.kinds))
        return short_hash(base, own, *limits) if own or limits or not base else base

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """The documents with these ids."""
        own = self._own.documents([key for key in ids if key in self._own_ids]) if self._own is not None else {}
        rest = [key for key in ids if key not in own]
        base = self._base.documents(rest) if self._base is not None else {}
        return {key: (own | base)[key] for key in ids if key in own or key in base}

    def publishers(self) -> frozenset[str]:
        """Who published what is in either."""
        return frozenset[str]().union(*(store.publishers() for store in (self._base, self._own) if store is not None))

    def search_dense(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """Nearest in meaning of both, by the similarity to the text."""
        legs = self._legs("dense", text, limit=limit, when=when)
        if len(legs) < 2 or self._own is None:
            return legs[0] if legs else ()
        like = self._own.likeness(text, [passage.text for leg in legs for passage in leg])
        return _merged(legs, dict(zip([p.id for leg in legs for p in leg], like, strict=True)), limit)

    def search_lexical(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        """Most words in common of both; each keeps its own order."""
        legs = self._legs("lexical", text, limit=limit, when=when)
        if len(legs) < 2:
            return legs[0] if legs else ()
        wanted = set(content_words(text))
        shared = {p.id: float(len(wanted & set(content_words(p.text)))) for leg in legs for p in leg}
        return _merged(legs, shared, limit)

    def _legs(self, how: str, text: str, *, limit: int, when: TimeLimit) -> list[tuple[Passage, ...]]:
        legs = []
        if self._base is not None:
            search = self._base.search_dense if how == "dense" else self._base.search_lexical
            legs.append(self._seen(lambda n: search(text, limit=n, when=when), limit, without=self._own_ids))
        if self._own is not None and self._own_ids:
            find = self._own.search_dense if how == "dense" else self._own.search_lexical
            legs.append(self._seen(lambda n: find(text, limit=n, when=when), limit, without=frozenset()))
        return [leg for leg in legs if leg]

    def _seen(
        self, search: Callable[[int], tuple[Passage, ...]], limit: int, *, without: frozenset[str]
    ) -> tuple[Passage, ...]:
        """At most `limit` passages that may be seen; asks for more while too many are left out."""
        width = limit
        while True:
            found = search(width)
            kept = self._allowed(found, without)
            if len(kept) >= limit or len(found) < width or width >= _MOST:
                return kept[:limit]
            width = min(width * 4, _MOST)

    def _allowed(self, found: tuple[Passage, ...], without: frozenset[str]) -> tuple[Passage, ...]:
        left_out = without | frozenset(self._controls.hidden)
        kept = tuple(passage for passage in found if passage.document_id not in left_out)
        if not self._controls.kinds:
            return kept
        known = self.documents(list({passage.document_id for passage in kept}))
        return tuple(passage for passage in kept if known[passage.document_id].kind in self._controls.kinds)


def _merged(legs: Sequence[tuple[Passage, ...]], score: dict[str, float], limit: int) -> tuple[Passage, ...]:
    """The legs as one ranking: again and again the better of their first passages."""
    rest = [list(leg) for leg in legs]
    found: list[Passage] = []
    while len(found) < limit and any(rest):
        best = max((leg for leg in rest if leg), key=lambda leg: score[leg[0].id])
        found.append(best.pop(0))
    return tuple(found)
