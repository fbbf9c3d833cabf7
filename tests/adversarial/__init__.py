"""Hostile cases: our own beside this file, and those of the shared data where it is."""

from __future__ import annotations

import json
from pathlib import Path

_OWN = Path(__file__).parent
_SHARED = Path(__file__).parents[3] / "shared" / "data" / "adversarial"


def cases(name):
    """The rows of a file (`articles` or `evidence`), each id once; text that a test has to make first is left out."""
    found = {}
    for folder in (_OWN, _SHARED):
        path = folder / f"{name}.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            row = json.loads(line)
            if row["text"] and row["expectation"].get("make", {}).get("op", "url") == "url":
                found.setdefault(row["id"], row)
    return tuple(found.values())
