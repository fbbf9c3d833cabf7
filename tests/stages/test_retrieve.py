"""Retrieval: fusion of the rankings, the time limit, copies and publishers, and a fixed order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent.domain import Document, Hit, Passage, Purpose, Query, Span, passage_of, text_sha256
from agent.stages.retrieve import origins_of, publisher_key, retrieve
from agent.store.base import TimeLimit

ALWAYS = TimeLimit()
STORY = (
    "The coalition halted its raids near the airport after Russian officials said that the men who were hit"
    " belonged to the Syrian army and not to any armed group in the valley"
)


def words(seed: str, count: int = 30) -> str:
    """A text that shares no run of words with that of another seed."""
    return " ".join(f"{seed}{number}" for number in range(count))


def document(name: str, text: str | None = None, **fields) -> Document:
    """A document with this id; its text is its own unless given."""
    body = words(name) if text is None else text
    return Document(id=name, text=body, sha256=text_sha256(body), **fields)


def whole(source: Document) -> Passage:
    """The passage that is all of a document."""
    return passage_of(source, Span(start=0, end=len(source.text)))


class ScriptedStore:
    """A store whose rankings are written down; it notes what it was asked and ignores the time limit."""

    def __init__(
        self,
        documents: Sequence[Document],
        dense: Mapping[str, Sequence[str]] | None = None,
        lexical: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._documents = {source.id: source for source in documents}
        self._dense = dense or {}
        self._lexical = lexical or {}
        self.asked: list[tuple[str, str, int, TimeLimit]] = []

    def snapshot(self) -> str:
        return "scripted"

    def search_dense(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        self.asked.append(("dense", text, limit, when))
        return self._found(self._dense.get(text, ()), limit)

    def search_lexical(self, text: str, *, limit: int, when: TimeLimit) -> tuple[Passage, ...]:
        self.asked.append(("lexical", text, limit, when))
        return self._found(self._lexical.get(text, ()), limit)

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        return {key: self._documents[key] for key in ids if key in self._documents}

    def publishers(self) -> frozenset[str]:
        return frozenset(source.publisher or "" for source in self._documents.values())

    def _found(self, names: Sequence[str], limit: int) -> tuple[Passage, ...]:
        return tuple(whole(self._documents[name]) for name in names)[:limit]


def query(text: str = "q") -> Query:
    """A query with this text."""
    return Query(claim_id="c", text=text, purpose=Purpose.CLAIM, round=1)


def names(hits: Sequence[Hit]) -> list[str]:
    """The documents of the hits, in order."""
    return [hit.passage.document_id for hit in hits]


def test_the_legs_are_fused_by_reciprocal_rank() -> None:
    """The score is the sum of 1 / (20 + rank), and a hit names its rank in each leg."""
    store = ScriptedStore([document(name) for name in "abc"], {"q": ["a", "b"]}, {"q": ["b", "c"]})
    hits = retrieve([query()], store, limit=3, when=ALWAYS)
    assert names(hits) == ["b", "a", "c"]
    assert [hit.score for hit in hits] == pytest.approx([1 / 22 + 1 / 21, 1 / 21, 1 / 22])
    assert [(hit.rank, hit.dense_rank, hit.lexical_rank) for hit in hits] == [(1, 2, 1), (2, 1, None), (3, None, 2)]


def test_several_queries_add_up_and_the_best_rank_is_shown() -> None:
    """Every query gives two more legs; ranks shown are the best over the queries."""
    store = ScriptedStore([document(name) for name in "ab"], {"q": ["a", "b"], "r": ["b", "a"], "s": ["b"]})
    hits = retrieve([query("q"), query("r"), query("s")], store, limit=2, when=ALWAYS)
    assert names(hits) == ["b", "a"]
    assert hits[0].score == pytest.approx(1 / 22 + 2 / 21)
    assert [hit.dense_rank for hit in hits] == [1, 1]


def test_a_passage_named_twice_in_a_leg_counts_once() -> None:
    """A ranking that repeats a passage does not lift it."""
    store = ScriptedStore([document("a")], {"q": ["a", "a"]})
    (hit,) = retrieve([query()], store, limit=2, when=ALWAYS)
    assert hit.score == pytest.approx(1 / 21)


def test_both_legs_are_asked_for_more_and_with_the_time_limit() -> None:
    """Each leg is asked for four times the limit, and for room for those that were seen."""
    when = TimeLimit(as_of=date(2016, 9, 17), undated="keep")
    store = ScriptedStore([])
    retrieve([query()], store, limit=5, when=when, seen=frozenset({"x", "y"}))
    assert store.asked == [("dense", "q", 22, when), ("lexical", "q", 22, when)]


def test_nothing_later_than_the_limit_comes_through() -> None:
    """A store that ignores the time limit, as this one does, leaks nothing: each hit's document is asked."""
    sources = [
        document("before", published="2016-09-16"),
        document("after", published="2016-09-18"),
        document("vague", published="2016-09"),
        document("undated"),
    ]
    order = {"q": ["after", "vague", "undated", "before"]}
    store = ScriptedStore(sources, order, order)
    when = TimeLimit(as_of=date(2016, 9, 17))
    assert names(retrieve([query()], store, limit=4, when=when)) == ["before"]
    keep = TimeLimit(as_of=date(2016, 9, 17), undated="keep")
    assert names(retrieve([query()], store, limit=4, when=keep)) == ["undated", "before"]


def test_a_passage_without_its_document_is_left_out() -> None:
    """What cannot be cited cannot be a hit."""
    source = document("gone")

    class Forgetful(ScriptedStore):
        def documents(self, ids: Sequence[str]) -> dict[str, Document]:
            return {}

    assert retrieve([query()], Forgetful([source], {"q": ["gone"]}), limit=3, when=ALWAYS) == ()


def test_seen_passages_do_not_come_again() -> None:
    """Ids of earlier rounds are left out even when places stay empty, and the next best move up."""
    sources = [document(name) for name in "abc"]
    store = ScriptedStore(sources, {"q": ["a", "b", "c"]})
    hits = retrieve([query()], store, limit=3, when=ALWAYS, seen=frozenset({whole(sources[0]).id}))
    assert names(hits) == ["b", "c"]
    assert [hit.rank for hit in hits] == [1, 2]


def test_a_copy_of_a_seen_passage_waits_behind_new_texts() -> None:
    """The second round does not spend its places on texts the first has read."""
    sources = [document("a", STORY), document("copy", f"AP {STORY}"), document("c"), document("d")]
    store = ScriptedStore(sources, {"q": ["a", "copy", "c", "d"]})
    hits = retrieve([query()], store, limit=2, when=ALWAYS, seen=frozenset({whole(sources[0]).id}))
    assert names(hits) == ["c", "d"]


@pytest.mark.parametrize(("limit", "found"), [(2, "ax"), (3, "abx"), (5, "abcxy"), (6, "abcdxy")])
def test_a_publisher_has_three_places_of_five_at_most(limit: int, found: str) -> None:
    """What it has more gives way to texts of others, however far down they stand."""
    sources = [document(name, publisher="Reuters") for name in "abcdefgh"]
    sources += [document("x", publisher="TASS"), document("y", publisher="AFP")]
    store = ScriptedStore(sources, {"q": [source.id for source in sources]})
    assert names(retrieve([query()], store, limit=limit, when=ALWAYS)) == list(found)


@pytest.mark.parametrize(
    ("crowd", "widths", "found"), [(3, [20], True), (40, [20, 80], True), (500, [20, 80, 320], False)]
)
def test_who_fills_the_first_places_does_not_hide_the_others(crowd: int, widths: list[int], *, found: bool) -> None:
    """One publisher's texts before everything else: it is searched further down, up to sixteen times as far."""
    names_of = [f"crowd{number}" for number in range(crowd)]
    sources = [*(document(name, publisher="Courier") for name in names_of), document("genuine", publisher="Post")]
    store = ScriptedStore(sources, {"q": [*names_of, "genuine"]})
    hits = retrieve([query()], store, limit=5, when=ALWAYS)
    assert ("genuine" in names(hits)) is found
    assert [width for leg, _, width, _ in store.asked if leg == "dense"] == widths


def test_a_store_of_one_publisher_is_searched_once() -> None:
    """Nothing else is to be found there, however far one looks."""
    sources = [document(f"d{number}", publisher="Courier") for number in range(400)]
    store = ScriptedStore(sources, {"q": [source.id for source in sources]})
    assert len(retrieve([query()], store, limit=5, when=ALWAYS)) == 5
    assert [width for leg, _, width, _ in store.asked if leg == "dense"] == [20]


def test_copies_by_a_publisher_that_was_seen_hide_no_text_of_its_own() -> None:
    """All publishers of the store are among the first; what is no copy is looked for further down."""
    copies = [document(f"copy{number}", STORY, publisher=f"Paper {number % 7}") for number in range(60)]
    store = ScriptedStore([*copies, document("own", publisher="Paper 3")], {"q": [*(one.id for one in copies), "own"]})
    assert "own" in names(retrieve([query()], store, limit=5, when=ALWAYS))


def test_one_passage_of_several_copies() -> None:
    """A wire copy with another first line gives way to a text of its own."""
    sources = [document("a", STORY), document("b", f"LONDON (Reuters) - {STORY}"), document("c")]
    store = ScriptedStore(sources, {"q": ["a", "b", "c"]})
    assert names(retrieve([query()], store, limit=2, when=ALWAYS)) == ["a", "c"]


@given(
    dense=st.permutations(range(40)),
    lexical=st.permutations(range(40)),
    copied=st.integers(0, 4),
    places=st.lists(st.integers(0, 80), min_size=1, max_size=60),
)
@settings(max_examples=40, deadline=None)
def test_copies_push_no_other_text_out(dense: list[int], lexical: list[int], copied: int, places: list[int]) -> None:
    """Copies of a found text, however many, stand anywhere after it in both rankings: the same others are found."""
    names = [f"t{number}" for number in range(40)]
    texts = [document(name) for name in names]
    rankings = [[names[number] for number in order] for order in (dense, lexical)]

    def found(sources: list[Document], limit: int = 5) -> list[tuple[str, float]]:
        store = ScriptedStore(sources, *({"q": ranking} for ranking in rankings))
        hits = retrieve([query()], store, limit=limit, when=ALWAYS)
        return [(hit.passage.text.split()[-1], hit.score) for hit in hits]

    assume(
        len({score for _, score in found(texts, limit=6)}) == 6
    )  # among equals the ids decide, and a copy has its own
    before = found(texts)
    number = int(before[copied][0].removeprefix("t").removesuffix("29"))
    copies = [
        document(f"copy{n}", f"TOWN{n} - {words(names[number])}", publisher=f"Paper {n}") for n in range(len(places))
    ]
    for ranking in rankings:
        for copy, place in zip(copies, places, strict=True):
            ranking.insert(max(place, ranking.index(names[number]) + 1), copy.id)
    assert found([*texts, *copies]) == before


def test_copies_fill_up_when_there_is_nothing_else() -> None:
    """With too few independent texts one of the copies is taken, too, behind them."""
    sources = [document("a", STORY), document("b", f"LONDON - {STORY}"), document("c"), document("d", STORY)]
    store = ScriptedStore(sources, {"q": ["a", "b", "c", "d"]})
    assert names(retrieve([query()], store, limit=3, when=ALWAYS)) in (["a", "c", "b"], ["a", "c", "d"])


def test_copies_share_an_origin() -> None:
    """Near copies of different publishers count once, an independent text by itself."""
    sources = [
        document("a", STORY, publisher="Reuters"),
        document("b", f"LONDON - {STORY}, he said.", publisher="TASS"),
        document("c", publisher="ABC News"),
    ]
    first, other, copy = retrieve([query()], ScriptedStore(sources, {"q": ["a", "b", "c"]}), limit=3, when=ALWAYS)
    assert [hit.passage.document_id for hit in (first, other, copy)] == ["a", "c", "b"]
    assert first.origin == copy.origin != other.origin


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"publisher": "Reuters"}, {"publisher": " REUTERS "}, True),
        ({"publisher": "Planted\u200b Courier"}, {"publisher": "Pl\u0430nted Courier"}, True),
        ({"publisher": "AFP (via Breitbart)"}, {"publisher": "AFP"}, True),
        ({"publisher": "AFP (via Breitbart)"}, {"publisher": "Breitbart"}, False),
        ({"publisher": "The Guardian (mirror)"}, {"publisher": "Guardian"}, True),
        ({"publisher": "DoD News, relaying CENTCOM (mirror: x.org)"}, {"publisher": "DoD News"}, True),
        ({"publisher": "Daily Mirror"}, {"publisher": "Daily Mail"}, False),
        ({"publisher": "Foreign Ministry (Syria)"}, {"publisher": "Foreign Ministry (Russia)"}, False),
        ({"publisher": "U.S. Department of State"}, {"publisher": "US Department of State"}, True),
        ({"publisher": "reuters.com"}, {"url": "https://uk.reuters.com/article"}, True),
        ({"url": "https://www.bbc.co.uk/a"}, {"url": "http://news.bbc.co.uk/b"}, True),
        ({"url": "https://www.itv.co.uk/a"}, {"url": "http://news.bbc.co.uk/b"}, False),
        ({"url": "https://one.blogspot.com/a"}, {"url": "https://two.blogspot.com/a"}, False),
        ({"url": "https://web.archive.org/web/2016/https://cnn.com/a"}, {"url": "https://edition.cnn.com/b"}, True),
        ({"url": "http://10.0.0.1/a"}, {"url": "http://9.0.0.1/a"}, False),
        (
            {"publisher": "Reuters", "url": "https://a.example"},
            {"publisher": "TASS", "url": "https://a.example"},
            False,
        ),
        ({"url": "http://[broken"}, {"url": "http://[broken"}, False),
        ({}, {}, False),
    ],
)
def test_publishers_are_compared_by_name_then_by_domain(one: dict, other: dict, is_same: bool) -> None:
    """Case, article, relays and subdomains do not make a second publisher; unknown ones are never the same."""
    sources = {"one": document("one", **one), "other": document("other", **other)}
    assert (publisher_key(sources["one"]) == publisher_key(sources["other"])) is is_same
    origins = origins_of([whole(source) for source in sources.values()], sources)
    assert (len(set(origins.values())) == 1) is is_same


def test_letters_that_nobody_tells_apart_make_no_text_of_their_own() -> None:
    """Neither unseen characters nor look-alikes of another script."""
    text = words("word", 40)
    sources = {"one": document("one", text, publisher="A")}
    for name, changed in (("unseen", text.replace("wo", "w\u200bo")), ("alike", text.replace("o", "\u043e"))):
        sources[name] = document(name, changed, publisher=name)
    assert len(set(origins_of([whole(source) for source in sources.values()], sources).values())) == 1


def test_passages_from_different_parts_of_copied_documents_share_an_origin() -> None:
    """Copies are also known by their documents, wherever the passages were cut."""
    text = words("w", 80)
    one = document("one", text, publisher="A")
    two = document("two", f"Agencies. {text}", publisher="B")
    passages = [
        passage_of(one, Span(start=0, end=100)),
        passage_of(two, Span(start=len(two.text) - 100, end=len(two.text))),
    ]
    assert len(set(origins_of(passages, {"one": one, "two": two}).values())) == 1


def test_sharing_an_origin_carries_over() -> None:
    """A copied from B, whose publisher wrote C as well: all three are one origin, in whatever order they come."""
    sources = {
        "c": document("c", publisher="Reuters"),
        "a": document("a", STORY, publisher="AFP"),
        "b": document("b", STORY + " today", publisher="Reuters"),
    }
    assert len(set(origins_of([whole(source) for source in sources.values()], sources).values())) == 1


def test_who_reprints_a_text_keeps_an_origin_of_its_own() -> None:
    """A dated reprint adds no voice and takes none away; the same text a day earlier would be the reprinter's own."""
    sources = {
        "wire": document("wire", STORY, publisher="AFP", published="2016-09-17"),
        "own": document("own", publisher="Guardian", published="2016-09-18"),
    }
    for day, count in (("2016-09-18", 2), ("2016-09-16", 1)):
        found = sources | {"reprint": document("reprint", STORY + " today", publisher="Guardian", published=day)}
        assert len(set(origins_of([whole(source) for source in found.values()], found).values())) == count, day


def test_a_short_quotation_is_no_copy() -> None:
    """A passage of a few words that another text quotes stays independent of it."""
    short = document("short", "It was a grave mistake", publisher="A")
    long = document("long", f"{words('l')} It was a grave mistake {words('m')}", publisher="B")
    sources = {"short": short, "long": long}
    assert len(set(origins_of([whole(short), whole(long)], sources).values())) == 2


def test_a_publishers_origin_is_the_same_in_every_call() -> None:
    """Hits of two rounds from one publisher share their origin without being compared."""
    store = ScriptedStore([document(name, publisher="Reuters") for name in "ab"], {"q": ["a"], "r": ["b"]})
    (first,) = retrieve([query("q")], store, limit=1, when=ALWAYS)
    (second,) = retrieve([query("r")], store, limit=1, when=ALWAYS)
    assert first.origin == second.origin


def test_equal_scores_are_ordered_by_passage_id() -> None:
    """Ties do not depend on the order in which the store was asked."""
    store = ScriptedStore([document(name) for name in "ab"], {"q": ["a"], "r": ["b"]})
    hits = retrieve([query("q"), query("r")], store, limit=2, when=ALWAYS)
    assert [hit.passage.id for hit in hits] == sorted(hit.passage.id for hit in hits)


def test_no_queries_or_no_passages_give_no_hits() -> None:
    """Nothing asked or nothing found is an empty answer, not an error."""
    assert retrieve([], ScriptedStore([document("a")], {"q": ["a"]}), limit=3, when=ALWAYS) == ()
    assert retrieve([query()], ScriptedStore([]), limit=3, when=ALWAYS) == ()


LEG = st.lists(st.sampled_from("abcdef"), unique=True)


@given(legs=st.lists(st.tuples(LEG, LEG), min_size=1, max_size=3), limit=st.integers(1, 6), data=st.data())
def test_the_order_of_the_queries_changes_nothing(legs, limit, data) -> None:
    """Hits are unique, at most `limit`, ranked by score but for what fills up, and the same for every order."""
    dense = {f"q{number}": leg for number, (leg, _) in enumerate(legs)}
    lexical = {f"q{number}": leg for number, (_, leg) in enumerate(legs)}
    publishers = dict(zip("abcdef", ["A", "A", "A", "B", None, None], strict=True))
    store = ScriptedStore([document(name, publisher=publishers[name]) for name in "abcdef"], dense, lexical)
    queries = [query(text) for text in dense]
    hits = retrieve(queries, store, limit=limit, when=ALWAYS)
    found = {name for pair in legs for leg in pair for name in leg}
    assert len(hits) == len({hit.passage.id for hit in hits}) == min(limit, len(found))
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    apart = hits[: sum(min(2, count) for count in Counter(publishers[name] or name for name in names(hits)).values())]
    assert [hit.score for hit in apart] == sorted((hit.score for hit in apart), reverse=True)
    assert retrieve(data.draw(st.permutations(queries)), store, limit=limit, when=ALWAYS) == hits
