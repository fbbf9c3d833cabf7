"""The table of results out of runs that were kept."""

from __future__ import annotations

from evals.runs import MANIFEST, RESULTS, list_runs
from evals.table import Entry, Table, kept
from tests.evals.manifest import manifest

TABLE = Table(
    "Verdicts",
    "",
    ("accuracy",),
    (
        Entry("smoke", "verdict", "gold", "pipeline", "all"),
        Entry("smoke", "verdict", "gold", "bm25", "all"),
        Entry("smoke", "retrieve", None, "pipeline", "all"),
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
    keep(tmp_path, "search", stage="retrieve", evidence=None, solver="pipeline")
    missing = []
    found = list(kept(TABLE, list_runs(tmp_path), missing))
    assert [(entry.stage, run.path.name) for entry, run in found] == [("verdict", "new"), ("retrieve", "search")]
    assert missing == ["smoke verdict gold bm25"]
