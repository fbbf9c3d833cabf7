"""Search and ingest over generated passages: by meaning, by words, both; with and without a date."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from agent.desk import embedder_of
from agent.domain import Claim, Document, Query, claim_id, text_sha256
from agent.ingest.chunk import cut_passages
from agent.settings import load_settings
from agent.small.base import Vectors
from agent.stages.queries import plan_queries
from agent.stages.retrieve import retrieve
from agent.store.base import TimeLimit
from agent.store.hybrid import Store
from evals.bench.measure import Measure, of

PASSAGES = 10_000
_QUERIES = 60
_WORDS = 90
_EMBEDDED = 500
_EVER = TimeLimit(as_of=None, undated="keep")
_AS_OF = TimeLimit(as_of=date(2018, 6, 30), undated="drop")


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
    documents = list(_documents(count))
    with tempfile.TemporaryDirectory() as folder:
        embedder = _GivenVectors()
        began = time.perf_counter()
        with Store.open(Path(folder), embedder, write=True, create=True) as store:
            store.add((document, cut_passages(document)) for document in documents)
        rate = count / (time.perf_counter() - began)
        yield of("ingest, vectors given", [rate], "passages/s", better="higher", note=f"{count} passages")
        with Store.open(Path(folder), embedder) as store:
            yield from _searches(store, documents, note=f"{count} passages")
    yield from _embedded(20 if quick else _EMBEDDED)


def _searches(store: Store, documents: Sequence[Document], *, note: str) -> Iterator[Measure]:
    texts = [document.text.split(".")[0] for document in documents[:: max(1, len(documents) // _QUERIES)]][:_QUERIES]
    ways: dict[str, Callable[[str], object]] = {
        "lexical": lambda text: store.search_lexical(text, limit=20, when=_EVER),
        "dense": lambda text: store.search_dense(text, limit=20, when=_EVER),
        "fused": lambda text: retrieve(_queries(text), store, limit=5, when=_EVER),
        "fused, as of a date": lambda text: retrieve(_queries(text), store, limit=5, when=_AS_OF),
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
