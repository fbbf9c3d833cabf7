"""How long `import agent` and `factdesk --help` take."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from evals.bench.measure import Measure, of, timed

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import agent": ["-c", "import agent"],
    "factdesk --help": ["-c", "import sys; sys.argv = ['factdesk', '--help']; from agent.cli import main; main()"],
    "factdesk eval --help": [
        "-c", "import sys; sys.argv = ['factdesk', 'eval', '--help']; from agent.cli import main; main()"
    ],
}  # fmt: skip


def measures(*, quick: bool = False) -> Iterator[Measure]:
    """Seconds of each command as a new process."""
    for name, arguments in COMMANDS.items():
        work = partial(subprocess.run, [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds = timed(work, repeats=1 if quick else 9)
        yield of(f"startup: {name}", seconds, "s")
