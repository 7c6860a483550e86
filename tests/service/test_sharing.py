"""Two sweeps on one scheduler, and what can be seen of a sweep in Dask's own pages."""

import collections
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
from support.watching import PATIENCE, Portions, tiles_in, wait_for, write_spec

from sweep.clusters.counted_groups import counted
from sweep.clusters.given import given
from sweep.clusters.progress_bar import show
from sweep.execution import driver, launch
from sweep.execution.bar import Bar
from sweep.execution.driver import key_name, window_of
from sweep.spec.parsing import parse


@pytest.mark.slow
def test_two_sweeps_on_one_worker_both_progress(spinsweep, tmp_path):
    """The second is not made to wait for the end of the first, nor the first for that of the second: of tiles that are
    computed one by one, while both always have some at the scheduler, each sweep has its share: the second those that its
    window holds before the first has any that it gave the scheduler later."""
    first_out, second_out = tmp_path / "first", tmp_path / "second"
    portions = Portions(spinsweep.environment, first_out)
    started, address, _ = start_dask(spinsweep, tmp_path)
    try:
        write_spec(tmp_path)
        words = ("run", "spec.toml", "--set", "seconds=0.03", "--axis", "b=0:1:4", "--cluster", address, "--out")
        first = spinsweep.start(*words, "first", "--axis", "a=0:39:40")
        wait_for(portions.begun, "a point", first)
        del spinsweep.environment["TOY_PORTIONS"]  # which the pilot of the second would else wait for
        second = spinsweep.start(*words, "second", "--axis", "a=100:139:40")
        with Client(address, set_as_default=False) as client:

            def both_wait():
                keys = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
                waiting = collections.Counter(key[0] for key in keys if isinstance(key, tuple))
                return len(waiting) == 2 and min(waiting.values()) >= 2

            for tiles in range(1, 25):
                wait_for(both_wait, "tiles of both")
                portions.give(3)  # besides the one that waits
                wait_for(lambda tiles=tiles: tiles_in(first_out) + tiles_in(second_out) >= tiles, f"{tiles} tiles")
        assert min(tiles_in(first_out), tiles_in(second_out)) >= 4
        portions.give_all()
        for process in (first, second):
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=PATIENCE)


def test_tiles_carry_the_names_of_sweep_and_method():
    """As Dask's dashboard shows them, which is the part of a key that its `key_split` leaves."""
    key = (key_name("spin-cat: synchronisation, fig. 4", "mean_field", "0a1b2c3d4e"), 3, 0, 20, 0, 1)
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
        wait_for(lambda: drawn() is None, "an empty bar")
        assert not counted(made.scheduler)._groups
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
