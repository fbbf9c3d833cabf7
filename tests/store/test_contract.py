"""What every passage store does, the real one (SQLite and Chroma) and the one in memory alike."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import StoreError
from agent.store.base import TimeLimit
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder, MemoryStore
from tests.store.sources import ITEMS, TEXTS, item_of

ANY = TimeLimit()
SEARCHES = ("search_dense", "search_lexical")
BY_NAME = dict(zip(TEXTS, ITEMS, strict=True))


@pytest.fixture(params=[Store, MemoryStore])
def empty(request, tmp_path):
    """A store without documents."""
    if request.param is MemoryStore:
        yield MemoryStore()
        return
    with Store.open(tmp_path / "store", HashEmbedder(), write=True, create=True) as store:
        yield store


@pytest.fixture
def store(empty):
    """A store with four documents."""
    empty.add(ITEMS)
    return empty


@pytest.mark.parametrize("search", SEARCHES)
def test_the_passage_that_says_it_comes_first(store, search):
    """A query in the words of a passage finds that passage first, at most `limit` in all."""
    found = getattr(store, search)("When was the bridge closed for repairs?", limit=2, when=ANY)
    assert found[0].text == "The bridge at Velm was closed for repairs."
    assert 1 <= len(found) <= 2


@pytest.mark.parametrize("search", SEARCHES)
def test_passages_are_slices_of_their_documents(store, search):
    """The text of each passage is the slice of the document at its span."""
    for passage in getattr(store, search)("bridge ferry Velm mayor grain", limit=20, when=ANY):
        document = store.documents([passage.document_id])[passage.document_id]
        assert passage.span.of(document.text) == passage.text


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("when", "seen"),
    [
        (TimeLimit(as_of=date(2016, 5, 1)), set()),
        (TimeLimit(as_of=date(2016, 5, 2)), {"bridge"}),
        (TimeLimit(as_of=date(2016, 9, 29)), {"bridge"}),
        (TimeLimit(as_of=date(2016, 9, 30)), {"bridge", "grain"}),
        (TimeLimit(as_of=date(2017, 12, 30)), {"bridge", "grain"}),
        (TimeLimit(as_of=date(2017, 12, 31)), {"bridge", "grain", "flood"}),
        (TimeLimit(as_of=date(2016, 5, 2), undated="keep"), {"bridge", "mayor"}),
        (TimeLimit(undated="drop"), {"bridge", "grain", "mayor", "flood"}),
    ],
)
def test_only_what_was_surely_published_by_the_day_is_found(store, search, when, seen):
    """A partial date counts as its last day, and an undated document only when it is kept."""
    found = getattr(store, search)("Velm bridge ferry grain mayor river", limit=20, when=when)
    assert {passage.document_id for passage in found} == {BY_NAME[name][0].id for name in seen}


@pytest.mark.parametrize("search", SEARCHES)
def test_a_later_document_is_not_found_however_near_it_is(store, search):
    """Asked for one passage in the very words of a later document, the store gives an earlier one."""
    late = BY_NAME["flood"][1][1].text
    (found,) = getattr(store, search)(late, limit=1, when=TimeLimit(as_of=date(2016, 5, 2)))
    assert found.document_id == BY_NAME["bridge"][0].id


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_no_passages(store, search, limit):
    """A limit below one finds nothing."""
    assert getattr(store, search)("bridge", limit=limit, when=ANY) == ()


@pytest.mark.parametrize("text", ["", "   ", "!?", '"', "bridge AND (", "* NEAR -x:y", "\x00"])
@pytest.mark.parametrize("search", SEARCHES)
def test_any_text_is_a_query(store, search, text):
    """Signs that mean something to an index mean nothing in a query."""
    assert isinstance(getattr(store, search)(text, limit=3, when=ANY), tuple)


def test_numbers_match_with_and_without_separators(store):
    """`1200` finds `1,200`, and the reverse would too; a name is found by one of its words."""
    assert "1,200 tonnes" in store.search_lexical("1200 tons", limit=1, when=ANY)[0].text
    assert "Ilva Tarn" in store.search_lexical("Who is Tarn?", limit=1, when=ANY)[0].text


def test_the_title_counts_as_words_of_each_passage(store):
    """A word that only the title has finds the passages of the document."""
    found = store.search_lexical("flood", limit=5, when=ANY)
    assert {passage.document_id for passage in found} == {BY_NAME["flood"][0].id}


def test_unknown_documents_are_left_out(store):
    """Documents come back whole, and unknown ids are no error."""
    document = ITEMS[0][0]
    assert store.documents(["nothing", document.id]) == {document.id: document}


def test_the_same_again_changes_nothing(store):
    """Adding twice is adding once."""
    before = store.snapshot(), store.list()
    store.add(ITEMS)
    assert (store.snapshot(), store.list()) == before


def test_another_text_takes_the_place_of_the_old(store):
    """The same id with another text replaces: the old words and meanings are gone, the new are found."""
    before = store.snapshot()
    store.add([item_of("bridge", "The tunnel at Velm opened on time. Nobody was there.", published="2016-05-02")])
    assert store.snapshot() != before
    assert store.search_lexical("lorries", limit=5, when=ANY) == ()
    for search in SEARCHES:
        assert (
            getattr(store, search)("tunnel opened", limit=1, when=ANY)[0].text == "The tunnel at Velm opened on time."
        )
    found = store.search_dense("bridge closed for repairs lorries", limit=20, when=ANY)
    assert all("repairs" not in passage.text for passage in found)


def test_a_text_of_the_same_length_is_another_text(store):
    """Spans and so passage ids stay the same; snapshot and searches follow the text all the same."""
    before = store.snapshot()
    _, text = TEXTS["bridge"]
    store.add([item_of("bridge", text.replace("bridge", "museum"), published="2016-05-02")])
    assert store.snapshot() != before
    for search in SEARCHES:
        found = getattr(store, search)("museum closed for repairs", limit=1, when=ANY)
        assert found[0].text == "The museum at Velm was closed for repairs."


def test_a_new_date_is_a_new_content(store):
    """Provenance is content: a corrected date changes the snapshot and what may be seen."""
    before = store.snapshot()
    store.add([item_of("mayor", TEXTS["mayor"][1], published="2015")])
    assert store.snapshot() != before
    when = TimeLimit(as_of=date(2016, 1, 1))
    assert store.search_dense("mayor resigned", limit=1, when=when)[0].document_id == BY_NAME["mayor"][0].id


def test_removed_and_added_again_is_the_same_content(store):
    """Removing takes a document out of every search; adding it again restores the snapshot."""
    before, document = store.snapshot(), ITEMS[0][0]
    store.remove(document.id)
    assert store.snapshot() != before
    for search in SEARCHES:
        found = getattr(store, search)("bridge closed repairs lorries", limit=20, when=ANY)
        assert document.id not in {passage.document_id for passage in found}
    store.add([ITEMS[0]])
    assert store.snapshot() == before


def test_removing_what_is_not_there_names_it(store):
    """An unknown id is an error that names it."""
    with pytest.raises(StoreError, match="'nothing'"):
        store.remove("nothing")


def test_the_snapshot_does_not_depend_on_order_or_kind_of_store(empty):
    """The same documents in another order, in another kind of store, have the same snapshot."""
    empty.add(reversed(ITEMS))
    assert empty.snapshot() == MemoryStore(ITEMS).snapshot()
    assert empty.snapshot() != MemoryStore(ITEMS, embedder=HashEmbedder(dimension=8)).snapshot()


def test_copies_come_in_the_order_of_their_ids(empty):
    """Equal texts have equal scores: their order is that of the ids, whatever the order they came in."""
    copies = [item_of(f"copy {n}", "The dam at Orsk broke at noon.") for n in range(6)]
    empty.add(copies)
    expected = sorted(passages[0].id for _, passages in copies)
    assert [p.id for p in empty.search_dense("dam broke at noon", limit=6, when=ANY)] == expected


_DATES = st.one_of(
    st.none(),
    st.sampled_from(["2015", "2016", "2016-02", "2016-05", "2016-05-02", "2016-12-31", "2017-01-01", "2018"]),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    dates=st.lists(_DATES, min_size=1, max_size=12),
    as_of=st.dates(date(2014, 12, 1), date(2018, 12, 31)),
    undated=st.sampled_from(["drop", "keep"]),
    limit=st.integers(1, 15),
)
def test_no_search_lets_a_late_document_through(empty, dates, as_of, undated, limit):
    """For any dates and any day: what is found is what the limit allows, and all of it when there is room."""
    items = [item_of(f"report {n}", f"Report {n} on the harbour.", published=day) for n, day in enumerate(dates)]
    for document, _ in empty.list():
        empty.remove(document.id)
    empty.add(items)
    when = TimeLimit(as_of=as_of, undated=undated)
    allowed = {document.id for document, _ in items if when.allows(document)}
    for search in SEARCHES:
        found = [passage.document_id for passage in getattr(empty, search)("harbour report", limit=limit, when=when)]
        assert set(found) <= allowed
        assert len(found) == min(limit, len(allowed))


def test_publishers_are_those_of_the_documents_at_the_time(store):
    """As they are written; an unknown one is empty; a document that goes takes its publisher along."""
    assert store.publishers() == {document.publisher or "" for document, _ in store.list()}
    document, _ = ITEMS[0]
    store.add([(document.model_copy(update={"id": "new", "publisher": "Ferry Post"}), ())])
    assert "Ferry Post" in store.publishers()
    store.remove("new")
    assert "Ferry Post" not in store.publishers()
