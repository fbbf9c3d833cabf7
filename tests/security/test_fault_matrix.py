"""A reduced fault matrix; `python -m evals.faults` fills the whole of it."""

from __future__ import annotations

from collections import Counter

import pytest

from evals.bench.latency import SERVER
from evals.faults import __main__ as command
from evals.faults import soak
from evals.faults.ways import KEY, Seen, broken_files

needs_server = pytest.mark.skipif(not SERVER.is_file(), reason="shared/tools/fault_llm.py is not beside this checkout")


@pytest.mark.slow
@needs_server
def test_every_way_holds_against_faults_of_each_class(tmp_path):
    """A server error, a bad key, a broken body and a reply that does not fit, in all four ways."""
    out = tmp_path / "faults.md"
    code = command.main(["503", "key", "badbody", "schema", "--out", str(out)])
    assert code == 0, out.read_text()
    assert out.read_text().count("✓") == 4 * 2 * 4
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


def test_growth_is_seen():
    """Of memory and of open files."""
    tally = soak._Tally()
    for name in ("batches", "conversations", "changes of the store"):
        tally.add(name, Seen({}, Counter(), []))
    rows = [soak.Sample(second=n, memory_mb=100 + 10 * n, open_files=10 + n) for n in range(50)]
    assert soak._judged(50, tally, rows, 1).wrong == ("memory grew by 300 MB", "30 more files are open")
    assert soak._judged(50, tally, rows[:1] * 50, 1).is_sound
    assert not soak._judged(50, soak._Tally(), rows[:1] * 50, 1).is_sound
