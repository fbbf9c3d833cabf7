"""Scopes: block-lists by kind, domain, publisher or id, in every kind of store and on what it returns."""

from __future__ import annotations

import pytest

from agent.domain import SourceKind
from agent.scope import Facts, Scope
from agent.store.base import TimeLimit
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder, MemoryStore
from tests.store.sources import item_of

EMBEDDER = HashEmbedder(dimension=64)
ITEMS = (
    item_of(
        "a", "The bridge at Velm closed.", kind=SourceKind.WIRE, url="https://www.wire.example/1", publisher="Wire"
    ),
    item_of("b", "The bridge at Velm closed early.", kind=SourceKind.PARTISAN, url="https://news.rant.example/x"),
    item_of("c", "The bridge at Velm held.", kind=SourceKind.OFFICIAL, publisher="The  Town Hall"),
    item_of("d", "No, the bridge at Velm did not fall.", kind=SourceKind.FACT_CHECK, publisher="Checkers"),
)
IDS = {name: item[0].id for name, item in zip("abcd", ITEMS, strict=True)}


@pytest.fixture(params=["memory", "disk"])
def store(request, tmp_path):
    """Both kinds of store with four documents."""
    if request.param == "memory":
        yield MemoryStore(ITEMS, embedder=EMBEDDER)
        return
    with Store.open(tmp_path / "store", EMBEDDER, write=True, create=True) as store:
        store.add(ITEMS)
        yield store


@pytest.mark.parametrize("search", ["search_dense", "search_lexical"])
@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope(), "abcd"),
        (Scope(exclude=("kind:fact_check",)), "abc"),
        (Scope(exclude=("kind:partisan", "kind:fact_check")), "ac"),
        (Scope(exclude=("domain:rant.example",)), "acd"),
        (Scope(exclude=("domain:ant.example",)), "abcd"),
        (Scope(exclude=("domain:WWW.wire.example", "publisher:the town hall")), "bd"),
        (Scope(only=("kind:wire", "kind:official")), "ac"),
        (Scope(only=("kind:wire", "kind:official"), exclude=(f"id:{IDS['a']}",)), "c"),
        (Scope(only=("id:nothing",)), ""),
    ],
)
def test_only_what_the_scope_admits_is_found(store, search, scope, seen):
    """Whatever the search; a domain means its subdomains, a publisher is compared without case."""
    found = getattr(store, search)("bridge at Velm", limit=9, when=TimeLimit(scope=scope))
    assert {passage.document_id for passage in found} == {IDS[name] for name in seen}


def test_a_change_of_the_store_is_seen(tmp_path):
    """A document that is added, here or by another process, or whose kind is mended, is judged anew."""
    when = TimeLimit(scope=Scope(only=("kind:official",)))
    with (
        Store.open(tmp_path / "store", EMBEDDER, write=True, create=True) as writer,
    ):
        writer.add(ITEMS[:2])
        with Store.open(tmp_path / "store", EMBEDDER) as reader:
            for store in (reader, writer):
                assert store.search_lexical("Velm", limit=9, when=when) == ()
            writer.add(ITEMS[2:])
            for store in (reader, writer):
                found = store.search_lexical("Velm", limit=9, when=when)
                assert {passage.document_id for passage in found} == {IDS["c"]}


def test_a_scope_in_a_store_of_many_is_exact(tmp_path):
    """The few that are admitted are found although all that is nearer is left out."""
    near = [item_of(f"near {n}", f"Bridge closed repairs {n}.", kind=SourceKind.PARTISAN) for n in range(120)]
    far = item_of("far", "The mill at Velm bought barley.", kind=SourceKind.OFFICIAL)
    with Store.open(tmp_path / "store", EMBEDDER, write=True, create=True) as store:
        store.add([*near, far])
        when = TimeLimit(scope=Scope(exclude=("kind:partisan",)))
        (found,) = store.search_dense("Bridge closed repairs", limit=3, when=when)
        assert found.document_id == far[0].id


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("rant.example", "'rant.example' names no source: write kind:newspaper, domain:example.org"),
        ("kind:tabloid", "'kind:tabloid' names no kind of source: write kind: and one of official"),
        ("domain:https://a.example/x", "names no domain: write domain:example.org, without http://"),
        ("publisher:", "names no source"),
        ("colour:red", "names no source"),
    ],
)
def test_a_term_that_is_none_is_refused(term, said):
    """With its value and what to write."""
    with pytest.raises(ValueError, match=said):
        Scope(exclude=(term,))


@pytest.mark.parametrize(
    "url",
    [
        "https://web.archive.org/web/2016/https://factcheck.example/x",
        "http://web.archive.org/web/20160920101500id_/http://www.factcheck.example:80/x",
        "https://web.archive.org/web/https://de.factcheck.example/x",
        "https://web.archive.org/web/2016/factcheck.example/x",
        "https://web.archive.org/web/2016/https:/factcheck.example/x",
        "https://web.archive.org/web/2016/https%3A%2F%2Ffactcheck.example%2Fx",
        "https://archive.org/wayback/2016/https://factcheck.example/x",
        "https://archive.ph/2016.09.20-101500/https://factcheck.example/x",
        "https://archive.today/newest/https://factcheck.example/x",
        "https://arquivo.pt/wayback/2016/https://factcheck.example/x",
        "https://archive.is/2017/https://web.archive.org/web/2016/https://factcheck.example/x",
    ],
)
def test_an_archived_copy_has_the_domain_of_its_page(url):
    """Else a block-list would let in what it names; the archive's own domain can still be named, too."""
    facts = Facts("x", "other", None, url)
    assert not Scope(exclude=("domain:factcheck.example",)).admits(facts)
    assert not Scope(exclude=(f"domain:{url.split('/')[2]}",)).admits(facts)
    assert Scope(exclude=("domain:check.example",)).admits(facts)


def test_other_addresses_at_an_archive_are_its_own():
    """A page about the archive, and an address that merely carries another one as a value."""
    for url in ("https://archive.org/details/book", "https://archive.org/search?q=https://factcheck.example/x"):
        assert Scope(exclude=("domain:factcheck.example",)).admits(Facts("x", "other", None, url))


def test_an_address_that_is_none_has_no_domain():
    """Broken brackets are no IPv6 address, and do no harm."""
    assert Scope(exclude=("domain:a.example",)).admits(Facts("x", "other", None, "http://[a.example"))
