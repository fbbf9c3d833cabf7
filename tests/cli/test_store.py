"""`factdesk store`: from adding to rebuilding."""

from __future__ import annotations

import pytest

from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder
from tests.cli.command import needs_embedder
from tests.store.sources import ITEMS

pytestmark = needs_embedder


def test_a_store_can_be_filled_read_searched_mended_and_emptied(desk):
    """One round through all commands; adding the same again changes nothing."""
    added = desk.run("store", "add", "sources.jsonl")
    assert (added.code, added.out) == (0, "4 added, 0 replaced, 0 unchanged\n")
    assert desk.run("store", "add", "sources.jsonl", "--json").json["unchanged"] == 4
    listed = desk.run("store", "list", "--json").json
    assert [row["id"] for row in listed] == ["s1", "s2", "s3", "s4"]
    assert [line.split()[0] for line in desk.run("store", "list").out.splitlines()] == ["s1", "s2", "s3", "s4"]
    shown = desk.run("store", "show", "s3", "--json").json
    assert shown["text"] == "The Norvik mill made 400 tons of flour in 2018."
    assert shown["text"] in desk.run("store", "show", "s3").out
    hits = desk.run("store", "search", "flour made at the mill", "--json").json
    assert hits[0]["passage"]["document_id"] == "s3"
    assert all(hit["passage"]["text"] == shown["text"] for hit in hits if hit["passage"]["document_id"] == "s3")
    assert "s3" in desk.run("store", "search", "flour made at the mill", "-k", "1").out
    early = desk.run("store", "search", "mill", "--as-of", "2019-01-31", "--json").json
    assert {hit["passage"]["document_id"] for hit in early} == {"s3", "s4"}
    checked = desk.run("store", "check", "--json").json
    assert (checked["documents"], checked["problems"]) == (4, [])
    assert desk.run("store", "rebuild").out == "4 passages indexed again\n"
    assert desk.run("store", "check").out == "4 documents, 4 passages, 4 of them searched for: all found again\n"
    assert desk.run("store", "remove", "s3").out == "removed s3\n"
    again = desk.run("store", "remove", "s3")
    assert (again.code, again.out) == (2, "")
    assert "'s3'" in again.complaint
    assert {row["id"] for row in desk.run("store", "list", "--json").json} == {"s1", "s2", "s4"}


def test_a_changed_source_replaces_the_old_one(desk):
    """The same id with another text."""
    desk.run("store", "add", "sources.jsonl")
    path = desk.folder / "sources.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("400 tons", "410 tons"), encoding="utf-8")
    assert desk.run("store", "add", "sources.jsonl").out == "0 added, 1 replaced, 3 unchanged\n"


def test_an_address_needs_leave_and_must_be_of_the_open_web(desk):
    """Without --allow-url it is refused, with it only public pages are opened; files beside it come in."""
    page = "http://127.0.0.1:9/page"
    alone = desk.run("store", "add", page)
    assert alone.code == 2
    assert f"'{page}' is an address: give --allow-url" in alone.complaint
    mixed = desk.run("store", "add", "sources.jsonl", page, "--allow-url")
    assert (mixed.code, mixed.out) == (0, "4 added, 0 replaced, 0 unchanged\n")
    assert f"'{page}' is not on the public web" in mixed.err


def test_provenance_is_mended_and_stays_so(desk):
    """What was given changes, the rest does not, `unknown` takes away; adding the file again leaves it mended."""
    desk.run("store", "add", "sources.jsonl")
    words = ("store", "edit", "s3", "--publisher", "Mill Gazette", "--published", "unknown", "--kind", "wire")
    mended = desk.run(*words)
    assert (mended.code, mended.out) == (0, "s3  undated  wire  Mill Gazette  \n")
    assert desk.run("store", "add", "sources.jsonl").out == "0 added, 0 replaced, 4 unchanged\n"
    shown = desk.run("store", "show", "s3", "--json").json
    assert (shown["publisher"], shown["published"], shown["kind"]) == ("Mill Gazette", None, "wire")
    assert shown["text"] == "The Norvik mill made 400 tons of flour in 2018."
    early = desk.run("store", "search", "flour", "--as-of", "2019-12-31", "--json").json
    assert "s3" not in {hit["passage"]["document_id"] for hit in early}
    kept = desk.run("store", "search", "flour", "--as-of", "2019-12-31", "--undated", "keep", "--json").json
    assert "s3" in {hit["passage"]["document_id"] for hit in kept}
    desk.write("factdesk.toml", 'undated = "keep"\n')
    assert desk.run("store", "search", "flour", "--as-of", "2019-12-31", "--json").json == kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to mend"),
        (["--published", "2016-02-30"], "--published '2016-02-30' is no date"),
        (["--url", "ftp://a"], "--url 'ftp://a' is no address on the web"),
        (["--kind", "tabloid"], "--kind 'tabloid' is no kind of source: write one of official"),
        (["--title", "x" * 301], "is too long"),
    ],
)
def test_what_cannot_be_mended_is_named(desk, words, said):
    """With the value and the cure, before the store is touched."""
    outcome = desk.run("store", "edit", "s3", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.complaint


def test_what_cannot_be_used_is_said_and_the_rest_taken(desk):
    """A broken line of a list, with its number."""
    desk.write("more.jsonl", '{"id": "a", "text": "The mill has a new roof."}\n{"id": "b"}\n')
    outcome = desk.run("store", "add", "more.jsonl")
    assert (outcome.code, outcome.out) == (0, "1 added, 0 replaced, 0 unchanged\n")
    assert "more.jsonl:2" in outcome.err


def test_a_named_store_is_searched_by_a_run(desk):
    """`--store` wins over the sources beside the article."""
    desk.write("one.txt", "The mill in Norvik burnt down on 4 March 2019, said the mayor of Norvik.")
    desk.run("store", "add", "one.txt", "--store", "kept")
    with desk.server():
        outcome = desk.run("verify", "article.txt", "--store", "kept", "--json")
    assert [row["title"] for row in outcome.json["documents"].values()] == ["one"]


@pytest.mark.parametrize("words", [["list"], ["show", "x"], ["search", "x"], ["remove", "x"], ["check"], ["rebuild"]])
def test_a_store_that_is_not_there_is_named(desk, words):
    """With the cure, and nothing is made in its place."""
    outcome = desk.run("store", *words, "--store", "nowhere")
    assert (outcome.code, outcome.out) == (2, "")
    assert "'nowhere'" in outcome.complaint
    assert "factdesk store add" in outcome.complaint
    assert not (desk.folder / "nowhere").exists()


def test_a_store_of_another_embedder_is_refused(desk):
    """Vectors of two models cannot be compared."""
    with Store.open(desk.folder / "kept", HashEmbedder(), write=True, create=True) as store:
        store.add(ITEMS)
    with desk.server() as server:
        outcome = desk.run("verify", "article.txt", "--store", "kept")
        assert server.stats()["requests"] == 0
    assert (outcome.code, outcome.out) == (2, "")
    assert "embedder" in outcome.complaint
