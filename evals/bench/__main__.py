"""All benchmarks, or those named: `python -m evals.bench [startup] [latency] [harness] [seed]`."""

from __future__ import annotations

import argparse

from evals.bench import harness, latency, seed, startup

BENCHES = {"startup": startup.main, "latency": latency.main, "harness": harness.main, "seed": seed.main}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("names", nargs="*", choices=[[], *BENCHES], metavar="NAME", help=", ".join(BENCHES))
for name in parser.parse_args().names or BENCHES:
    print(f"== {name}")
    BENCHES[name]()
