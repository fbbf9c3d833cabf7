"""Fit the weights of the re-ranking on the tuning half of the shared sets, and write them as JSON.

    python -m evals.training.fit_rerank --data ../shared/data --keep rerank-features.jsonl

For every claim the fused passages are read once by the cross-encoder; that takes the time, so what it saw is kept in
`--keep`, claim by claim, and the same command goes on there. Then the weights with the least listwise log loss (the
chance that a softmax over the passages gives to those of gold documents; Cao et al. 2007, ListNet, with the sum over
all of them) by L-BFGS, every set weighing the same. Prints recall@5 and reciprocal rank of documents, fused and
re-ranked, on each set: five folds by group, each ranked with the weights of the others. Sets that state no licence, or
one for non-commercial use alone, are only looked at (`--look`), never fitted on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.desk import embedder_of, small_scorer
from agent.domain import Data
from agent.ingest.private import open_documents
from agent.settings import Settings, load_settings
from agent.stages.queries import plan_queries
from agent.stages.rerank import FEATURES, Mixture, RerankFit, features_of
from agent.stages.retrieve import Fused, retrieve
from agent.stages.stance import PairScorer
from agent.store.base import PassageStore, TimeLimit
from evals.cases import ClaimCase
from evals.passages import claim_of
from evals.scorers.retrieval import gold_documents, ranking_ratios
from evals.suites import load_suite

FIT_SETS = ("scifact", "factcheck_bench", "feverous_text", "fool_me_twice", "wice_citations")
_DEEPEST = 40
"""Passages read of each claim; the depths that are tried are not greater."""
_DEPTHS = (10, 20, 30, 40)
_FOLDS = 5
_PENALTY = 0.001
_EVER = TimeLimit(undated="keep")

Weights = NDArray[np.float64]


class Row(Data):
    """A claim with its fused passages, best first, and what the cross-encoder saw in them."""

    suite: str
    case: str
    group: str
    gold: tuple[str, ...]
    """Gold documents, found or not."""
    documents: tuple[str, ...]
    """Of each passage."""
    features: tuple[tuple[float, ...], ...]
    """Of each passage, as `features_of` gives them."""


class Worth(NamedTuple):
    """Means over claims."""

    recall: float
    rank: float


def rows_of(folder: Path, settings: Settings, keep: Path, *, limit: int | None) -> list[Row]:
    """The claims of the tuning half of a set that have gold documents; those in `keep` are not read again."""
    kept = {(row.suite, row.case): row for row in _kept(keep)}
    suite = load_suite(folder, half="tuning", limit=limit)
    cases = [case for case in suite.claims if gold_documents(case)]
    todo = [case for case in cases if (suite.name, case.id) not in kept]
    if todo:
        embedder, scorer = embedder_of(settings), small_scorer(settings)
        corpus = tuple(suite.corpus.values())
        with (
            open_documents(corpus, embedder, settings.cache_dir / "suites", lambda _: None) as store,
            keep.open("a", encoding="utf-8") as file,
        ):
            for case in todo:
                row = _row(suite.name, case, store, scorer)
                file.write(row.model_dump_json() + "\n")
                file.flush()
                kept[row.suite, row.case] = row
    return [kept[suite.name, case.id] for case in cases]


def _kept(keep: Path) -> Iterator[Row]:
    """What was read before; a last line that a broken-off run left behind is passed over."""
    for line in keep.read_text(encoding="utf-8").splitlines() if keep.is_file() else ():
        try:
            json.loads(line)
        except ValueError:
            continue
        yield Row.model_validate_json(line)


def _row(suite: str, case: ClaimCase, store: PassageStore, scorer: PairScorer) -> Row:
    hits = retrieve(plan_queries(claim_of(case), round=1), store, limit=_DEEPEST, when=_EVER)
    titles = store.documents([hit.passage.document_id for hit in hits])
    fused = [Fused(hit.passage.text, titles[hit.passage.document_id].title, hit.score) for hit in hits]
    features = features_of(scorer, case.text, fused).round(5) if fused else np.zeros((0, len(FEATURES)))
    return Row(
        suite=suite,
        case=case.id,
        group=case.group_id or case.id,
        gold=tuple(sorted(gold_documents(case))),
        documents=tuple(hit.passage.document_id for hit in hits),
        features=tuple(tuple(map(float, row)) for row in features),
    )


def fit(rows: Sequence[Row], depth: int) -> Weights:
    """The weights with the least listwise log loss; claims without a gold document among the passages say nothing."""
    from scipy.optimize import minimize

    lists = [one for one in (_list_of(row, depth) for row in rows) if one[1].any()]
    sizes = {name: sum(one[2] == name for one in lists) for name in {one[2] for one in lists}}

    def cost(weights: Weights) -> tuple[float, Weights]:
        total, slope = _PENALTY * float(weights @ weights), 2 * _PENALTY * weights
        for features, is_gold, suite in lists:
            loss, down = _loss(features, is_gold, weights)
            total += loss / sizes[suite] / len(sizes)
            slope = slope + down / sizes[suite] / len(sizes)
        return total, slope

    start = np.array([1.0] + [0.0] * (len(FEATURES) - 1))
    found: Weights = minimize(cost, start, jac=True, method="L-BFGS-B").x
    return found.round(4)


def _list_of(row: Row, depth: int) -> tuple[Weights, NDArray[np.bool_], str]:
    is_gold = np.array([name in row.gold for name in row.documents[:depth]], dtype=bool)
    return np.array(row.features[:depth]).reshape(-1, len(FEATURES)), is_gold, row.suite


def _loss(features: Weights, is_gold: NDArray[np.bool_], weights: Weights) -> tuple[float, Weights]:
    """Minus the log of the softmax's share of gold, and its slope."""
    logits = features @ weights
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    gold = shares[is_gold].sum()
    wanted = np.where(is_gold, shares / max(gold, 1e-12), 0.0)
    return -float(np.log(max(gold, 1e-12))), features.T @ (shares - wanted)


def worth(rows: Sequence[Row], orders: Sequence[Sequence[int]]) -> Worth:
    """Recall@5 and reciprocal rank of documents, when the passages of each claim stand in these orders."""
    ratios = [
        ranking_ratios(frozenset(row.gold), tuple(dict.fromkeys(row.documents[place] for place in order)), curve=True)
        for row, order in zip(rows, orders, strict=True)
    ]
    recall = float(np.mean([one["recall@5"].top for one in ratios]))
    return Worth(recall, float(np.mean([one["mrr"].top for one in ratios])))


def order_of(row: Row, weights: Weights, depth: int) -> list[int]:
    """Places of the passages, best first, when the first `depth` are ordered by these weights."""
    features, _, _ = _list_of(row, depth)
    first = np.argsort(-(features @ weights), kind="stable").tolist() if len(features) else []
    return [*first, *range(len(first), len(row.documents))]


def held_out(rows: Sequence[Row], depth: int) -> list[list[int]]:
    """The order of each claim's passages by the weights of the folds it is not in."""
    folds = [int(hashlib.sha256(f"fold:{row.group}".encode()).hexdigest(), 16) % _FOLDS for row in rows]
    fitted = [fit([row for row, own in zip(rows, folds, strict=True) if own != fold], depth) for fold in range(_FOLDS)]
    return [order_of(row, fitted[fold], depth) for row, fold in zip(rows, folds, strict=True)]


def table(sets: dict[str, list[Row]], orders: dict[str, list[list[int]]]) -> dict[str, tuple[Worth, Worth]]:
    """By set: fused, and as ordered."""
    return {
        name: (worth(rows, [list(range(len(row.documents))) for row in rows]), worth(rows, orders[name]))
        for name, rows in sets.items()
    }


def best_depth(sets: dict[str, list[Row]]) -> tuple[int, dict[str, float]]:
    """The least depth with nearly the best mean of recall and reciprocal rank, held out; prints all."""
    rows = [row for found in sets.values() for row in found]
    means: dict[int, dict[str, float]] = {}
    for depth in _DEPTHS:
        orders = iter(held_out(rows, depth))
        found = table(sets, {name: [next(orders) for _ in own] for name, own in sets.items()})
        means[depth] = {
            f"{what} {which}": round(float(np.mean([pair[place][part] for pair in found.values()])), 4)
            for place, which in enumerate(("fused", "re-ranked"))
            for part, what in enumerate(("recall@5", "mrr"))
        }
        print(f"depth {depth}:")
        _print(sets, found)
    value = {depth: one["recall@5 re-ranked"] + one["mrr re-ranked"] for depth, one in means.items()}
    depth = min(depth for depth, one in value.items() if one >= max(value.values()) - 0.004)
    return depth, means[depth]


def _print(sets: dict[str, list[Row]], found: dict[str, tuple[Worth, Worth]]) -> None:
    for name, (before, after) in found.items():
        print(
            f"  {name} n={len(sets[name])}: recall@5 {before.recall:.3f} -> {after.recall:.3f},"
            f" mrr {before.rank:.3f} -> {after.rank:.3f}"
        )


def _fit_of(sets: dict[str, list[Row]], figures: dict[str, float]) -> RerankFit:
    rows = [row for found in sets.values() for row in found]
    digest = hashlib.sha256("".join(row.model_dump_json() for row in rows).encode()).hexdigest()
    return RerankFit(sets=tuple(sets), half="tuning", items=len(rows), data_sha256=digest, figures=figures)


def main() -> None:
    """Read, fit, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--keep", type=Path, required=True, help="file for what the cross-encoder saw")
    parser.add_argument("--limit", type=int, help="most claims of a set")
    parser.add_argument("--sets", nargs="+", default=FIT_SETS, metavar="SET")
    parser.add_argument("--look", nargs="*", default=(), metavar="SET", help="sets that are ranked but not fitted on")
    target = Path(str(files("agent.stages").joinpath("rerank.json")))
    parser.add_argument("--out", type=Path, default=target)
    given = parser.parse_args()
    settings = load_settings({"profile": "local"})
    sets = {}
    for name in (*given.sets, *given.look):
        print(f"{name} ...", flush=True)
        sets[name] = rows_of(given.data / name, settings, given.keep, limit=given.limit)
    fitted_on = {name: sets[name] for name in given.sets}
    depth, figures = best_depth(fitted_on)
    weights = fit([row for rows in fitted_on.values() for row in rows], depth)
    print(f"depth {depth}, weights {dict(zip(FEATURES, weights.tolist(), strict=True))}")
    looked = {name: sets[name] for name in given.look}
    _print(looked, table(looked, {n: [order_of(row, weights, depth) for row in rows] for n, rows in looked.items()}))
    fused, bearing, words = map(float, weights)
    scorer, fitted = small_scorer(settings).id, _fit_of(fitted_on, figures)
    found = Mixture(scorer=scorer, depth=depth, weights=(fused, bearing, words), fitted=fitted)
    given.out.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    print(f"written: {given.out}")


if __name__ == "__main__":
    main()
