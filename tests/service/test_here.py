"""Sweeps without a cluster: the process that computes them, its deaths, and the cluster that takes over from it."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest
from support.bits import assert_same_bits
from support.toy_specs import faulty
from support.watching import PATIENCE, lines_of, over, wait_for

import sweep
from sweep.clusters import here as here_module
from sweep.clusters.cluster import Cluster
from sweep.clusters.here import Here, here
from sweep.execution import launch
from sweep.execution.launch import NO_CLUSTER
from sweep.folder.codes import POINT_FAILED
from sweep.folder.run_folder import RunFolder
from sweep.plan import companion as companion_module
from sweep.plan.companion import Companion, CompanionLost
from sweep.spec.parsing import parse

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def companion():
    with Companion() as made:
        yield made


def submit_what_waits(connected, gate):
    """A call that runs until there is a file."""
    call = connected.companion.call("test_here_calls:wait", str(gate), key="slow")
    wait_for(lambda: connected.companion.busy()[0] is call, "a call that runs")
    return call


def run(raw, out, **options):
    said = io.StringIO()
    return launch.run(parse(raw), out, launch.Options(**options), said), said.getvalue()


def test_small_sweep_has_the_bits_of_a_cluster_and_says_that_it_needed_none(raw, cluster, tmp_path):
    raw["sweep"]["method"] = ["quick", "exact"]
    result, said = run(raw, tmp_path / "here")
    assert result.exit_status == 0
    assert said.startswith(NO_CLUSTER)
    assert "dashboard" not in said
    shared = contextlib.nullcontext(cluster)
    launch.run(parse(raw), tmp_path / "local", stream=io.StringIO(), cluster=shared)
    assert_same_bits(tmp_path / "local", tmp_path / "here")
    (start,) = RunFolder(tmp_path / "here").runs.glob("*.json")
    assert '"cluster": "here"' in start.read_text()


@pytest.mark.parametrize("options", [{"workers": 2}, {"memory": "1GiB"}, {"cluster": "local"}])
def test_whoever_names_a_cluster_gets_one(options, tmp_path):
    progress = launch.Progress(io.StringIO())
    chosen = launch.Options(**options)
    assert not chosen.open
    assert chosen.suited(0.1, RunFolder(tmp_path), progress).func.__name__ == "connect"


def test_only_small_sweeps_are_computed_here(tmp_path):
    folder, progress, free = RunFolder(tmp_path), launch.Progress(io.StringIO()), launch.Options()
    assert free.suited(here_module.SMALL_SECONDS, folder, progress).func.__name__ == "here"
    assert free.suited(here_module.SMALL_SECONDS + 0.1, folder, progress).func.__name__ == "connect"
    assert launch.Options(cluster="here").suited(1e9, folder, progress).func.__name__ == "here"


def test_cluster_that_takes_over_says_where_it_is_watched(tmp_path, monkeypatch):
    monkeypatch.setattr(here_module, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(launch.Options, "connect", lambda _: contextlib.nullcontext(Elsewhere(None)))
    said = io.StringIO()
    with launch.Options().suited(0.1, RunFolder(tmp_path), launch.Progress(said)) as connected:
        slow = submit_what_waits(connected, tmp_path / "gate")
        waiting = connected.submit(pow, 2, 5, key="waiting")
        connected.replace(set())
        assert waiting.result(0) == 32
        (tmp_path / "gate").touch()
        assert slow.result(PATIENCE) is None
    longer, dashboard, page = said.getvalue().splitlines()
    assert longer.endswith("starting local workers") and dashboard == "dashboard: http://elsewhere"
    assert page.startswith("no page on this scheduler"), "it has no client"


def test_points_that_crash_the_process_are_found(tmp_path):
    result, said = run(faulty("kill", a=4, b=2, tile={"a": 4, "b": 2}), tmp_path / "out", cluster="here")
    assert (result.exit_status, result.failed) == (3, 2), said
    data = sweep.open(tmp_path / "out")
    assert bool(((data.status == POINT_FAILED) == (data.a == 3.0)).all())
    errors = lines_of(tmp_path / "out" / "meta" / "errors.jsonl")
    assert {(e["type"], e["parameters"]["a"]) for e in errors} == {("WorkerLost", 3.0)}


def test_resume_needs_no_cluster_either(raw, tmp_path):
    raw["run"] = {"tile": {"a": 1, "b": 4}}
    run(raw, tmp_path / "out")
    folder = RunFolder(tmp_path / "out")
    folder.journal.unlink()
    said = io.StringIO()
    assert launch.resume(folder.path, stream=said).exit_status == 0
    assert NO_CLUSTER in said.getvalue()


def test_nothing_of_dask_is_loaded_for_a_small_sweep(tmp_path):
    """To import it takes a good part of the time that such a sweep takes."""
    (tmp_path / "spec.toml").write_text('[sweep]\nmodel = "toy.waves"\n[axes]\na = [0.1, 0.2]\n')
    code = (
        "import sys\nfrom sweep.cli import main\ntry: main(['run', 'spec.toml', '--quiet'])\n"
        "except SystemExit as end: print(end.code)\nprint([m for m in sys.modules if m.split('.')[0] in ('dask', 'distributed')])"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split("\n")[:2] == ["0", "[]"], done.stderr


# The process


def test_calls_are_answered_in_order(companion):
    heard = []
    first = companion.call("builtins:sum", [1, 2, 3])
    second = companion.call("test_here_calls:count", 3, heard=heard.append)
    third = companion.call("math:sqrt", 4.0, key="third")
    assert (first.result(PATIENCE), third.result(PATIENCE), third.key) == (6, 2.0, "third")
    assert second.result(PATIENCE) is None
    assert heard == [0, 1, 2]


def test_errors_come_back_as_they_are(companion):
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        companion.call("operator:truediv", 1, 0).result(PATIENCE)
    with pytest.raises(RuntimeError, match=r"Odd: of a kind that cannot be rebuilt"):
        companion.call("test_here_calls:odd").result(PATIENCE)
    with pytest.raises(ModuleNotFoundError):
        companion.call("nowhere:nothing").result(PATIENCE)
    assert companion.call("math:sqrt", 9.0).result(PATIENCE) == 3.0


def test_deaths_are_blamed_on_the_call_that_runs(companion):
    killer = companion.call("os:_exit", 3)
    innocent = companion.call("math:sqrt", 4.0)
    with pytest.raises(CompanionLost, match=r"ended \(3\)"):
        killer.result(PATIENCE)
    assert innocent.result(PATIENCE) == 2.0


def test_what_models_print_disturbs_nothing(companion):
    assert companion.call("test_here_calls:talk").result(PATIENCE) == "said"


def test_process_ends_with_its_caller(tmp_path):
    """Its caller is killed while a call runs, which it will not see the end of."""
    code = "import time; from sweep.plan.companion import Companion; c = Companion(); c.call('time:sleep', 6000.0); print(c.pid, flush=True); time.sleep(6000)"
    caller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    process = psutil.Process(int(caller.stdout.readline()))
    caller.kill()
    caller.communicate()
    wait_for(lambda: over(process), "the end of a process whose caller is gone")


@pytest.fixture(autouse=True)
def calls(tmp_path_factory, monkeypatch):
    """Functions that a companion can find: they lie where its Python looks."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "test_here_calls.py").write_text(
        "import os, time\n"
        "def wait(path):\n    while not os.path.exists(path):\n        time.sleep(0.01)\n"
        "def count(n):\n    yield from range(n)\n"
        "class Odd(Exception):\n    def __init__(self, one, two):\n        super().__init__(f'{one} {two}')\n"
        "def odd():\n    raise Odd('of a kind', 'that cannot be rebuilt')\n"
        "def talk():\n    print('hello', flush=True)\n    os.write(1, b'\\x80\\x05raw')\n    return 'said'\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ["PYTHONPATH"]]))


# As a cluster


def test_point_that_fills_the_memory_is_ended(monkeypatch):
    monkeypatch.setattr(companion_module, "LARGEST_SHARE", 1e-9)
    with here() as connected:
        task = connected.submit(time.sleep, 6000.0, key="greedy")
        with pytest.raises(CompanionLost) as lost:
            task.result(PATIENCE)
    assert connected.lost_worker(lost.value)
    assert not connected.lost_worker(ValueError())


def test_process_that_stands_still_is_replaced():
    with here() as connected:
        task = connected.submit(time.sleep, 6000.0, key="frozen")
        wait_for(lambda: connected.companion.busy()[0] is task, "a call that is answered")
        os.kill(connected.companion.pid, signal.SIGSTOP)
        pid, seen = connected.companion.pid, set()
        while not seen:  # the first look only takes notice
            assert connected.replace(seen) == []
        assert connected.replace(seen) == [*seen] == [pid]
        with pytest.raises(CompanionLost):
            task.result(PATIENCE)


class Elsewhere(Cluster):
    """A cluster that does what it is asked at once."""

    def submit(self, call, *arguments, key, workers=None, priority=0):
        future = Future()
        future.set_result(call(*arguments))
        return future

    def threads(self):
        return 7

    def started(self):
        return set()

    connected = True
    place = "elsewhere"
    dashboard = "http://elsewhere"


def test_long_sweep_goes_on_with_a_cluster(companion, monkeypatch, tmp_path):
    """What waits is done there; what runs goes on here; nothing is done twice."""
    monkeypatch.setattr(here_module, "PATIENCE_SECONDS", 0.0)
    connected = Here(companion=companion, more=lambda: Elsewhere(None))
    slow = submit_what_waits(connected, tmp_path / "gate")
    assert connected.threads() == 1
    connected.replace(set())
    assert connected.place == "here"  # nothing waits, so nobody is needed
    waiting = connected.submit(pow, 2, 5, key="waiting")
    taken_back = connected.submit(pow, 2, 6, key="taken back")
    taken_back.cancel()
    connected.replace(set())
    assert waiting.result(0) == 32
    assert taken_back.cancelled()
    assert connected.started() == {"slow"}
    assert connected.submit(pow, 2, 7, key="later").result(0) == 128
    assert (connected.threads(), connected.place, connected.dashboard) == (
        7,
        "here, then elsewhere",
        "http://elsewhere",
    )
    (tmp_path / "gate").touch()
    assert slow.result(PATIENCE) is None
