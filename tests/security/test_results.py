"""Ids, columns and reasons of hostile inputs in the result files of a batch (T16, T18, T19)."""

from __future__ import annotations

import csv
import json

import pytest

from agent.batch.engine import item_of
from agent.batch.inputs import Row
from agent.batch.journal import Item, Journal
from agent.batch.results import write_results
from tests.report.sample import sample_result

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")
HOSTILE = (
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "-2+3",
    "../../escape",
    "/etc/escape",
    "<script>alert(1)</script>",
    "\uff1d1+1",
)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Result files of a batch whose inputs are all hostile, and one that is not done."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": name, "text": "A."}) + "\n" for name in HOSTILE))
    folder = tmp_path / "RUN"
    result = sample_result()
    with Journal(folder) as journal:
        journal.set_meta("call", json.dumps({"folder": str(tmp_path), "inputs": ["in.jsonl"]}))
        for number, name in enumerate(HOSTILE):
            row = Row(f"{name}:{number}", name, result.article if number == 0 else None, name, {name: name})
            item = item_of(f"key{number}", result) if number == 0 else Item(f"key{number}", "rejected", "", name)
            journal.save(row, number, item)
        return tmp_path, write_results(journal, folder)


def test_no_cell_of_any_table_is_a_formula(made):
    """The tables of claims and of what is left."""
    paths = [path for path in made[1] if path.suffix == ".csv"]
    assert {path.name for path in paths} == {"claims.csv", "left.csv"}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for line in csv.reader(file) for cell in line]
        assert [cell for cell in cells if cell.startswith(SIGNS)] == []
        assert "'-2+3" in cells


def test_no_file_is_named_after_an_input(made):
    """What is there afterwards has names of ours, in the folder of the run; markup of an id is only text."""
    folder, paths = made
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in found if "escape" in name or "cmd" in name]
    assert {name.split("/")[0] for name in found} == {"RUN", "in.jsonl"}
    page = next(path for path in paths if path.name == "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
