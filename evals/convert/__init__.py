"""Makes suites from the official files of public sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.errors import InputError
from evals.convert.write import ConvertReport


def convert(name: str, files: Sequence[Path], out: Path) -> ConvertReport:
    """Write a suite folder from official files.

    Raises:
        InputError: there is no converter of that name, or a file is not of the form it wants.
    """
    from evals.convert.sets import CONVERTERS

    if name not in CONVERTERS:
        raise InputError(f"there is no converter {name!r}: give one of {', '.join(CONVERTERS)}")
    return CONVERTERS[name](files, out)
