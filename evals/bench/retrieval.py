"""Search and ingest over generated passages: by meaning, by words, both, re-ranked; with and without a date."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import islice
from pathlib import Path

import numpy as np

from agent.desk import embedder_of, shipped_reranker
from agent.domain import Claim, Document, Query, claim_id, text_sha256
from agent.ingest.chunk import cut_passages
from agent.settings import load_settings
from agent.small.base import Vectors
from agent.stages.queries import plan_queries
from agent.stages.retrieve import Fused, retrieve
from agent.store.base import TimeLimit
from agent.store.hybrid import Store
from evals.bench.measure import Measure, of

PASSAGES = 10_000
PASSAGES_MEASURE = "passages in the store"
_QUERIES = 60
_WORDS = 90
_EMBEDDED = 500
_EVER = TimeLimit(as_of=None, undated="keep")
_AS_OF = TimeLimit(as_of=date(2018, 6, 30), undated="drop")
"""Keeps two documents of three."""
_EARLY = TimeLimit(as_of=date(2012, 12, 31), undated="drop")
"""Keeps one of ten, so that a search has to be widened."""


class _GivenVectors:
    """Random unit vectors, the same for the same text: what the arithmetic of an embedder would cost is left out."""

    id = "random:384"
    dimension = 384

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text."""
        rows = np.stack([np.random.default_rng(_seed(text)).standard_normal(384) for text in texts])
        unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit


def _seed(text: str) -> int:
    return int(text_sha256(text)[:16], 16)


def measures(*, quick: bool = False, passages: int = PASSAGES) -> Iterator[Measure]:
    """Ingest rates, then the median and the 95th percentile of searches."""
    count = 300 if quick else passages
    queries = 5 if quick else _QUERIES
    texts = [document.text for document in islice(_documents(count), 0, None, max(1, count // queries))][:queries]
    with tempfile.TemporaryDirectory() as folder:
        embedder = _GivenVectors()
        began = time.perf_counter()
        with Store.open(Path(folder), embedder, write=True, create=True) as store:
            store.add((document, cut_passages(document)) for document in _documents(count))
        rate = count / (time.perf_counter() - began)
        note = f"{count} passages"
        yield of(PASSAGES_MEASURE, [count], "passages", better="higher")
        yield of("ingest, vectors given", [rate], "passages/s", better="higher", note=note)
        yield from _disk(Path(folder), note=note)
        shipped_reranker(load_settings({"profile": "local"})).scores("-", [Fused("-", "-", 1.0)])  # opened before
        before = _resident()
        with Store.open(Path(folder), embedder) as store:
            yield from _searches(store, texts, note=note)
            yield of("search: memory of the open store", [_resident() - before], "MB", note=note)
    yield from _embedded(20 if quick else _EMBEDDED)


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


def _searches(store: Store, whole: Sequence[str], *, note: str) -> Iterator[Measure]:
    texts = [text.split(".")[0] for text in whole]
    reranker = shipped_reranker(load_settings({"profile": "local"}))
    ways: dict[str, Callable[[str], object]] = {
        "lexical": lambda text: store.search_lexical(text, limit=20, when=_EVER),
        "dense": lambda text: store.search_dense(text, limit=20, when=_EVER),
        "fused": lambda text: retrieve(_queries(text), store, limit=5, when=_EVER),
        "fused, as of a date": lambda text: retrieve(_queries(text), store, limit=5, when=_AS_OF),
        "fused, as of an early date": lambda text: retrieve(_queries(text), store, limit=5, when=_EARLY),
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
        yield of(f"search, {name}: median", seconds, "ms", note=note)
        yield of(f"search, {name}: 95th percentile", [float(np.quantile(seconds, 0.95))], "ms", note=note)


def _queries(text: str) -> Sequence[Query]:
    return plan_queries(Claim(id=claim_id(text, None), text=text), round=1)


def _embedded(count: int) -> Iterator[Measure]:
    embedder = embedder_of(load_settings({"profile": "local"}))
    documents = list(_documents(count))
    embedder.embed([documents[0].text])
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with Store.open(Path(folder), embedder, write=True, create=True) as store:
            store.add((document, cut_passages(document)) for document in documents)
        rate = count / (time.perf_counter() - began)
    yield of("ingest, MiniLM", [rate], "passages/s", better="higher", note=f"{count} passages of {_WORDS} words")


def _documents(count: int) -> Iterator[Document]:
    """Texts of made-up words, each one passage, dated over ten years."""
    dice = random.Random(0)  # noqa: S311 (made-up data)
    syllables = [a + b for a in "bdfgklmnprstv" for b in ("a", "e", "i", "o", "u", "an", "el", "or")]
    words = ["".join(dice.choices(syllables, k=dice.randint(1, 3))) for _ in range(6000)]
    for number in range(count):
        chosen = dice.choices(words, k=_WORDS)
        text = ". ".join(" ".join(chosen[start : start + 15]).capitalize() for start in range(0, _WORDS, 15)) + "."
        yield Document(
            id=f"d{number}",
            text=text,
            publisher=f"Publisher {number % 500}",
            published=f"{2012 + number % 10}-0{1 + number % 9}-15",
            sha256=text_sha256(text),
        )
