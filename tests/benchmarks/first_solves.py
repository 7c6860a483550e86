"""Processor time of the first `solve` of every model and method in a fresh process with an empty kernel cache.

    python tests/benchmarks/first_solves.py [MODEL:METHOD ...]

A table, longest first, of those that take more than LONG seconds, and how many there are of each kind. What is timed is the
solution of the model's example by a process that has imported the package.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import solvers

LONG = 5.0

ONE = """
import sys, time, warnings
import solvers
model, method = sys.argv[1].split(":")
example = solvers.find(model).example
warnings.simplefilter("ignore")
start = time.process_time()
solvers.solve(model, method, **example)
print(time.process_time() - start)
"""


def first_solve(pair: str) -> float:
    """Seconds of processor time of one fresh process."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"SPINSWEEP_CACHE_DIR": cache, "OPENBLAS_NUM_THREADS": "1"}
        told = subprocess.run(
            [sys.executable, "-c", ONE, pair], env=environment, check=True, capture_output=True, text=True
        )
    return float(told.stdout.split()[-1])


def main(pairs: list[str]) -> None:
    """Print the table."""
    known = solvers.models()
    pairs = pairs or [f"{i}:{m.name}" for i, model in known.items() for m in model.methods if not i.startswith("toy.")]
    found = sorted(((first_solve(pair), pair) for pair in pairs), reverse=True)
    for seconds, pair in found:
        if seconds > LONG:
            print(f"{seconds:6.1f} s  {pair}")
    print(
        f"{sum(s > LONG for s, _ in found)} of {len(found)} take more than {LONG:g} s, all together {sum(s for s, _ in found):.0f} s"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
