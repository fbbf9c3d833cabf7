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
from pathlib import Path


def main() -> None:
    """Print the figures of one run with an empty run log, models in the cache."""
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
    figures = {
        "first_verdict_s": round(first, 1),
        "end_s": round(seconds, 1),
        "claims": claims,
        "calls_a_claim": round(usage["model_calls"] / claims, 2),
        "prompt_tokens_a_claim": round(usage["prompt_tokens"] / claims),
        "uncached_prompt_tokens_a_claim": round((usage["prompt_tokens"] - usage["cached_tokens"]) / claims),
        "completion_tokens_a_claim": round(usage["completion_tokens"] / claims),
        "peak_resident_mb": round(peak.stop() / 1e6),
    }
    print(json.dumps(figures))


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


if __name__ == "__main__":
    main()
