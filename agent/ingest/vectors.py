"""Vectors that a user brings along: in the column `vector` of a JSONL or Parquet file, or as rows of an NPY file.

The NPY file lies beside a JSONL file.

They must be what the store's own embedder makes of the texts, computed elsewhere, for queries are embedded here: a few
are made again and compared. A row is one passage; what has no vector of its own is embedded as ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from agent.domain import text_sha256
from agent.errors import InputError
from agent.ingest.chunk import cut_passages
from agent.ingest.parquet import read_parquet
from agent.ingest.sources import document_of
from agent.small.base import Embedder, Vectors
from agent.small.titled import TitledEmbedder

_LISTS = frozenset({".jsonl", ".ndjson", ".parquet"})
_COMPARED = 3
"""Vectors made again."""
_ALIKE = 0.95
"""Least cosine of a vector and the one made again: rounding and other builds of a model move it less."""


class GivenVectors:
    """An embedder that takes the vectors of some texts as given."""

    def __init__(self, inner: Embedder, given: Mapping[str, Vectors]) -> None:
        self._inner = inner
        self._given = given

    @property
    def id(self) -> str:
        """Of the embedder that is taken to have made them."""
        return self._inner.id

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._inner.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Given vectors, and the embedder's for all other texts."""
        keys = [text_sha256(text) for text in texts]
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        rest = [row for row, key in enumerate(keys) if key not in self._given]
        if rest:
            vectors[rest] = self._inner.embed([texts[row] for row in rest])
        for row, key in enumerate(keys):
            if key in self._given:
                vectors[row] = self._given[key]
        return vectors


def with_given(embedder: Embedder, paths: Sequence[Path]) -> Embedder:
    """The embedder, with the vectors that these files bring along; itself when they bring none.

    Raises:
        InputError: vectors of another length or number, of a text of several passages, or of another model.
    """
    given: dict[str, Vectors] = {}
    texts: list[str] = []
    for path in (path for path in paths if path.suffix.lower() in _LISTS and path.is_file()):
        for line, text, vector in _rows(path):
            _check(path, line, vector, embedder)
            given[text_sha256(text)] = vector / np.linalg.norm(vector)
            texts += [text] if len(texts) < _COMPARED else []
    if not given:
        return embedder
    if isinstance(embedder, TitledEmbedder):
        raise InputError("vectors that are brought along are of passages without titles: leave `embed_titles` out")
    made = embedder.embed(texts)
    for text, vector in zip(texts, made, strict=True):
        cosine = float(vector @ given[text_sha256(text)])
        if cosine < _ALIKE:
            raise InputError(
                f"the vector of {text[:60]!r} is not what {embedder.id!r} makes of it (cosine {cosine:.2f}): choose the"
                " embedder it was made with (`embedder` in factdesk.toml), or leave the vectors out"
            )
    return GivenVectors(embedder, given)


def _rows(path: Path) -> Iterator[tuple[int, str, Vectors]]:
    """Line, text of the one passage, and vector of the rows that have one; rows that are no use are passed over."""
    for line, item, vector in _of_parquet(path) if path.suffix.lower() == ".parquet" else _of_lines(path):
        text = None if vector is None else _passage(path, line, item)
        if text is not None:
            yield line, text, _numbers(path, line, vector)


def _of_parquet(path: Path) -> Iterator[tuple[int, object, object]]:
    try:
        for number, row in enumerate(read_parquet(path), start=1):
            if "vector" not in row:
                return
            yield number, row, row["vector"]
    except InputError:  # it is listed with its reason when the sources are read
        return


def _of_lines(path: Path) -> Iterator[tuple[int, object, object]]:
    beside = path.with_suffix(".npy")
    table = _table(beside) if beside.is_file() else None
    number = 0
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for line, content in enumerate(lines, start=1):
            if not content.strip():
                continue
            number += 1
            if table is not None and number > len(table):
                raise InputError(f"{str(beside)!r} has {len(table)} rows, fewer than {str(path)!r} has lines")
            if table is not None:
                yield line, _loaded(content), table[number - 1]
            elif '"vector"' in content:
                item = _loaded(content)
                yield line, item, item.get("vector") if isinstance(item, dict) else None
    if table is not None and number < len(table):
        raise InputError(f"{str(beside)!r} has {len(table)} rows, {str(path)!r} {number} lines: give one for each")


def _loaded(content: str) -> object:
    """None when it is no JSON: that is listed with its reason when the sources are read."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _table(path: Path) -> Vectors:
    try:
        found: Vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{str(path)!r} is no NPY file of numbers ({error}): write it with numpy.save") from error
    if not isinstance(found, np.ndarray):
        raise InputError(f"{str(path)!r} holds several arrays: write the one with numpy.save")
    if found.ndim != 2:
        raise InputError(f"{str(path)!r} has the shape {found.shape!r}: give a row for each line of the list beside it")
    return found


def _passage(path: Path, line: int, item: object) -> str | None:
    try:
        passages = cut_passages(document_of(item))
    except InputError:  # it is listed with its reason when the sources are read
        return None
    if len(passages) != 1:
        raise InputError(
            f"{path.name}:{line}: its text is cut into {len(passages)} passages and has one vector: give each passage,"
            " of at most 120 words, a line of its own, or leave the vector out"
        )
    return passages[0].text


def _numbers(path: Path, line: int, row: object) -> Vectors:
    try:
        return np.asarray(row, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path.name}:{line}: vector {str(row)[:60]!r} is no list of numbers: mend it") from error


def _check(path: Path, line: int, vector: Vectors, embedder: Embedder) -> None:
    if vector.shape != (embedder.dimension,) or not np.isfinite(vector).all() or not vector.any():
        raise InputError(
            f"{path.name}:{line}: a vector of shape {vector.shape!r}, or of numbers that are none, where embedder"
            f" {embedder.id!r} has {embedder.dimension}: mend it, or choose the embedder it was made with"
        )
