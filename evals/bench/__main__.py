"""Measure speed, calls, tokens and memory: `python -m evals.bench [NAME...] [--json FILE] [--against FILE]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.errors import AgentError
from evals.bench import (
    batch,
    cluster,
    cross_encoder,
    harness,
    kills,
    latency,
    retrieval,
    seed,
    selection,
    startup,
    storm,
)
from evals.bench.measure import Measure, Record, change, read_record, record
from evals.runs import write_whole

_BENCHES = {
    "startup": startup.measures,
    "latency": latency.measures,
    "retrieval": retrieval.measures,
    "cross_encoder": cross_encoder.measures,
    "selection": selection.measures,
    "harness": harness.measures,
    "batch": batch.measures,
    "cluster": cluster.measures,
    "kills": kills.measures,
    "storm": storm.measures,
    "seed": seed.measures,
}
_WHEN_NAMED = ("seed", "batch", "cluster", "kills", "storm")
"""They need the embedded language model, most of an hour, Ray, some minutes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks, print a table, keep the figures if asked; 2 on bad input."""
    given = _parser().parse_args(arguments)
    try:
        old = read_record(given.against) if given.against else None
        found = record(tuple(_measured(given.names or [name for name in _BENCHES if name not in _WHEN_NAMED], given)))
    except AgentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    Console().print(_table(found, old))
    if given.json:
        write_whole(given.json, found.model_dump_json(indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *_BENCHES], metavar="NAME", help=", ".join(_BENCHES))
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    parser.add_argument("--against", type=Path, help="show how they changed since this file")
    parser.add_argument(
        "--quick", action="store_true", help="once and small, to see that it works; no figures to quote"
    )
    parser.add_argument("--passages", type=int, default=retrieval.PASSAGES, help="of the search benchmark")
    return parser


def _measured(names: Sequence[str], given: argparse.Namespace) -> Iterator[Measure]:
    for name in names:
        print(f"{name} ...", file=sys.stderr)
        if name == "retrieval":
            yield from retrieval.measures(quick=given.quick, passages=given.passages)
        else:
            yield from _BENCHES[name](quick=given.quick)


def _table(found: Record, old: Record | None) -> Table:
    before = {measure.name: measure for measure in old.measures} if old else {}
    table = Table("what", "median", "range", "n", "unit", *(["change"] if old else []), "note")
    for measure in found.measures:
        span = f"{measure.low:g} to {measure.high:g}" if measure.repeats > 1 else ""
        was = before.get(measure.name)
        changed = [change(measure, was) if was else "new"] if old else []
        row = [measure.name, f"{measure.value:g}", span, str(measure.repeats), measure.unit, *changed, measure.note]
        table.add_row(*row)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
