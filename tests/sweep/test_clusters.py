"""Clusters that are somebody else's: an address, a scheduler file; and those that do not answer."""

import json
import subprocess
import sys
import time

import pytest
from run_checks import assert_same_bits

from sweep import clusters, launch
from sweep.clusters import check_name
from sweep.errors import AbortedError, SpecError
from sweep.spec import read

SPEC = """
[sweep]
model = "toy.waves"
[axes]
a = { linspace = [0, 3, 20] }
b = { linspace = [0, 1, 10] }
[run]
tile = { a = 4 }
"""


def start_dask(spinsweep, folder):
    """A scheduler and a worker of their own, as an operator would start them: (processes, address, scheduler file)."""
    file = folder / "scheduler.json"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler += ["--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
    worker += ["--dashboard-address", "127.0.0.1:0", "--local-directory", str(folder / "worker")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": spinsweep.environment, "cwd": folder}
    started = [subprocess.Popen(scheduler, **quiet)]
    until = time.monotonic() + 60
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.1)
    started.append(subprocess.Popen(worker, **quiet))
    return started, json.loads(file.read_text())["address"], file


@pytest.fixture
def foreign(spinsweep, tmp_path):
    started, address, file = start_dask(spinsweep, tmp_path)
    yield address, file
    for process in reversed(started):
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.slow
def test_address_and_scheduler_file(foreign, spinsweep, tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC)
    address, file = foreign
    for name, where in (("by_address", address), ("by_file", file)):
        done = spinsweep("run", "spec.toml", "--out", name, "--cluster", where)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("dashboard: http")
    assert spinsweep("run", "spec.toml", "--out", "local").returncode == 0
    assert_same_bits(tmp_path / "local", tmp_path / "by_address")
    assert_same_bits(tmp_path / "local", tmp_path / "by_file")


def test_unknown_clusters_are_refused(tmp_path):
    with pytest.raises(SpecError, match="did you mean local"):
        check_name("locl")
    with pytest.raises(SpecError, match="dask scheduler --scheduler-file"):
        check_name(str(tmp_path / "none.json"))


def test_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 2)
    (tmp_path / "spec.toml").write_text(SPEC)
    with pytest.raises(AbortedError, match=r"no scheduler answers at tcp://127.0.0.1:9"):
        launch.run(read(tmp_path / "spec.toml"), tmp_path / "out", launch.Options(cluster="tcp://127.0.0.1:9"))
    assert not (tmp_path / "out").exists()
