"""Runs a suite: cases side by side, each kept when it is done; the same plan again goes on where it stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

from agent.desk import code_version, facts_of, open_desk
from agent.domain import Data, Failure, FailureKind, Usage, short_hash
from agent.errors import AgentError, InputError
from agent.events import Waiting
from agent.pipeline import Deps
from agent.runlog import RunLog
from agent.settings import Settings
from evals.cases import Case
from evals.journal import Journal
from evals.record import Manifest, Outcome, Spent
from evals.rescore import plan_of, rescore
from evals.runs import JOURNAL, MANIFEST, SPENT, RunFolder, write_whole
from evals.solvers.base import Solver
from evals.solvers.baselines import BASELINES
from evals.suites import find_suite, load_suite, name_of
from evals.work import Parts, Place, Plan, Task, cases_of, model_of, open_place, prompts_of, solver_of, task_of
from prompts import load

log = logging.getLogger(__name__)


class SuiteReady(Data):
    """The cases are known, and how many were done in an earlier sitting."""

    total: int
    kept: int


class CaseDone(Data):
    """A case is done and kept."""

    case_id: str
    done: int
    total: int
    failed: bool


Event = SuiteReady | CaseDone | Waiting
Listener = Callable[[Event], None]


def eval_dir(settings: Settings) -> Path:
    """Where runs are kept when no place is given."""
    return settings.run_dir / "evals"


def run_suite(
    plan: Plan,
    settings: Settings,
    listener: Listener = lambda _: None,
    *,
    out: Path | None = None,
    parts: Parts | None = None,
) -> RunFolder:
    """Run a suite, or go on with the same run, and score it.

    Args:
        plan: what to run.
        settings: of the pipeline.
        listener: hears of every finished case.
        out: folder of the run; by default one named after the run's id under `eval_dir`.
        parts: models in place of those the settings name.

    Raises:
        InputError: the suite cannot be read or has no case for the stage; the folder holds another run.
        ConfigError: a model is missing or its address or key is wrong.
        StoreError: the store or the journal cannot be written.
    """
    task = task_of(plan, load_suite(find_suite(str(plan.suite)), half=plan.half, limit=plan.limit))
    cases = cases_of(task)
    if not cases:
        raise InputError(f"suite {task.suite.name!r} has no case for stage {task.stage!r} in half {plan.half!r}")
    chosen = parts or Parts()
    with open_place(task, settings, chosen, lambda what: listener(Waiting(what=what))) as place:
        run = asyncio.run(_sittings(_Sitting(task, cases, settings, place, chosen, listener, out)))
    rescore(run, suite=task.suite)
    return run


def resume(
    run: RunFolder, settings: Settings, listener: Listener = lambda _: None, *, parts: Parts | None = None
) -> RunFolder:
    """Go on with a run that was broken off, with the plan of its manifest.

    Raises:
        InputError: the suite, the models or the settings are no longer those of the run.
    """
    return run_suite(plan_of(run.manifest), settings, listener, out=run.path, parts=parts)


class _Sitting:
    """What one sitting of a run works with."""

    def __init__(  # noqa: PLR0913, PLR0917 (all are facts of the one run)
        self,
        task: Task,
        cases: Sequence[Case],
        settings: Settings,
        place: Place,
        parts: Parts,
        listener: Listener,
        out: Path | None,
    ) -> None:
        self.task, self.cases, self.settings, self.place = task, cases, settings, place
        self.parts, self.listener, self.out = parts, listener, out
        self.done = 0

    @property
    def total(self) -> int:
        """Cases, each as often as it is repeated."""
        return len(self.cases) * self.task.plan.repeats

    def hear(self, event: object) -> None:
        """Pass on what the desk waits for; what it tells of claims is told by case."""
        if isinstance(event, Waiting):
            self.listener(event)


async def _sittings(sitting: _Sitting) -> RunFolder:
    """All repeats, each with model calls of its own."""
    run: RunFolder | None = None
    for repeat in range(1, sitting.task.plan.repeats + 1):
        calls = sitting.settings.run_dir if run is None else run.path / f"calls-{repeat}"
        model = model_of(sitting.task, sitting.settings, sitting.parts)
        with RunLog(calls) as calls_log:
            async with open_desk(sitting.settings, sitting.place.store, calls_log, sitting.hear, model=model) as deps:
                run = run or _open_run(sitting, deps)
                await _repeat(sitting, deps, run, repeat)
    assert run is not None
    return run


def _open_run(sitting: _Sitting, deps: Deps) -> RunFolder:
    """The folder of the run, new or the one to go on with."""
    manifest = _manifest(sitting, deps)
    run = RunFolder(sitting.out or eval_dir(sitting.settings) / manifest.id)
    if not (run.path / MANIFEST).is_file():
        if run.path.is_dir() and any(run.path.iterdir()):
            raise InputError(f"{str(run.path)!r} is not empty and holds no evaluation run: name another folder")
        run.path.mkdir(parents=True, exist_ok=True)
        write_whole(run.path / MANIFEST, manifest.model_dump_json(indent=2))
    elif run.manifest.id != manifest.id:
        changed = _changed(run.manifest, manifest)
        raise InputError(
            f"{str(run.path)!r} holds another run: {changed} differ; name another folder, or leave --out away"
        )
    with Journal(run.path / JOURNAL) as journal:
        listener_sees = SuiteReady(total=sitting.total, kept=len(journal.done()))
    sitting.listener(listener_sees)
    return run


def _changed(old: Manifest, new: Manifest) -> str:
    ours, theirs = old.model_dump(), new.model_dump()
    return ", ".join(name for name in ours if ours[name] != theirs[name] and name not in {"id", "started"})


def _manifest(sitting: _Sitting, deps: Deps) -> Manifest:
    """The record of a run to be: its id is a hash of all that can change its result."""
    task, place = sitting.task, sitting.place
    facts = facts_of(deps, place.store, place.embedder)
    facts |= {
        "code_version": f"{code_version()}.{_harness_hash(task.plan.solver)}",
        "prompts": {name: load(name).sha for name in prompts_of(task, sitting.settings)},
        "suite": task.suite.name,
        "suite_sha256": task.suite.sha256,
        "half": task.plan.half,
        "limit": task.plan.limit,
        "stage": task.stage,
        "evidence": task.evidence,
        "solver": task.plan.solver,
        "repeats": task.plan.repeats,
    }
    facts |= {"without": task.plan.without} if task.plan.without else {}
    return Manifest.model_validate(
        facts
        | {
            "id": short_hash(*(f"{name}={facts[name]!r}" for name in sorted(facts))),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "suite_folder": name_of(task.suite.folder),
            "profile": sitting.settings.profile,
        }
    )


@cache
def _harness_hash(solver: str) -> str:
    """Of the modules that decide what a case is and what is asked about it; scoring and reports may change freely."""
    root = files("evals")
    names = [
        root.joinpath(name) for name in ("cases.py", "suites.py", "passages.py", "attacks.py", "defences.py", "work.py")
    ]
    others = {f"{name}.py" for name in BASELINES if name != solver}
    solvers = sorted((one for one in root.joinpath("solvers").iterdir() if one.name.endswith(".py")), key=str)
    texts = (one.read_text(encoding="utf-8") for one in [*names, *solvers] if one.name not in others)
    return short_hash(*texts)[:8]


async def _repeat(sitting: _Sitting, deps: Deps, run: RunFolder, repeat: int) -> None:
    began = time.monotonic()
    before = run.spent
    solver = solver_of(sitting.task, deps, sitting.place)
    with Journal(run.path / JOURNAL) as journal:
        kept = journal.done()
        sitting.done += sum((case.id, repeat) in kept for case in sitting.cases)
        todo = [case for case in sitting.cases if (case.id, repeat) not in kept]
        try:
            await _together(todo, lambda case: _work(sitting, solver, case, journal, repeat), sitting.task.plan.workers)
        finally:
            usage = deps.paid().model_copy(update={"seconds": round(time.monotonic() - began, 1)})
            spent = Spent(
                usage=_sum(before.usage, usage), seconds_per_case=journal.seconds(), sittings=before.sittings + 1
            )
            write_whole(run.path / SPENT, spent.model_dump_json(indent=1))


def _sum(before: Usage, new: Usage) -> Usage:
    total = before + new
    return total.model_copy(update={"seconds": round(total.seconds, 1)})


async def _together(cases: Sequence[Case], work: Callable[[Case], Coroutine[None, None, None]], width: int) -> None:
    """So many cases at once, in order; the first error that ends the run is raised as itself, not as a group."""
    waiting = iter(cases)

    async def one_after_the_other() -> None:
        for case in waiting:
            await work(case)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(width, len(cases))):
                group.create_task(one_after_the_other())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def _work(sitting: _Sitting, solver: Solver[Case], case: Case, journal: Journal, repeat: int) -> None:
    """One case: solved, kept, told of."""
    began = time.monotonic()
    outcome = (await _solve(solver, case)).model_copy(update={"repeat": repeat})
    journal.save(outcome, seconds=round(time.monotonic() - began, 3))
    sitting.done += 1
    done = outcome.verification
    failed = outcome.failure is not None or (done is not None and done.failure is not None)
    sitting.listener(CaseDone(case_id=case.id, done=sitting.done, total=sitting.total, failed=failed))


async def _solve(solver: Solver[Case], case: Case) -> Outcome:
    try:
        return await solver.solve(case)
    except AgentError:
        raise
    except Exception as error:
        log.exception("defect while working on case %s", case.id)
        message = f"{type(error).__name__}: {error}"
        return Outcome(case_id=case.id, failure=Failure(stage="solver", kind=FailureKind.BUG, message=message))
