"""The seed article with the embedded models: time to the first verdict and to the end, calls, tokens, memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from evals.bench.measure import Measure, of


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """One run with an empty run log, models in the cache; there is no quick way."""
    if quick:
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from agent.cli import main; main()", "verify"]
        command += ["seeds/deir-ez-zor/article.txt", "--profile", "local", "--run-dir", folder, "--json"]
        began = time.perf_counter()
        with Path(folder, "run.json").open("w", encoding="utf-8") as out:
            child = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)  # noqa: S603 (our own)
            peak = _Peak(child.pid)
            first = _first_verdict(child, began)
            child.wait()
        seconds = time.perf_counter() - began
        run = json.loads(Path(folder, "run.json").read_text(encoding="utf-8"))
    usage, claims = run["run"]["usage"], len(run["claims"])
    uncached = usage["prompt_tokens"] - usage["cached_tokens"]
    note = f"{claims} claims"
    yield of("seed article: first verdict", [first], "s", note=note)
    yield of("seed article: end", [seconds], "s", note=note)
    yield of("seed article: model calls a claim", [usage["model_calls"] / claims], "count", note=note)
    yield of("seed article: prompt tokens a claim", [usage["prompt_tokens"] / claims], "count", note=note)
    yield of("seed article: uncached prompt tokens a claim", [uncached / claims], "count", note=note)
    yield of("seed article: completion tokens a claim", [usage["completion_tokens"] / claims], "count", note=note)
    yield of(
        "seed article: peak memory", [peak.stop() / 1e6], "MB", note="processes together, embedded server included"
    )


def _first_verdict(child: subprocess.Popen[str], began: float) -> float:
    """Seconds until the first verdict line on stderr; the rest is read so that the child never blocks."""
    assert child.stderr is not None
    first = 0.0
    for line in child.stderr:
        if not first and re.match(r"\s*\d+\.\d s  ", line):
            first = time.perf_counter() - began
    return first


class _Peak:
    """Peak of the resident memory of a process, the embedded server included, sampled twice a second from /proc."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Bytes."""
        self._stopped.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._stopped.wait(0.5):
            pids = [self._pid, *_servers()]
            self._most = max(self._most, sum(_resident(pid) for pid in pids))


def _servers() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"agent.llm.local_server" in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
