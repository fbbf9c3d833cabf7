"""A batch that is killed twenty times at random moments, and what is then wrong with it: nothing may be.

The moments are numbers of calls, drawn from a seed, so they are spread over the work on a slow machine, too.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.batch.results import write_results
from agent.batch.run import journal_of, run_on_loop
from evals.bench.batch import run_made_up
from evals.bench.latency import SERVER, ask_server, served
from evals.bench.measure import Measure, of

_ARTICLES, _KILLS = 200, 20
_QUICK = (12, 2)
_SLOTS = 16
_CLAIMS = 8
_LATENCY = 30.0
"""Milliseconds, so that there is always something in flight."""


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Calls that were paid twice, and articles that differ from the unbroken run.

    Raises:
        RuntimeError: a result differs, or more was paid twice than was in flight.
    """
    if not SERVER.is_file():
        print("kills skipped: shared/tools/fault_llm.py is not beside this checkout", file=sys.stderr)
        return
    count, kills = _QUICK if quick else (_ARTICLES, _KILLS)
    with served(_LATENCY) as url, tempfile.TemporaryDirectory() as name:
        _finish(url, count, Path(name, "whole"))
        ask_server(url, "reset", b"")
        done = _break_off(url, count, kills, Path(name, "killed"))
        _finish(url, count, Path(name, "killed"))
        repeats = ask_server(url, "stats")["repeats_after_success"]
        differing = sum(
            one != other for one, other in zip(*(_results(Path(name, one)) for one in ("whole", "killed")), strict=True)
        )
    if differing or repeats > done * _SLOTS:
        raise RuntimeError(f"{differing} of {count} articles differ, {repeats} calls were paid twice")
    note = f"{count} articles of {_CLAIMS} claims, {done} kills, at most {_SLOTS} calls in flight at each"
    yield of("kills: articles that differ from the unbroken run", [differing], "count", note=note)
    yield of("kills: calls paid twice", [repeats], "count", note=note)


def _break_off(url: str, count: int, kills: int, folder: Path) -> int:
    """Kill it that often; gives how often there was something left to kill."""
    dice = random.Random(20)  # noqa: S311 (moments of a benchmark)
    share = count * (_CLAIMS + 1) // (kills + 2)
    done = 0
    for _ in range(kills):
        until = ask_server(url, "stats")["requests"] + dice.randint(1, 2 * share - 1)
        with _start(url, count, folder) as process:
            while process.poll() is None and ask_server(url, "stats")["requests"] < until:
                time.sleep(0.01)
            done += process.poll() is None
            process.kill()
    return done


def _finish(url: str, count: int, folder: Path) -> None:
    with _start(url, count, folder) as process:
        if process.wait():
            raise RuntimeError(f"the batch in {folder.name!r} ended with {process.returncode}")


def _start(url: str, count: int, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "evals.bench.kills", url, str(count), str(folder)])  # noqa: S603 (our own)


def _results(folder: Path) -> list[Any]:
    """The result file, without the moment the batch began and what side by side articles cost."""
    found = [json.loads(line) for line in (folder / "out" / "articles.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in found:
        row["result"]["run"] |= {"started": "", "usage": None}
    return found


def _main(url: str, count: int, folder: Path) -> None:
    run_on_loop(run_made_up(url, count, folder, slots=_SLOTS))
    with journal_of(folder / "out") as journal:
        write_results(journal, folder / "out")


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
