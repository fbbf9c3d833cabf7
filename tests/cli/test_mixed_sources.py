"""Fifty real files of mixed kinds through `factdesk store`."""

from __future__ import annotations

import re

import pytest

from tests.cli.command import needs_embedder
from tests.ingest.mixed import make_mixed

pytestmark = [*needs_embedder, pytest.mark.slow]


def test_fifty_files_of_mixed_kinds(desk):
    """What can be read comes in and is found by its own words; what cannot is named; a second time changes nothing."""
    mixed = make_mixed(desk.folder / "files")
    assert len(list(mixed.folder.iterdir())) == 50
    outcome = desk.run("store", "add", "files")
    assert (outcome.code, outcome.out) == (0, f"{len(mixed.facts)} added, 0 replaced, 0 unchanged\n")
    left_out = set(re.findall(r"^source left out, files/([^:]+):", outcome.err, re.MULTILINE))
    assert left_out == mixed.broken
    again = desk.run("store", "add", "files", "--json").json
    assert (again["added"], again["replaced"], again["unchanged"]) == (0, 0, len(mixed.facts))
    listed = {row["id"]: row for row in desk.run("store", "list", "--json").json}
    assert len(listed) == len(mixed.facts)
    dated = sum(row["published"] is not None for row in listed.values())
    assert dated >= 8 + 2 + 2 * 2 + 1 + 1 + 1, "pages, saved pages, lists, JSON, CSV, Atom"
    for fact in mixed.facts[::12]:
        (hit,) = desk.run("store", "search", fact, "-k", "1", "--json").json
        assert fact in hit["passage"]["text"]
    gone = hit["passage"]["document_id"]
    desk.run("store", "remove", gone)
    assert gone not in {row["id"] for row in desk.run("store", "list", "--json").json}
    assert desk.run("store", "check").code == 0
