"""The fault matrix: every fault of the model server in every way to use the desk, as a Markdown table.

    python -m evals.faults --out docs/faults.md

The server is the fault-injecting one beside the checkout (shared/tools/fault_llm.py). Each fault meets one request in
three, and then all. A cell is good when it ends in time, with results or an error by name, when no verdict is one that
a server without faults would not have led to, when every SQLite file passes its check, and when the key is in no file,
the log at level DEBUG among them, and when the server saw no call again that no retry can cure, none before the time it
had asked for, and none left open. The first row is of a server without faults: every way gives verdicts there. Exit
code 1 when a cell is not good.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agent.cli.logs import SafeFormatter
from agent.errors import AgentError
from evals.bench.latency import SERVER, ask_server, served
from evals.faults.ways import KEY, WAYS, Seen, Site, broken_files, fill_store
from evals.runs import write_whole

FAULTS = (
    "400", "401", "403", "404", "408", "409", "413", "422", "429", "429:retry-after=0.1", "500", "502", "503", "504",
    "quota", "key", "model", "context", "reset", "hang=2", "html", "badbody", "slow=2", "stall=2", "truncate",
    "reset-mid", "nodone", "malformed", "schema", "fence", "empty", "null", "refusal", "length", "filter",
)  # fmt: skip
QUICK = ("503", "key", "reset", "badbody", "truncate", "schema", "refusal")
HOW = {"one in three": "every=3", "always": "always"}
_IN_TIME = 40.0
"""Seconds for one cell; the least that any of them needs is far below."""
_STUCK = 180
_LONGEST_HANG = 5.0


class Cell(NamedTuple):
    """What one fault did in one way."""

    text: str
    seconds: float
    wrong: list[str]


def matrix(faults: Sequence[str], ways: Sequence[str]) -> Iterator[tuple[str, str, dict[str, Cell]]]:
    """Rows: fault, how often, and a cell for each way."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        fill_store(place / "store")
        with served(0) as url:
            sound = {way: _cell(way, place, url, None) for way in ways}
        yield "none", "", {way: cell for way, (cell, _) in sound.items()}
        honest = {way: seen for way, (_, seen) in sound.items()}
        for fault in faults:
            for often, selector in HOW.items():
                with served(0, [f"{selector}:{fault}"]) as url:
                    yield fault, often, {way: _cell(way, place, url, honest[way])[0] for way in ways}


def _cell(way: str, place: Path, url: str, honest: Seen | None) -> tuple[Cell, Seen]:
    folder = place / "cell"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    faulthandler.dump_traceback_later(_STUCK, exit=True)
    began = time.monotonic()
    seen = Seen({}, Counter(), [])
    with _logged(folder / "log.txt"):
        try:
            seen = WAYS[way](Site(url=url, folder=folder, store=place / "store"))
        except AgentError as told:
            seen = seen._replace(error=told)
        except Exception as defect:  # noqa: BLE001 (what is looked for)
            seen.wrong.append(f"{type(defect).__name__} came through: {defect}")
    seconds = time.monotonic() - began
    faulthandler.cancel_dump_traceback_later()
    wrong = [*seen.wrong, *broken_files(folder), *_seen_by_server(url), *judged(seen, honest)]
    wrong += [f"took {seconds:.0f} s"] if seconds > _IN_TIME else []
    return Cell(_name_of(seen.error) or _told(seen.failures), seconds, wrong), seen


def judged(seen: Seen, honest: Seen | None) -> Iterator[str]:
    """What is wrong with it beside what came of the same without faults; None: it is that itself."""
    if KEY in str(seen.error):
        yield "the key is in the error"
    if honest is not None:
        made_up = seen.labels.items() - honest.labels.items()
        yield from (f"a verdict was made up: {claim!r} {label}" for claim, label in sorted(made_up))
        return
    if seen.failures or seen.error:
        yield f"fails without a fault: {_name_of(seen.error)} {dict(seen.failures)}"
    if not seen.labels:
        yield "gives no verdict without a fault"


def _name_of(error: AgentError | None) -> str:
    return type(error).__name__ if error else ""


def _seen_by_server(url: str) -> list[str]:
    """What the server noticed of us in one cell; a call we gave up may be open for as long as it hangs."""
    end = time.monotonic() + _LONGEST_HANG
    while (stats := ask_server(url, "stats"))["in_flight"] and time.monotonic() < end:
        time.sleep(0.05)
    ask_server(url, "reset", b"")
    return [f"{name}: {stats[name]}" for name in ("retried_fatal", "early_retries", "in_flight") if stats[name]]


def _told(failures: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} ×{count}" for kind, count in sorted(failures.items())) or "done"


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """All log events at level DEBUG, as the command line writes them."""
    root, handler = logging.getLogger(), logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(SafeFormatter(lambda: (KEY,)))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def page(rows: Sequence[tuple[str, str, dict[str, Cell]]], ways: Sequence[str]) -> str:
    """The table as Markdown."""
    cells = [cell for _, _, row in rows for cell in row.values()]
    bad = sum(bool(cell.wrong) for cell in cells)
    lines = [
        "# Faults of the model server",
        "",
        "Made by `python -m evals.faults`. Each cell: what failed, by kind (`done`: nothing did; a name: the run",
        "stopped with that error), and the seconds it took. Small texts, two tries, no waiting between tries, time-out",
        "0.6 s. Checked in each: it ends in time; no verdict that a server without faults would not lead to; SQLite",
        "files are whole; the key is in no file, the log at level DEBUG among them; the server saw no call again that",
        "no retry can cure, none too early and none left open. `none` is a server without faults, where each way must",
        "give verdicts. Faults of embeddings have no row: embeddings are made by a model of ours, on this machine",
        "(`tests/security/test_faults.py` breaks that one), unless `embedder` says otherwise.",
        "",
        f"{len(cells)} cells, {bad} not as promised.",
        "",
        f"| fault | requests | {' | '.join(ways)} |",
        "|---" * (len(ways) + 2) + "|",
    ]
    for fault, often, row in rows:
        lines.append(f"| `{fault}` | {often} | {' | '.join(_shown(row[way]) for way in ways)} |")
    return "\n".join(lines) + "\n"


def _shown(cell: Cell) -> str:
    mark = f"**not as promised:** {'; '.join(cell.wrong)}".replace("|", "/") if cell.wrong else "✓"
    return f"{mark} {cell.text}, {cell.seconds:.1f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the matrix and write it; 1 when a cell is not as promised, 2 without the server."""
    given = _parser().parse_args(arguments)
    if not SERVER.is_file():
        print("evals.faults: shared/tools/fault_llm.py is not beside this checkout", file=sys.stderr)
        return 2
    rows = []
    for fault, often, row in matrix(given.faults or FAULTS, given.ways):
        rows.append((fault, often, row))
        wrong = [f"{way}: {text}" for way, cell in row.items() for text in cell.wrong]
        print(f"{fault} {often}: {'; '.join(wrong) or 'as promised'}", file=sys.stderr)
        if given.out:
            write_whole(given.out, page(rows, given.ways))
    if given.out:
        print(f"written: {given.out}")
    return int(any(cell.wrong for _, _, row in rows for cell in row.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", help="as the server knows them; all when none is named")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=tuple(WAYS))
    parser.add_argument("--out", type=Path, help="write the table to this file")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
