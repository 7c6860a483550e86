"""Pictures: axes labelled from the store, failed points unlike pending ones, every kind of variable drawn."""

import contextlib
import io

import numpy as np
import pytest
from support import store_suite

import sweep
from sweep.errors import SpecError
from sweep.execution import launch
from sweep.folder import layout
from sweep.folder.store import DONE, POINT_FAILED, Store
from sweep.pictures import averages, plot
from sweep.spec.parsing import parse

PLAN = store_suite.StoreTests.plan


@pytest.fixture
def run_folder(tmp_path):
    """A run of which the first third failed, the last is pending and the rest is done."""
    folder = tmp_path / "run"
    folder.mkdir()
    layout.create(folder / "data.zarr", PLAN, "code", "spec")
    store = Store(folder / "data.zarr", PLAN, writable=True)
    suite = store_suite.StoreTests()
    for index in range(2 * PLAN.tiles // 3):
        failed = index % 3 == 0
        arrays = suite.arrays(index, np.nan if failed else 0.25 * index)
        store.write_tile(index, arrays)
        store.commit(index, suite.codes(index, POINT_FAILED if failed else DONE))
    return folder


def legend_texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_map_has_labels_units_and_a_legend_for_what_is_missing(run_folder):
    data = sweep.open(run_folder)
    figure = plot.picture(data, "height", {"pair": 0})
    first, second = [axes for axes in figure.axes if axes.get_title()]
    assert first.get_title() == "solver = quick"
    assert first.get_xlabel() == "first parameter $a$"
    assert first.get_ylabel() == r"second parameter $\beta$ [$\Gamma$]"
    status = data.status.isel(pair=0)
    for axes, method in ((first, "quick"), (second, "exact")):
        counts = status.sel(solver=method)
        expected = []
        for code, text in ((0, "pending"), (POINT_FAILED, "failed")):
            if n := int((counts == code).sum()):
                expected.append(f"{text} ({n})")
        assert legend_texts(axes) == expected
    assert plot.PENDING_COLOUR != plot.FAILED_COLOUR


def test_curves_with_the_second_axis_as_colours(run_folder):
    figure = plot.picture(
        sweep.open(run_folder), "height", {"solver": "quick", "pair": 0}, plot.Style(along="a", curves=True)
    )
    axes = figure.axes[0]
    assert len(axes.get_lines()) >= 5
    assert axes.get_legend().get_title().get_text() == r"second parameter $\beta$ [$\Gamma$]"
    assert any("failed" in t.get_text() for t in axes.texts)


def test_one_dimension_is_a_curve(run_folder):
    figure = plot.picture(
        sweep.open(run_folder), "wave", {"method": "exact", "pair": 0, "a": 1.4, "b": 0.4, "axis": "y"}
    )
    axes = figure.axes[0]
    assert axes.get_xlabel() == "time $t$ [1/$\\Gamma$]"
    assert "a = 1.5" in figure.get_suptitle()  # the nearest value


@pytest.mark.parametrize("part", ["abs", "real", "imag", "phase"])
def test_complex_values(run_folder, part):
    figure = plot.picture(sweep.open(run_folder), "amplitude", {"pair": 0}, plot.Style(part=part))
    assert f"{part} of complex amplitude" in figure.axes[-1].get_ylabel()


def test_decibels(run_folder):
    figure = plot.picture(sweep.open(run_folder), "height", {"pair": 0}, plot.Style(db=True))
    assert "[dB]" in figure.axes[-1].get_ylabel()


def test_axis_spaced_logarithmically_is_drawn_so():
    assert plot._scale(np.geomspace(1e-4, 10, 12)) == "log"
    assert plot._scale(np.linspace(0.1, 1, 12)) == "linear"
    assert plot._scale(np.asarray([-1.0, 1.0, 3.0])) == "linear"


@pytest.mark.parametrize(
    ("selection", "style", "words"),
    [
        ({}, plot.Style(), "more dimensions than a picture"),
        ({"pear": 0}, plot.Style(), "did you mean pair?"),
        ({"solver": "quik", "pair": 0}, plot.Style(), "did you mean quick?"),
        ({"pair": 0}, plot.Style(along="c"), "not among the dimensions"),
        ({"pair": 0, "a": "left"}, plot.Style(), "needs a number"),
    ],
)
def test_what_cannot_be_drawn_is_said(run_folder, selection, style, words):
    variable = "height" if selection else "wave"
    with pytest.raises(SpecError, match=words.replace("?", r"\?")):
        plot.picture(sweep.open(run_folder), variable, selection, style)


def test_new_run_of_pending_points_can_be_drawn(tmp_path):
    (tmp_path / "run").mkdir()
    layout.create(tmp_path / "run" / "data.zarr", PLAN, "code", "spec")
    path = plot.draw(tmp_path / "run", "height", tmp_path / "h.png", {"pair": 0})
    assert path.stat().st_size > 5000


def test_deviation_from_a_method(cluster, tmp_path, raw):
    raw["sweep"]["method"] = ["quick", "exact"]
    launch.run(parse(raw), tmp_path / "out", stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    data = sweep.open(tmp_path / "out")
    figure = plot.picture(data, "height", style=plot.Style(against="exact", log=True))
    values = figure.axes[0].collections[0].get_array()
    np.testing.assert_allclose(values, 1.0, rtol=1e-12)  # the toy's two methods differ by 1
    assert "deviation from exact:\nheight" in figure.axes[-1].get_ylabel()
    with pytest.raises(SpecError, match=r"did you mean exact\?"):
        plot.picture(data, "height", style=plot.Style(against="exat"))


def test_methods_along_one_axis_are_curves(cluster, tmp_path, raw):
    raw["sweep"]["method"] = ["quick", "exact"]
    del raw["axes"]["b"]
    launch.run(parse(raw), tmp_path / "out", stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    axes = plot.picture(sweep.open(tmp_path / "out"), "height").axes[0]
    assert legend_texts(axes) == ["quick", "exact"]
    assert axes.get_xlabel() == "first parameter $a$"


def test_mean_over_a_dimension_with_its_standard_error(cluster, tmp_path, raw):
    launch.run(parse(raw), tmp_path / "out", stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    data = sweep.open(tmp_path / "out").load()
    expected = data["height"].mean("b").values.ravel()
    sem = (data["height"].std("b", ddof=1) / np.sqrt(data.sizes["b"])).values.ravel()
    figure = plot.picture(data, "height", style=plot.Style(mean="b"))
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), expected, rtol=1e-12)
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx((expected + sem).max(), rel=1e-12)
    assert edges.min() == pytest.approx((expected - sem).min(), rel=1e-12)
    assert "mean of" in axes.get_ylabel()
    with pytest.raises(SpecError, match="--mean bb: height has no such dimension"):
        plot.picture(data, "height", style=plot.Style(mean="bb"))


def test_mean_of_what_is_there(run_folder):
    """A mean that lacks some points is drawn; one that lacks all of them is pending, or failed."""
    data = sweep.open(run_folder).load()
    cut = data["height"].isel(pair=0), data["status"].isel(pair=0)
    mean, status, error = averages.average(*cut, "b")
    some = cut[1].isin([DONE]).any("b")
    assert bool((status.where(some) == DONE).sum() == some.sum())
    assert np.isfinite(mean.where(some).values[some.values]).all()
    assert not (status.where(~some) == DONE).any()
    assert error.shape == mean.shape
