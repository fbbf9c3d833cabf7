"""Faults of the model server, seen from one `factdesk verify`.

A run completes, or says what has failed; a verdict is never made up.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.report.contract import verify_contract
from tests.cli.command import KEY, finish, needs_embedder

pytestmark = needs_embedder

VERIFY = ("verify", "article.txt", "--json")
HONEST = {
    "Mill fire in Norvik": "not_enough_evidence",
    "The mill in Norvik burnt down on 4 March 2019.": "supported",
    "The fire killed 3 dockers.": "supported",
    "The mill made 900 tons of flour in 2018.": "refuted",
}
"""What a server without faults leads to."""


def labels(data):
    return {claim["text"]: claim["verdict"]["label"] for claim in data["claims"] if claim["verdict"]}


def is_sound(data):
    """Every sentence and claim is accounted for, and every citation is where it says it is."""
    assert verify_contract(data, {key: row["text"] for key, row in data["documents"].items()}) == []
    assert all((claim["verdict"] is None) != (claim["failure"] is None) for claim in data["claims"])
    assert labels(data).items() <= HONEST.items()
    return True


@pytest.mark.parametrize(
    "faults",
    [
        ["every=3:429:retry-after=0.3"],
        ["at=4:429:retry-after-date=1"],
        ["hash=2:tries=2:503"],
        ["hash=3:tries=3:500", "hash=2:tries=1:408"],
        ["every=4:reset"],
        ["every=4:truncate"],
        ["every=4:html"],
        ["every=4:badbody"],
        ["at=3,5:reset-mid"],
    ],
    ids=" ".join,
)
def test_what_may_pass_is_tried_again_until_it_does(desk, faults):
    """The result is that of a server without faults; nobody comes back too early."""
    with desk.server(*faults) as server:
        outcome = desk.run(*VERIFY)
        stats = server.stats()
    assert outcome.code == 0, outcome.err
    assert is_sound(outcome.json)
    assert labels(outcome.json) == HONEST
    assert stats["by_fault"]
    assert (stats["early_retries"], stats["retried_fatal"], stats["in_flight"]) == (0, 0, 0)


@pytest.mark.parametrize("fault", ["malformed", "schema", "fence", "empty", "null", "length"])
@pytest.mark.parametrize(
    "words", [VERIFY, ("claim", "The mill made 900 tons of flour in 2018.", "--json")], ids=lambda words: words[0]
)
def test_a_reply_that_cannot_be_used_is_asked_for_once_more(desk, words, fault):
    """The first call is that of extraction, or that of the judge; the second answer counts."""
    desk.write("factdesk.toml", "wait_base = 0\nwindow = 8\n")
    with desk.server(f"first=1:{fault}") as server:
        outcome = desk.run(*words, "--sources", "sources.jsonl")
        assert server.stats()["by_fault"] == {fault: 1}
    assert outcome.code == 0, outcome.err
    assert is_sound(outcome.json)
    assert labels(outcome.json) in (HONEST, {words[1]: "refuted"})


@pytest.mark.parametrize("fault", ["malformed", "schema", "empty", "refusal", "filter", "length", "400", "context"])
def test_a_claim_that_is_never_judged_has_a_failure(desk, fault):
    """Its stage and kind are told, there is no verdict, and the exit code is 1."""
    with desk.server(f"always:{fault}") as server:
        outcome = desk.run("claim", "The fire killed 3 dockers.", "--sources", "sources.jsonl", "--json")
        stats = server.stats()
    (claim,) = outcome.json["claims"]
    assert (outcome.code, claim["verdict"]) == (1, None)
    assert (claim["failure"]["stage"], claim["failure"]["kind"]) == ("judge", "reply")
    assert "1 claim failed" in outcome.complaint
    assert stats["requests"] <= 2
    assert stats["retried_fatal"] == 0


@pytest.mark.parametrize("fault", ["malformed", "refusal", "400"])
def test_sentences_that_are_never_read_have_failed(desk, fault):
    """The whole ledger says so, no claim is made up, and the exit code is 1."""
    with desk.server(f"always:{fault}"):
        outcome = desk.run(*VERIFY)
    assert (outcome.code, outcome.json["claims"]) == (1, [])
    assert {row["status"] for row in outcome.json["sentences"]} == {"failed"}
    assert "5 sentences failed" in outcome.complaint


def test_a_server_that_goes_away_costs_only_what_was_open(desk):
    """Verdicts are kept and failures listed; the same command, with the server back, asks only for those."""
    desk.set(FACTDESK_CONCURRENCY="1")
    gone = "at=" + ",".join(map(str, range(5, 40))) + ":reset"
    with desk.server(gone):
        outcome = desk.run(*VERIFY)
    assert outcome.code == 1
    assert is_sound(outcome.json)
    assert labels(outcome.json)
    assert {claim["failure"]["kind"] for claim in outcome.json["claims"] if claim["failure"]} <= {"transient"}
    assert "failed (no connection to 127.0.0.1" in outcome.complaint
    assert desk.run("verify", "--replay", "last", "--json").out == outcome.out
    with desk.server() as server:
        mended = desk.run(*VERIFY)
        assert server.stats()["requests"] == 3
    assert (mended.code, labels(mended.json)) == (0, HONEST)


def test_a_reply_that_could_not_be_used_is_not_served_again(desk):
    """The same command, with a server that answers as wanted, mends the run."""
    with desk.server("always:schema"):
        assert desk.run(*VERIFY).code == 1
    with desk.server():
        mended = desk.run(*VERIFY)
    assert (mended.code, labels(mended.json)) == (0, HONEST)


def test_a_server_that_hangs_is_given_up_after_the_time_out(desk):
    """FACTDESK_TIMEOUT is for the whole of one try."""
    desk.set(FACTDESK_TIMEOUT="0.3")
    with desk.server("match=dockers:hang=3", "match=900 tons:slow=3"):
        outcome = desk.run(*VERIFY)
    assert outcome.code == 1
    assert is_sound(outcome.json)
    assert "no whole reply in 0.3 s" in outcome.complaint


def test_never_more_calls_are_in_flight_than_the_server_was_promised(desk):
    """FACTDESK_CONCURRENCY, over all stages."""
    desk.set(FACTDESK_CONCURRENCY="2")
    with desk.server(latency=50) as server:
        assert desk.run(*VERIFY).code == 0
        assert server.stats()["max_concurrent"] == 2


def test_the_key_is_written_nowhere(desk):
    """Not to a file, not to stdout or stderr, even where everything is logged and the server repeats it."""
    desk.set(FACTDESK_DEBUG="1")
    with desk.server("at=2:500", "at=6:key"):
        outcome = finish(desk.start("verify", "article.txt"))
    assert outcome.code == 2, outcome.err
    assert "HTTP" in outcome.err
    assert desk.run("report", "--html", "a.html", "--markdown", "a.md", "--csv", "a.csv").code == 0
    assert KEY not in outcome.out + outcome.err
    files = [path for path in desk.folder.parent.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert {"a.html", "runs.sqlite", "record.sqlite"} <= {path.name for path in files}


def test_a_batch_writes_the_key_nowhere(desk):
    """Thirty articles, a server that fails now and then and at last repeats the key, everything logged."""
    desk.set(FACTDESK_DEBUG="1")
    rows = [
        {"id": f"a{n}", "text": f"The mill in Norvik burnt down. The fire killed {n + 2} dockers."} for n in range(30)
    ]
    desk.write("many.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with desk.server("every=4:500", "at=41:key"):
        process = desk.start("batch", "run", "many.jsonl", "--out", "run", "--sources", "sources.jsonl")
        line = Path(f"/proc/{process.pid}/cmdline")
        assert not line.exists() or KEY.encode() not in line.read_bytes()
        outcome = finish(process)
    assert outcome.code == 2, outcome.err
    assert "HTTP" in outcome.err
    assert KEY not in outcome.out + outcome.err
    files = [path for path in desk.folder.parent.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert "journal.sqlite" in {path.name for path in files}
