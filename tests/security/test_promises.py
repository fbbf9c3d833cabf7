"""The tables of docs/security.md: every threat and fault has its row, and every test a row names is there."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = dict(
    re.findall(r"^\| ([TF]\d+) \|(.*)\|$", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"), re.MULTILINE)
)
_NAMED = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)*)`")
_PLACE = re.compile(r"`((?:agent|evals|prompts)/[\w./]*)`")


def _is_there(path, names):
    """Whether a file holds a function or method of that name."""
    if not (ROOT / path).is_file():
        return False
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    for name in names:
        found = [node for node in body if getattr(node, "name", None) == name]
        if not found:
            return False
        body = found[0].body
    return bool(names)


def test_every_threat_and_fault_has_its_row():
    """T1 to T28 and F1 to F23, once each, and nothing else."""
    wanted = [f"T{number}" for number in range(1, 29)] + [f"F{number}" for number in range(1, 24)]
    assert list(ROWS) == wanted


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_tests_and_places_that_exist(row):
    """A promise that is kept, wholly or partly, names a test function; code that is named is where it says."""
    state = ROWS[row].rpartition("|")[2].strip()
    tests = [(path, names.split("::")[1:]) for path, names in _NAMED.findall(state)]
    assert re.match(r"(kept|partly|not kept|not tested)\b", state)
    assert tests or state.startswith("not ")
    assert [one for one in tests if not _is_there(*one)] == []
    assert [place for place in _PLACE.findall(ROWS[row]) if not (ROOT / place).exists()] == []


def test_what_is_not_there_is_seen():
    """A missing file, a missing function, and a file without a function are no tests."""
    here = "tests/security/test_promises.py"
    assert _is_there(here, ["test_what_is_not_there_is_seen"])
    assert not _is_there(here, ["test_nothing"])
    assert not _is_there(here, [])
    assert not _is_there("tests/security/test_nothing.py", ["test_what_is_not_there_is_seen"])


@pytest.mark.parametrize(("needed", "ends"), [("0", "Skipped"), ("1", "Failed")])
def test_what_the_shared_folder_must_prove_can_be_made_to_fail(needed, ends):
    """A proof that is skipped for want of the folder is none: FACTDESK_NEED_SHARED=1 says so."""
    environ = os.environ | {"FACTDESK_NEED_SHARED": needed}
    code = "from tests.shared import require; require('tools/nothing.py')"
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert done.returncode
    assert f"{ends}: shared/tools/nothing.py is not beside this checkout" in done.stderr
