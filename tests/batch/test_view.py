"""What people see of a batch on a terminal, and programs of it."""

from __future__ import annotations

import json
import os
import pty
import re
import threading
from collections import Counter

from rich.console import Console

from agent.batch.budget import Price
from agent.batch.inputs import Row
from agent.batch.journal import Item
from agent.batch.run import Progress
from agent.cli.batch_view import JsonView, LiveView
from agent.domain import Usage
from agent.errors import InputError
from agent.events import Waiting
from tests.batch.test_batch_cli import RUN, articles, desk
from tests.cli.command import needs_embedder

__all__ = ["desk"]
USAGE = Usage(model_calls=1234, prompt_tokens=2_000_000, completion_tokens=1_000_000)


def progress():
    return Progress(
        finished=Counter(done=30, failed=2, partial=1), claims=Counter(refuted=4, supported=1200), usage=USAGE
    )


def shown(view):
    return dict(view.rows())


def test_the_live_view_has_all_that_one_wants_to_know():
    """Articles, claims by verdict, failures, tokens, cost, rate, time left."""
    view = LiveView(progress(), Price(1, 1, 2), Console(quiet=True))
    view._began -= 660
    view.count(lambda: 99)
    rows = shown(view)
    assert rows["articles"] == "33 of 99"
    assert rows["claims"] == "1,204: 4 refuted, 1,200 supported"
    assert rows["failures"] == "2 failed, 1 partial"
    assert rows["paid"] == "1,234 calls, 3,000,000 tokens, 4.0000 US dollars"
    assert rows["rate"] == "3.0 articles a minute, 0:11:00 so far"
    assert rows["time left"] == "0:22:00"


def test_what_is_not_known_is_said():
    """No price, no count of the articles, nothing finished; and why no more are taken."""
    view = LiveView(Progress(), None, Console(quiet=True))
    assert shown(view)["time left"] == "not known yet"
    assert "price unknown" in shown(view)["paid"]
    assert shown(view)["failures"] == "none"

    def broken():
        raise InputError("no such file")

    view.count(broken)
    assert shown(view)["articles"] == "0"
    view = LiveView(Progress(stopped="the budget is spent"), None, Console(quiet=True))
    assert shown(view)["time left"] == "finishing, because the budget is spent"


def test_failures_and_outages_are_told_above_the_view(capsys):
    """Not one line for each article that went well; signs that steer a terminal are taken out."""
    view = LiveView(Progress(), None, Console(stderr=True))
    view.told(Row("p", "good", None), Item("k", "done"))
    view.told(Row("p", "bad", None), Item("k", "failed", "extract", "because \x1b[2J"))
    view.heard(Waiting(what="the server seems to be down"))
    assert capsys.readouterr().err.split("\n") == [
        "failed bad: extract: because \ufffd[2J", "the server seems to be down", "",
    ]  # fmt: skip


def test_json_has_cost_and_time(capsys):
    """One object a finished article."""
    JsonView(progress(), Price(1, 1, 2)).told(Row("p", "a", None), Item("k", "done", claims={"supported": 2}))
    found = json.loads(capsys.readouterr().out)
    assert (found["cost"], found["finished"]["done"], found["claims"]) == (4.0, 30, {"supported": 2})
    assert found["seconds"] >= 0


@needs_embedder[0]
@needs_embedder[1]
def test_on_a_terminal_the_command_shows_it(desk):
    """A real one, as far as the command can tell."""
    articles(desk, 5)
    ours, theirs = pty.openpty()
    said = bytearray()

    def read():
        try:
            while piece := os.read(ours, 4096):
                said.extend(piece)
        except OSError:  # Linux's way to say that the other end is closed
            return

    with desk.server():
        desk.set(TERM="xterm", COLUMNS="120")
        process = desk.start(*RUN, stderr=theirs)
        os.close(theirs)
        reader = threading.Thread(target=read)
        reader.start()
        process.communicate(timeout=120)
        reader.join()
    os.close(ours)
    assert process.returncode == 0, said
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", bytes(said)).decode().replace("\r", "\n")
    assert "5 of 5" in text
    assert re.search(r"claims +10: 3 not_enough_evidence, 7 supported", text)
    assert "time left" in text
    assert "a0:" not in text
