"""Clusters that cannot start, or end in the middle: one sentence, at once, and nothing of Dask's behind it."""

import functools
import os
import resource
import subprocess
import sys
import types

import pytest
from support.dask_processes import start_dask
from support.watching import PATIENCE, Portions, wait_for_tiles, write_spec

from sweep.clusters import kinds, kubernetes
from sweep.clusters.cluster import Wanted
from sweep.errors import AbortedError
from sweep.plan.machine import cores

SPEC = '[sweep]\nmodel = "toy.waves"\n[axes]\na = [0.1, 0.2]\n'


@pytest.fixture
def refused(cli, tmp_path):
    """The sentence with which `run` refuses these words."""
    (tmp_path / "spec.toml").write_text(SPEC)

    def go(*words):
        said = cli("run", tmp_path / "spec.toml", "--out", tmp_path / "out", *words, status=2)
        assert said.startswith("spinsweep: ") and said.count("\n") == 1
        assert not (tmp_path / "out").exists()
        return said

    return go


@pytest.mark.parametrize("memory", ["100MB", "-1", "-2GiB", "0", "255MiB"])
def test_too_little_memory_for_a_worker(memory, refused):
    assert "--memory must be at least 256 MiB" in refused(f"--memory={memory}")


@pytest.mark.parametrize("memory", ["much", "1e400GB", "2 GiB 3"])
def test_memory_that_is_no_size(memory, refused):
    assert "--memory must be a size like 2GiB" in refused(f"--memory={memory}")


@pytest.mark.parametrize("place", ["/dev/null/scratch", "/proc/scratch", "/" + "x" * 300])
def test_scratch_folder_that_cannot_be_written_to(place, refused):
    import dask

    with dask.config.set({"temporary-directory": place}):
        assert f"workers cannot write their scratch files to {place}" in refused("--workers", "2")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is a pipe or a device"), ("a = " + "[" * 50_000, "is unknown"), ("a = " + "9" * 10_000, "is unknown")],
    ids=["pipe", "brackets", "digits"],
)
def test_profiles_that_are_none(content, words, refused, tmp_path):
    path = tmp_path / "profile.toml"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(content)
    assert words in refused("--cluster", path)


def test_workers_that_do_not_start(monkeypatch):
    """Whatever Dask's error came from is told in a line."""
    import distributed

    def fail(**options):
        try:
            raise OSError(24, "Too many open files")
        except OSError as error:
            raise RuntimeError("Nanny failed to start.") from error

    monkeypatch.setattr(distributed, "LocalCluster", fail)
    with (
        pytest.raises(AbortedError, match=r"cannot be started: OSError: \[Errno 24\] Too many open files$"),
        kinds.connect("local", Wanted(2)),
    ):
        pass


def test_kubernetes_that_cannot_be_reached_leaves_nothing_to_end(monkeypatch):
    """What its constructor has left behind would be ended as Python ends, with a traceback."""
    pytest.importorskip("dask_kubernetes")
    made = []

    class KubeCluster:
        _instances = set()  # noqa: RUF012

        def __init__(self, **options):
            self._instances.add(self)
            raise ValueError("Unable to find valid credentials")

        def close(self, timeout):
            made.append(timeout)
            raise ValueError("Unable to find valid credentials")

    operator = types.SimpleNamespace(KubeCluster=KubeCluster)
    monkeypatch.setitem(sys.modules, "dask_kubernetes.operator", operator)
    monkeypatch.setattr(kubernetes, "cluster_spec", lambda profile, wanted: {})
    with pytest.raises(AbortedError, match="Unable to find valid credentials"), kinds.connect("kubernetes"):
        pass
    assert made and not KubeCluster._instances


def test_cores_are_those_that_this_process_may_use():
    """Affinity counts; quotas of a container are found as Dask finds them."""
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\nfrom sweep.plan.machine import cores\nprint(cores())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize(("quota", "count"), [(50_000, 1), (100_000, 1), (150_000, 2), (10**9, None)])
def test_quota_of_a_container_counts(quota, count, monkeypatch):
    """A half processor is one worker; of no quota at all, or one beyond the machine, the machine's own count."""
    import dask.system

    monkeypatch.setattr(dask.system, "_try_extract_cgroup_cpu_quota", lambda: (quota, 100_000))
    found = dask.system.cpu_count()
    monkeypatch.undo()
    assert found == min(count or dask.system.cpu_count(), dask.system.cpu_count())
    assert cores() == dask.system.CPU_COUNT


SCRIPT = """
import sweep
data = sweep.Sweep(model="toy.waves", axes={"a": [0.1, 0.2]}).run(workers=2, store="out")
"""


@pytest.mark.slow
def test_script_without_its_main_line_is_told_so(tmp_path, monkeypatch):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1  # its own
    last = done.stderr.splitlines()[-1]
    assert last.startswith("sweep.errors.RunError: ") and 'below a line `if __name__ == "__main__":`' in last
    assert not (tmp_path / "out").exists()


@pytest.mark.faults
def test_scheduler_that_dies_in_the_middle(spinsweep, tmp_path):
    """The run ends with its sentence, and what is committed stays."""
    write_spec(tmp_path)
    Portions(spinsweep.environment, tmp_path / "out").give_tiles(2)
    started, address, _ = start_dask(spinsweep, tmp_path)
    try:
        process = spinsweep.start("run", "spec.toml", "--out", "out", "--cluster", address)
        wait_for_tiles(tmp_path / "out", 2, process)
        started[0].kill()
        _, err = process.communicate(timeout=PATIENCE)
    finally:
        for each in started:
            each.kill()
            each.wait()
    assert process.returncode == 5, err
    assert err.splitlines()[-1].startswith("aborted: the connection to the scheduler is lost"), err
    assert "Traceback" not in err and "distributed." not in err


@pytest.mark.faults
def test_few_file_handles(spinsweep, tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC)
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_NOFILE, (40, 40))
    words = [sys.executable, "-m", "sweep.cli", "run", "spec.toml", "--workers", "4"]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
        timeout=PATIENCE,
    )
    assert done.returncode == 5, done.stderr
    assert (
        "the local workers cannot be started: OSError: [Errno 24] Too many open files" in done.stderr.splitlines()[-1]
    )
    assert "Traceback" not in done.stderr
