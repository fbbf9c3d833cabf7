"""`factdesk verify`, `claim`, `report` and `runs`, with a model server that answers as wanted."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser

import pytest

from agent.report.contract import verify_contract
from tests.cli.command import finish, needs_embedder
from tests.desk import ARTICLE

pytestmark = needs_embedder

_TEXT = (str, type(None))
_SHAPE = {
    "run": {
        "id": str, "started": str, "profile": str, "models": dict, "prompts": dict, "settings": dict,
        "usage": {
            "model_calls": int, "prompt_tokens": int, "completion_tokens": int,
            "seconds": (int, float), "cost": (int, float, type(None)),
        },
    },
    "article": {"id": str, "sha256": str, "title": str, "text": str},
    "sentences": [{"index": int, "start": int, "end": int, "status": str, "reason": str, "claim_ids": [str]}],
    "claims": [{
        "id": str, "text": str, "sentence_index": int, "start": int, "end": int, "kind": str, "speaker": _TEXT,
        "verdict": {
            "label": str, "confidence": float, "abstained": bool, "justification": str, "origins": int,
            "citations": [{"document_id": str, "start": int, "end": int, "quote": str, "stance": str}],
        },
        "failure": type(None),
        "evidence": [{
            "passage_id": str, "document_id": str, "start": int, "end": int, "stance": str,
            "score": (float, type(None)), "citation": (dict, type(None)),
        }],
        "checks": [dict], "queries": [dict],
    }],
    "documents": dict,
}  # fmt: skip
"""Section 11 of the product page: names and types of `verify --json`, more may be there."""


def misfits(value, shape, place="$"):
    """Where a value does not have the shape."""
    if isinstance(shape, dict):
        missing = [f"{place}.{name} is missing" for name in shape.keys() - value.keys()]
        inner = [
            fault
            for name in shape.keys() & value.keys()
            for fault in misfits(value[name], shape[name], f"{place}.{name}")
        ]
        return missing + inner
    if isinstance(shape, list):
        wrong = [] if isinstance(value, list) else [f"{place} is {value!r}"]
        return wrong or [fault for n, one in enumerate(value) for fault in misfits(one, shape[0], f"{place}[{n}]")]
    return [] if isinstance(value, shape) else [f"{place} is {value!r}"]


def test_the_json_of_a_run_is_as_promised(desk):
    """One object on stdout, of the promised form, with exact offsets; exit code 0."""
    with desk.server():
        outcome = desk.run("verify", "article.txt", "--sources", "sources.jsonl", "--json")
    data = outcome.json
    assert outcome.code == 0
    assert misfits(data, _SHAPE) == []
    assert data["article"]["text"] == ARTICLE
    assert verify_contract(data, {key: row["text"] for key, row in data["documents"].items()}) == []
    labels = {claim["text"]: claim["verdict"]["label"] for claim in data["claims"]}
    assert labels["The fire killed 3 dockers."] == "supported"
    assert labels["The mill made 900 tons of flour in 2018."] == "refuted"
    for row in data["documents"].values():
        assert row.keys() >= {"title", "publisher", "url", "published", "kind"}


def test_a_run_without_json_shows_a_table_and_counts(desk):
    """Results on stdout, progress on stderr."""
    with desk.server():
        outcome = desk.run("verify", "article.txt")
    assert outcome.code == 0
    assert "Refuted" in outcome.out
    assert "4 claims: 2 Supported, 1 Refuted, 1 Not Enough Evidence" in outcome.out
    assert "5 sentences: 4 checked, 1 not checkable" in outcome.out
    assert "sources.jsonl (beside the article)" in outcome.err
    assert "✗ Refuted" in outcome.err


def test_the_same_again_asks_nobody_and_says_so(desk):
    """A finished run comes from the log."""
    with desk.server() as server:
        first = desk.run("verify", "article.txt", "--json")
        asked = server.stats()["requests"]
        again = desk.run("verify", "article.txt", "--json")
        assert server.stats()["requests"] == asked
    assert (again.code, again.out) == (0, first.out)
    assert "taken from the run log" in again.err


def test_a_replay_is_byte_equal_with_the_server_gone(desk):
    """`verify --replay last --json` needs no model, no sources and no settings but the run folder."""
    with desk.server():
        first = desk.run("verify", "article.txt", "--json")
    (desk.folder / "sources.jsonl").unlink()
    desk.set(FACTDESK_BASE_URL=None, FACTDESK_MODEL=None, OPENAI_API_KEY=None)
    replayed = desk.run("verify", "--replay", "last", "--json")
    assert (replayed.code, replayed.out) == (0, first.out)


def test_a_cascade_spares_calls_and_its_replay_needs_neither_judge(desk):
    """At 0 every side the small judge takes is settled; the language model is asked about the rest."""
    with desk.server() as server:
        whole = desk.run("verify", "article.txt", "--json")
        asked = server.stats()["requests"]
        first = desk.run("verify", "article.txt", "--cascade", "0", "--json")
        more = server.stats()["requests"] - asked
    assert (whole.code, first.code) == (0, 0)
    assert " from 0.0, else " in json.loads(first.out)["run"]["models"]["judge"]
    assert json.loads(first.out)["run"]["id"] != json.loads(whole.out)["run"]["id"]
    assert more == 0  # all that is asked now was asked before, by the run without a cascade
    (desk.folder / "sources.jsonl").unlink()
    desk.set(FACTDESK_BASE_URL=None, FACTDESK_MODEL=None, OPENAI_API_KEY=None)
    replayed = desk.run("verify", "--replay", "last", "--json")
    assert (replayed.code, replayed.out) == (0, first.out)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cascade", "0.5", "--judge", "small"), "set judge to 'model'"),
        (("--cascade", "2"), "'cascade' 2.0"),
        (("--judge", "oracle"), "'judge' 'oracle'"),
    ],
)
def test_a_cascade_that_cannot_be_is_told(desk, options, words):
    with desk.server():
        outcome = desk.run("verify", "article.txt", *options)
    assert outcome.code == 2
    assert words in outcome.err


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.ended = [], False

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in {"src", "href"} and not value.startswith("#")]

    def handle_endtag(self, tag):
        self.ended = self.ended or tag == "html"


def test_reports_are_written_whole(desk):
    """HTML that loads nothing, Markdown; no part of a file is left beside them."""
    with desk.server():
        outcome = desk.run("verify", "article.txt", "--html", "out/a.html", "--markdown", "out/a.md")
    page = _Parser()
    page.feed((desk.folder / "out/a.html").read_text(encoding="utf-8"))
    assert (outcome.code, page.ended, page.links) == (0, True, [])
    assert "The fire killed 3 dockers." in (desk.folder / "out/a.md").read_text(encoding="utf-8")
    assert {path.name for path in (desk.folder / "out").iterdir()} == {"a.html", "a.md"}


def test_reports_can_be_made_again_from_the_log(desk):
    """Equal bytes, in every form, and a check of every citation."""
    with desk.server():
        first = desk.run("verify", "article.txt", "--json", "--html", "a.html", "--markdown", "a.md")
    run = first.json["run"]["id"]
    again = desk.run(
        "report",
        run[:6],
        "--html",
        "b.html",
        "--markdown",
        "b.md",
        "--csv",
        "b.csv",
        "--claimreview",
        "b.json",
        "--json",
    )
    assert (again.code, again.out) == (0, first.out)
    for suffix in ("html", "md"):
        assert (desk.folder / f"a.{suffix}").read_bytes() == (desk.folder / f"b.{suffix}").read_bytes()
    rows = list(csv.DictReader(io.StringIO((desk.folder / "b.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(first.json["claims"])
    reviews = json.loads((desk.folder / "b.json").read_text(encoding="utf-8"))
    assert "ClaimReview" in json.dumps(reviews)
    checked = desk.run("report", "last", "--check")
    assert (checked.code, checked.out.splitlines()) == (
        0, ["every citation is at its place in its source, and every sentence is in the ledger"]
    )  # fmt: skip
    assert "4 claims" in desk.run("report").out


def test_runs_are_listed_newest_first(desk):
    """With their state; nothing yet is said on stderr."""
    nothing = desk.run("runs")
    assert (nothing.code, nothing.out) == (0, "")
    assert "no runs" in nothing.err
    with desk.server():
        ids = [
            desk.run("verify", "article.txt", "--json", *more).json["run"]["id"]
            for more in ([], ["--as-of", "2019-03-05"])
        ]
    assert [line.split()[0] for line in desk.run("runs").out.splitlines()] == ids[::-1]
    listed = desk.run("runs", "--json").json
    assert [(run["id"], run["complete"]) for run in listed] == [(ids[1], True), (ids[0], True)]


def test_a_claim_is_verified_without_an_article(desk):
    """Words from the command line, one claim, no extraction."""
    with desk.server() as server:
        data = desk.run(
            "claim", "The Norvik mill made 900 tons of flour in 2018.", "--sources", "sources.jsonl", "--json"
        ).json
        assert server.stats()["requests"] == 1
    (claim,) = data["claims"]
    assert (claim["verdict"]["label"], claim["text"]) == ("refuted", "The Norvik mill made 900 tons of flour in 2018.")
    assert misfits(data, _SHAPE) == []


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ([], {"s1", "s2", "s3", "s4"}),
        (["--as-of", "2019-03-05"], {"s1", "s3"}),
        (["--as-of", "2019-03-05", "--undated", "keep"], {"s1", "s3", "s4"}),
    ],
)
def test_sources_past_the_day_are_not_seen(desk, options, seen):
    """Nor are undated ones, unless they are to be kept."""
    path = desk.folder / "sources.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"2018-01-01"', "null"), encoding="utf-8")
    with desk.server():
        data = desk.run("verify", "article.txt", "--json", *options).json
    assert set(data["documents"]) <= seen
    assert {"s1", "s3"} <= set(data["documents"])


def test_the_articles_own_date_can_be_the_limit(desk):
    """`--as-of article`: what its page says; an article without a date is refused with the cure."""
    body = f"<article><h1>Mill fire</h1><p>{ARTICLE.partition(chr(10))[2].strip()}</p></article>"
    dated = '<meta property="article:published_time" content="2019-03-05T08:00:00Z">'
    desk.write("a.html", f"<!DOCTYPE html><html><head><title>Mill fire</title>{dated}</head><body>{body}</body></html>")
    with desk.server() as server:
        data = desk.run("verify", "a.html", "--as-of", "article", "--json").json
        asked = server.stats()["requests"]
        undated = desk.run("verify", "article.txt", "--as-of", "article")
        assert server.stats()["requests"] == asked
    assert data["run"]["settings"]["as_of"] == "2019-03-05"
    assert set(data["documents"]) == {"s1", "s3", "s4"}
    assert (undated.code, undated.out) == (2, "")
    assert "the article says no date of its own" in undated.complaint


def test_sources_that_are_left_out_are_not_seen_and_the_run_says_so(desk):
    """By publisher, by a list in `factdesk.toml`, on the command line and in `store search`; a wrong term is named."""
    with desk.server():
        words = ("claim", "The mill in Norvik burnt down on 4 March 2019.", "--sources", "sources.jsonl", "--json")
        whole = desk.run(*words).json
        some = desk.run(*words, "--exclude", "publisher:post", "--exclude", "id:s4").json
        wrong = desk.run(*words, "--only", "post")
    assert {"s1", "s4"} <= set(whole["documents"])
    assert set(some["documents"]) == {"s2", "s3"}
    assert some["run"]["settings"]["exclude"] == "publisher:post; id:s4"
    assert whole["run"]["id"] != some["run"]["id"]
    desk.run("report", some["run"]["id"], "--markdown", "a.md")
    assert "publisher:post; id:s4" in (desk.folder / "a.md").read_text(encoding="utf-8")
    assert (wrong.code, wrong.out) == (2, "")
    assert "'post' names no source" in wrong.complaint
    desk.run("store", "add", "sources.jsonl")
    hits = desk.run("store", "search", "mill", "--only", "id:s3", "--json").json
    assert {hit["passage"]["document_id"] for hit in hits} == {"s3"}


def test_a_threshold_makes_the_desk_abstain(desk):
    """The verdict stays, marked."""
    with desk.server():
        data = desk.run("verify", "article.txt", "--json", "--abstain-below", "0.99").json
    assert all(claim["verdict"]["abstained"] for claim in data["claims"])


def test_an_article_comes_through_standard_input(desk):
    """`-`, in a process of its own; the same text is the same article."""
    with desk.server(), (desk.folder / "article.txt").open("rb") as text:
        process = desk.start("verify", "-", "--sources", "sources.jsonl", "--json", stdin=text)
        outcome = finish(process)
    assert outcome.code == 0, outcome.err
    assert outcome.json["article"]["text"] == ARTICLE


def test_the_seed_article_needs_no_path_of_its_own(desk):
    """A name under `seeds/` is that of the package, with its sources beside it."""
    outcome = desk.run("verify", "seeds/deir-ez-zor/article.txt", "--show-settings")
    assert outcome.code == 0


def test_a_text_without_claims_is_done_with_none(desk):
    """No claim is made up, and it is said."""
    desk.write("article.txt", "What a disgrace! A disgrace indeed.")
    with desk.server():
        outcome = desk.run("verify", "article.txt", "--json")
        shown = desk.run("report")
    assert (outcome.code, outcome.json["claims"]) == (0, [])
    assert "0 claims: nothing in the text can be checked" in shown.out


def test_the_settings_are_shown_without_the_key(desk):
    """`--show-settings` prints JSON and verifies nothing."""
    with desk.server() as server:
        outcome = desk.run("verify", "--show-settings", "--as-of", "2019-03-05")
        assert server.stats()["requests"] == 0
    assert (outcome.code, outcome.json["as_of"], outcome.json["wait_base"]) == (0, "2019-03-05", 0)
    assert "canary" not in outcome.out


def test_text_of_others_does_not_steer_the_terminal(desk):
    """Escape sequences and turned writing are shown as replacement characters; the JSON keeps them, escaped."""
    desk.write(
        "article.txt", "The mill \x1b]0;owned\x07 in Norvik \u202eburnt down on 4 March 2019. " + "It made flour. " * 20
    )
    with desk.server():
        outcome = desk.run("verify", "article.txt")
        kept = desk.run("report", "--json")
    assert not set("\x1b\x07\u202e") & set(outcome.out + outcome.err)
    assert "\x1b" in kept.json["article"]["text"]
    assert "\x1b" not in kept.out


def test_the_seed_article_is_found_from_anywhere(monkeypatch, tmp_path):
    """A name under `seeds/` that is not in the working directory is that of the installed package."""
    from agent.cli.verify import _find

    monkeypatch.chdir(tmp_path)
    found = _find("seeds/deir-ez-zor/article.txt")
    assert found.read_text(encoding="utf-8").startswith("US-led airstrikes")
    assert found.with_name("sources.jsonl").is_file()


def test_a_text_that_is_not_english_is_told(desk):
    """On standard error, once; an English one passes without a word."""
    told = "does not look English"
    with desk.server():
        found = desk.run(
            "claim", "El molino de Norvik se quemó en 2019, según la policía.", "--sources", "sources.jsonl"
        )
        assert told in found.err
        assert told not in desk.run("claim", "The mill in Norvik burnt down.", "--sources", "sources.jsonl").err
