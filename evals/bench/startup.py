"""How long `import agent` and `factdesk --help` take."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import agent": ["-c", "import agent"],
    "factdesk --help": ["-c", "import sys; sys.argv = ['factdesk', '--help']; from agent.cli import main; main()"],
}


def main(repeats: int = 9) -> None:
    """Print the median and the range of some runs of each command as a new process."""
    for name, arguments in COMMANDS.items():
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (our own)
            seconds.append(time.perf_counter() - began)
        print(f"{name:<18} median {statistics.median(seconds):.3f} s  [{min(seconds):.3f}, {max(seconds):.3f}]")


if __name__ == "__main__":
    main()
