"""The index of a batch as a page: what was found in all, and one line for each article."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from agent.batch.journal import Journal
from agent.report.contract import State
from agent.report.html import environment
from agent.report.markdown import NAMES, SYMBOLS


def to_index(lines: list[dict[str, Any]], journal: Journal, number: int, count: int) -> str:
    """One page of the index; the same journal gives the same bytes."""
    folder = files("agent.report").joinpath("templates")
    style = folder.joinpath("index.css").read_text(encoding="utf-8")
    page = environment().from_string(folder.joinpath("index.html.j2").read_text(encoding="utf-8"))
    claims = journal.claims()
    return page.render(
        lines=lines, number=number, count=count, articles=journal.counts(), style=style,
        claims=[(state, claims.get(state.value, 0)) for state in State if claims.get(state.value)],
        total=sum(claims.values()), names=NAMES, symbols=SYMBOLS,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )  # fmt: skip
