"""`factdesk doctor` and `factdesk models`."""

from __future__ import annotations

import pytest

from tests.cli.command import KEY, needs_embedder


def findings(outcome):
    return {row["what"]: (row["ok"], row["says"]) for row in outcome.json}


def test_a_desk_without_anything_is_told_what_is_missing(desk):
    """Models, server and store, each with its cure; exit code 1."""
    desk.set(FACTDESK_CACHE=str(desk.folder / "none"), FACTDESK_BASE_URL="http://127.0.0.1:9/v1", FACTDESK_MODEL="m")
    outcome = desk.run("doctor", "--json")
    found = findings(outcome)
    assert (outcome.code, found["profile"][0], found["runs"][0]) == (1, True, True)
    assert found["model"] == (False, "minilm-tokenizer is missing: run `factdesk models pull minilm-tokenizer`")
    assert not found["server"][0]
    assert "FACTDESK_BASE_URL" in found["server"][1]
    assert not found["store"][0]
    assert "MISS  server" in desk.run("doctor").out


def test_the_local_profile_asks_no_server(desk):
    """An address that is set beside `--profile local` is not used, and not looked at."""
    desk.set(FACTDESK_BASE_URL="http://127.0.0.1:9/v1", FACTDESK_MODEL="m")
    assert findings(desk.run("doctor", "--profile", "local", "--json"))["server"] == (
        True, "the embedded one, started when needed"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "ok", "says"),
    [
        ("always:path=models:key", False, "OPENAI_API_KEY"),
        ("always:path=models:404", True, "404"),
        ("always:path=models:500", False, "FACTDESK_BASE_URL"),
        ("always:path=models:reset", False, "FACTDESK_BASE_URL"),
    ],
)
def test_a_server_that_does_not_answer_well_is_told(desk, fault, ok, says):
    """With what to look at; never with the key."""
    with desk.server(fault):
        outcome = desk.run("doctor", "--json")
    found = findings(outcome)["server"]
    assert found[0] is ok
    assert says in found[1]
    assert KEY not in outcome.out + outcome.err


def test_a_proxy_of_the_environment_does_not_hide_a_server_on_this_machine(desk):
    """The chat client goes past it, too."""
    desk.set(HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9", NO_PROXY=None, no_proxy=None)
    with desk.server():
        assert findings(desk.run("doctor", "--json"))["server"][0]


@needs_embedder[0]
@needs_embedder[1]
def test_a_desk_with_all_it_needs_is_well(desk):
    """Exit code 0."""
    desk.run("store", "add", "sources.jsonl")
    with desk.server():
        outcome = desk.run("doctor", "--json")
    assert (outcome.code, [row for row in outcome.json if not row["ok"]]) == (0, [])


def test_models_are_listed_with_their_state(desk):
    """Name, size, licence, place."""
    desk.set(FACTDESK_CACHE=str(desk.folder))
    rows = desk.run("models", "list", "--json").json
    assert {row["present"] for row in rows} == {False}
    assert all(row.keys() == {"name", "purpose", "licence", "bytes", "present", "path"} for row in rows)
    assert all(row["name"] in desk.run("models", "list").out for row in rows)


def test_models_are_checked_by_their_hash(desk):
    """Missing and damaged ones are named, with exit code 1."""
    desk.set(FACTDESK_CACHE=str(desk.folder))
    path = desk.run("models", "list", "--json").json[-1]["path"]
    assert desk.run("models", "check", "minilm-tokenizer").code == 1
    (desk.folder / "models").mkdir()
    desk.write(path, "not a tokenizer")
    outcome = desk.run("models", "check", "minilm-tokenizer")
    assert outcome.code == 1
    assert "as it should be" not in outcome.out


@needs_embedder[0]
@needs_embedder[1]
def test_whole_models_pass_the_check(desk):
    """Exit code 0."""
    assert desk.run("models", "check", "minilm-tokenizer").out == "minilm-tokenizer: as it should be\n"


@pytest.mark.parametrize("words", [["check", "gpt"], ["pull", "gpt"], ["pull", "--from", "x.bin"]])
def test_a_model_that_is_not_known_is_named(desk, words):
    """With those there are."""
    outcome = desk.run("models", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert "'gpt'" in outcome.complaint or "'x.bin'" in outcome.complaint


def test_the_key_is_not_led_elsewhere(desk, httpserver):
    """A server that sends the question on is named, and nobody else is asked."""
    elsewhere = httpserver.url_for("/elsewhere")
    httpserver.expect_request("/v1/models").respond_with_data(status=307, headers={"Location": elsewhere})
    desk.set(FACTDESK_BASE_URL=httpserver.url_for("/v1"), FACTDESK_MODEL="mock", OPENAI_API_KEY="sk-canary-7f3a90")
    assert "answers 307: check FACTDESK_BASE_URL" in desk.run("doctor").out
    assert [request.path for request, _ in httpserver.log] == ["/v1/models"]
