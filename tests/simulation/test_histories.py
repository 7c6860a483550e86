"""Random histories of whole runs: crashes, power cuts, full disks, lost workers, second drivers; one seed is one history."""

import os
from collections import Counter

import pytest
from support.simulated.history import play

pytestmark = pytest.mark.simulation
HISTORIES = int(os.environ.get("SPINSWEEP_HISTORIES", "1000"))
"""How many; SPINSWEEP_HISTORIES=100000 for a long night."""
FIRST = int(os.environ.get("SPINSWEEP_SEED", "0"))
FAULTS = (
    "kill",
    "power cut",
    "EIO",
    "ENOSPC",
    "full disk",
    "corrupt chunk",
    "lost worker",
    "late receipt",
    "doubled receipt",
    "disk error of a worker",
    "poison point",
    "clock jump",
    "cancel",
    "second driver",
    "driver that sleeps",
)


def replay(seed):
    return f"SPINSWEEP_SEED={seed} SPINSWEEP_HISTORIES=1 .venv/bin/python -m pytest -m simulation tests/simulation/test_histories.py"


def test_histories_end_well():
    faults, episodes = Counter(), 0
    for seed in range(FIRST, FIRST + HISTORIES):
        try:
            report = play(seed)
        except BaseException as error:
            pytest.fail(f"history {seed}: {type(error).__name__}: {error}; again with: {replay(seed)}")
        faults += report.faults
        episodes += report.episodes
    print(f"\n{HISTORIES} histories, {episodes} drivers, faults: {dict(faults.most_common())}")
    if HISTORIES >= 1000:
        assert set(FAULTS) <= set(faults), "every kind of fault was tried"
        assert sum(faults.values()) > 2 * HISTORIES
