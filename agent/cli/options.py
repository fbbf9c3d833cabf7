"""Options several commands share, and the settings they add up to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

SourcesOption = Annotated[
    list[Path] | None,
    typer.Option("--sources", help="File or folder of sources for this run only; may be given several times."),
]
StoreOption = Annotated[Path | None, typer.Option("--store", help="Folder of the store to search.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="local, openai or compatible.")]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="YYYY-MM-DD", help="See nothing that was published later.")
]
UndatedOption = Annotated[str | None, typer.Option("--undated", help="With --as-of: drop or keep undated sources.")]
AbstainOption = Annotated[
    float | None, typer.Option("--abstain-below", metavar="P", help="Abstain when confidence is lower.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write a self-contained HTML report.")]
MarkdownOption = Annotated[Path | None, typer.Option("--markdown", help="Write a Markdown report.")]
RunDirOption = Annotated[Path | None, typer.Option("--run-dir", help="Folder of the run log.")]
ReplayOption = Annotated[
    str | None,
    typer.Option("--replay", metavar="RUN", help="Do a finished run again from its record, without a model."),
]
ShowSettingsOption = Annotated[bool, typer.Option("--show-settings", help="Print the settings and stop.")]


def write_whole(path: Path, text: str) -> None:
    """Write a file so that under its name there is never a part of it.

    Raises:
        InputError: the place cannot be written.
    """
    from agent.errors import InputError

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}; give another place") from error
