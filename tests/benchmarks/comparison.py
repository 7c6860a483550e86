"""The table of all comparisons of one run: who did what in how much processor time, and what bounds it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numba
import numpy as np


def fastest(function: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """The least processor time of some calls in seconds, and what the last one returned; a first call is not measured."""
    function()
    best = np.inf
    for _ in range(rounds):
        begin = time.process_time()
        found = function()
        best = min(best, time.process_time() - begin)
    return best, found


def once(function: Callable[[], Any]) -> tuple[float, Any]:
    """The processor time of a single call, for peers that take seconds, and what it returned."""
    begin = time.process_time()
    found = function()
    return time.process_time() - begin, found


@numba.njit
def _nothing(x, y):
    return x + y


class Machine:
    """What this machine can do in the same run: the yardsticks of the bounds."""

    def __init__(self) -> None:
        a = np.random.default_rng(0).normal(size=(768, 768))
        self.flops = 2 * 768**3 / fastest(lambda: a @ a, 5)[0]
        """Multiplications and additions per second: a product of matrices in the cache, by the BLAS."""
        calls = 20_000
        self.call = fastest(lambda: [_nothing(1.0, 2.0) for _ in range(calls)], 5)[0] / calls
        """Seconds that Python needs to call compiled code with two numbers."""

    def text(self) -> str:
        """The machine, in a sentence."""
        cpu = next(
            (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
            platform.processor(),
        )
        return (
            f"{cpu}, one thread; {1e-9 * self.flops:.0f} Gflop/s in a product of matrices, {1e6 * self.call:.2f} us per call of "
            f"compiled code; Python {platform.python_version()}, NumPy {np.__version__}, Numba {numba.__version__}"
        )


def _lines(place: str) -> list[str]:
    path = Path(place)
    return path.read_text().splitlines() if path.is_file() else []


@dataclass(frozen=True)
class Row:
    """One comparison, in seconds of processor time for the same work; `reason` says what the bound counts."""

    work: str
    peer: str
    theirs: float
    ours: float
    reason: str
    bound: float

    def cells(self) -> list[str]:
        """The cells of the table."""
        ratio = f"{self.theirs / self.ours:.3g}" if np.isfinite(self.theirs) else "-"
        theirs = said(self.theirs) if np.isfinite(self.theirs) else "-"
        return [
            self.work,
            self.peer,
            theirs,
            said(self.ours),
            ratio,
            f"{said(self.bound)}: {self.reason}",
            f"{self.ours / self.bound:.2g}",
        ]


def said(seconds: float) -> str:
    """A time with three digits and its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


@dataclass
class Table:
    """Rows in the order in which they were measured."""

    rows: list[Row] = field(default_factory=list)
    _machine: Machine | None = None

    @property
    def machine(self) -> Machine:
        """Measured when it is first asked for."""
        if self._machine is None:
            self._machine = Machine()
        return self._machine

    def add(self, work: str, peer: str, theirs: float, ours: float, reason: str, bound: float) -> None:
        """Put in a comparison; `theirs` is NaN where there is no peer."""
        self.rows.append(Row(work, peer, theirs, ours, reason, bound))

    def text(self, before: str = "") -> str:
        """The table in Markdown; rows of the page `before` that were not measured again stay as they are."""
        heads = ["work", "peer", "peer's time", "ours", "ratio", "bound", "distance"]
        lines = {
            tuple(cells[:2]): cells
            for cells in (_cells(line) for line in before.splitlines())
            if len(cells) == len(heads)
        }
        lines = {("work", "peer"): heads, ("---", "---"): ["---"] * len(heads)} | lines
        lines |= {(row.work, row.peer): row.cells() for row in self.rows}
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines.values())

    def page(self, before: str = "") -> str:
        """The page of the documentation that shows the table."""
        return f"{_PAGE}{self.machine.text()}.\n\n{self.text(before)}\n"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("| ") else []


_PAGE = """# Benchmarks

What `bash deploy/local.sh bench --page deploy/docs/benchmarks.md` wrote; rows that a run does not measure stay on the page. Those
against dynamiqs are from a run of their own, `python -m pytest -m bench tests/benchmarks/test_bench_dynamiqs.py` in an
environment with dynamiqs installed, on one core without threads (`XLA_FLAGS=--xla_cpu_multi_thread_eigen=false
JAX_PLATFORMS=cpu taskset -c 1`). Ours and the peer's were measured in one process: processor time of one thread, the
least of several calls, compiled before. Answers are compared, and a difference beyond the tolerances fails the benchmark. The
ratio is the peer's time over ours.

The **bound** is the least time that the arithmetic of the algorithm takes at the rate of this machine's best product of matrices,
or, for the smallest points, the call itself; **distance** is our time over it. No such code reaches 1: its products are
small or sparse, its loops short, and sines and divisions take longer than they count. Each bound's origin stands
in `tests/benchmarks`.

Machine: """
