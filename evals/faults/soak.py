"""Mixed load for long against a server with ten faults: batches, conversations, files, a store that grows and shrinks.

    python -m evals.faults.soak --minutes 60 --json evals/bench/results/soak.json

Memory and open files are looked at every second. After a warm-up of a fifth of the time they may not grow: the median
of the last fifth is held against that of the one after the warm-up. Exit code 1 when a bound is broken or something
came through that is no failure by name.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.chat.serve import open_rooms
from agent.domain import Data
from agent.ingest.chunk import cut_passages
from agent.store.hybrid import Store
from agent.store.memory import HashEmbedder
from evals.bench.latency import SERVER, ask_server, served
from evals.faults.files import read, write_files
from evals.faults.ways import Seen, Site, batch, begin, converse, fill_store, settings_of, sources
from evals.runs import write_whole

FAULTS = (
    "every=5:429:retry-after=0.1", "every=7:500", "every=11:reset", "every=13:malformed", "every=17:schema",
    "every=19:truncate", "every=23:slow=1", "every=29:empty", "every=31:refusal", "every=37:length",
)  # fmt: skip
_MOST_GROWTH_MB = 100.0
_MOST_MORE_FILES = 20
_LATENCY = 20.0
_PAUSE = 0.05
"""Seconds between two changes of the store."""


class Sample(Data):
    """The process at one moment."""

    second: float
    memory_mb: float
    open_files: int


class Soak(Data):
    """What a soak came to."""

    minutes: float
    done: dict[str, int]
    """Batches, conversations, changes of the store."""
    failures: dict[str, int]
    """By kind: they are what the server was told to bring about."""
    requests: int
    wrong: tuple[str, ...]
    """What no fault of the server excuses; empty as it should be."""
    memory_mb: dict[str, float]
    """Median after the warm-up and at the end, and the most."""
    open_files: dict[str, float]
    samples: tuple[Sample, ...]
    """Sixty of them, evenly spread."""

    @property
    def is_sound(self) -> bool:
        """Whether all bounds were kept."""
        return not self.wrong


class _Tally:
    """What has been done so far, by three threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.done = Counter[str]()
        self.failures = Counter[str]()
        self.wrong: list[str] = []

    def add(self, what: str, seen: Seen) -> None:
        with self._lock:
            self.done[what] += 1
            self.failures += seen.failures
            self.wrong += [f"{what}: {text}" for text in seen.wrong]

    def broke(self, what: str, error: BaseException) -> None:
        with self._lock:
            self.wrong.append(f"{what}: {type(error).__name__}: {error}")


def soak(seconds: float) -> Soak:
    """Load for so long, and what it came to."""
    tally, samples = _Tally(), list[Sample]()
    with tempfile.TemporaryDirectory() as name, served(_LATENCY, FAULTS) as url:
        site = Site(url=url, folder=Path(name), store=Path(name, "store"))
        fill_store(site.store)
        end = time.monotonic() + seconds
        loads: tuple[Callable[[Site, _Tally, float], None], ...] = (_batches, _conversations, _changes)
        threads = [threading.Thread(target=_guarded, args=(load, site, tally, end)) for load in loads]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            samples.append(_sample(time.monotonic() - began))
            time.sleep(min(1.0, seconds / 20))
        requests = int(ask_server(url, "stats")["requests"])
    return _judged(seconds, tally, samples, requests)


def _guarded(load: Callable[[Site, _Tally, float], None], site: Site, tally: _Tally, end: float) -> None:
    try:
        load(site, tally, end)
    except Exception as error:  # noqa: BLE001 (what is looked for)
        tally.broke(load.__name__.strip("_"), error)


def _batches(site: Site, tally: _Tally, end: float) -> None:
    number = 0
    while time.monotonic() < end:
        number += 1
        folder = site.folder / f"batch-{number}"
        seen = batch(Site(url=site.url, folder=folder, store=site.store))
        seen.failures.update([type(seen.error).__name__] if seen.error else [])
        shutil.rmtree(folder, ignore_errors=True)
        tally.add("batches", seen)


def _conversations(site: Site, tally: _Tally, end: float) -> None:
    settings = settings_of(Site(url=site.url, folder=site.folder / "chat", store=site.store))
    with open_rooms(settings, lambda _done, _documents, _want: None, embedder=HashEmbedder()) as rooms:

        async def talk() -> None:
            number = 0
            while time.monotonic() < end:
                number += 1
                room = await begin(rooms, f"c{number}-")
                tally.add("conversations", await converse(room))
                await rooms.delete(room.name)
            await rooms.close()
            await rooms.house.model.aclose()

        asyncio.run(talk())


def _changes(site: Site, tally: _Tally, end: float) -> None:
    """Files are read, and documents go into a store and out of it; at the end it holds what it held."""
    number, files = 0, write_files(site.folder / "files")
    with Store.open(site.folder / "growing", HashEmbedder(), write=True, create=True) as store:
        store.add([(source, cut_passages(source)) for source in sources()])
        before = store.snapshot()
        while time.monotonic() < end:
            number += 1
            more = [source.model_copy(update={"id": f"{source.id}-{number}"}) for source in (*sources(), *read(files))]
            store.add([(source, cut_passages(source)) for source in more])
            for source in more:
                store.remove(source.id)
            tally.add("changes of the store", Seen({}, Counter(), []))
            time.sleep(_PAUSE)
        if store.snapshot() != before:
            tally.add("changes of the store", Seen({}, Counter(), ["the store holds something else than before"]))


def _sample(second: float) -> Sample:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (the names come and go while they are listed)
    return Sample(second=round(second, 1), memory_mb=round(resident / 1024, 1), open_files=files)


def _judged(seconds: float, tally: _Tally, samples: Sequence[Sample], requests: int) -> Soak:
    fifth = max(1, len(samples) // 5)
    memory = _course([one.memory_mb for one in samples], fifth)
    files = _course([float(one.open_files) for one in samples], fifth)
    wrong = list(tally.wrong)
    if (more := memory["last"] - memory["first"]) > _MOST_GROWTH_MB:
        wrong.append(f"memory grew by {more:.0f} MB")
    if (more := files["last"] - files["first"]) > _MOST_MORE_FILES:
        wrong.append(f"{more:.0f} more files are open")
    wrong += [f"no {name} were done" for name in ("batches", "conversations", "changes of the store")
              if not tally.done[name]]  # fmt: skip
    return Soak(
        minutes=round(seconds / 60, 2),
        done=dict(sorted(tally.done.items())),
        failures=dict(sorted(tally.failures.items())),
        requests=requests,
        wrong=tuple(wrong[:20]),
        memory_mb=memory,
        open_files=files,
        samples=tuple(samples[:: max(1, len(samples) // 60)]),
    )


def _course(values: Sequence[float], fifth: int) -> dict[str, float]:
    return {
        "first": statistics.median(values[fifth : 2 * fifth] or values),
        "last": statistics.median(values[-fifth:]),
        "most": max(values),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print, keep if asked; 1 when something is not as it must be, 2 without the server."""
    given = _parser().parse_args(arguments)
    if not SERVER.is_file() or not Path("/proc/self/fd").is_dir():
        print("evals.faults.soak: wants Linux, and shared/tools/fault_llm.py beside this checkout", file=sys.stderr)
        return 2
    told = logging.getLogger("agent")
    level = told.level
    told.setLevel(logging.CRITICAL)  # the faults are meant, and thousands
    try:
        found = soak(60 * given.minutes)
    finally:
        told.setLevel(level)
    print(found.model_dump_json(indent=1, exclude={"samples"}))
    if given.json:
        write_whole(given.json, found.model_dump_json(indent=1) + "\n")
    return int(not found.is_sound)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.faults.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--json", type=Path, help="keep the result in this file")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
