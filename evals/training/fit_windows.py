"""Which size of a passage finds the gold documents best, with and without the title: on tuning halves.

    python -m evals.training.fit_windows --data ../shared/data --keep windows.jsonl --limit 60

For every set the documents that gold names for the drawn claims, and as many others as `--documents` says, are cut in
each size and searched as the product does. Prints recall@5 of documents over the first five passages, which is what a
judge reads, and recall@10 over twenty; the mean is over sets. With titles the passage is embedded behind the title of
its document and the nearest heading (`embed_titles`); the lexical index has the title in any case. What was measured is
kept in `--keep`, choice by choice, and the same command goes on there. The words a judge reads are printed beside: five
passages of 180 words cost it twice what five of 90 do.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from agent.desk import embedder_of
from agent.domain import Data, Document
from agent.ingest.chunk import Size, cut_passages
from agent.settings import load_settings
from agent.small.base import Embedder
from agent.small.titled import TitledEmbedder
from agent.stages.queries import plan_queries
from agent.stages.retrieve import retrieve
from agent.store.base import PassageStore, TimeLimit
from agent.store.hybrid import Store
from evals.cases import ClaimCase, Suite
from evals.passages import claim_of
from evals.scorers.retrieval import found_documents, gold_documents, ranking_ratios
from evals.suites import load_suite

SETS = ("scifact", "factcheck_bench", "fool_me_twice", "wice_citations")
"""Sets whose documents are longer than a passage, and whose licence lets choices be fitted on them."""
_ENOUGH = (60, 90, 120, 180)
_READ, _RANKED = 5, 20
_EVER = TimeLimit(undated="keep")


class Measured(Data):
    """One choice on one set."""

    suite: str
    enough: int
    title: bool
    limit: int | None
    documents: int
    claims: int
    passages: int
    words: float
    """Of the passages read for a claim, together."""
    recall_at_5: float
    recall_at_10: float


def size_of(enough: int) -> Size:
    """A third more than enough, as in what ships, and ten characters a word."""
    return Size(enough=enough, most=enough * 4 // 3, characters=enough * 40 // 3)


def drawn(suite: Suite, others: int) -> tuple[Document, ...]:
    """The documents gold names, and as many others, by a seed."""
    gold = {name for case in suite.claims for name in gold_documents(case)}
    rest = sorted(set(suite.corpus) - gold)
    kept = gold | set(random.Random(0).sample(rest, min(others, len(rest))))  # noqa: S311 (a sample, no secret)
    return tuple(document for name, document in suite.corpus.items() if document.id in kept or name in kept)


def measure(suite: Suite, documents: Sequence[Document], enough: int, embedder: Embedder) -> Measured:
    """Cut, embed, search."""
    cases = [case for case in suite.claims if gold_documents(case)]
    items = [(document, cut_passages(document, size_of(enough))) for document in documents]
    with tempfile.TemporaryDirectory() as folder:
        with Store.open(Path(folder), embedder, write=True, create=True) as store:
            store.add(items)
        with Store.open(Path(folder), embedder) as store:
            found = [_of_claim(case, store) for case in cases]
    return Measured(
        suite=suite.name,
        enough=enough,
        title=isinstance(embedder, TitledEmbedder),
        limit=None,
        documents=len(documents),
        claims=len(cases),
        passages=sum(len(passages) for _, passages in items),
        words=round(float(np.mean([one[2] for one in found])), 1),
        recall_at_5=round(float(np.mean([one[0] for one in found])), 4),
        recall_at_10=round(float(np.mean([one[1] for one in found])), 4),
    )


def _of_claim(case: ClaimCase, store: PassageStore) -> tuple[float, float, int]:
    queries, gold = plan_queries(claim_of(case), round=1), gold_documents(case)
    read = retrieve(queries, store, limit=_READ, when=_EVER)
    ranked = retrieve(queries, store, limit=_RANKED, when=_EVER)
    five = ranking_ratios(gold, found_documents(read))["recall@5"].top
    ten = ranking_ratios(gold, found_documents(ranked), curve=True)["recall@10"].top
    return five, ten, sum(len(hit.passage.text.split()) for hit in read)


def best_of(rows: Sequence[Measured]) -> tuple[int, bool]:
    """The choice with the greatest mean of recall@5 over sets; the one that ships where none is better by 0.005."""
    means = {choice: float(np.mean([row.recall_at_5 for row in own])) for choice, own in _by_choice(rows)}
    best = max(means, key=lambda choice: means[choice])
    shipped = (Size().enough, False)
    return shipped if means.get(shipped, -1.0) >= means[best] - 0.005 else best


def _by_choice(rows: Sequence[Measured]) -> Iterator[tuple[tuple[int, bool], list[Measured]]]:
    for choice in sorted({(row.enough, row.title) for row in rows}):
        yield choice, [row for row in rows if (row.enough, row.title) == choice]


def table(rows: Sequence[Measured]) -> Iterator[str]:
    """Markdown, a line a choice."""
    names = sorted({row.suite for row in rows})
    yield f"| words | title | {' | '.join(names)} | mean recall@5 | mean recall@10 | words read |"
    yield "|---" * (len(names) + 5) + "|"
    for (enough, title), own in _by_choice(rows):
        by_name = {row.suite: f"{row.recall_at_5:.3f}" for row in own}
        means = np.mean([(row.recall_at_5, row.recall_at_10, row.words) for row in own], axis=0)
        cells = " | ".join(by_name.get(name, "") for name in names)
        said = "yes" if title else "no"
        yield f"| {enough} | {said} | {cells} | {means[0]:.3f} | {means[1]:.3f} | {means[2]:.0f} |"


def main() -> None:
    """Measure what was not measured, print the table and the best choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--keep", type=Path, required=True, help="file for what was measured")
    parser.add_argument("--limit", type=int, default=60, help="most claims of a set")
    parser.add_argument("--documents", type=int, default=150, help="documents that gold does not name")
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="SET")
    given = parser.parse_args()
    kept = given.keep.read_text(encoding="utf-8").splitlines() if given.keep.is_file() else []
    rows = {_key(row): row for row in map(Measured.model_validate_json, kept)}
    plain = embedder_of(load_settings({"profile": "local"}))
    wanted = []
    for name in given.sets:
        suite = load_suite(given.data / name, half="tuning", limit=given.limit)
        documents = drawn(suite, given.documents)
        for enough, title in product(_ENOUGH, (False, True)):
            key = (name, enough, title, given.limit, len(documents))
            wanted.append(key)
            if key not in rows:
                found = measure(suite, documents, enough, TitledEmbedder(plain) if title else plain)
                rows[key] = found.model_copy(update={"limit": given.limit})
                with given.keep.open("a", encoding="utf-8") as file:
                    file.write(rows[key].model_dump_json() + "\n")
                print(f"{name} {enough} {'with' if title else 'without'} title: {found.recall_at_5:.3f}", flush=True)
    asked = [rows[key] for key in wanted]
    print("\n".join(table(asked)))
    enough, title = best_of(asked)
    print(f"best: {enough} words, {'with' if title else 'without'} title")


def _key(row: Measured) -> tuple[str, int, bool, int | None, int]:
    return row.suite, row.enough, row.title, row.limit, row.documents


if __name__ == "__main__":
    main()
