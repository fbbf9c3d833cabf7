"""The harness itself: what it costs over the pipeline it runs, and how fast finished cases are scored and reported."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agent.desk import embedder_of, open_desk
from agent.domain import (
    Citation,
    Claim,
    Document,
    Evidence,
    Hit,
    Label,
    Span,
    Stance,
    StanceScores,
    Verification,
    claim_id,
    passage_of,
    text_sha256,
)
from agent.runlog import RunLog
from agent.settings import Settings, load_settings
from agent.stages.decide import decide
from agent.store.memory import MemoryStore
from evals.bench.measure import Measure, of
from evals.cases import ClaimCase
from evals.journal import Journal
from evals.passages import GoldPassages
from evals.record import Manifest, Outcome
from evals.report.html import to_html
from evals.report.view import view_of
from evals.rescore import rescore
from evals.run import run_suite
from evals.runs import JOURNAL, MANIFEST, RunFolder, write_whole
from evals.solvers.verdict import GoldSources, VerdictSolver
from evals.suites import find_suite, load_suite
from evals.work import Plan

_CASES = 10_000
_WIDTH = 4


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Overhead over a bare loop, then seconds and memory for ten thousand cases."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        ratios = [_overhead(place / str(number), limit=4 if quick else None) for number in range(1 if quick else 5)]
        note = "smoke suite, gold passages, small judge; the solver verifies a claim, then reads its quotes alone"
        yield of("harness over a bare loop of its solver", ratios, "ratio", note=note)
        yield from _scoring(place / "many", 50 if quick else _CASES)


def _overhead(place: Path, *, limit: int | None) -> float:
    """The smoke suite with gold passages and the small judge: a bare loop, then the harness."""
    settings = load_settings({"profile": "local", "run_dir": place})
    bare = asyncio.run(_bare(settings, limit))
    began = time.perf_counter()
    run_suite(Plan(suite=Path("smoke"), evidence="gold", workers=_WIDTH, limit=limit), settings)
    return (time.perf_counter() - began) / bare


async def _bare(settings: Settings, limit: int | None) -> float:
    suite = load_suite(find_suite("smoke"), limit=limit)
    store = MemoryStore([], embedder=embedder_of(settings))
    with RunLog(settings.run_dir / "bare") as log:
        async with open_desk(settings, store, log) as deps:
            began = time.perf_counter()
            solver = VerdictSolver(deps, GoldSources(GoldPassages(suite.corpus)), second=deps.judge)
            slots = asyncio.Semaphore(_WIDTH)

            async def one(case: ClaimCase) -> None:
                async with slots:
                    await solver.solve(case)

            await asyncio.gather(*(one(case) for case in suite.claims))
            return time.perf_counter() - began


def _scoring(place: Path, n: int) -> Iterator[Measure]:
    """Made-up outcomes of `n` cases, with evidence, to figures and a page."""
    suite = place / "suite"
    suite.mkdir(parents=True)
    run = RunFolder(place / "run")
    run.path.mkdir()
    _write(suite, run, n)
    began = time.perf_counter()
    rescore(run)
    scored = time.perf_counter() - began
    page = to_html(view_of(run))
    total = time.perf_counter() - began
    note = f"{n} finished claims; page of {len(page) / 1e6:.1f} MB"
    yield of("scoring", [scored], "s", note=note)
    yield of("scoring and reporting", [total], "s", note=note)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield of("peak memory of the process so far", [memory], "MB", note=note)


def _write(suite: Path, run: RunFolder, n: int) -> None:
    dice = random.Random(0)  # noqa: S311 (made-up data)
    text = "The mill in Norvik burnt down on 4 March 2019, police said. Nobody was hurt, and the flour was saved."
    documents = [_document(f"d{number}", f"{text} Report {number}.") for number in range(50)]
    rows = [{"id": one.id, "title": one.title, "text": one.text} for one in documents]
    _lines(suite / "corpus.jsonl", rows)
    labels = list(Label)
    claims = []
    with Journal(run.path / JOURNAL) as journal:
        for number in range(n):
            document = dice.choice(documents)
            label, name = dice.choice(labels), f"c{number:05}"
            quote = {"doc_id": document.id, "quote": text[:40], "stance": "supports"}
            claims.append(
                {
                    "id": name,
                    "text": f"Claim {number}.",
                    "label": label.value,
                    "group_id": f"g{number // 5}",
                    "evidence": [quote],
                }
            )
            journal.save(Outcome(case_id=name, verification=_verified(f"Claim {number}.", document, dice)), seconds=0.1)
    _lines(suite / "claims.jsonl", claims)
    loaded = load_suite(suite)
    manifest = Manifest(
        id="bench", started="2026-01-01T00:00:00+00:00", code_version="-", suite="suite", suite_folder=str(suite),
        suite_sha256=loaded.sha256, half="all", limit=None, stage="verdict", evidence="retrieved", solver="pipeline",
        profile="local", models={}, prompts={}, settings={}, store="",
    )  # fmt: skip
    write_whole(run.path / MANIFEST, manifest.model_dump_json())


def _document(name: str, text: str) -> Document:
    return Document(id=name, text=text, title=f"Report {name}", sha256=text_sha256(text))


def _verified(text: str, document: Document, dice: random.Random) -> Verification:
    claim = Claim(id=claim_id(text, None), text=text)
    span = Span(start=0, end=40)
    passage = passage_of(document, Span(start=0, end=len(document.text)))
    stance = dice.choice([Stance.SUPPORTS, Stance.REFUTES, Stance.NEUTRAL])
    surest = dice.uniform(0.4, 0.99)
    scores = {one.value: surest if one is stance else (1 - surest) / 2 for one in Stance}
    citation = Citation(document_id=document.id, span=span, quote=span.of(document.text), stance=stance)
    piece = Evidence(
        claim_id=claim.id, passage_id=passage.id, document_id=document.id, span=passage.span, origin=document.id,
        stance=stance, scores=StanceScores(**scores), citation=None if stance is Stance.NEUTRAL else citation,
    )  # fmt: skip
    hit = Hit(passage=passage, rank=1, score=1.0, origin=document.id)
    verdict = decide((piece,), (), {document.id: document})
    return Verification(claim=claim, hits=(hit,) * 5, evidence=(piece,), outcome=verdict)


def _lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    write_whole(path, "".join(f"{json.dumps(row)}\n" for row in rows))
