"""Fit how `--thorough` pools cross-encoders and embedded language model, on the tuning half of the shared sets.

    python -m evals.training.fit_thorough --data ../shared/data --limit 30 --run-dir RUNS

Least weighted log loss of the gold stances by L-BFGS, with the weights of `fit_stance`. Prints what each opinion alone
is worth on each set: accuracy between the two sides, and macro-F1 of the three stances. Replies are kept in RUNS, so
the same command goes on where it was broken off.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.desk import embedder_of, language_model_judge, open_desk, reading_judge
from agent.domain import Hit, Stance
from agent.runlog import RunLog
from agent.settings import load_settings
from agent.stages.judge import StanceJudge
from agent.stages.thorough import Blend, scores_of
from agent.store.memory import MemoryStore
from evals.cases import StanceCase
from evals.training.fit_reading import figures
from evals.training.fit_stance import FIT_SETS, fit_of, load_cases, weights_of

_FITTED = ("own", "other", "refutes_bias", "neutral_bias")
_BOUNDS = [(0.0, 3.0)] * 2 + [(-3.0, 3.0)] * 2


class Both(NamedTuple):
    """Probabilities of the two judges; shape (cases, 3)."""

    own: NDArray[np.float64]
    other: NDArray[np.float64]


async def read_by_both(cases: Sequence[StanceCase], run_dir: Path) -> tuple[Both, Blend]:
    """What both judges say of the passage of each case, and the blend to be fitted."""
    settings = load_settings({"profile": "local", "judge": "reading", "run_dir": run_dir})
    first = reading_judge(settings)
    store = MemoryStore([], embedder=embedder_of(settings))
    async with open_desk(settings, store, RunLog(run_dir)) as desk:
        second = language_model_judge(desk.model, settings)
        own, other = [], []
        for number, case in enumerate(cases, 1):
            own.append(await _ask(first, case))
            other.append(await _ask(second, case))
            if number % 10 == 0:
                print(f"{number} of {len(cases)}", flush=True)
    return Both(np.array(own), np.array(other)), Blend(first=first.id, second=second.id)


async def _ask(judge: StanceJudge, case: StanceCase) -> NDArray[np.float64]:
    hit = Hit(passage=case.passage, rank=1, score=1.0, origin=case.document.id)
    found = await judge.judge(case.claim, [hit], {case.document.id: case.document})
    return scores_of(found.evidence[0])


def fit(both: Both, gold: NDArray[np.int64], weights: NDArray[np.float64], base: Blend) -> Blend:
    """The blend with the least weighted log loss."""
    from scipy.optimize import minimize

    def cost(values: NDArray[np.float64]) -> float:
        chances = _with(base, values).apply(both.own, both.other)[np.arange(len(gold)), gold]
        return float(-(weights * np.log(np.maximum(chances, 1e-12))).sum())

    found = minimize(cost, np.array([1.0, 0.1, 0.0, 0.0]), method="L-BFGS-B", bounds=_BOUNDS, options={"eps": 1e-5})
    alone = minimize(
        cost, np.array([1.0, 0.0, 0.0, 0.0]), method="L-BFGS-B",
        bounds=[_BOUNDS[0], (0.0, 0.0), *_BOUNDS[2:]], options={"eps": 1e-5},
    )  # fmt: skip
    print(f"loss of both {found.fun:.4f}, of the cross-encoders alone {alone.fun:.4f}")
    return _with(base, found.x.round(3))


def _with(base: Blend, values: NDArray[np.float64]) -> Blend:
    return base.model_copy(update=dict(zip(_FITTED, map(float, values), strict=True)))


def table(sets: dict[str, tuple[StanceCase, ...]], both: Both, gold: NDArray[np.int64], blend: Blend) -> Iterator[str]:
    """A line for each set: two-way accuracy and macro-F1 of each judge and of both together."""
    known = both._asdict() | {"pooled": blend.apply(*both)}
    start = 0
    for name, cases in sets.items():
        rows = slice(start, start := start + len(cases))
        worth = {which: figures(chances[rows], gold[rows]) for which, chances in known.items()}
        cells = [f"{which} {two:.3f} {f1:.3f}" for which, (two, f1) in worth.items()]
        yield f"{name} n={len(cases)}: " + "; ".join(cells)


def main() -> None:
    """Let both read, fit, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, required=True, help="most items of a set")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--run-dir", type=Path, required=True, help="where replies are kept")
    parser.add_argument("--out", type=Path, default=Path(str(files("agent.stages").joinpath("thorough.json"))))
    given = parser.parse_args()
    sets = {name: load_cases(given.data / name, limit=given.limit) for name in FIT_SETS}
    cases = tuple(case for found in sets.values() for case in found)
    gold = np.array([list(Stance).index(case.stance) for case in cases])
    both, base = asyncio.run(read_by_both(cases, given.run_dir))
    found = fit(both, gold, weights_of(sets), base.model_copy(update={"fitted": fit_of(sets)}))
    print("\n".join(table(sets, both, gold, found)))
    given.out.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
