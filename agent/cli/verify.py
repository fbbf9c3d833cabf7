"""`factdesk verify` and `factdesk claim`."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import options as opt

if TYPE_CHECKING:
    from agent.domain import Document

_SHOWN = 60
"""Characters of a wrong argument in a message: it may be a whole article."""


def verify(
    article: Annotated[
        str | None, typer.Argument(help="File (txt, md, html, pdf, docx), or - for standard input.")
    ] = None,
    sources: opt.SourcesOption = None,
    store: opt.StoreOption = None,
    profile: opt.ProfileOption = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="YYYY-MM-DD|article", help="See nothing that was published later, or after the article."
        ),
    ] = None,
    undated: opt.UndatedOption = None,
    only: opt.OnlyOption = None,
    exclude: opt.ExcludeOption = None,
    abstain_below: opt.AbstainOption = None,
    max_claims: opt.MaxClaimsOption = None,
    judge: opt.JudgeOption = None,
    cascade: opt.CascadeOption = None,
    thorough: opt.ThoroughOption = None,
    json: opt.JsonOption = False,
    html: opt.HtmlOption = None,
    markdown: opt.MarkdownOption = None,
    run_dir: opt.RunDirOption = None,
    replay: opt.ReplayOption = None,
    show_settings: opt.ShowSettingsOption = False,
) -> None:
    """Verify every claim of an article against your sources.

    Sources: those of --sources; else the store of --store; else
    a `sources.jsonl` beside the article; else your default store.

    The same command again goes on where it was broken off.

    Exit code 0: done; 1: something has failed; 2: wrong input or settings.
    """
    from agent.cli.work import replay_run, run_desk, show
    from agent.errors import InputError
    from agent.ingest.read import read_document
    from agent.settings import load_settings

    opt.require_writable(html, markdown)
    if replay is not None:
        show(replay_run(replay, run_dir), json=json, html=html, markdown=markdown)
        return
    chosen = {
        "store_dir": store, "profile": profile, "as_of": None if as_of == "article" else as_of, "undated": undated,
        "only": only or None, "exclude": exclude or None,
        "abstain_below": abstain_below, "max_claims": max_claims,
        "judge": judge, "cascade": cascade, "thorough": thorough, "run_dir": run_dir,
    }  # fmt: skip
    settings = load_settings(chosen)
    if show_settings:
        print(settings.model_dump_json(indent=2))
        return
    if article is None:
        raise InputError("no article: give a file, or - to read standard input")
    path = _find(article)
    document = read_document(path) if path else read_document(None, data=sys.stdin.buffer.read())
    if as_of == "article":
        settings = settings.model_copy(update={"as_of": _day_of(document)})
    result = run_desk(document, settings, sources or _beside(path, store), whole=False)
    show(result, json=json, html=html, markdown=markdown)


def claim(
    text: Annotated[str, typer.Argument(help="One statement that can be true or false.")],
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
    json: opt.JsonOption = False,
    html: opt.HtmlOption = None,
    markdown: opt.MarkdownOption = None,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Verify one claim, without an article."""
    from agent.cli.work import run_desk, show
    from agent.errors import InputError
    from agent.ingest.read import read_document
    from agent.settings import load_settings

    if not text.strip():
        raise InputError(f"the claim {text!r} says nothing: give one statement in quotation marks")
    opt.require_writable(html, markdown)
    chosen = {
        "store_dir": store, "profile": profile, "as_of": as_of, "undated": undated,
        "only": only or None, "exclude": exclude or None,
        "abstain_below": abstain_below, "judge": judge, "cascade": cascade, "thorough": thorough, "run_dir": run_dir,
    }  # fmt: skip
    document = read_document(None, data=text.encode("utf-8", "replace"), name="claim")
    result = run_desk(document, load_settings(chosen), sources or [], whole=True)
    show(result, json=json, html=html, markdown=markdown)


def _day_of(article: Document) -> date:
    """The last day on which the article can have been published.

    Raises:
        InputError: it does not say.
    """
    from agent.domain import latest_day
    from agent.errors import InputError

    if article.published is None:
        raise InputError("the article says no date of its own: give the day itself, --as-of YYYY-MM-DD")
    return latest_day(article.published)


def _find(article: str) -> Path | None:
    """The file meant; a name under `seeds/` that is not in the working directory is that of the package.

    Raises:
        InputError: there is no such file; perhaps the text itself was given.
    """
    from importlib.resources import files

    from agent.errors import InputError

    if article == "-":
        return None
    path = Path(article)
    if _exists(path):
        return path
    if path.parts[:1] == ("seeds",):
        shipped: Any = files("seeds")
        for part in path.parts[1:]:  # a folder without __init__ takes one step at a time
            shipped = shipped.joinpath(part)
        if shipped.is_file():
            return Path(str(shipped))
    shown = article if len(article) <= _SHOWN else f"{article[:_SHOWN]}…"
    raise InputError(
        f"there is no file {shown!r}: give the path of one; a text itself goes to standard input"
        " (`factdesk verify -`), a single statement to `factdesk claim`"
    )


def _exists(path: Path) -> bool:
    """Whether it is there; what is too long for a name, or holds a NUL, is not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _beside(path: Path | None, store: Path | None) -> list[Path]:
    """The `sources.jsonl` beside an article, when no store was named."""
    if path is None or store is not None:
        return []
    found = path.with_name("sources.jsonl")
    if found.is_file():
        print(f"sources: {found} (beside the article)", file=sys.stderr)
        return [found]
    return []
