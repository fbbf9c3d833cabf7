"""`factdesk batch run --provider-batch`: the same results through a provider's Batch API, whatever breaks it off."""

from __future__ import annotations

import json
import signal
import time

import pytest

from agent.batch.budget import price_of
from agent.domain import Usage
from tests.batch.test_batch_cli import RUN, articles, desk, rows, stable
from tests.cli.command import KEY, finish, needs_embedder
from tests.provider import provider

__all__ = ["desk"]
pytestmark = needs_embedder
WORDS = (*RUN, "--provider-batch")


def point_to(desk, server):
    desk.set(FACTDESK_BASE_URL=server.url, FACTDESK_MODEL="mock", OPENAI_API_KEY=KEY)


def without_usage(found):
    """Calls asked side by side are counted for whoever finished meanwhile: not the same from run to run."""
    for row in found:
        del row["result"]["run"]["usage"]
    return found


def test_the_results_are_those_of_the_model_asked_directly(desk):
    """A batch for each step, not for each article."""
    articles(desk, 6)
    with desk.server():
        assert desk.run(*RUN, "--run-dir", "other").code == 0
    whole = without_usage(stable(desk))
    (desk.folder / "run").rename(desk.folder / "direct")
    with provider() as server:
        point_to(desk, server)
        outcome = desk.run(*WORDS)
        assert outcome.code == 0, outcome.err
        assert len(server.batches) <= 3  # extraction, judgement, second round
        assert server.repeats_after_success == 0
    assert without_usage(stable(desk)) == whole
    assert "requests sent, the answer comes within a day" in outcome.err


def test_killed_and_begun_again_nothing_is_paid_twice(desk):
    """At each step: while extraction is out, and while judgement is."""
    articles(desk, 6)
    with provider() as server:
        point_to(desk, server)
        server.looks = 10**6
        for batches in (1, 2):
            process = desk.start(*WORDS)
            until(lambda number=batches: len(server.batches) >= number and server.calls["look"] > 2)
            process.kill()
            process.communicate()
            server.calls.clear()
            server.looks = 10**6
            for batch in list(server.batches.values()):  # a day goes by
                with server.lock:
                    if batch["status"] == "in_progress":
                        server._finish(batch)
        status = json.loads(desk.run("batch", "status", "run", "--json").out)
        assert status["provider_batches"] == [{"batch": "batch_1", "requests": 7}]  # one claim is common to all six
        server.looks = 1
        outcome = desk.run(*WORDS)
        assert outcome.code == 0, outcome.err
        assert "found again" in outcome.err
        assert server.repeats_after_success == 0
    assert {row["state"] for row in rows(desk)} == {"done"}


def test_partial_failures_and_expiry_end_in_results(desk):
    """What was not answered in one batch is in the next; nothing answered is asked again."""
    articles(desk, 6)
    with provider() as server:
        point_to(desk, server)
        fates = ("expired", 500, "ok")
        server.fate = lambda name, n, body: "ok" if n > 1 else fates[int(name[:4], 16) % 3]
        outcome = desk.run(*WORDS)
        assert outcome.code == 0, outcome.err
        assert server.repeats_after_success == 0
        assert max(server.asked.values()) == 2


def test_ctrl_c_stops_at_once_and_the_same_command_collects(desk):
    """An answer may take a day, so nothing in flight is waited for."""
    articles(desk, 3)
    with provider() as server:
        point_to(desk, server)
        server.looks = 10**6
        process = desk.start(*WORDS)
        until(lambda: server.calls["look"] > 1)
        process.send_signal(signal.SIGINT)
        stopped = finish(process, timeout=20)
        assert stopped.code == 130, stopped.err
        assert "the same command goes on" in stopped.err
        server.looks = 1
        assert desk.run(*WORDS).code == 0
        assert server.repeats_after_success == 0


def test_words_of_the_provider_neither_steer_the_terminal_nor_show_the_key(desk):
    """The last line, too, is made safe (T21, T26)."""
    articles(desk, 1)
    with provider() as server:
        point_to(desk, server)
        server.verdict = ("failed", f"\x1b]0;owned\x07 {KEY}")
        outcome = desk.run(*WORDS)
    assert "was refused (" in outcome.err
    assert outcome.code == 2
    assert not {"\x1b", "\x07"} & set(outcome.out + outcome.err)
    assert KEY not in outcome.out + outcome.err


def test_a_model_without_a_batch_api_is_refused(desk):
    """Before anything is done."""
    articles(desk, 1)
    desk.set(FACTDESK_BASE_URL=None, FACTDESK_MODEL=None, OPENAI_API_KEY=None)
    outcome = desk.run(*WORDS, "--profile", "local")
    assert (outcome.code, "has no Batch API" in outcome.complaint) == (2, True)


def test_the_price_is_that_of_the_batch_api_where_the_table_has_it(tmp_path):
    """Half; unknown where the table does not say."""
    usage = Usage(model_calls=1, prompt_tokens=1000, completion_tokens=100)
    direct = price_of("gpt-4o-mini")
    assert direct.by_batch().of(usage) == pytest.approx(direct.of(usage) / 2)
    table = tmp_path / "prices.toml"
    table.write_text('["m"]\nprompt = 1\ncached = 1\ncompletion = 1\n')
    assert price_of("m", table).by_batch() is None


def until(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
