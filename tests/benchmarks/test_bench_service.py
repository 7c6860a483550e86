"""What the service adds to a sweep of cheap points: planning, tasks, chunks, commits, against one call of the solver."""

from __future__ import annotations

import contextlib
import io
import itertools
import time

import numpy as np
import psutil

from solvers import solve_many
from sweep.clusters.cluster import Wanted
from sweep.clusters.kinds import connect
from sweep.execution import launch
from sweep.plan.estimates import estimate
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
