"""Search by words: BM25 as FTS5 has it, which must not cost more the larger the store is.

FTS5 scores every passage that has any of the words, and most of them have nothing but a frequent one. So passages are
looked at by their rarer words; a frequent one adds to the score of those, and leads to none itself, as in Lucene's
`CommonTermsQuery` and in MaxScore (Turtle and Flood 1995). Where few passages have any of the words, as in every small
store, all are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from agent.store.admission import DATED, IN_TIME

Row = tuple[Any, ...]
Values = dict[str, str | int | None]
Read = Callable[[str, Values], list[Row]]

_COUNT = "SELECT count(*) FROM words WHERE words MATCH :term"
_PART = "SELECT * FROM (SELECT rowid AS number, rank FROM words WHERE words MATCH {} ORDER BY rank LIMIT :most)"
_BEST = f"""WITH best AS MATERIALIZED
        (SELECT * FROM ({_PART.format(":terms")} {{}}) ORDER BY rank LIMIT :most)
    SELECT looked_at, p.id, p.document_id, p.start_at, p.end_at, p.text
    FROM (SELECT count(*) AS looked_at, max(rank) AS last FROM best)
    LEFT JOIN (best JOIN passages p ON p.number = best.number {DATED})
        ON (looked_at < :most OR best.rank < last) AND {IN_TIME}
    ORDER BY best.rank, p.id LIMIT :limit"""  # noqa: S608 (constants)
"""How many matches were looked at, and of these the best passages that may be seen; at least one row. Where there may
be more matches, the last ones of equal score are left out. To read the passages of all takes longer."""
_BEST_OF_ALL = _BEST.format("")
_BEST_OF_RARE = _BEST.format("UNION ALL " + _PART.format(":without"))


class Bounds(NamedTuple):
    """How much a search looks at."""

    scored: int = 5000
    """Passages that are scored at first: those with the rarest words, ..."""
    leading: int = 2
    """... of which so many lead to passages however many have them: a single one would decide alone."""
    looked_at: int = 500
    """Of these so many of the best are read, and more where `wider` times as many are asked for."""
    wider: int = 8
    """Times as many are scored and looked at when too few of them may be seen."""
    counts_kept: int = 100_000
    """Words of which it is remembered how many passages have them."""


class Asked(NamedTuple):
    """What is searched for: the best passages with any of these words, of those that may be seen."""

    terms: Sequence[str]
    limit: int
    limits: Values
    bounds: Bounds = Bounds()


def best_matches(read: Read, asked: Asked, counts: dict[str, int]) -> list[Row]:
    """The best passages as rows (id, document, start, end, text), ties in the order of their ids.

    `read` asks one state of the record; `counts` keeps, as long as that state lasts, how many passages have a word.
    """
    bounds = asked.bounds
    words = _by_rarity(read, asked, counts) if asked.limit > 0 else []
    scored, most = bounds.scored, max(bounds.looked_at, bounds.wider * asked.limit)
    while words:
        n_rare = _n_rare([counts[word] for word in words], scored, bounds.leading)
        sql, values = _statement(words[:n_rare], words[n_rare:])
        rows = read(sql, asked.limits | values | {"most": most, "limit": asked.limit})
        found = [row[1:] for row in rows if row[1] is not None]
        is_exhausted = n_rare == len(words) and rows[0][0] < most
        if is_exhausted or len(found) == asked.limit:
            return found
        scored, most = scored * bounds.wider, most * bounds.wider
    return []


def _by_rarity(read: Read, asked: Asked, counts: dict[str, int]) -> list[str]:
    """The words that some passage has, the rarest first."""
    if len(counts) > asked.bounds.counts_kept:
        counts.clear()
    for term in asked.terms:
        if term not in counts:
            counts[term] = read(_COUNT, {"term": _any_of([term])})[0][0]
    return sorted((term for term in asked.terms if counts[term]), key=counts.__getitem__)


def _n_rare(counts: Sequence[int], scored: int, leading: int) -> int:
    """How many of the words, rarest first, at most so many passages have; at least those that lead."""
    total = 0
    for number, count in enumerate(counts):
        total += count
        if number >= leading and total > scored:
            return number
    return len(counts)


def _statement(rare: Sequence[str], frequent: Sequence[str]) -> tuple[str, Values]:
    """The statement and its words: passages with a rare word, each scored by all words that it has."""
    if not frequent:
        return _BEST_OF_ALL, {"terms": _any_of(rare)}
    # With a frequent word and without: together all with a rare one, and every word is scored once.
    one, other = f"({_any_of(rare)})", f"({_any_of(frequent)})"
    return _BEST_OF_RARE, {"terms": f"{one} AND {other}", "without": f"{one} NOT {other}"}


def _any_of(terms: Sequence[str]) -> str:
    return " OR ".join(f'"{term}"' for term in terms)
