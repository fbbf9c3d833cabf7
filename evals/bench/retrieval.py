"""Search and ingest over made-up passages: by meaning, by words, both, re-ranked; with and without a date."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from agent.desk import embedder_of, shipped_reranker
from agent.domain import Claim, Query, claim_id
from agent.ingest.chunk import cut_passages
from agent.settings import load_settings
from agent.stages.queries import plan_queries
from agent.stages.retrieve import Fused, retrieve
from agent.store.base import TimeLimit
from agent.store.hybrid import Store
from evals.bench.made_up import WORDS, GivenVectors, documents, question
from evals.bench.measure import Measure, of
from evals.suites import find_suite, load_suite

_T = TypeVar("_T")

PASSAGES = 10_000
PASSAGES_MEASURE = "passages in the store"
_QUERIES = 60
_EVER = TimeLimit(as_of=None, undated="keep")
_AS_OF = TimeLimit(as_of=date(2018, 6, 30), undated="drop")
"""Keeps two documents of three."""
_EARLY = TimeLimit(as_of=date(2012, 12, 31), undated="drop")
"""Keeps one of ten, so that a search has to be widened."""


def measures(*, quick: bool = False, passages: int = PASSAGES) -> Iterator[Measure]:
    """Ingest rates, then the median and the 95th percentile of searches."""
    count = 300 if quick else passages
    queries = 5 if quick else _QUERIES
    texts = [question(document.text) for document in islice(documents(count), 0, None, max(1, count // queries))]
    note = f"{count} passages"
    with tempfile.TemporaryDirectory() as folder:
        embedder = GivenVectors()
        made = _Clocked(documents(count))
        cut = _Clocked((document, cut_passages(document)) for document in made)
        began = time.perf_counter()
        with Store.open(Path(folder), embedder, write=True, create=True) as store:
            store.add(cut)
        rate = count / (time.perf_counter() - began - cut.seconds)
        yield of(PASSAGES_MEASURE, [count], "passages", better="higher")
        yield of("ingest, passages and vectors given", [rate], "passages/s", better="higher", note=note)
        yield of("cutting", [count / (cut.seconds - made.seconds)], "passages/s", better="higher", note=note)
        yield from _disk(Path(folder), note=note)
        shipped_reranker(load_settings({"profile": "local"})).scores("-", [Fused("-", "-", 1.0)])  # opened before
        before = _resident()
        with Store.open(Path(folder), embedder) as store:
            yield from _searches(store, texts[:queries], note=note)
            yield of("search: memory of the open store", [_resident() - before], "MB", note=note)
    yield from _embedded(5 if quick else None)


def _disk(folder: Path, *, note: str) -> Iterator[Measure]:
    files = [(path, path.stat().st_size / 1e6) for path in folder.rglob("*") if path.is_file()]
    dense = sum(size for path, size in files if "chroma" in path.parts)
    yield of("disk, dense index", [dense], "MB", note=note)
    yield of("disk, record with words and vectors", [sum(size for _, size in files) - dense], "MB", note=note)


def _resident() -> float:
    """Memory of this process now, in MB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def _searches(store: Store, texts: Sequence[str], *, note: str) -> Iterator[Measure]:
    reranker = shipped_reranker(load_settings({"profile": "local"}))
    ways: dict[str, Callable[[str], object]] = {
        "by words": lambda text: store.search_lexical(text, limit=20, when=_EVER),
        "by meaning": lambda text: store.search_dense(text, limit=20, when=_EVER),
        "by both": lambda text: retrieve(_queries(text), store, limit=5, when=_EVER),
        "by both, as of a date": lambda text: retrieve(_queries(text), store, limit=5, when=_AS_OF),
        "by both, as of an early date": lambda text: retrieve(_queries(text), store, limit=5, when=_EARLY),
        "re-ranked, as of a date": lambda text: retrieve(
            _queries(text), store, limit=5, when=_AS_OF, reranker=reranker
        ),
    }
    for name, search in ways.items():
        search(texts[0])
        seconds = []
        for text in texts:
            began = time.perf_counter()
            search(text)
            seconds.append(1000 * (time.perf_counter() - began))
        yield of(f"search {name}: median", seconds, "ms", note=note)
        yield of(f"search {name}: 95th percentile", [float(np.quantile(seconds, 0.95))], "ms", note=note)


def _queries(text: str) -> Sequence[Query]:
    return plan_queries(Claim(id=claim_id(text, None), text=text), round=1)


def _embedded(most: int | None) -> Iterator[Measure]:
    """Taking in the sources of the seed article, real texts, with the embedder that ships."""
    embedder = embedder_of(load_settings({"profile": "local"}))
    sources = list(load_suite(find_suite("deir-ez-zor"), half="all").corpus.values())[:most]
    items = [(document, cut_passages(document)) for document in sources]
    words = sum(len(passage.text.split()) for _, passages in items for passage in passages)
    embedder.embed([sources[0].text])
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder), embedder, write=True, create=True) as store:
        began = time.perf_counter()
        store.add(items)
        rate = words / WORDS / (time.perf_counter() - began)
    note = f"{len(sources)} sources of the seed article, counted as passages of {WORDS} words"
    yield of("ingest, MiniLM on real texts", [rate], "passages/s", better="higher", note=note)


class _Clocked(Iterator[_T]):
    """The same items, and the seconds that making them took."""

    def __init__(self, made: Iterator[_T]) -> None:
        self._made = made
        self.seconds = 0.0

    def __next__(self) -> _T:
        began = time.perf_counter()
        try:
            return next(self._made)
        finally:
            self.seconds += time.perf_counter() - began
