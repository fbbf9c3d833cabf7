"""Many articles of eight claims against a model server with a fixed latency: throughput, our own work, memory.

Each batch is a process of its own, so that its memory and its time are its own; so is the server.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent.batch.inputs import Row, text_article
from agent.batch.run import Desk, Plan, Progress, run_batch, run_on_loop
from agent.domain import Document, text_sha256
from agent.ingest.chunk import cut_passages
from agent.settings import load_settings
from agent.store.memory import HashEmbedder, MemoryStore
from evals.bench.latency import SERVER, served
from evals.bench.measure import Measure, of

_CLAIMS = 8
_SLOTS = 64
_SIZES = (1_000, 10_000)
_QUICK = (4, 20)


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Share of the ideal throughput at 1 s latency; CPU time a claim and memory at none."""
    if not SERVER.is_file():
        print("batch skipped: shared/tools/fault_llm.py is not beside this checkout", file=sys.stderr)
        return
    few, many = _QUICK if quick else _SIZES
    note = f"{few} articles of {_CLAIMS} claims, {_SLOTS} slots"
    with served(1000) as url:
        found = _in_child(url, few)
    ideal = few * (_CLAIMS + 1) / _SLOTS
    yield of(
        "batch: share of the ideal throughput at 1 s", [ideal / found["wall"]], "ratio", better="higher", note=note
    )
    with served(0) as url:
        small, large = _in_child(url, few), _in_child(url, many)
    for count, found in ((few, small), (many, large)):
        yield of(f"batch: own CPU time a claim of {count} articles", [1000 * found["cpu"] / (count * _CLAIMS)], "ms")
    ratio = large["memory"] / small["memory"]
    yield of("batch: memory of many articles over few", [ratio], "ratio", note=f"{many} over {few} articles")


def _in_child(url: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "evals.bench.batch", url, str(count)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 (our own)
    found: dict[str, float] = json.loads(out)
    return found


def _rows(count: int) -> Iterator[Row]:
    for number in range(count):
        text = " ".join(f"The mill {number}x{n} in Norvik made {n} tons of flour." for n in range(_CLAIMS))
        yield Row(f"made up:{number}", f"a{number}", text_article(text))


def _document(number: int) -> Document:
    text = f"Report {number} is about a mill in the town of Norvik. It is so. The mill made {number} tons of flour."
    return Document(id=f"r{number}", text=text, publisher=f"r{number}", sha256=text_sha256(text))


async def run_made_up(url: str, count: int, folder: Path, *, slots: int = _SLOTS) -> Progress:
    """A batch of made-up articles, with journal and log in `folder`."""
    chosen = {
        "base_url": url, "model": "mock", "api_key": "sk-test", "concurrency": slots, "run_dir": folder / "runs",
        "outage": 1800,
    }  # fmt: skip
    embedder = HashEmbedder()
    sources = [_document(number) for number in range(_CLAIMS)]
    store = MemoryStore([(source, cut_passages(source)) for source in sources], embedder=embedder)
    desk = Desk(settings=load_settings(chosen, {}), store=store, embedder=embedder)
    progress = Progress()
    plan = Plan(out=folder / "out", workers=slots)
    await run_batch(_rows(count), desk, plan, progress, lambda _row, _item: None)
    return progress


def _main(url: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_on_loop(run_made_up(url, 2, Path(folder, "warm")))
        began, cpu = time.perf_counter(), time.process_time()
        progress = run_on_loop(run_made_up(url, count, Path(folder, "measured")))
    if progress.finished != {"done": count}:
        raise RuntimeError(f"{count} articles came to {dict(progress.finished)}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu, "memory": memory}))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
