"""What a benchmark gives: measures that can be kept as JSON and compared with later ones."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from agent.desk import code_version
from agent.domain import Data
from agent.errors import InputError


class Measure(Data):
    """One figure."""

    name: str
    value: float
    unit: str
    better: Literal["lower", "higher"] = "lower"
    low: float
    """Least of the repeats."""
    high: float
    repeats: int = 1
    note: str = ""


class Record(Data):
    """The measures of one call of the benchmarks."""

    day: str
    code_version: str
    python: str
    cores: int
    measures: tuple[Measure, ...]


def of(
    name: str, values: Sequence[float], unit: str, *, better: Literal["lower", "higher"] = "lower", note: str = ""
) -> Measure:
    """The median of some repeats, with their range."""
    return Measure(
        name=name,
        value=_rounded(statistics.median(values)),
        unit=unit,
        better=better,
        low=_rounded(min(values)),
        high=_rounded(max(values)),
        repeats=len(values),
        note=note,
    )


def timed(work: Callable[[], object], *, repeats: int) -> list[float]:
    """Seconds of each repeat, after one that is not counted."""
    work()
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return found


def record(measures: Sequence[Measure]) -> Record:
    """The measures with what is needed to read them later; nothing that names the machine."""
    return Record(
        day=datetime.now(UTC).date().isoformat(),
        code_version=code_version(),
        python=platform.python_version(),
        cores=os.cpu_count() or 0,
        measures=tuple(measures),
    )


def read_record(path: Path) -> Record:
    """Measures that were kept.

    Raises:
        InputError: the file holds none.
    """
    try:
        return Record.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise InputError(f"{str(path)!r} holds no benchmark: {error}") from None


def change(new: Measure, old: Measure) -> str:
    """The ratio, and `better` or `worse` where both were repeated and their ranges do not touch."""
    if old.value == 0:
        return ""
    ratio = f"x{new.value / old.value:.2f}"
    if min(new.repeats, old.repeats) == 1 or (new.low <= old.high and old.low <= new.high):
        return ratio
    is_better = (new.value < old.value) == (new.better == "lower")
    return f"{ratio} {'better' if is_better else 'worse'}"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
