"""A Chroma server in a process of its own, on a free port of this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_START = 30


@contextmanager
def chroma_at(path: Path) -> Iterator[str]:
    """Its address, once it listens; it keeps its index at `path`.

    Raises:
        RuntimeError: it ended, or does not listen after half a minute.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    words = [str(program), "run", "--path", str(path), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603 (ours)
        try:
            deadline = time.monotonic() + _LONGEST_START
            while not _is_open(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"`chroma run` on port {port} ended or does not listen")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _is_open(port: int) -> bool:
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) == 0
