"""The work behind `factdesk batch run` and `retry`. Imported only when there is some."""

from __future__ import annotations

import asyncio
import json as js
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import typer

from agent.batch.budget import Budget, Price, price_of
from agent.batch.cluster import check_cluster, run_on_cluster
from agent.batch.engine import FAILED
from agent.batch.inputs import Row, check_inputs, read_inputs, read_places
from agent.batch.journal import FILE_NAME, State
from agent.batch.left import estimate, measured, sample_places
from agent.batch.results import write_results
from agent.batch.run import Desk, Plan, Progress, journal_of, run_batch, run_on_loop
from agent.cli.batch_view import batch_view
from agent.cli.view import plain, progress_view
from agent.desk import embedder_of
from agent.errors import AgentError, ConfigError
from agent.ingest.private import open_store
from agent.settings import Settings, load_settings

_OUTAGE = 1800.0
"""Seconds for which a batch waits for a server that is down, unless the settings say otherwise."""
_PROVIDER_WORKERS = 1000
"""Articles that wait for a provider's batch at once."""


@dataclass(frozen=True)
class Call:
    """What `batch run` was told."""

    inputs: list[str]
    out: Path
    chosen: dict[str, Any]
    sources: list[Path]
    workers: int | None = None
    limit: int | None = None
    limits: dict[str, Any] | None = None
    prices: Path | None = None
    dry_run: int | None = None
    """Articles of the sample; None is no dry run."""
    json_progress: bool = False
    provider_batch: bool = False
    engine: str = "here"
    actors: int | None = None
    folder: str = field(default_factory=os.getcwd)


def work(call: Call, *, wanted: tuple[State | None, ...] = (None,)) -> None:
    """Run it, write the results, say how it went."""
    settings = _patient(load_settings(call.chosen), call)
    check_inputs(call.inputs)
    price = _price(settings, call)
    if call.engine == "ray":
        if call.provider_batch:
            raise ConfigError("--engine ray and --provider-batch do not go together: leave one out")
        check_cluster(settings, call.sources)
    if call.dry_run is not None and _is_measured(call.out):
        _say_estimate(call, price)
        return
    plan = _plan(call, settings, wanted, price)
    progress = Progress()
    try:
        _verify(call, settings, plan, progress, price)
    except AgentError:
        _save_results(call.out, progress)
        raise
    with journal_of(call.out) as journal:
        written = write_results(journal, call.out)
        counts = journal.counts()
    _say_end(progress, counts, written, cost=price.of(progress.usage) if price else None)
    if progress.stopped == _INTERRUPTED:
        raise SystemExit(130)
    if call.dry_run is not None:
        _say_estimate(call, price)
        return
    if progress.stopped or set(counts) - {"done"}:
        raise typer.Exit(1)


def _verify(call: Call, settings: Settings, plan: Plan, progress: Progress, price: Price | None) -> None:
    embedder = embedder_of(settings)
    with ExitStack() as stack:
        with progress_view() as sources_view:  # its display ends before that of the batch begins
            store = stack.enter_context(open_store(settings, embedder, call.sources, sources_view))
        count = partial(_count, call, plan, _counts(call.out))
        with batch_view(progress, price, count, is_json=call.json_progress) as view:
            desk = Desk(settings, store, embedder, None, view.heard, is_provider_batch=call.provider_batch)
            run = run_on_cluster if call.engine == "ray" else run_batch
            start = partial(run, _rows(call), desk, plan, progress, view.told)
            run_on_loop(_stoppable(start, progress, at_once=call.provider_batch))


def _rows(call: Call) -> Iterable[Row]:
    return read_inputs(call.inputs, None if call.dry_run is None else sample_places(call.inputs, call.dry_run))


def _count(call: Call, plan: Plan, before: dict[str, int]) -> int:
    """Articles of this call, going by what was finished before it."""
    again = sum(before.get(state, 0) for state in plan.wanted if state)
    fresh = sum(1 for _ in read_places(call.inputs)) - sum(before.values()) if None in plan.wanted else 0
    return min(again + max(fresh, 0), plan.limit or sys.maxsize)


def _counts(out: Path) -> dict[str, int]:
    if not (out / FILE_NAME).is_file():
        return {}
    with journal_of(out) as journal:
        return journal.counts()


def _plan(call: Call, settings: Settings, wanted: tuple[State | None, ...], price: Price | None) -> Plan:
    return Plan(
        out=call.out,
        workers=call.workers or (_PROVIDER_WORKERS if call.provider_batch else settings.concurrency),
        wanted=wanted,
        budget=Budget(price=price, **(call.limits or {})),
        limit=call.limit if call.dry_run is None else call.dry_run,
        actors=call.actors,
        call=js.dumps(asdict(call), default=str) if wanted == (None,) else "",
    )


def _patient(settings: Settings, call: Call) -> Settings:
    changes: dict[str, object] = {} if "outage" in settings.model_fields_set else {"outage": _OUTAGE}
    if call.provider_batch:  # a call costs no connection there, only a day
        changes["concurrency"] = 1024
    return settings.model_copy(update=changes)


def _price(settings: Settings, call: Call) -> Price | None:
    price = price_of(settings.model, call.prices)
    return price.by_batch() if price and call.provider_batch else price


def _is_measured(out: Path) -> bool:
    if not (out / FILE_NAME).is_file():
        return False
    with journal_of(out) as journal:
        return measured(journal)[0].model_calls > 0


def _say_estimate(call: Call, price: Price | None) -> None:
    with journal_of(call.out) as journal:
        found = estimate(call.inputs, journal, price)
    print(f"left: {found.articles} articles, {found.characters} characters")
    if found.calls is None or found.tokens is None or found.seconds is None:
        print("nothing was measured, so there is no estimate: give --dry-run a sample, such as 3")
        return
    money = "price unknown" if found.cost is None else f"{found.cost:.4f} US dollars"
    print(f"estimate: {found.calls:.0f} model calls, {found.tokens:.0f} tokens, {money}, {found.seconds:.0f} s")
    print(f"in proportion to what {found.measured_articles} finished articles of this batch took, by length")


def _save_results(out: Path, progress: Progress) -> None:
    """Results of what was finished before a fatal error; of a batch that is not ours, nothing is touched."""
    if not progress.is_entered:
        return
    with suppress(AgentError), journal_of(out) as journal:  # the error that ended the batch is the one to tell
        for path in write_results(journal, out):
            print(f"written: {path}", file=sys.stderr)


def work_again(out: Path, *, workers: int | None, json_progress: bool) -> None:
    """Those that failed, with the inputs and settings of the batch."""
    with journal_of(out) as journal:
        kept = journal.meta("call")
    if kept is None:
        raise ConfigError(f"batch {str(out)!r} keeps no inputs: give its `batch run` command again")
    before = js.loads(kept)
    sources = [Path(name) for name in before["sources"]]
    kept_ways = {name: before[name] for name in ("provider_batch", "engine", "actors") if name in before}
    prices = Path(before["prices"]) if before.get("prices") else None
    call = Call(before["inputs"], out, before["chosen"], sources, workers, prices=prices, json_progress=json_progress)
    work(replace(call, **kept_ways), wanted=FAILED)


_INTERRUPTED = "it was interrupted"


async def _stoppable(start: Callable[[], Any], progress: Progress, *, at_once: bool) -> None:
    """Ctrl-C once: finish what is in flight; twice: stop now. `at_once`: it may take a day, so stop at the first."""
    task = asyncio.ensure_future(start())

    def interrupted() -> None:
        if progress.stopped == _INTERRUPTED or at_once:
            progress.stop(_INTERRUPTED)
            task.cancel()
            return
        progress.stop(_INTERRUPTED)
        text = "factdesk: finishing what is in flight; press Ctrl-C again to stop now, nothing finished is lost"
        print(text, file=sys.stderr, flush=True)

    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # Windows stops at the first
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, interrupted)
    try:
        await task
    except asyncio.CancelledError:
        if not at_once:
            raise KeyboardInterrupt from None


def _say_end(progress: Progress, counts: dict[str, int], written: tuple[Path, ...], *, cost: float | None) -> None:
    usage = progress.usage
    money = "price unknown" if cost is None else f"{cost:.4f} US dollars"
    tokens = usage.prompt_tokens + usage.completion_tokens
    states = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    print(f"{sum(counts.values())} articles in the journal: {states}", file=sys.stderr)
    print(f"this call: {usage.model_calls} model calls, {tokens} tokens, {money}", file=sys.stderr)
    for path in written:
        print(f"written: {path}", file=sys.stderr)
    if progress.stopped:
        text = f"factdesk: stopped, because {progress.stopped}; the same command goes on from there"
        print(plain(text), file=sys.stderr)
    elif set(counts) - {"done"}:
        print("factdesk: some articles failed; `factdesk batch retry RUN --failed` tries those again", file=sys.stderr)
