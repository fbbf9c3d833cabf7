"""Queries to hits: two rankings a query, fused, held to the time limit, with copies and publishers capped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from agent.domain import Document, Hit, Passage, Purpose, Query, latest_day, normalise, short_hash
from agent.scope import live_address
from agent.store.base import PassageStore, TimeLimit
from agent.text import visible

RRF_K = 20
"""Constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, who took 60; docs/sources.md says why not)."""
_OVERFETCH = 4
_WIDENED = (4, 16)
"""Times as wide is searched where one publisher or copies of one text fill the first places."""
_PUBLISHER_SHARE = 0.6
"""Most of the places that one publisher's texts may take: three of five."""
_SHINGLE_WORDS = 5
_COPY_SHARE = 0.6
"""Part of the shorter text's shingles that makes the other one its copy."""
_COMPARED_CHARACTERS = 20_000
"""How much of a document is compared with others: more than any wire story."""
_FEW_SHINGLES = 8
"""So short a text may be a mere quotation in the other: then the texts as a whole must be alike."""

_WORD = re.compile(r"\w+")
_RELAY = re.compile(
    r"\s*[(\[]\s*(?i:via|mirror\w*|relay\w*|repost\w*|reproduced|republished|excerpt\w*|copy|with|on)\b.*"
    r"|[\s,;]+(?:via|relaying)\s.*",
    re.DOTALL,
)
"""What a publisher's name says about who passed the text on: `AFP (via Breitbart)`."""
_HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}")
_SHARED_HOSTS = ("blogspot.com", "github.io", "medium.com", "substack.com", "wordpress.com")
"""Hosts of many publishers, told apart by the name before."""
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gob", "gov", "gouv", "mil", "net", "org"})

_Shingles = frozenset[tuple[str, ...]]


class Fused(NamedTuple):
    """A passage as the two rankings have it, for a re-ranking to look at."""

    text: str
    title: str
    """Of its document."""
    score: float
    """Of reciprocal rank fusion."""


class Reranker(Protocol):
    """Orders the first of the fused passages anew by reading them."""

    @property
    def id(self) -> str:
        """Name and hash of what it reads with."""
        ...

    @property
    def depth(self) -> int:
        """How many of the first passages it reads."""
        ...

    def scores(self, claim: str, passages: Sequence[Fused]) -> Sequence[float]:
        """How well each passage fits the claim; the greater, the better."""
        ...


class _Candidate(NamedTuple):
    passage: Passage
    score: float
    dense_rank: int | None
    lexical_rank: int | None
    publisher: str
    found_by: tuple[str, ...]
    reranked: float | None = None


class _Found(NamedTuple):
    candidates: list[_Candidate]
    documents: dict[str, Document]
    is_cut: bool
    """Whether there may be more than was asked for."""


class _Picked(NamedTuple):
    candidates: list[_Candidate]
    apart: int
    """How many of them are no copies and within the cap of their publisher."""
    has_copies: bool


def retrieve(  # noqa: PLR0913 (what is asked, where, and four facts of the one search)
    queries: Sequence[Query],
    store: PassageStore,
    *,
    limit: int,
    when: TimeLimit,
    seen: frozenset[str] = frozenset(),
    reranker: Reranker | None = None,
) -> tuple[Hit, ...]:
    """The `limit` passages that fit the queries best, best first, without those whose ids were seen.

    A publisher has at most three places of five, and near copies have one, more only when there is nothing else: then
    it is searched further down, and if that brings nothing else, the first search holds. Origins are right within one
    call; `origins_of` joins the hits of several. A re-ranker reads the first of the fused passages when the claim
    itself is asked, and orders them anew.
    """
    width = max(_OVERFETCH * limit, reranker.depth if reranker else 0) + len(seen)
    read = _Reading(reranker, next((query.text for query in queries if query.purpose is Purpose.CLAIM), None))
    most = _WIDENED[-1] * width
    found = read.of(_search(queries, store, width, when, most=most))
    picked = _pick(found.candidates, limit=limit, seen=seen)
    for times in _WIDENED:
        if not _is_crowded(picked, found, store):
            break
        wider = read.of(_search(queries, store, times * width, when, most=most))
        better = _pick(wider.candidates, limit=limit, seen=seen)
        if better.apart > picked.apart:
            found, picked = wider, better
    origins = origins_of([candidate.passage for candidate in picked.candidates], found.documents)
    return tuple(
        Hit(
            passage=candidate.passage,
            rank=rank,
            score=candidate.score,
            dense_rank=candidate.dense_rank,
            lexical_rank=candidate.lexical_rank,
            reranked=candidate.reranked,
            origin=origins[candidate.passage.id],
            found_by=candidate.found_by,
        )
        for rank, candidate in enumerate(picked.candidates, start=1)
    )


class _Reading:
    """What a re-ranker makes of the fused passages of one claim; each passage is read once."""

    def __init__(self, reranker: Reranker | None, claim: str | None) -> None:
        self._reranker = reranker
        self._claim = claim
        self._scores: dict[str, float] = {}

    def of(self, found: _Found) -> _Found:
        """The same passages with a score for the first of them; as they are when nothing is to be read."""
        if self._reranker is None or self._claim is None:
            return found
        ordered = sorted(found.candidates, key=_order)
        first, rest = ordered[: self._reranker.depth], ordered[self._reranker.depth :]
        new = [candidate for candidate in first if candidate.passage.id not in self._scores]
        titles = found.documents
        fused = [Fused(one.passage.text, titles[one.passage.document_id].title, one.score) for one in new]
        scores = self._reranker.scores(self._claim, fused) if fused else ()
        self._scores |= {one.passage.id: score for one, score in zip(new, scores, strict=True)}
        return found._replace(
            candidates=[one._replace(reranked=round(self._scores[one.passage.id], 6)) for one in first] + rest
        )


def _is_crowded(picked: _Picked, found: _Found, store: PassageStore) -> bool:
    """Whether copies, or texts of a few publishers, fill places that others could have, were it searched further down.

    Who published nothing but what was found can be crowded out by copies alone; so a store of one publisher is not
    searched again and again.
    """
    if picked.apart == len(picked.candidates) or not found.is_cut:
        return False
    seen = {document.publisher for document in found.documents.values() if document.publisher}
    return picked.has_copies or not store.publishers() <= seen


def origins_of(passages: Sequence[Passage], documents: Mapping[str, Document]) -> dict[str, str]:
    """Origin of each passage, by passage id: the same for one publisher's texts and for near copies.

    Two passages are near copies when they share most of their words in order, or the documents they come from are the
    same but for a little: a document that quotes another one whole, and says more, is none. A copy of a copy is a copy.
    A text that several publishers have belongs to whoever had it first, when all are dated; else to all of them, and
    with it what else they wrote.
    """
    used = sorted({passage.document_id for passage in passages})
    texts = {key: _shingles(documents[key].text[:_COMPARED_CHARACTERS]) for key in used}
    own = [_passage_shingles(passage.text) for passage in passages]
    copies = list(range(len(passages)))
    for later, passage in enumerate(passages):
        for earlier in range(later):
            whole = texts[passages[earlier].document_id], texts[passage.document_id]
            if _is_copy(own[earlier], own[later]) or _is_same_text(*whole):
                copies = _joined(copies, earlier, later)
    owners = {
        number: _owners(
            [documents[p.document_id] for p, other in zip(passages, copies, strict=True) if other == number]
        )
        for number in set(copies)
    }
    group = list(copies)
    for later, number in enumerate(copies):
        for earlier in range(later):
            if owners[number] & owners[copies[earlier]]:
                group = _joined(group, earlier, later)
    names = [min(owners[number]) for number in copies]
    return {
        passage.id: short_hash("origin", min(name for name, other in zip(names, group, strict=True) if other == number))
        for passage, number in zip(passages, group, strict=True)
    }


def _joined(group: list[int], one: int, other: int) -> list[int]:
    """Both are of the same group from now on."""
    old, new = group[other], group[one]
    return [new if number == old else number for number in group]


def _owners(copies: Sequence[Document]) -> set[str]:
    """Publishers of copies of one text: of the oldest ones where every copy has its day."""
    days = [latest_day(document.published) if document.published else None for document in copies]
    first = None if None in days else min(day for day in days if day)
    return {publisher_key(document) for document, day in zip(copies, days, strict=True) if first in (None, day)}


def publisher_key(document: Document) -> str:
    """Publisher for comparing: its name without relays and article, else the domain, else the document."""
    told = visible(document.publisher or "")
    name = normalise(_RELAY.sub("", told) or told)
    if _HOST.fullmatch(name):
        return _domain(f"//{name}")
    words = _WORD.findall(name.removeprefix("the ").replace(".", ""))
    return " ".join(words) or _domain(document.url or "") or f"document {document.id}"


def _domain(url: str) -> str:
    """The part of a host that is registered by one owner, by rule of thumb: `www.bbc.co.uk` is `bbc.co.uk`."""
    try:
        host = (urlsplit(live_address(url)).hostname or "").rstrip(".").removeprefix("www.")
    except ValueError:  # brackets that are no IPv6 address
        return ""
    labels = host.split(".")
    is_numeric = labels[-1].isdigit() or ":" in host
    if is_numeric or any(host.endswith(f".{shared}") for shared in _SHARED_HOSTS):
        return host
    is_national = len(labels[-1]) == 2 and len(labels) > 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3 if is_national else -2 :])


def _ranks(found: Iterable[Passage], texts: Mapping[str, int], width: int) -> dict[str, tuple[Passage, int]]:
    """Each passage of the first texts with its place among them: copies share one, and take none of another."""
    ranks: dict[str, tuple[Passage, int]] = {}
    places: dict[int, int] = {}
    for passage in found:
        place = places.setdefault(texts[passage.id], len(places) + 1)
        if place <= width:
            ranks.setdefault(passage.id, (passage, place))
    return ranks


def _texts(passages: Mapping[str, Passage]) -> dict[str, int]:
    """A number for each passage, by its id, the same for near copies in other documents."""
    numbers: dict[str, int] = {}
    firsts: list[tuple[str, _Shingles]] = []
    holders: dict[tuple[str, ...], int] = {}
    for _, passage in sorted(passages.items()):
        runs = _passage_shingles(passage.text)
        known = runs & holders.keys()
        shared = Counter(map(holders.__getitem__, known))
        if shared:
            number = max(shared, key=lambda one: (shared[one], -one))
            document, first = firsts[number]
            if document != passage.document_id and _is_copy(runs, first):
                numbers[passage.id] = number
        if passage.id not in numbers:
            numbers[passage.id] = len(firsts)
            firsts.append((passage.document_id, runs))
            holders.update(dict.fromkeys(runs - known, numbers[passage.id]))
    return numbers


_Legs = Sequence[Mapping[str, tuple[Passage, int]]]


def _search(queries: Sequence[Query], store: PassageStore, width: int, when: TimeLimit, *, most: int) -> _Found:
    """The first `width` texts for each query by meaning and by words, whatever copies stand among `most` passages."""
    texts: dict[str, int] = {}
    dense: list[tuple[Passage, ...]] = []
    lexical: list[tuple[Passage, ...]] = []
    for asked in sorted({min(times * width, most) for times in (1, *_WIDENED)}):
        dense = [tuple(store.search_dense(query.text, limit=asked, when=when)) for query in queries]
        lexical = [tuple(store.search_lexical(query.text, limit=asked, when=when)) for query in queries]
        texts = _texts({passage.id: passage for leg in (*dense, *lexical) for passage in leg})
        full = (leg for leg in (*dense, *lexical) if len(leg) >= asked)
        if all(len({texts[passage.id] for passage in leg}) >= width for leg in full):
            break
    legs = [_ranks(leg, texts, width) for leg in dense], [_ranks(leg, texts, width) for leg in lexical]
    passages = {passage.id: passage for side in legs for leg in side for passage, _ in leg.values()}
    documents = store.documents(sorted({passage.document_id for passage in passages.values()}))
    candidates = [
        _candidate(passage, documents[passage.document_id], queries, legs)
        for passage in passages.values()
        if passage.document_id in documents and when.allows(documents[passage.document_id])
    ]
    return _Found(candidates, documents, is_cut=any(len(leg) >= width for leg in (*dense, *lexical)))


def _candidate(passage: Passage, document: Document, queries: Sequence[Query], legs: tuple[_Legs, _Legs]) -> _Candidate:
    dense, lexical = legs
    by_meaning = sorted(leg[passage.id][1] for leg in dense if passage.id in leg)
    by_words = sorted(leg[passage.id][1] for leg in lexical if passage.id in leg)
    finders = {
        q.text for q, near, alike in zip(queries, *legs, strict=True) if passage.id in near or passage.id in alike
    }
    return _Candidate(
        passage=passage,
        # summed in order of rank, so that the order of the queries cannot change a last digit
        score=sum(1 / (RRF_K + rank) for rank in sorted(by_meaning + by_words)),
        dense_rank=min(by_meaning, default=None),
        lexical_rank=min(by_words, default=None),
        publisher=publisher_key(document),
        found_by=tuple(sorted(finders)),
    )


def _pick(candidates: Sequence[_Candidate], *, limit: int, seen: frozenset[str]) -> _Picked:
    """The best that are no copies of a better (or seen) one and within the cap; the rest only fills up, behind them.

    A judge weighs where a passage stands, so what fills up must not push others down.
    """
    ordered = sorted(candidates, key=_order)
    texts = [_passage_shingles(candidate.passage.text) for candidate in ordered if candidate.passage.id in seen]
    kept: list[_Candidate] = []
    rest: list[_Candidate] = []
    has_copies = False
    most = max(1, round(_PUBLISHER_SHARE * limit))
    for candidate in ordered:
        if len(kept) == limit:
            break
        if candidate.passage.id in seen:
            continue
        if sum(other.publisher == candidate.publisher for other in kept) >= most:
            rest.append(candidate)
            continue
        text = _passage_shingles(candidate.passage.text)
        if any(_is_copy(text, other) for other in texts):
            has_copies = True
            rest.append(candidate)
            continue
        kept.append(candidate)
        texts.append(text)
    return _Picked((kept + rest)[:limit], len(kept), has_copies)


def _order(candidate: _Candidate) -> tuple[bool, float, float, str]:
    """Those that were read go before those that were not."""
    return candidate.reranked is None, -(candidate.reranked or 0.0), -candidate.score, candidate.passage.id


def _shingles(text: str) -> _Shingles:
    """All runs of five words; of a shorter text the whole."""
    words = _WORD.findall(normalise(visible(text)))
    if len(words) < _SHINGLE_WORDS:
        return frozenset((tuple(words),) if words else ())
    return frozenset(zip(*(words[start:] for start in range(_SHINGLE_WORDS)), strict=False))


@lru_cache(maxsize=1024)
def _passage_shingles(text: str) -> _Shingles:
    """Kept for a while: a passage is compared at three places, and claims of an article find the same ones."""
    return _shingles(text)


def _is_same_text(one: _Shingles, other: _Shingles) -> bool:
    """Whether most of the larger set is shared."""
    return len(one & other) >= _COPY_SHARE * max(len(one), len(other), 1)


def _is_copy(one: _Shingles, other: _Shingles) -> bool:
    """Whether most of the smaller set (of a very small one: of both together) is shared."""
    shared = len(one & other)
    smaller = min(len(one), len(other))
    whole = smaller if smaller >= _FEW_SHINGLES else len(one | other)
    return shared > 0 and shared >= _COPY_SHARE * whole
