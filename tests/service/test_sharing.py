"""Two sweeps on one scheduler, and what can be seen of a sweep in Dask's own pages."""

import contextlib
import io
import itertools
import time

import pytest
from distributed import Client, LocalCluster
from distributed.dashboard.components.scheduler import TaskProgress
from distributed.utils import key_split
from support.dask_processes import start_dask
from support.toy_specs import faulty
from support.watching import committed_points, wait_for_tiles, write_spec

from sweep.clusters.counted_groups import counted
from sweep.clusters.given import given
from sweep.clusters.progress_bar import show
from sweep.execution import driver, launch
from sweep.execution.bar import Bar
from sweep.execution.driver import _name, window_of
from sweep.spec.parsing import parse


@pytest.mark.slow
def test_two_sweeps_on_one_worker_both_progress(spinsweep, tmp_path):
    """The second is not made to wait for the end of the first, nor the first for that of the second."""
    started, address, _ = start_dask(spinsweep, tmp_path)
    try:
        write_spec(tmp_path)
        words = ("run", "spec.toml", "--set", "seconds=0.05", "--cluster", address, "--out")
        first = spinsweep.start(*words, "first")
        wait_for_tiles(tmp_path / "first", 1, first)
        second = spinsweep.start(*words, "second")
        wait_for_tiles(tmp_path / "second", 2, second)
        assert first.poll() is None and committed_points(tmp_path / "first") < 240, "the second waited for the first"
        before = committed_points(tmp_path / "first")
        first.communicate(timeout=180)
        assert first.returncode == 0 and before < 240
        assert committed_points(tmp_path / "second") < 240, "the first waited for the second"
        second.communicate(timeout=180)
        assert second.returncode == 0
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)


def test_tiles_carry_the_names_of_sweep_and_method():
    """As Dask's dashboard shows them, which is the part of a key that its `key_split` leaves."""
    key = (_name("spin-cat: synchronisation, fig. 4", "mean_field", "0a1b2c3d4e"), 3, 0, 20, 0, 1)
    assert key_split(key) == "spin_cat_synchronisation_fig_4_mean_field"


def test_progress_bar_shows_the_sweep(tmp_path, monkeypatch):
    """Dask's own bar, as its dashboard draws it: all tiles of the sweep, of which but a window are tasks; in the end, nothing."""
    monkeypatch.setattr(driver, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(driver, "BUNDLE_SECONDS", 0.0)
    raw = faulty("none", seconds=0.01, a=60, b=1, tile={"a": 1, "b": 1})
    raw["sweep"]["name"] = "sweep"
    seen = []
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as made,
        Client(made, set_as_default=False) as client,
    ):
        bar = TaskProgress(made.scheduler)

        def drawn():
            bar.update()
            found = bar.source.data
            row = {name: k for k, name in enumerate(found["name"])}.get("sweep_only")
            return None if row is None else (found["all"][row], *map(int, found["done"][row].split(" / ")))

        real = Bar.show

        def look(own, cluster):
            """The driver waits, so that the numbers can settle."""
            real(own, cluster)
            time.sleep(0.1)
            if (found := drawn()) is not None:
                seen.append((*found, len(made.scheduler.tasks)))

        monkeypatch.setattr(Bar, "show", look)
        cluster = contextlib.nullcontext(given(client))
        assert launch.run(parse(raw), tmp_path / "run", None, io.StringIO(), cluster).exit_status == 0
        until = time.monotonic() + 30
        while drawn() is not None and time.monotonic() < until:
            time.sleep(0.02)
        assert drawn() is None and not counted(made.scheduler)._groups
    window = window_of(1) + 2
    assert all(tasks <= window for *_, tasks in seen), "a window of tasks"
    assert all(abs(total - 60) <= window for total, *_ in seen), (
        "those that are just coming or going may count twice, or not"
    )
    done = [done for _, done, _, _ in seen]
    assert len({k // 10 for k in done}) >= 3 and all(b - a >= -window for a, b in itertools.pairwise(done))


def test_numbers_of_a_client_go_with_it():
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as made,
        Client(made, set_as_default=False) as client,
    ):
        future = client.submit(pow, 2, 3, key=("sweep-0123abcd", 1))
        while "sweep" not in made.scheduler.task_prefixes:
            time.sleep(0.01)
        show(client, {"sweep-0123abcd": (1_000_000, 10), "unknown-0123abcd": (3, 0)})
        states = made.scheduler.task_prefixes["sweep"].states
        while not states["released"]:
            time.sleep(0.01)
        assert (states["released"], states["waiting"], sum(states.values())) == (10, 1_000_000 - 11, 1_000_000)
        assert made.scheduler.is_idle is False and len(made.scheduler.tasks) == 1
        client.close()
        while sum(n for state, n in states.items() if state != "forgotten"):
            time.sleep(0.01)
        del future


@pytest.mark.slow
def test_performance_report(spinsweep, tmp_path):
    write_spec(tmp_path)
    done = spinsweep("run", "spec.toml", "--out", "run", "--workers", "1", "--report", "--set", "name=my sweep")
    assert done.returncode == 0, done.stderr
    page = tmp_path / "run" / "meta" / "report.html"
    assert f"performance report: {page.relative_to(tmp_path)}" in done.stderr
    assert "my_sweep_" in page.read_text()
