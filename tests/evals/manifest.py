"""A made-up manifest."""

from __future__ import annotations

from evals.record import Manifest


def manifest(**facts):
    return Manifest.model_validate(
        {
            "id": "0123456789abcdef", "started": "2026-11-23T00:00:00+00:00", "code_version": "1", "suite": "mills",
            "suite_folder": "/nowhere/mills", "suite_sha256": "0" * 64, "half": "all", "limit": None, "stage": "verdict",
            "evidence": "retrieved", "solver": "pipeline", "profile": "local", "models": {"judge": "small"},
            "prompts": {}, "settings": {"passages": 5}, "store": "s",
        }
        | facts
    )  # fmt: skip
