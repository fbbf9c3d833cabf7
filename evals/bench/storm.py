"""A batch against a model server with six faults at once: how it ends, what it asked too often, how fast it was."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent.batch.run import journal_of, run_on_loop
from evals.bench.batch import run_made_up
from evals.bench.latency import SERVER, ask_server, served
from evals.bench.measure import Measure, of

_FAULTS = (
    "every=5:429:retry-after=1", "every=7:500", "every=11:reset", "every=13:malformed", "every=19:truncate",
    "every=29:empty",
)  # fmt: skip
_ARTICLES, _QUICK = 200, 6
_CLAIMS = 8
_LATENCY = 100.0
"""Milliseconds."""
_MOST_REQUESTS = 8.0
"""For each call: four tries, and as many after a reply that could not be used."""


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Articles by their end, requests a call, articles a second.

    Raises:
        RuntimeError: an article has neither a result nor a reason, a client came back too early or after an answer that
            nothing cures, or there were more requests than all tries together.
    """
    if not SERVER.is_file():
        print("storm skipped: shared/tools/fault_llm.py is not beside this checkout", file=sys.stderr)
        return
    count = _QUICK if quick else _ARTICLES
    with served(_LATENCY, _FAULTS) as url, tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        run_on_loop(run_made_up(url, count, Path(name)))
        wall = time.perf_counter() - began
        stats = ask_server(url, "stats")
        with journal_of(Path(name, "out")) as journal:
            items = [item for _, item in journal.rows()]
    unnamed = sum(item.state != "done" and not item.reason for item in items)
    calls = count * (_CLAIMS + 1)
    requests = stats["requests"] / calls
    wrong = (len(items) - count, unnamed, stats["early_retries"], stats["retried_fatal"])
    if any(wrong) or requests > _MOST_REQUESTS:
        raise RuntimeError(f"storm: {wrong} articles lost, without a reason, too early, in vain; {requests} requests")
    note = f"{count} articles of {_CLAIMS} claims, {_LATENCY:g} ms, six faults at once"
    done = sum(item.state == "done" for item in items)
    whole = sum(item.state != "failed" for item in items)
    yield of("storm: share of articles with verdicts", [whole / count], "ratio", better="higher", note=note)
    yield of("storm: share of articles without any failure", [done / count], "ratio", better="higher", note=note)
    yield of("storm: retries before their time or in vain", [sum(wrong[2:])], "count", note=note)
    yield of("storm: requests for each call", [requests], "ratio", note="1 without faults")
    yield of("storm: articles a second", [count / wall], "1/s", better="higher")
