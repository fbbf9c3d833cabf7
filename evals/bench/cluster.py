"""The same batch in one process and on two Ray actors of this machine, with Chroma as a server: its cost and its gain.

Each is the command as a user gives it, in a process of its own. The model server waits a second before each answer, so
with few calls at once it is the slots that count, twice as many on two actors.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from evals.bench.chroma import chroma_at
from evals.bench.latency import SERVER, served
from evals.bench.measure import Measure, of

_CLAIMS = 4
_ARTICLES = 60
_QUICK = 4
_SLOTS = 4
_COMMAND = (sys.executable, "-c", "from agent.cli import main; main()")


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Seconds that Ray adds to a batch of two articles, and how many times as fast two actors do many."""
    if not SERVER.is_file() or importlib.util.find_spec("ray") is None:
        print("cluster skipped: it needs Ray and shared/tools/fault_llm.py beside this checkout", file=sys.stderr)
        return
    many = _QUICK if quick else _ARTICLES
    with tempfile.TemporaryDirectory() as name, served(1000) as url, chroma_at(Path(name, "index")) as chroma:
        place = _Place(Path(name), url, chroma)
        few = {way: place.seconds(way, "few", 2) for way in ("here", "ray")}
        much = {way: place.seconds(way, "many", many) for way in ("here", "ray")}
    note = f"{_CLAIMS} claims an article, {_SLOTS} calls at once in each process, two actors"
    yield of("cluster: seconds that Ray adds to two articles", [few["ray"] - few["here"]], "s", note=note)
    ratio = (much["here"] - few["here"]) / max(much["ray"] - few["ray"], 1e-9)
    name = "cluster: throughput of two actors over one process, start apart"
    yield of(name, [ratio], "ratio", better="higher", note=f"{many - 2} articles more")


class _Place:
    """A folder with a filled store, and where the servers are."""

    def __init__(self, folder: Path, url: str, chroma: str) -> None:
        self._folder = folder
        self._environ = os.environ | {
            "FACTDESK_BASE_URL": url, "FACTDESK_MODEL": "mock", "OPENAI_API_KEY": "sk-test",
            "FACTDESK_CHROMA_URL": chroma, "FACTDESK_CONCURRENCY": str(_SLOTS),
        }  # fmt: skip
        rows = [{"id": f"r{n}", "text": f"Report {n} is about a mill in Norvik. It is so."} for n in range(_CLAIMS)]
        self._write("sources.jsonl", rows)
        self._run("store", "add", "sources.jsonl", "--store", "store")

    def seconds(self, way: str, name: str, count: int) -> float:
        """Seconds of a batch of so many articles."""
        texts = [
            " ".join(f"The mill {way}{number}x{n} in Norvik made {n} tons of flour." for n in range(_CLAIMS))
            for number in range(count)
        ]
        self._write(f"{name}.jsonl", [{"id": f"a{number}", "text": text} for number, text in enumerate(texts)])
        words = ["--engine", "ray", "--actors", "2"] if way == "ray" else []
        began = time.monotonic()
        out = f"{name}-{way}"
        self._run("batch", "run", f"{name}.jsonl", "--store", "store", "--out", out, "--run-dir", f"{out}-log", *words)
        return time.monotonic() - began

    def _write(self, name: str, rows: list[dict[str, str]]) -> None:
        (self._folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")

    def _run(self, *words: str) -> None:
        subprocess.run([*_COMMAND, *words], cwd=self._folder, env=self._environ, check=True, stderr=subprocess.DEVNULL)  # noqa: S603 (our own)


if __name__ == "__main__":
    for one in measures(quick="--quick" in sys.argv):
        print(one)
