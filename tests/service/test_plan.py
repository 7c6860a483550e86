"""Tiles cover the grid exactly once, whatever their shape, and are of a good size."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.plan.costs import tile_costs
from sweep.plan.sampling import sample_points
from sweep.plan.tiling import TILE_BYTES, Plan, tile_shape
from sweep.plan.timings import Timings
from sweep.plan.variables import point_bytes
from sweep.spec.parsing import parse


def sweep_of(a, b, methods="quick", **sections):
    return parse(
        {
            "sweep": {"model": "toy.waves", "method": methods},
            "axes": {"a": {"linspace": [0.0, 3.0, a]}, "b": {"linspace": [0.0, 1.0, b]}},
            **sections,
        }
    )


@given(a=st.integers(1, 40), b=st.integers(1, 40), ta=st.integers(1, 45), tb=st.integers(1, 45), two=st.booleans())
@settings(max_examples=60, deadline=None)
def test_tiles_cover_the_grid_once(a, b, ta, tb, two):
    spec = sweep_of(a, b, ["quick", "exact"] if two else "quick", run={"tile": {"a": ta, "b": tb}})
    plan = Plan(spec, tile_shape(spec, Timings({"quick": 1.0}), 2))
    seen = np.zeros(spec.shape, dtype=int)
    for index in range(plan.tiles):
        tile = plan.at(index)
        seen[tile.region] += 1
        assert tile.size == seen[tile.region].size
        np.testing.assert_array_equal(
            tile.points["a"].reshape(tile.shape)[..., 0],
            np.broadcast_to(np.linspace(0, 3, a)[tile.region[-2]], tile.shape[:-1]),
        )
        if two:
            assert tile.method == ("quick", "exact")[tile.region[0].start]
    assert np.all(seen == 1)


@pytest.mark.parametrize(("seconds", "workers"), [(1e-6, 2), (1e-4, 2), (1e-2, 8), (1.0, 2), (100.0, 64)])
def test_automatic_tiles_are_of_a_good_duration(seconds, workers):
    spec = sweep_of(130, 161)
    plan = Plan(spec, tile_shape(spec, Timings({"quick": seconds}), workers))
    points = math.prod(plan.tile)
    assert points * seconds <= 20 or points == 1
    assert points * point_bytes(spec)[0] <= TILE_BYTES
    if spec.points * seconds > 1:
        assert plan.tiles >= 2


def test_large_outputs_make_small_tiles():
    spec = sweep_of(100, 100, parameters={"times": {"linspace": [0, 1, 2000]}})
    plan = Plan(spec, tile_shape(spec, Timings({"quick": 1e-7}), 2))
    assert max(math.prod(v.chunks) * v.dtype.itemsize for v in plan.variables) <= TILE_BYTES


def test_pilot_points_are_points_of_the_grid():
    spec = sweep_of(13, 7)
    points, places = sample_points(spec, np.arange(50))
    assert places.shape == (50, 2)
    assert np.all((places > 0) & (places < 1))
    assert set(points) == {"a", "b"}
    assert set(points["a"]) <= set(np.linspace(0, 3, 13))
    assert len(set(zip(points["a"], points["b"], strict=True))) > 25  # spread, not all in one corner


def test_methods_alone_make_a_sweep():
    spec = parse({"sweep": {"model": "toy.waves", "method": ["quick", "exact"]}})
    plan = Plan(spec, tile_shape(spec, Timings({"quick": 1.0}), 2))
    assert plan.tiles == 2
    assert plan.at(1).method == "exact"
    assert plan.at(1).size == 1


def test_costs_follow_the_samples():
    """A pilot that saw the cost grow along `a` predicts growing tiles; a method it saw nothing of costs its mean."""
    spec = sweep_of(40, 10, ["quick", "exact"], run={"tile": {"a": 10, "b": 10}})
    plan = Plan(spec, tile_shape(spec, Timings({"quick": 1.0}), 2))
    samples = [([a, b], 1e-3 * float(np.exp(3 * a))) for a in np.linspace(0, 1, 6) for b in (0.2, 0.8)]
    pilot = Timings({"quick": 1e-3, "exact": 2e-3}, {"quick": samples})
    costs = tile_costs(plan, pilot)
    assert np.all(np.diff(costs[:4]) > 0)
    assert costs[3] / costs[0] == pytest.approx(np.exp(3 * 0.75), rel=0.3)
    np.testing.assert_allclose(costs[4:], 2e-3 * 100)
    assert (
        tile_costs(plan, Timings.from_json(json.loads(json.dumps(pilot.to_json())), "plan.json")).tolist()
        == costs.tolist()
    )


def test_tiles_at_the_edge_cost_what_their_points_cost():
    spec = sweep_of(7, 5, ["quick", "exact"], run={"tile": {"a": 3, "b": 2}})
    plan = Plan(spec, tile_shape(spec, Timings({"quick": 1.0}), 2))
    costs = tile_costs(plan, Timings({"quick": 2.0, "exact": 3.0}))
    sizes = [plan.at(index).size for index in range(plan.tiles)]
    assert sorted(set(sizes)) == [1, 2, 3, 6]
    assert costs.tolist() == [
        size * (2.0 if plan.at(index).method == "quick" else 3.0) for index, size in enumerate(sizes)
    ]


def test_costly_corner_makes_smaller_tiles():
    spec = sweep_of(1000, 1000)
    even = Timings({"quick": 0.01}, {"quick": [([0.1, 0.1], 0.01)] * 4})
    steep = Timings({"quick": 0.01}, {"quick": [([0.1, 0.1], 1e-4)] * 99 + [([0.9, 0.9], 1.0)]})
    assert math.prod(tile_shape(spec, steep, 2)) < math.prod(tile_shape(spec, even, 2))
