"""The command line: one file for each command; the only place that prints."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from agent.cli import batch, chat, models, report, store, verify
from agent.cli import eval as evaluation
from agent.cli.doctor import doctor
from agent.cli.logs import start_logging
from agent.errors import AgentError
from agent.masking import masked


class _Commands(TyperGroup):
    """Hears of Ctrl-C and of a reader that left before Typer, which has exit codes of its own for them."""

    def invoke(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except KeyboardInterrupt:
            print("factdesk: stopped; what was finished is kept, the same command goes on from there", file=sys.stderr)
            raise SystemExit(130) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(141) from None


app = typer.Typer(
    name="factdesk",
    cls=_Commands,
    help="A fact desk in a box: an article in, a verdict with exact citations for every claim out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("verify")(verify.verify)
app.command("claim")(verify.claim)
app.command("chat")(chat.chat)
app.add_typer(batch.app, name="batch")
app.add_typer(store.app, name="store")
app.add_typer(evaluation.app, name="eval")
app.command("report")(report.report)
app.command("runs")(report.runs)
app.add_typer(models.app, name="models")
app.command("doctor")(doctor)


def _secrets() -> tuple[str, ...]:
    from agent.settings import known_secrets

    return known_secrets()


def _complain(said: str) -> None:
    """An error may hold words of a server or a file."""
    from agent.cli.view import plain

    print(plain(f"factdesk: {masked(said, _secrets())}"), file=sys.stderr)


def main() -> None:
    """Run a command; errors are one sentence on stderr: exit 2 for input and settings, 130 after Ctrl-C."""
    start_logging(_secrets, level=logging.DEBUG if os.environ.get("FACTDESK_DEBUG") else logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a page of code without ✓ must not end a run
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
    try:
        app(prog_name="factdesk")
    except AgentError as error:
        _complain(str(error))
        raise SystemExit(2) from None
    except Exception as error:
        if os.environ.get("FACTDESK_DEBUG"):
            raise
        _complain(f"a defect of factdesk itself ({type(error).__name__}: {error}); FACTDESK_DEBUG=1 shows where")
        raise SystemExit(70) from None
