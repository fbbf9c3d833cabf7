"""Runs that are stopped in the middle: by Ctrl-C, by a full disk."""

from __future__ import annotations

import resource
import signal
import sqlite3
import time

import pytest

from tests.cli.command import finish, needs_embedder

pytestmark = needs_embedder

VERIFY = ("verify", "article.txt", "--json")


def log_is_whole(desk):
    with sqlite3.connect(desk.folder.parent / "runs" / "runs.sqlite") as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return found == ("ok",)


def wait_for(process, words):
    """Read on until a line holds the words."""
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"{words!r} was never said")


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(desk):
    """Exit code 130 within five seconds and a word of comfort; no answered question is asked again."""
    desk.set(FACTDESK_CONCURRENCY="1")
    with desk.server(latency=300) as server:
        process = desk.start(*VERIFY)
        wait_for(process, " s  ")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        stopped = finish(process)
        assert time.monotonic() - began < 5
        assert (stopped.code, stopped.out) == (130, "")
        assert "the same command goes on" in stopped.complaint
        assert log_is_whole(desk)
        half = desk.run("report", "last")
        assert "left" in half.out
        assert "broken off" in half.out
        assert "broken off" in desk.run("runs").out
        done = sum(claim["verdict"] is not None for claim in desk.run("report", "--json").json["claims"])
        assert done >= 1
        refused = desk.run("verify", "--replay", "last")
        assert (refused.code, refused.out) == (2, "")
        assert "broken off" in refused.complaint
        whole = desk.run(*VERIFY)
        stats = server.stats()
    assert (whole.code, len(whole.json["claims"])) == (0, 4)
    assert stats["repeats_after_success"] == 0
    assert stats["by_status"]["200"] == 7


@pytest.mark.parametrize("limit", [60_000, 100_000])
def test_a_full_disk_ends_the_run_and_the_same_command_goes_on(desk, limit):
    """One sentence, a log that can be read, and no half report."""
    desk.run("store", "add", "sources.jsonl", "--store", "kept")
    words = ("verify", "article.txt", "--store", "kept", "--html", "a.html")
    with desk.server():
        full = finish(desk.start(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))))
        assert full.code == 2, full.err
        assert "Traceback" not in full.err
        assert "free some space" in full.complaint
        assert not list(desk.folder.glob("*a.html*"))
        assert log_is_whole(desk)
        assert desk.run(*words).code == 0
    assert (desk.folder / "a.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
