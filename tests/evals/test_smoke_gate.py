"""The project's own gate: the small models on the smoke suite must not do surely worse than the committed baseline."""

from pathlib import Path

import pytest

from agent.settings import load_settings
from evals.gate import gate, require_comparable
from evals.run import run_suite
from evals.runs import RunFolder
from evals.work import Plan
from tests.cli.command import needs_embedder

BASELINE = Path(__file__).parent / "baseline"
"""Made by `factdesk eval run smoke --profile local --out DIR`: manifest, results and scores, without the journal."""
WATCHED = {
    "accuracy": 0.0,
    "macro_f1": 0.0,
    "two_way": 0.0,
    "recall@5": 0.0,
    "citation_precision": 0.0,
    "quote_validity": 0.0,
}

pytestmark = [*needs_embedder, pytest.mark.slow]


def test_the_smoke_suite_passes_its_gate(tmp_path):
    """A run of today's code against the baseline; what is worse is named in the failure."""
    settings = load_settings({"profile": "local", "run_dir": tmp_path, "cache_dir": load_settings({}).cache_dir}, {})
    run = run_suite(Plan(suite=Path("smoke")), settings)
    baseline = RunFolder(BASELINE)
    require_comparable(baseline, run)
    report = gate(baseline.scores(), run.scores(), allowed=WATCHED)
    assert report.ok, [f"{one.name}: {one.before} -> {one.after} [{one.low}, {one.high}]" for one in report.worse]
    assert run.results.failures == 0
    assert run.results.metrics["quote_validity"].value == 1
