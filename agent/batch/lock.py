"""One batch in a folder at a time: a lock of the operating system, which is free again however its holder ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import ConfigError

CANCEL = "cancel"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder.

    Raises:
        ConfigError: another process holds it.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / "run.pid"
    lock = FileLock(folder / "run.lock", timeout=0)
    try:
        with lock:
            holder.write_text(str(os.getpid()))
            (folder / CANCEL).unlink(missing_ok=True)
            yield
    except Timeout:
        who = holder.read_text() if holder.exists() else "unknown"
        raise ConfigError(
            f"batch {str(folder)!r} is being worked on by process {who}: wait for it, or stop it with"
            f" `factdesk batch cancel {folder}`"
        ) from None


def is_held(folder: Path) -> bool:
    """Whether a process is at work there."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / "run.lock", timeout=0):
            return False
    except Timeout:
        return True
