"""`factdesk batch` as a user meets it: resume, kills, faults, one bad article, one run at a time."""

from __future__ import annotations

import json
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.command import Desk, finish, needs_embedder

pytestmark = needs_embedder

TEXT = "The mill in Norvik burnt down on 4 March 2019. The fire killed {n} dockers."
RUN = ("batch", "run", "many.jsonl", "--out", "run", "--sources", "sources.jsonl")


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Desk(folder, monkeypatch, capsys)


def articles(desk, count, poison=()):
    rows = [
        {"id": f"a{n}", "text": TEXT.format(n="POISON" if n in poison else n + 2), "desk": "city"} for n in range(count)
    ]
    desk.write("many.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def rows(desk):
    lines = (desk.folder / "run" / "articles.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def stable(desk):
    """The results without the moment the batch began."""
    found = rows(desk)
    for row in found:
        if row["result"]:
            del row["result"]["run"]["started"]
    return found


def journal_is_whole(desk):
    connection = sqlite3.connect(desk.folder / "run" / "journal.sqlite")
    found = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return found == ("ok",)


def test_every_article_has_one_row_and_the_same_command_asks_nobody_again(desk):
    """Extra columns come through; duplicates are verified once and told twice."""
    articles(desk, 4)
    with (desk.folder / "many.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "again", "text": TEXT.format(n=2)}) + "\n" + "no json\n")
    with desk.server() as server:
        outcome = desk.run(*RUN)
        asked = server.stats()["requests"]
        again = desk.run(*RUN)
        assert server.stats()["requests"] == asked
        assert server.stats()["repeats_after_success"] == 0
    assert (outcome.code, again.code) == (1, 1), outcome.err
    found = rows(desk)
    assert [row["id"] for row in found] == ["a0", "a1", "a2", "a3", "again", "many.jsonl:6"]
    assert [row["state"] for row in found] == ["done"] * 5 + ["rejected"]
    assert "no readable JSON" in found[-1]["reason"]
    assert found[0]["extra"] == {"desk": "city"}
    assert [claim["verdict"]["label"] for claim in found[1]["result"]["claims"]] == ["supported", "supported"]
    for name in ("claims.csv", "claimreview.json", "index.html"):
        assert (desk.folder / "run" / name).stat().st_size
    assert len(list((desk.folder / "run" / "pages").glob("*.html"))) == 4


def test_killed_at_random_moments_the_result_is_that_of_an_unbroken_run(desk):
    """Nothing finished is done again, beyond what was in flight."""
    articles(desk, 24)
    words = (*RUN, "--workers", "4")
    with desk.server(latency=30) as server:
        assert desk.run(*words, "--run-dir", "other").code == 0
        whole = stable(desk)
        (desk.folder / "run").rename(desk.folder / "unbroken")
        server.reset()
        dice = random.Random(6)
        kills = 0
        for _ in range(4):
            process = desk.start(*words)
            time.sleep(dice.uniform(1.5, 4.0))
            kills += process.poll() is None
            process.kill()
            process.communicate()
        assert desk.run(*words).code == 0
        assert kills >= 1
        assert server.stats()["repeats_after_success"] <= 16 * kills
    assert stable(desk) == whole
    assert journal_is_whole(desk)


def test_ctrl_c_once_finishes_what_is_in_flight(desk):
    """Exit code 130, results of what is finished, and the way to go on."""
    articles(desk, 40)
    desk.set(FACTDESK_CONCURRENCY="1")
    with desk.server(latency=100):
        process = desk.start(*RUN, "--workers", "2")
        for line in process.stderr:
            if "done" in line:
                break
        process.send_signal(signal.SIGINT)
        stopped = finish(process)
    assert stopped.code == 130, stopped.err
    assert "the same command goes on" in stopped.err
    assert 1 <= len(rows(desk)) < 40
    assert journal_is_whole(desk)


def test_ctrl_c_twice_stops_now(desk):
    """Nothing is corrupt."""
    articles(desk, 40)
    with desk.server("always:slow=20") as server:
        process = desk.start(*RUN)
        while not server.stats()["requests"]:  # from then on it has something in flight
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        stopped = finish(process)
        assert time.monotonic() - began < 10
    assert stopped.code == 130, stopped.err
    assert journal_is_whole(desk)


def test_a_second_run_is_refused_while_the_first_lives_and_allowed_after_it_died(desk):
    """The lock is the operating system's: a kill frees it."""
    articles(desk, 3)
    with desk.server("always:slow=20"):
        first = desk.start(*RUN)
        while not (desk.folder / "run" / "run.pid").exists():
            time.sleep(0.05)
        refused = desk.run(*RUN)
        first.kill()
        first.communicate()
    assert refused.code == 2
    assert "is being worked on by process" in refused.complaint
    with desk.server():
        assert desk.run(*RUN).code == 0


def test_one_poisoned_article_is_one_error_row_and_retry_runs_only_that(desk):
    """The others are done; the table of prices is still known."""
    articles(desk, 6, poison=[3])
    desk.write("prices.toml", '["mock"]\nprompt = 1\ncached = 1\ncompletion = 1\n')
    with desk.server("match=POISON:500"):
        outcome = desk.run(*RUN, "--prices", "prices.toml")
    assert outcome.code == 1
    bad = [row for row in rows(desk) if row["state"] != "done"]
    assert [row["id"] for row in bad] == ["a3"]
    assert bad[0]["stage"] == "extract"
    assert "500" in bad[0]["reason"]
    with desk.server() as server:
        again = desk.run("batch", "retry", "run", "--failed")
        assert (again.code, "US dollars" in again.err) == (0, True)
        assert server.stats()["requests"] <= 5
    assert {row["state"] for row in rows(desk)} == {"done"}


@pytest.mark.parametrize("fault", ["key", "model", "quota"])
def test_what_no_retry_can_cure_stops_the_batch_at_once(desk, fault):
    """Exit code 2 with the cure; nobody is asked twice."""
    articles(desk, 30)
    with desk.server(f"always:{fault}") as server:
        outcome = desk.run(*RUN, "--workers", "4")
        stats = server.stats()
    assert outcome.code == 2
    assert outcome.complaint
    assert stats["retried_fatal"] == 0
    assert stats["requests"] <= 16


def test_a_storm_of_faults_ends_in_a_result_or_a_named_error_for_each(desk):
    """Nobody comes back too early."""
    articles(desk, 20)
    storm = ["every=5:429:retry-after=0.2", "every=7:500", "every=11:reset", "every=13:malformed", "every=19:truncate"]
    with desk.server(*storm, "every=29:empty") as server:
        desk.run(*RUN)
        stats = server.stats()
    found = rows(desk)
    assert len(found) == 20
    assert all(row["state"] == "done" or row["reason"] for row in found)
    assert (stats["early_retries"], stats["retried_fatal"]) == (0, 0)
    assert stats["requests"] < 20 * 3 * 8


def tokens_told(outcome):
    return int(re.search(r"this call: \d+ model calls, (\d+) tokens", outcome.err)[1])


def test_a_budget_stops_the_batch_and_the_same_command_goes_on(desk):
    """Exit code 1, and what was done is kept; no more is spent than the budget and the articles in work."""
    articles(desk, 8)
    with desk.server():
        stopped = desk.run(*RUN, "--workers", "2", "--max-tokens", "1500")
        assert stopped.code == 1
        assert "budget of 1500 tokens is spent" in stopped.complaint
        assert 1 <= len(rows(desk)) < 8
        done = len(rows(desk))
        assert desk.run(*RUN, "--max-cost", "1").code == 2
        whole = desk.run(*RUN)
        assert whole.code == 0
    most_of_one = 1.1 * tokens_told(whole) / (8 - done)  # the articles are nearly alike
    assert 1500 <= tokens_told(stopped) <= 1500 + 2 * most_of_one


def test_the_limit_of_articles_is_exact(desk):
    """However many are worked on side by side."""
    articles(desk, 12)
    with desk.server(latency=50):
        stopped = desk.run(*RUN, "--workers", "8", "--limit", "5")
    assert (stopped.code, len(rows(desk))) == (1, 5)
    assert "limit of 5 articles" in stopped.complaint


@pytest.mark.parametrize("content", [None, b"\x00\x01\x02" * 400])
def test_inputs_that_hold_no_article(desk, content):
    """An empty folder is refused; a file that is no text is a rejected row."""
    (desk.folder / "in").mkdir()
    if content:
        desk.write("in/a.txt", content)
    with desk.server() as server:
        outcome = desk.run("batch", "run", "in", "--out", "run", "--sources", "sources.jsonl")
        assert server.stats()["requests"] == 0
    if content is None:
        assert (outcome.code, "names no article" in outcome.complaint) == (2, True)
    else:
        assert outcome.code == 1
        assert [row["state"] for row in rows(desk)] == ["rejected"]


def test_after_a_kill_retry_knows_the_inputs(desk):
    """What failed before the kill is tried again."""
    articles(desk, 30, poison=[1])
    with desk.server("match=POISON:500", latency=30):
        process = desk.start(*RUN, "--workers", "1")
        for line in process.stderr:
            if "failed" in line:
                break
        process.kill()
        process.communicate()
    with desk.server():
        outcome = desk.run("batch", "retry", "run", "--failed")
    assert "no inputs" not in outcome.err
    found = {row["id"]: row["state"] for row in rows(desk)}
    assert found["a1"] == "done"
    assert len(found) < 30


def test_a_fatal_error_leaves_results_of_what_was_finished_and_the_same_command_goes_on(desk):
    """Also with other settings that change no result."""
    articles(desk, 6)
    with desk.server():
        assert desk.run(*RUN, "--limit", "2", "--workers", "1").code == 1
    (desk.folder / "run" / "articles.jsonl").unlink()
    with desk.server("always:key"):
        outcome = desk.run(*RUN)
    assert (outcome.code, len(rows(desk))) == (2, 2)
    with desk.server():
        desk.set(FACTDESK_CONCURRENCY="3", FACTDESK_TIMEOUT="7")
        assert desk.run(*RUN, "--workers", "5").code == 0
        desk.set(FACTDESK_MODEL="other")
        refused = desk.run(*RUN)
    assert (refused.code, "another models" in refused.complaint) == (2, True)
    assert len(rows(desk)) == 6


def test_the_documented_example_runs(desk):
    """As it stands in docs/batch.md, to a frame with a row a claim."""
    pytest.importorskip("pandas", reason="pandas is no dependency of factdesk")
    page = (Path(__file__).parents[2] / "docs" / "batch.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0].replace("The bridge opened in 1931.", TEXT.format(n=3))
    with desk.server():
        assert desk.run("store", "add", "sources.jsonl", "--store", "my-store").code == 0
        done = subprocess.run([sys.executable, "-c", code], cwd=desk.folder, capture_output=True, text=True, check=True)
    assert done.stdout.count("supported") == 2, done.stdout


def test_a_dry_run_verifies_a_sample_and_tells_what_the_rest_will_take(desk):
    """The sample is kept; a second estimate asks nobody; it is near what the rest then takes.

    Every article has a claim in common, paid for once: a sample of few is told too much.
    """
    articles(desk, 12)
    with desk.server() as server:
        first = desk.run(*RUN, "--workers", "1", "--dry-run", "4")
        sample = server.stats()["requests"]
        again = desk.run(*RUN, "--dry-run", "4")
        assert server.stats()["requests"] == sample > 0
        assert desk.run(*RUN).code == 0
        rest = server.stats()["requests"] - sample
    assert (first.code, again.code) == (0, 0), first.err
    assert "left: 8 articles" in first.out
    assert "price unknown" in first.out
    told = int(re.search(r"estimate: (\d+) model calls", again.out)[1])
    assert told == pytest.approx(rest, rel=0.25)


def test_what_was_not_done_is_listed(desk):
    """In status and results; nothing is left when all is done."""
    articles(desk, 4)
    with desk.server():
        desk.run(*RUN, "--limit", "1", "--workers", "1")
        left = json.loads(desk.run("batch", "status", "run", "--json").out)["left"]
        assert left == ["many.jsonl:2", "many.jsonl:3", "many.jsonl:4"]
        assert "not done: 3 (many.jsonl:2" in desk.run("batch", "status", "run").out
        listed = (desk.folder / "run" / "left.csv").read_text(encoding="utf-8").splitlines()
        assert listed[1:] == ['"many.jsonl:2","a1"', '"many.jsonl:3","a2"', '"many.jsonl:4","a3"']
        desk.run(*RUN)
    assert json.loads(desk.run("batch", "status", "run", "--json").out)["left"] == []
