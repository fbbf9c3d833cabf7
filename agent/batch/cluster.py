"""A batch on a Ray cluster: what is not finished is handed out to actors, and what they have kept is merged.

Each actor verifies articles as one machine does. What is finished, by the journal, is not handed out; the journals of
the actors go into it under the same keys when the batch ends or is begun again. Evidence comes from Chroma over HTTP,
as a folder of Chroma's belongs to one process.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from agent.batch.actor import LOCK, Report, Shift, VerifyArticles, packed
from agent.batch.engine import Work, key_of
from agent.batch.inputs import Row
from agent.batch.journal import FILE_NAME, Item, Journal
from agent.batch.lock import held
from agent.batch.run import Desk, Plan, Progress, add_usage, enter, stopper
from agent.desk import facts_of, open_desk
from agent.domain import Usage
from agent.errors import ConfigError
from agent.runlog import FILE_NAME as LOG_NAME
from agent.runlog import RunLog
from agent.settings import Settings

_ROWS_A_FILE = 500
_ROUNDS = 8
"""Tables an actor gets, at least, so that no actor is left alone with the last of the work."""
_PATIENCE = 60.0
"""Seconds for actors of an earlier call to end."""


@dataclass
class _Folder:
    """Files of the batch that all machines see."""

    out: Path
    paid: dict[str, Usage] = field(default_factory=dict)

    @property
    def parts(self) -> Path:
        return self.out / "parts"

    @property
    def todo(self) -> Path:
        return self.out / "todo"

    @property
    def stop(self) -> Path:
        return self.parts / "stop"

    @property
    def calls(self) -> Path:
        return self.parts / "calls.sqlite"

    def clear(self) -> None:
        shutil.rmtree(self.todo, ignore_errors=True)
        self.todo.mkdir(parents=True)
        self.parts.mkdir(exist_ok=True)
        self.stop.unlink(missing_ok=True)
        for path in self.parts.glob(f"{self.calls.name}*"):  # a broken-off write leaves a journal of its own
            path.unlink()


def check_cluster(settings: Settings, sources: Iterable[Path]) -> None:
    """Whether a batch can be spread over processes at all.

    Raises:
        ConfigError: Ray is not installed, or the store is one that only one process may read.
    """
    if settings.chroma_url is None or any(sources):
        raise ConfigError(
            "--engine ray takes its evidence from a store whose Chroma is a server that all machines reach: begin one"
            " with `chroma run`, set FACTDESK_CHROMA_URL, fill it with `factdesk store add SOURCES`, give no --sources"
        )
    try:
        import ray.data
    except ImportError as error:
        raise ConfigError(f"--engine ray needs Ray ({error}): pip install 'factdesk[ray]'") from None
    del ray


async def run_on_cluster(
    rows: Iterable[Row], desk: Desk, plan: Plan, progress: Progress, told: Callable[[Row, Item], None]
) -> None:
    """As `run_batch`, by `plan.actors` processes, each of them with `plan.workers` articles at once.

    Raises:
        ConfigError: as `run_batch`; or a machine of the cluster differs from this one.
        StoreError: a journal or run log cannot be written.
    """
    folder = _Folder(plan.out)
    with held(plan.out), Journal(plan.out) as journal, RunLog(desk.settings.run_dir) as log:
        async with open_desk(desk.settings, desk.store, log) as deps:
            facts = facts_of(deps, desk.store, desk.embedder)
            started = enter(journal, facts, plan)
            progress.is_entered = True
            _merge(folder, journal, log)
            work = Work(deps, facts, started, journal, plan.workers, plan.wanted)
            shift = Shift(desk.settings, folder.parts, folder.calls, folder.stop, facts, started, plan.workers)
            try:
                count = await asyncio.to_thread(_hand_out, enumerate(rows), work, folder, plan.limit)
                if count:
                    log.snapshot_calls(folder.calls)
                    on_ray = partial(_on_ray, shift, folder.todo, count, plan.actors)
                    heard = _listener(folder, progress, told)
                    await _watched(partial(on_ray, heard), folder, stopper(plan, progress, lambda: progress.usage))
            finally:
                await asyncio.to_thread(_merge, folder, journal, log)
                add_usage(journal, progress.usage, progress)


def _listener(folder: _Folder, progress: Progress, told: Callable[[Row, Item], None]) -> Callable[[Report], None]:
    def heard(report: Report) -> None:
        folder.paid[report.actor] = report.paid
        total = sum(folder.paid.values(), Usage())
        progress.usage = total.model_copy(update={"seconds": max(one.seconds for one in folder.paid.values())})
        progress.finished[report.item.state] += 1
        progress.claims.update(report.item.claims)
        progress.characters += report.characters
        told(report.row, report.item)

    return heard


def _merge(folder: _Folder, journal: Journal, log: RunLog) -> None:
    """Take in what the actors have kept, also those of a process that ended before it could."""
    from filelock import FileLock, Timeout

    for part in sorted(path for path in folder.parts.glob("*/") if path.is_dir()):
        try:
            with FileLock(part / LOCK, timeout=_PATIENCE):
                if (part / LOG_NAME).is_file():
                    log.merge_calls(part / LOG_NAME)
                if (part / FILE_NAME).is_file():
                    journal.merge(part)
        except Timeout:
            raise ConfigError(f"an actor is still at work in {str(part)!r}: stop the cluster, or wait for it") from None
        shutil.rmtree(part)


def _hand_out(rows: Iterator[tuple[int, Row]], work: Work, folder: _Folder, limit: int | None) -> int:
    """Write what is not finished to files for the actors to read; gives the number of articles."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    folder.clear()
    count = 0
    kept: list[dict[str, Any]] = []
    taken: set[str] = set()

    def write() -> None:
        write_table(pa.Table.from_pylist(kept), folder.todo / f"{count:09}.parquet")
        kept.clear()

    for ordinal, row in rows:
        if count == limit:
            break
        key = key_of(row, work)
        if key in taken or work.journal.state(key) not in work.wanted:
            work.journal.link(row, ordinal, key)
            continue
        taken.add(key)
        count += 1
        kept.append(packed(ordinal, row))
        if len(kept) == _ROWS_A_FILE:
            write()
    if kept:
        write()
    return count


async def _watched(work: Callable[[], None], folder: _Folder, should_stop: Callable[[], bool]) -> None:
    """Have the actors work, and see to it that they take no more when they must not."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        while not task.done():
            await asyncio.wait([task], timeout=0.5)
            if should_stop():
                folder.stop.touch()
        await task
    except asyncio.CancelledError:
        import ray

        ray.shutdown()
        raise


def _on_ray(shift: Shift, todo: Path, count: int, actors: int | None, heard: Callable[[Report], None]) -> None:
    import ray.data

    with _cluster():
        ray.data.DataContext.get_current().enable_progress_bars = False
        many = actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
        found = ray.data.read_parquet(str(todo.absolute())).map_batches(
            VerifyArticles,
            fn_constructor_args=(shift,),
            batch_size=max(1, min(8 * shift.workers, -(-count // (_ROUNDS * many)))),
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=many),
            num_cpus=0.5,  # they mostly wait, and whoever reads the files needs the rest
        )
        for row in found.iter_rows():
            report = Report(row)
            if report.fatal:
                raise ConfigError(report.fatal)
            heard(report)


@contextmanager
def _cluster() -> Iterator[None]:
    """The cluster that RAY_ADDRESS names, or one of this machine."""
    import ray

    if ray.is_initialized():
        yield
        return
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        yield
    finally:
        ray.shutdown()
