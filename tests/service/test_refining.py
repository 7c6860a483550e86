"""Refined runs: points are computed only where results change between neighbours, and the rest is interpolated."""

import contextlib
import io
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from support.bits import assert_same_bits
from support.no_pilot import NoPilot
from support.watching import PATIENCE, wait_for

import sweep
from solvers import solve_many
from sweep.clusters.here import here
from sweep.errors import RunError, SpecError
from sweep.execution import launch
from sweep.folder import journal
from sweep.folder.codes import DONE, INTERPOLATED, PENDING, POINT_FAILED
from sweep.folder.run_folder import RunFolder
from sweep.plan.refinement import Channel, Lattice
from sweep.plan.shapes import cube_of
from sweep.results.verify import verify
from sweep.spec.documents import read
from sweep.spec.growing import refined
from sweep.spec.parsing import parse
from sweep.spec.toml_text import spec_text

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def disc(points=33, depth=3, **refine):
    """A quarter of a disc of radius 0.8 on the unit square."""
    return {
        "sweep": {"model": "toy.disc"},
        "axes": {name: {"linspace": [0.0, 1.0, points]} for name in ("a", "b")},
        "refine": {"depth": depth, "outputs": ["inside"], **refine},
    }


@pytest.fixture
def run(tmp_path, cluster):
    """Run a spec; returns the result and what was said."""

    def go(raw, name="out", where=None):
        text = io.StringIO()
        where = where or contextlib.nullcontext(cluster)
        result = launch.run(parse(raw), tmp_path / name, launch.Options(), text, where, NoPilot())
        return result, text.getvalue()

    return go


@pytest.fixture
def resume(tmp_path, cluster):
    """Resume or refine the run."""

    def go(call=launch.resume, *arguments, **how):
        where = contextlib.nullcontext(cluster)
        return call(tmp_path / "out", *arguments, options=launch.Options(quiet=True), cluster=where, **how)

    return go


def full(raw):
    return {section: table for section, table in raw.items() if section != "refine"}


def is_cell_of(data, name):
    """Whether the points of every finest cell in which an output changes are computed."""
    values, computed = data[name].values, data.status.values != INTERPOLATED
    for axis in range(values.ndim):
        ends = [np.moveaxis(v, axis, 0) for v in (values, computed)]
        change = ends[0][1:] != ends[0][:-1]
        if not (ends[1][1:] & ends[1][:-1])[change].all():
            return False
    return True


def test_the_boundary_is_that_of_the_full_grid(run, tmp_path):
    """Every class is right, also of points that were not computed; computed ones have the full grid's bits."""
    result, said = run(disc())
    assert result.exit_status == 0
    run(full(disc()), "full")
    found, whole = sweep.open(tmp_path / "out").load(), sweep.open(tmp_path / "full").load()
    computed = found.status.values == DONE
    assert set(np.unique(found.status)) == {DONE, INTERPOLATED}
    assert 0.05 < computed.mean() < 0.35
    assert f"{computed.sum():,} of 1,089 points computed" in said
    assert result.interpolated == (~computed).sum()
    np.testing.assert_array_equal(found.inside, whole.inside)
    assert is_cell_of(found, "inside")
    for name in ("height", "depth", "path"):
        np.testing.assert_array_equal(found[name].values[computed], whole[name].values[computed])
    np.testing.assert_allclose(found.height, whole.height, atol=1e-15)  # it is linear
    np.testing.assert_allclose(found.path, whole.path, atol=1e-15)
    assert np.isnan(found.elapsed_seconds.values[~computed]).all()
    assert not np.isnan(found.elapsed_seconds.values[computed]).any()


def test_a_boundary_is_followed_where_the_start_grid_does_not_see_it():
    """A thin finger between the rows of the start grid is seen at its root alone."""
    points = {name: np.linspace(0.0, 1.0, 65) for name in ("x", "y")}
    x, y = np.meshgrid(points["x"], points["y"], indexing="ij")
    finger = (((np.abs(y - 0.43) < 0.02) & (x < 0.9)) | (x < 0.13)).astype(float)
    lattice = Lattice((65, 65), 4, (True, True))
    known = np.zeros_like(finger, dtype=bool)
    while (new := lattice.needed([Channel(np.where(known, finger, np.nan))]) & ~known).any():
        known |= new
    coordinates = [points["x"], points["y"]]
    block = (slice(0, 65), slice(0, 65))
    given = np.where(known, finger, np.nan)
    np.testing.assert_array_equal(lattice.between(given, known, block, coordinates, True), finger)
    assert known.mean() < 0.3


@pytest.mark.parametrize("shape", [(33,), (37, 20), (9, 14, 11), (5, 6, 5, 7)])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_any_number_of_axes_of_any_length(shape, depth):
    """What is needed is the least set that the rule allows, computed by brute force over all cells, in any order."""
    noise = np.random.default_rng(len(shape)).normal(size=shape)
    squares = np.zeros(shape)
    for axis in np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"):
        squares += axis**2
    values = (squares + 0.02 * noise > 0.5).astype(float)
    lattice = Lattice(shape, depth, (True,) * len(shape))
    known = np.zeros(shape, dtype=bool)
    while (new := lattice.needed([Channel(np.where(known, values, np.nan))]) & ~known).any():
        known |= new

    wanted = lattice.start.copy()
    before = -1
    while before != wanted.sum():
        before = int(wanted.sum())
        for level in range(1, depth + 1):  # the coarse ones first: another order than that of the rounds
            edges, parts = lattice.edges(level), lattice.edges(level - 1)
            for cell in np.ndindex(*(len(e) - 1 for e in edges)):
                box = tuple(slice(e[k], e[k + 1] + 1) for e, k in zip(edges, cell, strict=True))
                there = values[box][wanted[box]]
                if there.size and np.ptp(there) > 0:
                    inside = [p[(p >= s.start) & (p < s.stop)] for p, s in zip(parts, box, strict=True)]
                    wanted[np.ix_(*inside)] = True
    np.testing.assert_array_equal(known, wanted)
    if depth == 0:
        assert known.all()


@pytest.mark.parametrize("word", [["depth"], ["sign(height)"], ["height"]])
def test_what_is_watched(run, tmp_path, word):
    """NaN beside a number, a sign, and a change of a number by more than its tolerance."""
    raw = disc(outputs=word) | {"run": {"tile": {"a": 9, "b": 7}}}
    if word == ["height"]:
        raw["refine"]["tolerance"] = 0.3
    run(raw)
    run(full(raw), "full")
    found, whole = sweep.open(tmp_path / "out").load(), sweep.open(tmp_path / "full").load()
    computed = found.status.values == DONE
    assert computed.mean() < 0.65
    if word == ["height"]:  # a cell of 1/4 changes by 1/2, one of 1/8 by 1/4: no more is needed
        np.testing.assert_array_equal(computed, Lattice((33, 33), 2, (True, True)).start)
    elif word == ["depth"]:
        np.testing.assert_array_equal(np.isnan(found.depth), np.isnan(whole.depth))
        assert is_cell_of(found.assign(depth=np.isnan(found.depth)), "depth")
    else:
        np.testing.assert_array_equal(np.sign(found.height), np.sign(whole.height))


def test_a_share_is_of_the_range_over_the_start_grid(run, tmp_path):
    """The height goes from -1 to 1: 15 % of that is 0.3."""
    run(disc(outputs=["height"], tolerance="15%"))
    computed = sweep.open(tmp_path / "out").status.values == DONE
    np.testing.assert_array_equal(computed, Lattice((33, 33), 2, (True, True)).start)


def test_failed_points_have_a_boundary_too(run, tmp_path):
    raw = disc(points=17, depth=2) | {"parameters": {"hole": 1.5, "r": 9.0}}
    result, _ = run(raw)
    assert result.exit_status == 3
    run(full(raw), "full")
    found, whole = sweep.open(tmp_path / "out").load(), sweep.open(tmp_path / "full").load()
    computed = found.status.values != INTERPOLATED
    np.testing.assert_array_equal(found.status.values[computed], whole.status.values[computed])
    assert (found.status.values == POINT_FAILED).any()
    np.testing.assert_array_equal(
        np.isnan(found.height), whole.status == POINT_FAILED
    )  # a failure has no values around it


def test_axes_that_are_not_refined_are_computed_whole(run, tmp_path):
    """Of three axes two; the radius is a boundary of its own at each of its values."""
    raw = disc(points=17, depth=2, axes=["a", "b"])
    raw["axes"]["r"] = [0.5, 0.9, 0.7]
    run(raw)
    run(full(raw), "full")
    found, whole = sweep.open(tmp_path / "out").load(), sweep.open(tmp_path / "full").load()
    np.testing.assert_array_equal(found.inside, whole.inside)
    each = (found.status.values == DONE).sum(axis=(0, 1))
    assert (each < 150).all()
    assert len(set(each)) > 1
    assert parse(disc() | {"axes": {**disc()["axes"], "r": [0.5, 0.9, 0.7]}}).refine.axes == ("a", "b")  # in no order


def test_no_point_is_computed_twice_and_a_second_run_computes_nothing(run, tmp_path, monkeypatch):
    counter = tmp_path / "counter"
    monkeypatch.setenv("TOY_COUNTER", str(counter))
    raw = disc(points=17, depth=2)
    raw["run"] = {"tile": {"a": 6, "b": 4}}
    run(raw, where=here())
    points = counter.read_text().splitlines()
    assert len(points) == len(set(points)) == int((sweep.open(tmp_path / "out").status == DONE).sum())
    lines = (tmp_path / "out" / "meta" / "journal.jsonl").read_bytes()
    result, said = run(raw, where=here())
    assert result.exit_status == 0
    assert "round" not in said
    assert counter.read_text().splitlines() == points
    assert (tmp_path / "out" / "meta" / "journal.jsonl").read_bytes() == lines
    assert verify(RunFolder(tmp_path / "out"), sample=1000).problems == ()
    status = sweep.Run(tmp_path / "out").status()
    assert (status.state, status.done) == ("complete", 289)
    assert "of them interpolated" in status.text()


def test_left_pending(run, tmp_path):
    """Without interpolation the store says which points have not been computed, and the run is complete all the same."""
    result, said = run(disc(interpolate=False))
    data = sweep.open(tmp_path / "out").load()
    left = data.status.values == PENDING
    assert f"{left.sum():,} left pending" in said
    assert np.isnan(data.height.values[left]).all()
    status = sweep.Run(tmp_path / "out").status()
    assert (result.exit_status, status.state, status.left) == (0, "complete", left.sum())
    run(disc())  # interpolated after all, and nothing computed anew
    after = sweep.open(tmp_path / "out").load()
    np.testing.assert_array_equal(after.status.values == INTERPOLATED, left)
    assert sweep.Run(tmp_path / "out").status().left == 0


def test_without_the_section_all_points_are_computed(run, tmp_path):
    run(disc(points=17, depth=2))
    before = sweep.open(tmp_path / "out").load()
    result, said = run(full(disc(points=17, depth=2)))
    assert "computed at every point from now on" in said
    assert (result.interpolated, result.exit_status) == (0, 0)
    after = sweep.open(tmp_path / "out").load()
    assert (after.status == DONE).all()
    computed = before.status.values == DONE
    np.testing.assert_array_equal(after.elapsed_seconds.values[computed], before.elapsed_seconds.values[computed])
    run(full(disc(points=17, depth=2)), "full")
    assert_same_bits(tmp_path / "out", tmp_path / "full")


def test_a_coarse_run_is_refined_and_refined_again(run, resume, tmp_path):
    """Its own points are the start grid and keep their bits; in the end it is the run of the fine spec."""
    coarse = full(disc(points=5))
    run(coarse)
    before = sweep.open(tmp_path / "out").load()
    resume(launch.refine, {"depth": 1, "outputs": ["inside"]})
    result = resume(launch.refine, {"depth": 3})
    after = sweep.open(tmp_path / "out").load()
    assert result.exit_status == 0
    np.testing.assert_array_equal(after.a, np.linspace(0.0, 1.0, 33))
    kept = after.sel(a=before.a, b=before.b)
    np.testing.assert_array_equal(kept.elapsed_seconds, before.elapsed_seconds)
    run(disc(), "fine")
    assert_same_bits(tmp_path / "out", tmp_path / "fine")
    assert verify(RunFolder(tmp_path / "out")).problems == ()


def test_a_refined_run_is_extended(run, tmp_path):
    run(disc(points=17, depth=2))
    before = sweep.open(tmp_path / "out").load()
    more = disc(points=17, depth=2)
    more["axes"]["a"] = {"values": [*np.linspace(0.0, 1.0, 17).tolist(), 1.5, 2.0]}
    result, _ = run(more)
    run(full(more), "full")
    after, whole = sweep.open(tmp_path / "out").load(), sweep.open(tmp_path / "full").load()
    assert result.exit_status == 0
    np.testing.assert_array_equal(after.inside, whole.inside)
    old = before.status.values == DONE
    kept = after.sel(a=before.a)
    np.testing.assert_array_equal(kept.elapsed_seconds.values[old], before.elapsed_seconds.values[old])


def test_a_damaged_tile_is_made_again(run, resume, tmp_path):
    raw = disc(points=17, depth=2) | {"run": {"tile": {"a": 6, "b": 6}}}
    run(raw)
    run(raw, "other")
    (tmp_path / "out" / "data.zarr" / "inside" / "c" / "1" / "1").write_bytes(b"no chunk")
    (tmp_path / "out" / "data.zarr" / "height" / "c" / "0" / "0").unlink()
    assert set(verify(RunFolder(tmp_path / "out")).damaged_tiles) == {0, 4}
    resume(again=[0, 4])
    assert_same_bits(tmp_path / "out", tmp_path / "other")
    assert verify(RunFolder(tmp_path / "out")).problems == ()


def test_failed_points_are_retried_and_the_boundary_moves(run, resume, tmp_path):
    raw = disc(points=17, depth=2) | {"parameters": {"hole": 1.0, "r": 9.0}}
    run(raw)
    failed = int((sweep.open(tmp_path / "out").status == POINT_FAILED).sum())
    assert failed
    result = resume(retry=True)
    assert result.failed == failed  # they fail again, are counted once, and the run ends


@pytest.mark.parametrize("left", [3, 7])
def test_what_was_committed_before_does_not_matter(run, resume, tmp_path, left):
    """Cut off after any line of its journal, a run comes to the same bits."""
    raw = disc(points=17, depth=2) | {"run": {"tile": {"a": 6, "b": 6}}}
    run(raw)
    run(raw, "whole")
    place = RunFolder(tmp_path / "out").journal
    lines = place.read_bytes().splitlines(keepends=True)
    place.write_bytes(b"".join(lines[: len(lines) * left // 9]))
    result = resume()
    assert result.exit_status == 0
    assert_same_bits(tmp_path / "out", tmp_path / "whole")
    assert verify(RunFolder(tmp_path / "out")).problems == ()


@pytest.mark.faults
def test_killed_at_any_time(spinsweep, tmp_path):
    """kill -9 of driver and workers, four times, at any moment of any round: the bits are those of an undisturbed run."""
    raw = disc(points=33, depth=3) | {"parameters": {"seconds": 0.01}, "run": {"tile": {"a": 8, "b": 8}}}
    (tmp_path / "s.toml").write_text(spec_text(raw))
    chance = np.random.default_rng(5)
    process = spinsweep.start("run", "s.toml", "--out", "out", "--workers", "2")
    place, seen = tmp_path / "out" / "meta" / "journal.jsonl", 0
    for _ in range(4):

        def more(seen=seen, process=process):
            """Or, where the machine has looked elsewhere for long, the end of the run."""
            return (place.exists() and len(place.read_bytes().splitlines()) > seen) or process.poll() is not None

        wait_for(more, "a tile more")
        time.sleep(chance.uniform(0.0, 0.3))
        seen = len(place.read_bytes().splitlines())
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        process = spinsweep.start("resume", "out", "--workers", "2")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert spinsweep("run", "s.toml", "--out", "quiet", "--cluster", "here").returncode == 0
    assert_same_bits(tmp_path / "out", tmp_path / "quiet")
    assert verify(RunFolder(tmp_path / "out")).problems == ()


def test_here_too(run, tmp_path):
    """Rounds of the same tiles are calls of their own, on a cluster and without one."""
    raw = disc(points=33, depth=3) | {"run": {"tile": {"a": 8, "b": 8}}}
    run(raw)
    run(raw, "here", here())
    assert_same_bits(tmp_path / "out", tmp_path / "here")


def test_refine_on_the_command_line(cli, tmp_path):
    (tmp_path / "s.toml").write_text(spec_text(full(disc(points=5))))
    out = tmp_path / "out"
    cli("run", tmp_path / "s.toml", "--out", out)
    cli("refine", out, "--depth", "2", "--outputs", "inside,sign(height)", "--no-interpolate")
    assert sweep.open(out).sizes["a"] == 17
    assert "left pending" in cli("status", out)
    cli("refine", out, "--interpolate")
    data = sweep.open(out)
    assert set(np.unique(data.status)) == {DONE, INTERPOLATED}
    assert 'outputs = ["inside", "sign(height)"]' in (out / "meta" / "spec.toml").read_text()
    assert data.attrs["history"].count("\n") == 2  # made, extended, interpolated from now on
    assert "of them interpolated" in cli("status", out)
    cli("plot", out, "height", "-o", tmp_path / "height.png")
    cli("export", out, tmp_path / "s.csv")
    assert ",4" in (tmp_path / "s.csv").read_text()
    cli("refine", out, "--axes", "c", status=2)
    assert "from 25 points on" in cli("plan", out / "meta" / "spec.toml")


def test_refine_in_python(tmp_path, cluster):
    grid = {"a": np.linspace(0.0, 1.0, 9), "b": np.linspace(0.0, 1.0, 9)}
    watch = {"depth": 2, "outputs": ["inside"]}
    data = sweep.Sweep(model="toy.disc", axes=grid, refine=watch).run(cluster.client, tmp_path / "out", quiet=True)
    assert data.sizes["a"] == 9
    assert (data.status == INTERPOLATED).any()
    finer = sweep.refine(tmp_path / "out", depth=3, client=cluster.client, quiet=True)
    assert finer.sizes["a"] == 17
    np.testing.assert_array_equal(finer.inside, (finer.a**2 + finer.b**2 < 0.8**2).astype(float))


@pytest.mark.parametrize(
    ("refine", "words"),
    [
        ({}, "depth must be a whole number from 0 to 16"),
        ({"depth": 2.5}, "given was 2.5"),
        ({"depth": 2, "outputs": ["insid"]}, "did you mean inside"),
        ({"depth": 2, "outputs": ["path"]}, "one number per point"),
        ({"depth": 2, "outputs": []}, "must be a list"),
        ({"depth": 2, "outputs": ["height"], "tolerance": -1.0}, "above 0"),
        ({"depth": 2, "outputs": ["height"], "tolerance": {"inside": 0.1}}, "not watched as a number"),
        ({"depth": 2, "axes": ["r"]}, "cannot be refined"),
        ({"depth": 2, "interpolate": 1}, "true or false"),
        ({"depth": 2, "deep": 1}, "no key 'deep'"),
    ],
)
def test_mistakes_are_told(refine, words):
    with pytest.raises(SpecError, match=words):
        parse(disc() | {"refine": refine or {"outputs": ["inside"]}})


def test_a_section_decides_no_numbers():
    assert parse(disc()).hash() == parse(full(disc())).hash()


def test_halved_axes():
    raw = full(disc(points=3)) | {"axes": {"a": {"logspace": [0.01, 1.0, 3]}, "b": [1.0, 0.5, 0.0]}}
    axes = refined(parse(raw), {"depth": 2})["axes"]
    np.testing.assert_allclose(axes["a"]["values"], np.geomspace(0.01, 1.0, 9), rtol=1e-15)
    assert axes["a"]["values"][::4] == np.geomspace(0.01, 1.0, 3).tolist()
    assert axes["b"]["values"] == np.linspace(1.0, 0.0, 9).tolist()
    raw = {"sweep": {"model": "toy.waves"}, "axes": {"N": [2, 4, 8], "a": [0.0, 1.0, 2.0]}}
    found = refined(parse(raw), {"depth": 1})
    assert found["axes"]["N"] == {"values": [2, 3, 4, 6, 8]}
    assert refined(parse(raw), {"depth": 2})["refine"]["axes"] == ["a"]  # no whole numbers are left between
    with pytest.raises(SpecError, match="N takes whole numbers"):
        refined(parse(raw), {"depth": 2, "axes": ["N"]})
    with pytest.raises(SpecError, match="depth 0 is the grid as it is"):
        refined(parse(raw), {"depth": 0})


def test_tiles_of_a_refined_grid_are_as_long_as_wide():
    spec = parse(disc(points=1025))
    assert cube_of(spec, 4096) == (64, 64)
    assert cube_of(spec, 1) == (1, 1)
    raw = disc(points=33, axes=["b"])
    assert cube_of(parse(raw), 70) == (2, 33)


def test_another_sweep_is_refused_as_ever(run):
    run(disc(points=5, depth=1))
    other = disc(points=5, depth=1) | {"parameters": {"r": 0.3}}
    with pytest.raises(RunError, match=r"parameter r was 0\.8, now 0\.3"):
        run(other)


def test_a_tile_that_was_never_written_is_left_so(run, tmp_path):
    """Of a run without interpolation every tile has a line, because the start grid is in all of them."""
    raw = disc(points=33, depth=3, interpolate=False) | {"run": {"tile": {"a": 2, "b": 2}}}
    run(raw)
    entries = journal.latest(RunFolder(tmp_path / "out").journal)
    assert len(entries) < 17 * 17
    assert verify(RunFolder(tmp_path / "out")).problems == ()


@pytest.mark.slow
def test_the_tongue_of_the_spin_cats(tmp_path):
    """The example at a quarter of its resolution, against every point of that grid: each class is right, what is computed has
    the full grid's bits, and interpolated phases are right to a small part of their range."""
    raw = read(EXAMPLES / "spin_cat_fig4_refined.toml")
    raw["axes"] = {"eta": {"linspace": [5.0, 650.0, 257]}, "delta": {"linspace": [0.0, 0.08, 257]}}
    raw["refine"] = {**raw["refine"], "depth": 4}
    launch.run(parse(raw), tmp_path / "out", launch.Options(cluster="here", quiet=True))
    found = sweep.open(tmp_path / "out").load()
    eta, delta = np.meshgrid(found.eta, found.delta, indexing="ij")
    whole = solve_many(
        "spin_cat.two_ensembles", points={"eta": eta.ravel(), "delta": delta.ravel()}, N=10_000, t_end=2000.0
    )
    np.testing.assert_array_equal(found.locked, whole["locked"].reshape(257, 257))
    computed = found.status.values != INTERPOLATED
    assert computed.mean() < 0.1
    zeta = whole["zeta"].reshape(257, 257)
    np.testing.assert_array_equal(found.zeta.values[computed], zeta[computed])
    np.testing.assert_array_equal(np.isnan(found.zeta), np.isnan(zeta))
    assert np.nanmax(abs(found.zeta.values - zeta)) < 0.05 * np.nanmax(zeta)
