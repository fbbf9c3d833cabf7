"""`factdesk batch`: many articles, resumable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from agent.cli import options as opt

app = typer.Typer(no_args_is_help=True, help="Verify many articles; the same command again goes on.")
_SHOWN = 3
Engine = Literal["here", "ray"]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a batch.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Articles worked on at once.")]
MaxTokensOption = Annotated[int | None, typer.Option("--max-tokens", min=1, help="Stop after so many tokens.")]
MaxCostOption = Annotated[float | None, typer.Option("--max-cost", min=0, help="Stop after so many US dollars.")]
MaxTimeOption = Annotated[float | None, typer.Option("--max-time", min=0, metavar="S", help="Stop after seconds.")]
PricesOption = Annotated[Path | None, typer.Option("--prices", metavar="FILE", help="Table of prices (TOML).")]
JsonProgressOption = Annotated[
    bool, typer.Option("--json-progress", metavar="", help="One JSON object a finished article, on standard output.")
]


@app.command()
def run(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", help="Folders, files, globs; txt, md, html, pdf, docx, jsonl, csv, parquet."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the batch.")],
    sources: opt.SourcesOption = None,
    store: opt.StoreOption = None,
    profile: opt.ProfileOption = None,
    as_of: opt.AsOfOption = None,
    undated: opt.UndatedOption = None,
    only: opt.OnlyOption = None,
    exclude: opt.ExcludeOption = None,
    abstain_below: opt.AbstainOption = None,
    judge: opt.JudgeOption = None,
    cascade: opt.CascadeOption = None,
    thorough: opt.ThoroughOption = None,
    workers: WorkersOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Most articles in this call.")] = None,
    max_tokens: MaxTokensOption = None,
    max_cost: MaxCostOption = None,
    max_time: MaxTimeOption = None,
    prices: PricesOption = None,
    dry_run: Annotated[
        int | None,
        typer.Option(
            "--dry-run", min=0, metavar="N", help="Verify at most N articles, then say what the rest will take."
        ),
    ] = None,
    provider_batch: Annotated[
        bool,
        typer.Option("--provider-batch", metavar="", help="Ask through the Batch API: half the price, within a day."),
    ] = False,
    engine: Annotated[Engine, typer.Option("--engine", help="One process here, or actors on a Ray cluster.")] = "here",
    actors: Annotated[int | None, typer.Option("--actors", min=1, help="Processes on the cluster.")] = None,
    json_progress: JsonProgressOption = False,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Verify every article of the inputs, and write articles.jsonl, claims.csv, claimreview.json and index.html.

    The same command again goes on where it was broken off.

    Exit code 0: done; 1: some articles failed or are left; 2: wrong input or settings.
    """
    from dataclasses import replace

    from agent.cli.batch_work import Call, work

    chosen: dict[str, Any] = {
        "store_dir": store, "profile": profile, "as_of": as_of, "undated": undated,
        "only": only or None, "exclude": exclude or None,
        "abstain_below": abstain_below, "judge": judge, "cascade": cascade, "thorough": thorough, "run_dir": run_dir,
    }  # fmt: skip
    limits = {"tokens": max_tokens, "cost": max_cost, "seconds": max_time}
    call = Call(inputs, out, chosen, sources or [], workers, limit, limits, prices, dry_run)
    ways: dict[str, Any] = {"provider_batch": provider_batch, "engine": engine, "actors": actors}
    work(replace(call, json_progress=json_progress, **ways))


@app.command()
def retry(
    run: RunArgument,
    failed: Annotated[
        bool, typer.Option("--failed", metavar="", help="Those that failed; there is no other way yet.")
    ] = True,
    workers: WorkersOption = None,
    json_progress: JsonProgressOption = False,
) -> None:
    """Try the articles again that have failed, wholly or in part; no others."""
    from agent.cli.batch_work import work_again

    del failed
    work_again(run, workers=workers, json_progress=json_progress)


@app.command()
def status(run: RunArgument, json: opt.JsonOption = False) -> None:
    """Say how far a batch is."""
    from json import dumps

    from agent.batch.left import articles_left
    from agent.batch.lock import is_held
    from agent.batch.run import journal_of, provider_batches
    from agent.domain import Usage

    with journal_of(run) as journal:
        usage = Usage.model_validate_json(journal.meta("usage") or "{}")
        left = articles_left(journal)
        names = None if left is None else [place for place, _ in left]
        found = {
            "running": is_held(run), "left": names, "started": journal.meta("started"), "articles": journal.counts(),
            "claims": journal.claims(), "usage": usage.model_dump(mode="json"),
            "provider_batches": provider_batches(run),
        }  # fmt: skip
    if json:
        print(dumps(found, indent=2))
        return
    print(f"{'running' if found['running'] else 'not running'}, begun {found['started']}")
    print("not done: " + _some(names))
    for name in ("articles", "claims", "usage", "provider_batches"):
        print(f"{name}: {found[name]}")


def _some(names: list[str] | None) -> str:
    if names is None:
        return "unknown; ask in the folder where the batch was begun"
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{len(names)} ({', '.join(names[:_SHOWN])}{more})" if names else "0"


@app.command()
def results(run: RunArgument) -> None:
    """Make the result files again from the journal."""
    from agent.batch.results import write_results
    from agent.batch.run import journal_of

    with journal_of(run) as journal:
        for path in write_results(journal, run):
            print(path)


@app.command()
def cancel(run: RunArgument) -> None:
    """Let a running batch finish what is in flight, and stop."""
    from agent.batch.lock import CANCEL, is_held
    from agent.errors import InputError

    if not run.is_dir() or not is_held(run):
        raise InputError(f"no batch is running in {str(run)!r}: `factdesk batch status {run}` says how far it is")
    (run / CANCEL).touch()
    print("it finishes what is in flight, then stops", file=sys.stderr)
