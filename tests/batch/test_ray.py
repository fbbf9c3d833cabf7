"""`--engine ray`: two actors on this machine, with Chroma as a server; the same results as one process."""

from __future__ import annotations

import json
import os

import pytest

from agent.batch.journal import Journal
from agent.runlog import RunLog
from evals.bench.chroma import chroma_at
from tests.batch.test_batch_cli import articles, desk, journal_is_whole, rows, stable
from tests.batch.test_provider_batch_cli import until, without_usage
from tests.cli.command import finish, needs_embedder

__all__ = ["desk"]
pytest.importorskip("ray", reason="Ray is not installed: make test-ray")
pytestmark = [pytest.mark.ray, pytest.mark.slow, *needs_embedder]
COUNT = int(os.environ.get("FACTDESK_TEST_ARTICLES", "16"))
HERE = ("batch", "run", "many.jsonl", "--store", "store")
RAY = (*HERE, "--engine", "ray", "--actors", "2", "--out", "run")


@pytest.fixture
def chroma(desk):
    """A Chroma server with the sources of the desk in a store."""
    with chroma_at(desk.folder / "index") as url:
        desk.set(FACTDESK_CHROMA_URL=url)
        assert command(desk, "store", "add", "sources.jsonl", "--store", "store").code == 0
        yield


def command(desk, *words):
    """In a process of its own: Ray and Chroma leave things behind in the one they were used in."""
    return finish(desk.start(*words), timeout=500)


def test_the_results_are_those_of_one_process(desk, chroma):
    """Duplicates and rejected rows, too; the calls of the actors are kept with the others, and nothing is left over."""
    articles(desk, COUNT)
    with (desk.folder / "many.jsonl").open("a", encoding="utf-8") as file:
        file.write((desk.folder / "many.jsonl").read_text().splitlines()[0].replace('"a0"', '"again"') + "\nno json\n")
    with desk.server() as server:
        alone = command(desk, *HERE, "--out", "run", "--run-dir", "other")
        assert alone.code == 1, alone.err
        whole = without_usage_of_all(stable(desk))
        (desk.folder / "run").rename(desk.folder / "alone")
        calls_alone = server.stats()["requests"]
        server.reset()
        outcome = command(desk, *RAY, "--run-dir", "runs")
        assert outcome.code == 1, outcome.err
        calls = server.stats()["requests"]
        again = command(desk, *RAY, "--run-dir", "runs")
        assert (again.code, server.stats()["requests"]) == (1, calls)
    assert without_usage_of_all(stable(desk)) == whole
    assert journal_is_whole(desk)
    assert not list((desk.folder / "run" / "parts").glob("*/"))
    with RunLog(desk.folder / "runs") as log:
        kept = log._connection.execute("SELECT count(*) FROM model_calls").fetchone()[0]
    assert calls_alone <= calls <= calls_alone + 2 * 4  # what articles have in common is asked once by each actor
    assert kept == calls_alone


def without_usage_of_all(found):
    return without_usage([row for row in found if row["result"]]) + [row for row in found if not row["result"]]


def test_killed_and_begun_again_it_goes_on(desk, chroma):
    """What the actors had finished is not handed out again, nor what they had paid paid again but in flight."""
    articles(desk, 24)
    words = (*RAY, "--workers", "2", "--run-dir", "runs")
    with desk.server(latency=150) as server:
        process = desk.start(*words)
        until(lambda: server.stats()["requests"] > 30, seconds=120)
        process.kill()
        process.communicate()
        outcome = command(desk, *words)
        assert outcome.code == 0, outcome.err
        assert server.stats()["repeats_after_success"] <= 16
    assert [row["state"] for row in rows(desk)] == ["done"] * 24


def test_a_wrong_key_stops_the_cluster(desk, chroma):
    """Exit code 2 with the cure."""
    articles(desk, 12)
    with desk.server("always:key") as server:
        outcome = command(desk, *RAY)
        assert server.stats()["requests"] <= 2 * 16
    assert outcome.code == 2, outcome.err
    assert "set OPENAI_API_KEY" in outcome.complaint


def test_a_limit_and_retry(desk, chroma):
    """The limit is kept exactly; what failed is done again, and only that."""
    articles(desk, 6, poison=[1])
    with desk.server("match=POISON:500"):
        limited = command(desk, *RAY, "--limit", "3")
        assert limited.code == 1
        assert [row["state"] for row in rows(desk)] == ["done", "failed", "done"]
    with desk.server():
        outcome = command(desk, "batch", "retry", "run", "--failed")
        assert outcome.code == 0, outcome.err
    with Journal(desk.folder / "run") as journal:
        assert journal.counts() == {"done": 3}


def test_without_a_chroma_server_it_is_refused(desk):
    """A folder of Chroma's is for one process."""
    articles(desk, 1)
    with desk.server():
        outcome = desk.run(*RAY)
    assert (outcome.code, "chroma run" in outcome.complaint) == (2, True)
    assert json.loads((desk.folder / "many.jsonl").read_text().splitlines()[0])["id"] == "a0"
