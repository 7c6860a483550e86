"""Loaded by every worker of a local cluster as it starts.

Ctrl-C in a terminal reaches the whole process group. What happens then is the driver's to decide: its workers finish
the tiles they are at.
"""

import signal

import sweep.execution.worker  # noqa: F401  (imports the solvers while the cluster starts, not with the first tile)
from solvers.fingerprint import code_of
from solvers.registry import find, module_of

signal.signal(signal.SIGINT, signal.SIG_IGN)


def know(model: str) -> None:
    """Find out the hash of a model's code ahead of its first tile, which takes a moment; it is kept."""
    code_of(module_of(find(model)))
