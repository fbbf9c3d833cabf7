"""A long run of random bytes, guided by coverage where atheris is there (`make fuzz`).

    python -m tests.fuzz [TARGET...] --seconds 60

Each target has a process of its own, for atheris never returns. What breaks a target is printed and kept in `--keep`.
Without atheris the seeds are changed at random, which finds less. Exit code 1 when a target broke.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
import traceback
from pathlib import Path


def main():
    given = parser().parse_args()
    if given.one:
        return run(given.one, given.seconds, given.keep)
    from tests.fuzz.targets import TARGETS

    broke = []
    for name in given.targets or TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", "--one", name, "--seconds", str(given.seconds)]
        code = subprocess.run([*command, "--keep", str(given.keep)], check=False).returncode
        print(f"{name}: {'as promised' if code == 0 else f'broke ({code})'}", flush=True)
        broke += [name] if code else []
    return int(bool(broke))


def run(name, seconds, keep):
    try:
        import atheris
    except ImportError:
        return plain_run(name, seconds, keep)
    with atheris.instrument_imports(include=["agent", "pypdf", "docx"]):
        from tests.fuzz.targets import SEEDS, TARGETS
    corpus = Path(keep, name)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={int(seconds)}", "-max_len=20000", "-timeout=20", "-rss_limit_mb=3000", "-verbosity=0"]
    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={corpus}/broke-", *options], TARGETS[name])
    atheris.Fuzz()
    return 0


def plain_run(name, seconds, keep):
    from tests.fuzz.targets import SEEDS, TARGETS

    dice, end, number = random.Random(7), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        data = changed(dice.choice(SEEDS[name]), dice)
        try:
            TARGETS[name](data)
        except Exception:
            traceback.print_exc()
            Path(keep).mkdir(parents=True, exist_ok=True)
            Path(keep, f"{name}-broke").write_bytes(data)
            return 1
    print(f"{name}: {number} inputs, without atheris", flush=True)
    return 0


def changed(data, dice):
    """Some bytes replaced, left out, doubled or put in."""
    found = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        place = dice.randrange(len(found) + 1)
        match dice.randrange(4):
            case 0:
                found[place : place + 1] = bytes([dice.randrange(256)])
            case 1:
                del found[place : place + dice.randint(1, 20)]
            case 2:
                found[place:place] = found[place : place + dice.randint(1, 50)]
            case _:
                found[place:place] = dice.randbytes(dice.randint(1, 6))
    return bytes(found)


def parser():
    found = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    found.add_argument("targets", nargs="*")
    found.add_argument("--one", help=argparse.SUPPRESS)
    found.add_argument("--seconds", type=float, default=60)
    found.add_argument("--keep", type=Path, default=Path(".factdesk/fuzz"), help="where inputs are kept")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
