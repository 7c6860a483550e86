"""What a tile costs away from this process: written into a bucket, and sent to workers of a scheduler at tcp://."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import subprocess
import sys
import time
import types

import numpy as np
import psutil
import pytest
import zarr
from support import bucket_here, slurm_here
from support.bits import assert_same_bits
from support.dask_processes import start_dask

from sweep.clusters.cluster import Wanted
from sweep.clusters.kinds import connect
from sweep.execution import creation, launch
from sweep.execution.progress import Progress
from sweep.folder import layout
from sweep.folder.bucket import disk_of
from sweep.folder.places import place
from sweep.folder.placing import create
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.plan.tiling import Plan
from sweep.plan.timings import Timings
from sweep.spec.parsing import parse

TILES = 200


@pytest.fixture
def server(monkeypatch):
    """A local S3 server in a process of its own."""
    pytest.importorskip("obstore", reason="Python package obstore is not installed: pip install '.[s3]'")
    pytest.importorskip("moto", reason="Python package moto is not installed: pip install 'moto[server]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], **quiet)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("PUT", f"/{bucket_here.BUCKET}")
            assert connection.getresponse().status == 200
            break
        time.sleep(0.1)
    bucket_here.set_environment(monkeypatch, f"127.0.0.1:{port}")
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


def six_variables():
    """A plan whose tiles have five outputs and `elapsed_seconds` of 100 points, and such tiles."""
    raw = {
        "sweep": {"model": "spin_cat.two_ensembles"},
        "axes": {"eta": {"linspace": [5, 650, TILES]}, "delta": {"linspace": [0, 0.08, 100]}},
    }
    raw["outputs"] = {"keep": list(parse(raw).keep)[:5]}
    plan = Plan(parse(raw), (1, 100))
    rng = np.random.default_rng(0)
    tiles = []
    for index in range(TILES):
        shape = plan.shape_of(index)
        own = {
            v.name: rng.normal(size=shape + v.shape[2:]).astype(v.dtype) for v in plan.variables if v.name != "status"
        }
        assert len(own) == 6
        tiles.append(own)
    return plan, tiles


def test_tile_of_six_variables_into_a_bucket(benchmark, server):
    """Against the same chunks written by Zarr through its own store for buckets; the objects are the same."""
    from obstore.store import S3Store
    from zarr.storage import ObjectStore

    plan, tiles = six_variables()
    folders = [RunFolder(place(f"s3://{bucket_here.BUCKET}/{name}")) for name in ("ours", "zarr")]
    for folder in folders:
        create(folder, lambda beside: _fill(beside, plan))
    ours = Store(folders[0].data, plan, writable=True, disk=folders[0].disk)
    with zarr.config.set({"array.write_empty_chunks": True}):
        store = S3Store(bucket_here.BUCKET, prefix="zarr/data.zarr", client_options={"allow_http": True})
        group = zarr.open_group(ObjectStore(store), mode="r+")
        arrays = {name: group[name] for name in tiles[0]}

    def write(index):
        ours.write_tile(index, tiles[index])

    def write_by_zarr(index):
        for name, values in tiles[index].items():
            arrays[name][plan.region(index)] = values

    def milliseconds(call):
        wall, cpu = time.perf_counter(), time.process_time()
        for index in range(TILES):
            call(index)
        return 1e3 * (time.perf_counter() - wall) / TILES, 1e3 * (time.process_time() - cpu) / TILES

    each, cpu = benchmark.pedantic(milliseconds, args=(write,), rounds=1)
    by_zarr, cpu_by_zarr = milliseconds(write_by_zarr)
    disk = disk_of(bucket_here.BUCKET)
    peer = Store(folders[1].data, plan, disk=disk)
    for variable in plan.outputs:
        for index in range(0, TILES, 10):
            assert disk.read(ours.chunk_file(variable, index)) == disk.read(peer.chunk_file(variable, index))
    benchmark.extra_info.update(milliseconds=each, ratio_to_zarr=cpu / cpu_by_zarr)
    print(
        f"\nbucket: {each:.1f} ms per tile of six variables ({cpu:.1f} ms of processor time), by Zarr {by_zarr:.1f} ms "
        f"({cpu_by_zarr:.1f})"
    )


def _fill(beside, plan):
    layout.create(beside.data, plan, "code", "spec")
    beside.plan_file.write_text("{}")


RAW = {
    "sweep": {"model": "spin_cat.boundary", "method": "closed_form"},
    "axes": {"eta": {"linspace": [0.1, 620.0, 500]}, "N": {"arange": [10_000, 10_010, 1]}},
    "run": {"tile": {"eta": 1, "N": 10}},
}


def _made(out):
    """A run that is created and not begun."""
    folder = RunFolder(place(out))
    creation.create(folder, parse(RAW), Timings({"closed_form": 1e-5}), 2, Progress(io.StringIO()))
    return folder


def _per_tile(folder, cluster=None, options=None, processes=()):
    """Milliseconds of each tile: of wall clock, and of the processor time of this process and others."""
    began, before = time.perf_counter(), _processor_seconds(processes)
    result = launch.resume(folder.path, options, io.StringIO(), cluster=cluster)
    assert result.done == 5000
    return 1e3 * (time.perf_counter() - began) / 500, 1e3 * (_processor_seconds(processes) - before) / 500


def _processor_seconds(processes):
    found = [psutil.Process(process.pid) for process in processes]
    times = [one.cpu_times() for whole in found for one in (whole, *whole.children(recursive=True))]
    return time.process_time() + sum(t.user + t.system for t in times)


def test_whole_run_into_a_bucket(benchmark, server, tmp_path):
    """500 tiles of ten cheap points in this process: computed, written, committed; against a folder."""
    options = launch.Options(cluster="here", quiet=True)
    _per_tile(_made(tmp_path / "first"), options=options)
    folder = _made(f"s3://{bucket_here.BUCKET}/run")
    each, _ = benchmark.pedantic(_per_tile, args=(folder,), kwargs={"options": options}, rounds=1)
    near, _ = _per_tile(_made(tmp_path / "near"), options=options)
    assert_same_bits(folder.path, tmp_path / "near")
    variables = len(Plan(parse(RAW), (1, 10)).variables) - 1
    benchmark.extra_info.update(milliseconds=each, ratio_to_folder=each / near)
    print(f"\nwhole run into a bucket: {each:.1f} ms per tile of {variables} variables, into a folder {near:.1f} ms")


@pytest.mark.parametrize("workers", [2])
def test_tile_over_tcp(benchmark, tmp_path, workers):
    """500 tiles of ten cheap points on two workers of a scheduler at tcp://, once their kernels are loaded."""
    started, address, _ = start_dask(types.SimpleNamespace(environment=dict(os.environ)), tmp_path, count=workers)
    try:
        with connect(address, launch.Options().wanted) as cluster:
            until = time.monotonic() + 60
            while cluster.threads() < workers and time.monotonic() < until:
                time.sleep(0.1)
            assert cluster.threads() == workers
            _per_tile(_made(tmp_path / "first"), contextlib.nullcontext(cluster))
            given = (_made(tmp_path / "far"), contextlib.nullcontext(cluster), None, started)
            each, cpu = benchmark.pedantic(_per_tile, args=given, rounds=1)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)
    near, cpu_near = _per_tile(_made(tmp_path / "near"), options=launch.Options(cluster="here", quiet=True))
    assert_same_bits(tmp_path / "far", tmp_path / "near")
    benchmark.extra_info.update(milliseconds=each, ratio_to_here=cpu / cpu_near)
    print(
        f"\ntcp://, two workers: {each:.1f} ms per tile ({cpu:.1f} ms of the processor time of driver, scheduler and workers), "
        f"in one process {near:.1f} ms ({cpu_near:.1f})"
    )


def test_two_slurm_workers(benchmark, tmp_path, monkeypatch):
    """From asking to two workers that are connected, on a SLURM of one node; the peer is a local cluster of two."""
    pytest.importorskip("dask_jobqueue", reason="Python package dask-jobqueue is not installed: pip install '.[slurm]'")
    if why := slurm_here.missing():
        pytest.skip(why)
    profile = tmp_path / "mine.toml"
    profile.write_text(
        '[slurm]\ncores = 1\nmemory = "1GB"\ninterface = "lo"\njobs = 2\nwalltime = "00:10:00"\nmargin = "1m"\n'
    )
    monkeypatch.chdir(tmp_path)

    def seconds(name):
        began = time.perf_counter()
        with connect(name, Wanted(workers=2, preload=launch.LOADED_BY_WORKERS)) as cluster:
            while cluster.threads() < 2:
                cluster.tend()
                time.sleep(0.1)
                assert time.perf_counter() - began < 300, "no workers"
            return time.perf_counter() - began

    with slurm_here.slurm(tmp_path / "slurm") as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        there = benchmark.pedantic(seconds, args=(str(profile),), rounds=1)
    near = seconds("local")
    benchmark.extra_info.update(seconds=there, ratio_to_local=there / near)
    print(f"\ntwo SLURM workers are there after {there:.1f} s, two local ones after {near:.1f} s")
