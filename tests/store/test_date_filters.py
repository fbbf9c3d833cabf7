"""The day limit is applied twice, in SQL and on what comes back; without either one a test fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_SQL = "tests/store/test_contract.py::test_a_later_document_is_not_found_however_near_it_is"
ON_RESULTS = "tests/stages/test_retrieve.py::test_nothing_later_than_the_limit_comes_through"
MUTANTS = {
    "none": ("agent/store/record.py", "", "", 0),
    "dense search in SQL": ("agent/store/record.py", "WHERE p.id IN ({{}}) AND {IN_TIME}", "WHERE p.id IN ({{}})", 1),
    "lexical search in SQL": ("agent/store/lexical.py", "best.rank < last) AND {IN_TIME}", "best.rank < last)", 1),
    "on results": ("agent/stages/retrieve.py", " and when.allows(documents[passage.document_id])", "", 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("removed", MUTANTS)
def test_removing_a_filter_is_caught(tmp_path, removed):
    """In a copy of the code without that filter its test fails; in a copy as it is both pass."""
    name, old, new, code = MUTANTS[removed]
    for folder in ("agent", "tests/store", "tests/stages"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    source = (tmp_path / name).read_text(encoding="utf-8")
    assert not old or source.count(old) == 1, "the filter is written in another way now: mend this test"
    (tmp_path / name).write_text(source.replace(old, new) if old else source, encoding="utf-8")
    environ = os.environ | {"PYTHONPATH": str(tmp_path), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    command = [sys.executable, "-m", "pytest", IN_SQL, ON_RESULTS]
    found = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert found.returncode == code, found.stdout + found.stderr
    failed = {line.split("[")[0].split(" ")[1] for line in found.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == ({ON_RESULTS} if "results" in removed else {IN_SQL} if code else set())
