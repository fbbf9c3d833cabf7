"""Parquet files as lists of documents, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from agent.errors import InputError

_ROWS = 64
"""Rows in memory at once."""


def read_parquet(path: Path) -> Iterator[dict[str, object]]:
    """The rows, with the names of the columns in small letters.

    Raises:
        InputError: no Parquet file, one without a column `text`, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InputError(f"{str(path)!r} needs pyarrow: pip install 'factdesk[tables]'") from None
    try:
        with ParquetFile(path) as file:
            names = [name.casefold() for name in file.schema_arrow.names]
            if "text" not in names:
                raise InputError(f"{str(path)!r} has no column 'text' but {names!r}: name the columns so")
            for batch in file.iter_batches(batch_size=_ROWS):
                for row in batch.to_pylist():
                    yield {name.casefold(): _plain(value) for name, value in row.items()}
    except (pa.ArrowException, OSError) as error:
        why = str(error).partition("\n")[0][:200]
        raise InputError(f"{str(path)!r} is no readable Parquet file ({why}): write it again") from error


def _plain(value: object) -> object:
    """A day or a point in time as ISO 8601."""
    return value.isoformat() if isinstance(value, date) else value
