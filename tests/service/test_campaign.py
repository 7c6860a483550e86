"""A campaign of real faults: drivers and workers of one sweep after another are killed at random moments.

A few faults in the slow tests; `SPINSWEEP_FAULTS=200 pytest -m slow tests/service/test_campaign.py` is the long one.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter

import psutil
import pytest
from support.bits import assert_same_bits
from support.watching import PATIENCE, committed_points, wait_for

FAULTS = int(os.environ.get("SPINSWEEP_FAULTS", "12"))
SPEC = """
[sweep]
model = "toy.faulty"
[parameters]
kind = "raise"
at = 7.0
seconds = 0.004
[axes]
a = { linspace = [0.0, 39.0, 40] }
b = { linspace = [0.0, 1.0, 20] }
[run]
tile = { a = 1, b = 20 }
"""


def all_killed(process, chance):
    os.killpg(process.pid, signal.SIGKILL)


def driver_killed(process, chance):
    process.kill()


def one_of_it_killed(process, chance):
    children = psutil.Process(process.pid).children(recursive=True)
    if children:
        chance.choice(children).kill()


def interrupted(process, chance):
    process.send_signal(signal.SIGINT)


def terminated_twice(process, chance):
    process.terminate()
    time.sleep(chance.uniform(0.0, 0.2))
    process.terminate()


KINDS = (all_killed, driver_killed, one_of_it_killed, interrupted, terminated_twice)


@pytest.mark.slow
@pytest.mark.faults
def test_campaign(spinsweep, tmp_path):
    """After every fault what was committed stays; in the end the bits are those of an undisturbed run."""
    (tmp_path / "spec.toml").write_text(SPEC)
    assert spinsweep("run", "spec.toml", "--out", "quiet").returncode == 3  # one row of points fails, on purpose
    chance = random.Random(2026)
    counts = Counter()
    runs = 0
    while sum(counts.values()) < FAULTS:
        runs += 1
        out = f"run{runs}"
        where = ["--workers", "2"] if chance.random() < 0.5 else ["--cluster", "here"]
        words, before, ended = ("run", "spec.toml", "--out", out), 0, None
        while sum(counts.values()) < FAULTS and ended != 3:
            process = spinsweep.start(*words, *where)
            lease = tmp_path / out / "meta" / "lease.json"
            wait_for(lambda process=process, lease=lease: lease.exists() or process.poll() is not None, "a lease")
            time.sleep(chance.uniform(0.0, 2.0))
            if process.poll() is None:
                kind = chance.choice(KINDS)
                with contextlib.suppress(psutil.Error, ProcessLookupError):
                    kind(process, chance)
                    counts[kind.__name__] += 1
            try:
                process.communicate(timeout=PATIENCE)
            finally:
                spinsweep.kill_all()
            ended = process.returncode
            if (tmp_path / out / "meta" / "plan.json").exists():
                words = ("resume", out)
                now = committed_points(tmp_path / out)
                assert now >= before, f"{before - now} committed points are gone after {dict(counts)}"
                before = now
        assert spinsweep("resume", out, *where).returncode == 3
        assert_same_bits(tmp_path / "quiet", tmp_path / out)
    print(f"{sum(counts.values())} faults in {runs} runs: {dict(counts)}")
