"""What a larger store would cost, from two sizes that were measured.

    python -m evals.bench retrieval --passages 10000 --json small.json
    python -m evals.bench retrieval --passages 100000 --json large.json
    python -m evals.bench.scale small.json large.json --passages 1000000

A straight line through the two: disk, memory and searches that read postings grow with the number of passages n; a
search by meaning alone and the time a passage takes to be added grow with log n, as the graph of the dense index does.
An extrapolation, not a measurement: it knows nothing of a cache that no longer holds the file.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from agent.errors import AgentError, InputError
from evals.bench.measure import Record, read_record
from evals.bench.retrieval import PASSAGES_MEASURE

_LOGARITHMIC = ("search by meaning", "ingest")
_FIXED = ("ingest, MiniLM", "cutting")
"""What does not depend on the size of the store."""


def extrapolated(small: Record, large: Record, passages: int) -> Iterator[tuple[str, float, str, str]]:
    """Name, value, unit and formula of every figure that both records have.

    Raises:
        InputError: a record is not of the search benchmark, or both are of one size.
    """
    one, other = ({measure.name: measure for measure in record.measures} for record in (small, large))
    if PASSAGES_MEASURE not in one or PASSAGES_MEASURE not in other:
        raise InputError("a file holds no search benchmark: make both with `python -m evals.bench retrieval --json`")
    sizes = one[PASSAGES_MEASURE].value, other[PASSAGES_MEASURE].value
    if sizes[0] == sizes[1]:
        raise InputError(f"both files are of {sizes[0]:.0f} passages: measure two sizes")
    for name in (name for name in one if name in other and name != PASSAGES_MEASURE and not name.startswith(_FIXED)):
        values, is_rate = (one[name].value, other[name].value), one[name].better == "higher"
        is_log = name.startswith(_LOGARITHMIC)
        points = [(math.log(size) if is_log else size) for size in (*sizes, passages)]
        ends = [1 / value for value in values] if is_rate else list(values)
        slope = (ends[1] - ends[0]) / (points[1] - points[0])
        found = ends[1] + slope * (points[2] - points[1])
        line = f"{values[1]:g} at {sizes[1]:.0f}, {values[0]:g} at {sizes[0]:.0f}, line in {'log n' if is_log else 'n'}"
        yield name, 1 / found if is_rate else found, one[name].unit, line


def main() -> int:
    """Print the figures; 2 on bad input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("small", type=Path)
    parser.add_argument("large", type=Path)
    parser.add_argument("--passages", type=int, default=1_000_000)
    given = parser.parse_args()
    try:
        rows = list(extrapolated(read_record(given.small), read_record(given.large), given.passages))
    except AgentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"| {given.passages:,} passages, extrapolated | | from |\n|---|---|---|")
    for name, value, unit, line in rows:
        print(f"| {name} | {value:.4g} {unit} | {line} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
