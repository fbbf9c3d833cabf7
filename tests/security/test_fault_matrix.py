"""A reduced fault matrix; `python -m evals.faults` fills the whole of it."""

from __future__ import annotations

from collections import Counter

import httpx2
import pytest

from agent.errors import ConfigError
from evals.bench.latency import served
from evals.faults import __main__ as command
from evals.faults import soak
from evals.faults.files import read, write_files
from evals.faults.ways import KEY, Seen, Site, batch, broken_files
from tests.shared import needs

needs_server = needs("tools/fault_llm.py")


@pytest.mark.slow
@needs_server
def test_every_way_holds_against_faults_of_each_class(tmp_path):
    """A server error, a bad key, a broken body and a reply that does not fit, in all four ways."""
    out = tmp_path / "faults.md"
    code = command.main(["503", "key", "badbody", "schema", "--out", str(out)])
    assert code == 0, out.read_text()
    assert out.read_text().count("✓") == 4 * 2 * 4 + 4
    assert "0 not as promised" in out.read_text()


def test_a_cell_that_is_not_as_promised_is_told(tmp_path):
    """What a way leaves behind is looked at: a key in a file, a file of SQLite that is damaged."""
    (tmp_path / "note.txt").write_text(f"Bearer {KEY}")
    (tmp_path / "a.sqlite").write_bytes(b"SQLite format 3\0" + bytes(200))
    damaged, leaked = broken_files(tmp_path)
    assert damaged.startswith("a.sqlite is damaged: ")
    assert leaked == "the key is in note.txt"
    bad = command.Cell("done", 1.0, ["the key is in note.txt"])
    told = command.page([("503", "always", {"verify": bad})], ["verify"])
    assert "1 not as promised" in told
    assert "**not as promised:** the key is in note.txt" in told


def test_what_is_wrong_with_an_outcome_is_told():
    """Without faults each way gives verdicts and no failure; with them none but those, and the key in no error."""
    honest = Seen({"a": "supported"}, Counter(), [])
    assert list(command.judged(honest, None)) == []
    assert list(command.judged(honest, honest)) == []
    assert list(command.judged(Seen({}, Counter(), []), honest)) == []
    assert list(command.judged(Seen({"a": "refuted"}, Counter(), []), honest)) == ["a verdict was made up: 'a' refuted"]
    assert list(command.judged(Seen({}, Counter(), []), None)) == ["gives no verdict without a fault"]
    (failed,) = command.judged(Seen({"a": "supported"}, Counter(reply=1), []), None)
    assert failed == "fails without a fault:  {'reply': 1}"
    assert "the key is in the error" in command.judged(Seen({}, Counter(), [], ConfigError(f"no: {KEY}")), honest)


@needs_server
def test_a_batch_shows_what_its_journal_holds(tmp_path):
    """Verdicts on all claims of all articles; stopped, the error and nothing unaccounted for."""
    with served(0) as url:
        seen = batch(Site(url=url, folder=tmp_path / "sound", store=tmp_path / "store"))
    assert (len(seen.labels), seen.failures, seen.wrong, seen.error) == (12, Counter(), [], None)
    with served(0, ["always:key"]) as url:
        seen = batch(Site(url=url, folder=tmp_path / "stopped", store=tmp_path / "store"))
    assert (seen.labels, seen.wrong) == ({}, [])
    assert isinstance(seen.error, ConfigError)


@needs_server
def test_what_the_server_noticed_is_told():
    """A call that comes again after an answer no retry can cure."""
    with served(0, ["always:400"]) as url:
        for _ in range(2):
            body = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
            httpx2.post(f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer k"}, trust_env=False)
        assert command._seen_by_server(url) == ["retried_fatal: 1"]
        assert command._seen_by_server(url) == []


@pytest.mark.slow
@needs_server
def test_mixed_load_keeps_its_bounds(tmp_path, capsys):
    """Twenty seconds of batches, conversations and changes of a store; the long run is a command."""
    kept = tmp_path / "soak.json"
    assert soak.main(["--minutes", "0.33", "--json", str(kept)]) == 0, kept.read_text()
    found = soak.Soak.model_validate_json(kept.read_text())
    assert min(found.done.values()) > 1
    assert found.failures
    assert len(found.samples) >= 10


def test_the_soak_reads_a_file_of_each_form(tmp_path):
    """By the readers users meet, so that what these leak shows."""
    found = list(read(write_files(tmp_path / "files")))
    assert [document.id for document in found] == ["a.pdf", "b.docx", "c.html"]
    assert all("Bakers in Velmar like rye." in document.text for document in found)


def test_growth_is_seen():
    """Of memory and of open files."""
    tally = soak._Tally()
    for name in ("batches", "conversations", "changes of the store"):
        tally.add(name, Seen({}, Counter(), []))
    rows = [soak.Sample(second=n, memory_mb=100 + 10 * n, open_files=10 + n) for n in range(50)]
    assert soak._judged(50, tally, rows, 1).wrong == ("memory grew by 300 MB", "30 more files are open")
    assert soak._judged(50, tally, rows[:1] * 50, 1).is_sound
    assert not soak._judged(50, soak._Tally(), rows[:1] * 50, 1).is_sound
