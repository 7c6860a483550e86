"""Clusters that are somebody else's: an address, a scheduler file; and those that do not answer."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.bits import assert_same_bits
from support.dask_processes import start_dask
from support.watching import PATIENCE

import sweep.clusters
from sweep.clusters import address, kinds, slurm
from sweep.clusters.cluster import Wanted
from sweep.clusters.kinds import check_name
from sweep.clusters.slurm import profile_of
from sweep.clusters.times import seconds_of
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
        process.wait(timeout=PATIENCE)


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
        with pytest.raises(SpecError, match=r"allowed are here, local, moon:CRATER, .* an address"):
            check_name("mars")
    finally:
        kinds.kinds.cache_clear()
        sys.modules.pop("sweep.clusters.moon", None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 5400),  # SLURM: minutes
        ("01:30", 90),
        ("02:00:00", 7200),
        ("1-12", 129_600),
        ("1-00:00:10", 86_410),
        ("10m", 600),
        ("30s", 30),
    ],
)
def test_times_as_slurm_reads_them(text, seconds):
    assert seconds_of(text, "walltime") == seconds


def test_profiles_say_what_is_wrong_in_them(tmp_path):
    path = tmp_path / "mine.toml"
    for text, words in (
        ("walltme = '1h'", "no key 'walltme'.*did you mean walltime"),
        ("cores = 0", "cores must be at least 1"),
        ("cores = 'four'", "cores must be a whole number"),
        ("walltime = 'long'", "walltime must be a time like 02:00:00"),
        ("walltime = '00:10:00'\nmargin = '10m'", "less than the wall time"),
        ("jobs = 4\njobs_at_most = 2", "jobs_at_most must be at least jobs = 4"),
    ):
        path.write_text(f"[slurm]\n{text}\n")
        with pytest.raises(SpecError, match=words):
            profile_of(str(path))
    path.write_text("[slrm]\n")
    with pytest.raises(SpecError, match="is unknown; allowed are"):
        check_name(str(path))
    with pytest.raises(SpecError, match=r"srun starts in a job.*one_job.sh"):
        check_name("slurm-job")


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "deploy" / "slurm").glob("*.toml")), ids=lambda p: p.name
)
def test_profiles_that_are_shipped(path):
    """Each is read, and its workers leave before the wall time, each job of several at another moment."""
    pytest.importorskip("dask_jobqueue", reason="Python package dask-jobqueue is not installed: pip install '.[slurm]'")
    from dask_jobqueue.slurm import SLURMJob

    profile = profile_of(str(path))
    options = {
        **slurm.job_options(profile, Wanted(preload="a.module"), str(path)),
        "log_directory": None,
        "interface": None,
    }
    script = SLURMJob(scheduler="tcp://127.0.0.1:9", name="one", **options).job_script()
    assert f"#SBATCH -t {profile.walltime}" in script
    assert f"+ {profile.seconds('')} + RANDOM % {profile.stagger_seconds('')}" in script
    assert "--nthreads 1" in script and "--preload sweep.clusters.leave_in_time --preload a.module" in script


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
