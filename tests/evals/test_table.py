"""The table of results out of runs that were kept."""

from __future__ import annotations

import subprocess
import sys

from evals.runs import MANIFEST, RESULTS, list_runs
from evals.suites import find_suite, load_suite
from evals.table import Entry, Table, kept, tables
from evals.work import evidence_of
from tests.evals.manifest import manifest

TABLE = Table(
    "Verdicts",
    "",
    ("accuracy",),
    (
        Entry("smoke", "verdict", "gold", "pipeline", "all"),
        Entry("smoke", "verdict", "gold", "bm25", "all"),
        Entry("smoke", "retrieve", "retrieved", "pipeline", "all"),
    ),
)


def keep(folder, name, *, finished=True, **facts):
    path = folder / name
    path.mkdir()
    (path / MANIFEST).write_text(manifest(suite="smoke", id=name, **facts).model_dump_json(), encoding="utf-8")
    if finished:
        (path / RESULTS).touch()


def test_each_row_is_the_latest_finished_run_of_its_plan(tmp_path):
    """Runs of other plans and those that were broken off are no rows; what is missing is named."""
    gold = {"stage": "verdict", "evidence": "gold", "solver": "pipeline"}
    keep(tmp_path, "old", started="2026-01-01T00:00:00+00:00", **gold)
    keep(tmp_path, "new", started="2026-01-02T00:00:00+00:00", **gold)
    keep(tmp_path, "broken", started="2026-01-03T00:00:00+00:00", finished=False, **gold)
    keep(tmp_path, "tuning", started="2026-01-04T00:00:00+00:00", half="tuning", **gold)
    keep(tmp_path, "search", stage="retrieve", evidence="retrieved", solver="pipeline")
    missing = []
    found = list(kept(TABLE, list_runs(tmp_path), missing))
    assert [(entry.stage, run.path.name) for entry, run in found] == [("verdict", "new"), ("retrieve", "search")]
    assert missing == ["smoke verdict gold bm25"]


def test_a_row_asks_for_the_evidence_that_its_run_will_record():
    """Otherwise a finished run is no row, and nobody is told."""
    suite = load_suite(find_suite("smoke"))
    for entry in (entry for table in tables() for entry in table.entries if entry.suite == "smoke"):
        assert evidence_of(suite, entry.stage, entry.evidence) == entry.evidence


def test_what_a_part_without_any_run_misses_is_named_too(tmp_path):
    """The page is written last when all of it is known."""
    out = tmp_path / "page.md"
    run = [sys.executable, "-m", "evals.table", "--kept", "--data", str(tmp_path), "--run-dir", str(tmp_path)]
    subprocess.run([*run, "--out", str(out)], check=True, capture_output=True)
    assert "smoke retrieve retrieved reranked" in out.read_text(encoding="utf-8")
