"""Options several commands share, and the writing of reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EISDIR
from pathlib import Path
from typing import Annotated

import typer

SourcesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--sources", metavar="PATH", help="File or folder of sources for this run only; may be given several times."
    ),
]
StoreOption = Annotated[Path | None, typer.Option("--store", metavar="DIR", help="Folder of the store to search.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="local, openai or compatible.")]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="YYYY-MM-DD", help="See nothing that was published later.")
]
UndatedOption = Annotated[
    str | None,
    typer.Option(
        "--undated", metavar="drop|keep", help="With --as-of: what to do with undated sources; drop if not given."
    ),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="WHAT",
        help="Look at these sources only: kind:official, domain:example.org, publisher:NAME, id:ID; several times.",
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="WHAT", help="Leave these sources out, in the same form; several times."),
]
AbstainOption = Annotated[
    float | None, typer.Option("--abstain-below", metavar="P", help="Abstain when confidence is lower.")
]
MaxClaimsOption = Annotated[
    int | None, typer.Option("--max-claims", metavar="N", help="Verify only the N claims most worth checking.")
]
JudgeOption = Annotated[
    str | None,
    typer.Option("--judge", help="small: the cross-encoder; reading: a stronger one, too; model: the language model."),
]
CascadeOption = Annotated[
    float | None,
    typer.Option(
        "--cascade", metavar="P", help="Ask the language model only where the cross-encoders are less sure than P."
    ),
]
ThoroughOption = Annotated[
    bool | None,
    typer.Option(
        "--thorough", metavar="", help="Let the language model read the two best passages of each claim, too; slow."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", metavar="", help="One JSON object on standard output.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a self-contained HTML report.")]
MarkdownOption = Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write a Markdown report.")]
RunDirOption = Annotated[Path | None, typer.Option("--run-dir", metavar="DIR", help="Folder of the run log.")]
ReplayOption = Annotated[
    str | None,
    typer.Option("--replay", metavar="RUN", help="Do a finished run again from its record, without a model."),
]
ShowSettingsOption = Annotated[bool, typer.Option("--show-settings", metavar="", help="Print the settings and stop.")]


def require_writable(*places: Path | None) -> None:
    """Find out before the work whether reports can be written there.

    Raises:
        InputError: one cannot.
    """
    for path in places:
        if path is not None:
            with _part_of(path) as part:
                part.touch()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that under its name there is never a part of it.

    Raises:
        InputError: the place cannot be written.
    """
    with _part_of(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to first; at the end nothing is left under it."""
    from agent.errors import InputError

    part = None
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}; give another place") from error
    finally:
        with suppress(OSError):
            if part is not None:
                part.unlink(missing_ok=True)
