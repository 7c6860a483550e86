"""What the service adds to a sweep of cheap points: planning, tasks, chunks, commits, against one call of the solver."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from support.bits import assert_same_bits
from support.virtual_workers import VirtualCluster

import sweep
from solvers import solve_many
from sweep.clusters.cluster import Wanted
from sweep.clusters.kinds import connect
from sweep.execution import commits, creation, driver, launch
from sweep.execution.progress import Progress
from sweep.folder import layout
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.plan.estimates import estimate
from sweep.plan.tiling import Plan
from sweep.plan.timings import Timings
from sweep.spec.parsing import parse

POINTS = (1000, 1000)
RAW = {
    "sweep": {"name": "a million cheap points", "model": "spin_cat.boundary", "method": "closed_form"},
    "axes": {"eta": {"linspace": [0.1, 620.0, POINTS[0]]}, "N": {"arange": [10_000, 10_000 + POINTS[1], 1]}},
}


def test_a_million_cheap_points(benchmark, tmp_path):
    """Start-up of the cluster apart, on two workers."""
    numbers = itertools.count()
    with connect("local", Wanted(2)) as cluster:

        def service():
            shared = contextlib.nullcontext(cluster)
            return launch.run(parse(RAW), tmp_path / str(next(numbers)), stream=io.StringIO(), cluster=shared)

        service()  # the workers load their kernels
        began = time.perf_counter()
        result = benchmark.pedantic(service, rounds=1)
        seconds = time.perf_counter() - began
    assert result.done == POINTS[0] * POINTS[1]
    eta, spins = (
        a.ravel() for a in np.meshgrid(np.linspace(0.1, 620.0, POINTS[0]), 10_000 + np.arange(POINTS[1]), indexing="ij")
    )
    began = time.perf_counter()
    solve_many("spin_cat.boundary", "closed_form", points={"eta": eta, "N": spins})
    bare = time.perf_counter() - began
    per_point = 1e6 * seconds / result.points
    memory = psutil.Process().memory_info().rss / 2**20
    benchmark.extra_info.update(microseconds_per_point=per_point, ratio_to_one_call=seconds / bare, driver_mib=memory)
    print(f"\nservice: {per_point:.2f} us per point, {seconds / bare:.1f} times one bare call, driver {memory:.0f} MiB")


def test_plan_of_a_million_points(benchmark):
    """Points, tiles, bytes and pilot timing, before anything runs."""
    facts = benchmark.pedantic(estimate, args=(parse(RAW), 2), rounds=1)
    assert facts.points == POINTS[0] * POINTS[1]


def test_driver_with_virtual_workers(benchmark, tmp_path):
    """A billion points in as many tiles as are asked for (SPINSWEEP_TILES, 10,000 here; the record is of 100,000): what the
    driver bears, what it weighs, and how long the next one takes to find that all is done. The peer is the same driver
    committing one tile at a time, with a sync of its data, its line and its folder each."""
    tiles = int(os.environ.get("SPINSWEEP_TILES", "10000"))
    few = 200

    def made(name, count):
        raw = {
            "sweep": {"model": "spin_cat.boundary", "method": "closed_form"},
            "axes": {"eta": {"linspace": [0.1, 620.0, count]}, "N": {"arange": [10_000, 10_000 + 10**9 // tiles, 1]}},
            "run": {"tile": {"eta": 1}},
        }
        folder = RunFolder(tmp_path / name)
        creation.create(folder, parse(raw), Timings({"closed_form": 1e-3}), 4, Progress(io.StringIO()))
        return folder, VirtualCluster(folder, folder.plan())

    def go(folder, cluster):
        wall, cpu = time.perf_counter(), time.process_time()
        result = launch.resume(folder.path, stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
        assert result.outcome.value == "complete"
        return result, time.perf_counter() - wall, time.process_time() - cpu

    folder, cluster = made("many", tiles)
    (result, wall, cpu) = benchmark.pedantic(go, args=(folder, cluster), rounds=1)
    assert result.done == 10**9
    _, wall_again, cpu_again = go(folder, cluster)
    alone, one = made("alone", few)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commits, "LARGEST_GROUP", 1)
        patch.setattr(driver, "LARGEST_GROUP", 0)
        _, wall_alone, _ = go(alone, one)
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rate, rate_alone = tiles / wall, few / wall_alone
    benchmark.extra_info.update(
        tiles_per_second=rate, ratio_to_single_commits=rate / rate_alone, resume_seconds=wall_again
    )
    print(
        f"\ndriver: {rate:,.0f} tiles/s durable ({tiles / cpu:,.0f} per second of its processor time), "
        f"{rate / rate_alone:.0f} times as many as one by one; {gib:.2f} GiB; resume of {tiles:,} tiles {wall_again:.1f} s "
        f"({cpu_again:.1f} s of processor time)"
    )


def test_worker_writes_six_variables(benchmark, tmp_path):
    """Five outputs and `elapsed_seconds` of 100 points, against the same chunks written by Zarr; the files are the same."""
    raw = {
        "sweep": {"model": "spin_cat.two_ensembles"},
        "axes": {"eta": {"linspace": [5, 650, 200]}, "delta": {"linspace": [0, 0.08, 100]}},
    }
    raw["outputs"] = {"keep": list(parse(raw).keep)[:5]}
    plan = Plan(parse(raw), (1, 100))
    rng = np.random.default_rng(0)
    stores = []
    for name in ("ours", "zarr"):
        layout.create(tmp_path / name, plan, "code", "spec")
        stores.append(Store(tmp_path / name, plan, writable=True))
    ours, peer = stores
    tiles = []
    for index in range(200):
        shape = plan.shape_of(index)
        tiles.append(
            {v.name: rng.normal(size=shape + v.shape[2:]).astype(v.dtype) for v in plan.variables if v.name != "status"}
        )
    assert len(tiles[0]) == 6

    def write(store, index):
        store.write_tile(index, tiles[index])

    def write_by_zarr(store, index):
        for name, values in tiles[index].items():
            store._arrays[name][plan.region(index)] = values

    def seconds(call, store):
        began = time.process_time()
        for index in range(200):
            call(store, index)
        return (time.process_time() - began) / 200

    began = time.perf_counter()
    each = benchmark.pedantic(seconds, args=(write, ours), rounds=1)
    wall = (time.perf_counter() - began) / 200
    by_zarr = seconds(write_by_zarr, peer)
    for variable in plan.outputs:
        for index in range(200):
            assert ours.chunk_file(variable, index).read_bytes() == peer.chunk_file(variable, index).read_bytes()
    benchmark.extra_info.update(milliseconds=1e3 * each, ratio_to_zarr=each / by_zarr)
    print(
        f"\nsix variables: {1e3 * wall:.2f} ms, {1e3 * each:.2f} ms of processor time, {each / by_zarr:.2f} of what Zarr takes"
    )


def test_two_thousand_quick_tiles(benchmark, tmp_path):
    """2,000 tiles of 10 cheap points through two local workers, start-up included."""
    raw = {
        "sweep": {"model": "spin_cat.boundary", "method": "closed_form"},
        "axes": {"eta": {"linspace": [0.1, 620.0, 2000]}, "N": {"arange": [10_000, 10_010, 1]}},
        "run": {"tile": {"eta": 1, "N": 10}},
    }

    def service():
        return launch.run(parse(raw), tmp_path / "run", launch.Options(workers=2), io.StringIO())

    began = time.perf_counter()
    result = benchmark.pedantic(service, rounds=1)
    print(f"\n2,000 tiles on two local workers: {time.perf_counter() - began:.1f} s with their start")
    assert result.done == 20_000
    eta, spins = (a.ravel() for a in np.meshgrid(np.linspace(0.1, 620.0, 2000), 10_000 + np.arange(10), indexing="ij"))
    once = solve_many("spin_cat.boundary", "closed_form", points={"eta": eta, "N": spins})
    data = sweep.open(tmp_path / "run")
    for name in data.data_vars.keys() - {"status", "elapsed_seconds"}:
        np.testing.assert_array_equal(data[name].values.ravel(), once[name])


def test_small_sweep_here_against_local_workers(benchmark, tmp_path):
    """The quickstart, from its command to its end, without a cluster and with two local workers: the processor time of all
    processes, the kernels being compiled; the bits are the same."""
    spec = Path(__file__).parents[2] / "examples" / "quickstart.toml"

    def seconds(name, *words):
        """Processor time and time of the clock."""
        began = time.perf_counter()
        words = [sys.executable, "-m", "sweep.cli", "run", str(spec), "--out", str(tmp_path / name), "--quiet", *words]
        process = os.posix_spawn(sys.executable, words, os.environ)
        _, status, used = os.wait4(process, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        return used.ru_utime + used.ru_stime, time.perf_counter() - began

    seconds("first", "--cluster", "here")
    here, here_wall = benchmark.pedantic(seconds, args=("here",), rounds=1)
    local, local_wall = seconds("local", "--workers", "2")
    assert_same_bits(tmp_path / "here", tmp_path / "local")
    benchmark.extra_info.update(here=here, local=local, ratio=local / here, ratio_of_clock=local_wall / here_wall)
    print(
        f"\nquickstart without a cluster: {here:.2f} s of processor time ({here_wall:.2f} s), {local / here:.1f} times less than "
        f"with two local workers ({local_wall / here_wall:.1f} times by the clock)"
    )
