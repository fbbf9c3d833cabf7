"""The bill of materials."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

from agent.models.registry import MODELS
from evals.sbom import bill


def test_it_holds_what_is_needed_and_nothing_beside():
    """Direct and indirect packages with the versions that are installed, and no tool of the tests."""
    parts = {part["name"]: part for part in bill()["components"]}
    assert {"pydantic", "lxml", "starlette", "langchain-core", "tokenizers"} <= set(parts)
    assert not {"factdesk", "pytest", "ruff", "mypy", "hypothesis", "playwright", "scikit-learn"} & set(parts)
    assert all(part["version"] == version(name) for name, part in parts.items() if part["type"] == "library")


def test_models_and_weights_have_their_hashes():
    """Those that are pulled and those that are shipped."""
    found = {part["name"]: part["hashes"] for part in bill()["components"] if part["type"] != "library"}
    for model in MODELS:
        assert found[model.name] == [{"alg": "SHA-256", "content": model.sha256}]
    assert {name for name in found if name.endswith(".onnx")} == {"stance-minilm-int8.onnx", "stance-mpnet-int8.onnx"}


def test_every_reference_leads_somewhere():
    """And each is there once; an extra of a requirement is followed."""
    found = bill()
    parts = [found["metadata"]["component"], *found["components"]]
    names = [part["bom-ref"] for part in parts]
    needed = {row["ref"]: row["dependsOn"] for row in found["dependencies"]}
    assert len(names) == len(set(names))
    assert {name for row in needed.values() for name in row} | set(needed) <= set(names)
    assert f"pkg:pypi/httptools@{version('httptools')}" in needed[f"pkg:pypi/uvicorn@{version('uvicorn')}"]


def test_the_command_writes_the_same_twice():
    """JSON on standard output, without a date."""
    words = [sys.executable, "-m", "evals.sbom"]
    first, second = (subprocess.run(words, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == second
    assert json.loads(first) == json.loads(json.dumps(bill()))
