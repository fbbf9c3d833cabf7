"""A 40-claim article against a model server with a fixed latency: wall time, calls and tokens a claim, our own work.

The server is the fault-injecting one beside the checkout, without faults, in a process of its own; it always answers as
wanted, so this measures the orchestration. Passages come from a store in memory.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from agent.desk import describe_run, open_desk
from agent.domain import Document, text_sha256
from agent.ingest.chunk import cut_passages
from agent.pipeline import verify_text
from agent.runlog import RunLog
from agent.settings import Settings, load_settings
from agent.store.memory import HashEmbedder, MemoryStore
from evals.bench.measure import Measure, of

CLAIMS = 40
_WAYS = ((0, 16), (200, 1), (200, 4), (200, 16), (1000, 16))
"""Milliseconds of latency, and calls at once."""
_QUICK = ((10, 16),)
_REPEATS = 3
SERVER = Path(__file__).parents[3] / "shared" / "tools" / "fault_llm.py"
_PASSAGE = "Report {n} is about mill number {m} in the town of Norvik. It is so. The mill made {m} tons of flour."


class _Run(NamedTuple):
    """One article verified."""

    wall: float
    cpu: float
    stats: dict[str, Any]


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Wall time, also over the least possible, our own CPU time, calls and tokens; nothing without the server."""
    if not SERVER.is_file():
        print("latency skipped: shared/tools/fault_llm.py is not beside this checkout", file=sys.stderr)
        return
    for latency, width in _QUICK if quick else _WAYS:
        with served(latency) as url, tempfile.TemporaryDirectory() as folder:
            settings = load_settings({"base_url": url, "model": "mock", "api_key": "sk-test", "concurrency": width}, {})
            kept = settings.model_copy(update={"run_dir": Path(folder)})
            asyncio.run(_run(_article("w"), kept))  # warm: imports, connections
            runs = [_measured(url, f"m{number}", kept) for number in range(1 if quick else _REPEATS)]
        yield from _measures_of(runs, latency, width)


def _measures_of(runs: list[_Run], latency: float, width: int) -> Iterator[Measure]:
    name = f"{CLAIMS} claims, {latency} ms latency, {width} at a time"
    yield of(f"{name}: wall", [run.wall for run in runs], "s")
    if latency:
        least = [latency / 1000 * max(run.stats["requests"] / width, 2) for run in runs]
        ratios = [run.wall / one for run, one in zip(runs, least, strict=True)]
        yield of(f"{name}: wall over the least possible", ratios, "ratio", note="requests x latency / width")
    else:
        yield of("own CPU time a claim, server apart", [1000 * run.cpu / CLAIMS for run in runs], "ms")
        for figure in ("requests", "prompt_tokens", "completion_tokens"):
            values = [run.stats[figure] / CLAIMS for run in runs]
            yield of(f"{figure.replace('_', ' ')} a claim", values, "count")


def _measured(url: str, letter: str, settings: Settings) -> _Run:
    ask_server(url, "reset", b"")
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(_run(_article(letter), settings))
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    return _Run(wall, used, ask_server(url, "stats"))


@contextmanager
def served(latency: float, faults: Sequence[str] = ()) -> Iterator[str]:
    """Address of a server that waits `latency` milliseconds before each answer, and has these faults."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.jsonl")
        script.write_text("".join(f"{json.dumps(row)}\n" for row in _script()), encoding="utf-8")
        command = [sys.executable, str(SERVER), "--port", "0", "--latency", str(latency), "--scripted", str(script)]
        command += [word for fault in faults for word in ("--fault", fault)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:  # noqa: S603 (our own)
            assert child.stdout is not None
            try:
                yield f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
            finally:
                child.terminate()


def ask_server(url: str, what: str, data: bytes | None = None) -> dict[str, Any]:
    """What the server at this address says of itself: `stats`, or, with data, `reset`."""
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/{what}", data=data, timeout=10) as reply:  # noqa: S310 (loopback)
        found: dict[str, Any] = json.loads(reply.read() or b"{}")
    return found


async def _run(article: Document, settings: Settings) -> int:
    embedder = HashEmbedder()
    sources = [_document(_PASSAGE.format(n=n, m=n % CLAIMS), f"r{n}") for n in range(5 * CLAIMS)]
    store = MemoryStore([(source, cut_passages(source)) for source in sources], embedder=embedder)
    with RunLog(settings.run_dir) as log:
        async with open_desk(settings, store, log) as deps:
            result = await verify_text(article, describe_run(article, deps, store, embedder), deps)
    wrong = [v for v in result.verifications if v.verdict is None or v.verdict.label != "supported"]
    if len(result.verifications) != CLAIMS or wrong:
        reasons = {entry.reason for entry in result.ledger.entries} | {str(v.outcome) for v in wrong[:1]}
        raise RuntimeError(f"{len(result.verifications)} claims, {len(wrong)} not supported: {reasons}")
    return len(result.verifications)


def _article(letter: str) -> Document:
    text = " ".join(f"The mill {letter}{n} in Norvik made {n} tons of flour." for n in range(CLAIMS))
    return _document(text, f"article-{letter}")


def _document(text: str, name: str) -> Document:
    return Document(id=name, text=text, publisher=name, sha256=text_sha256(text))


def _script() -> list[dict[str, object]]:
    """Replies: every sentence is an event and its own claim; every passage supports by its second sentence."""
    item = {"kind": "event", "claims": []}
    windows: list[dict[str, object]] = [
        {"match": rf"(?s)\[{size}\] The mill(?!.*\[{size + 1}\])", "reply": {f"s{n}": item for n in range(1, size + 1)}}
        for size in range(40, 0, -1)
    ]
    stance = {"quote": "It is so.", "stance": "supports"}
    judge: list[dict[str, object]] = [
        {
            "match": rf"(?s)^Claim: .*</p{size}>(?!.*</p{size + 1}>)",
            "reply": {f"p{n}": stance for n in range(1, size + 1)},
        }
        for size in range(5, 0, -1)
    ]
    return [*judge, *windows, *(_again(row) for row in (*judge, *windows))]


def _again(row: dict[str, object]) -> dict[str, object]:
    """The same reply to the repair turn that follows a bad one: what was asked stands in an earlier message."""
    match = str(row["match"]).replace("^Claim: ", r"Claim: (?!.*\nClaim: )")
    return row | {"match": match, "in": "any"}
