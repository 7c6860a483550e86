"""Clusters that are somebody else's: an address, a scheduler file; and those that do not answer."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.bits import assert_same_bits
from support.dask_processes import start_dask

import sweep.clusters
from sweep.clusters import address, kinds
from sweep.clusters.cluster import Wanted
from sweep.clusters.kinds import check_name
from sweep.errors import AbortedError, SpecError
from sweep.execution import launch
from sweep.spec.documents import read
from sweep.spec.parsing import parse

SPEC = """
[sweep]
model = "toy.waves"
[axes]
a = { linspace = [0, 3, 20] }
b = { linspace = [0, 1, 10] }
[run]
tile = { a = 4 }
"""


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


def test_new_kind_is_one_new_file(tmp_path, monkeypatch):
    """A file with a KIND in the folder of clusters is found, asked, and its cluster is let go at the end."""
    (tmp_path / "moon.py").write_text(
        "from sweep.clusters.cluster import Cluster, Kind\n"
        "closed = []\n"
        "def connect(stack, name, wanted):\n"
        "    stack.callback(closed.append, (name, wanted.workers))\n"
        "    return Cluster(client=None)\n"
        "KIND = Kind('moon:CRATER', lambda name: name.startswith('moon:'), connect)\n"
    )
    monkeypatch.setattr(sweep.clusters, "__path__", [*sweep.clusters.__path__, str(tmp_path)])
    kinds.kinds.cache_clear()
    try:
        with kinds.connect("moon:tycho", Wanted(3)) as cluster:
            assert not cluster.ours
            assert cluster.replace(set()) == []
        assert sys.modules["sweep.clusters.moon"].closed == [("moon:tycho", 3)]
        with pytest.raises(SpecError, match="allowed are here, local, moon:CRATER, an address"):
            check_name("mars")
    finally:
        kinds.kinds.cache_clear()
        sys.modules.pop("sweep.clusters.moon", None)


def test_dask_keeps_its_settings_after_the_first_run():
    """In a fresh process, where connecting is what imports distributed: a second run needs its defaults too."""
    code = """
import sys
from sweep.clusters import kinds
from sweep.clusters.cluster import Cluster, Kind

def connect(stack, name, wanted):
    import distributed
    return Cluster(client=None)

kinds.kinds = lambda: {"moon": Kind("moon", lambda name: True, connect)}
assert "distributed" not in sys.modules
with kinds.connect("moon"):
    pass
import dask
print(dask.config.get("distributed.comm.require-encryption", "lost"), dask.config.get("distributed.scheduler.allowed-failures"))
"""
    top = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=top, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["None", "3"], done.stderr


def test_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(address, "CONNECT_SECONDS", 2)
    (tmp_path / "spec.toml").write_text(SPEC)
    with pytest.raises(AbortedError, match=r"no scheduler answers at tcp://127.0.0.1:9"):
        launch.run(parse(read(tmp_path / "spec.toml")), tmp_path / "out", launch.Options(cluster="tcp://127.0.0.1:9"))
    assert not (tmp_path / "out").exists()
