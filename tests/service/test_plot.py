"""Pictures: axes labelled from the store, failed points unlike pending ones, every kind of variable drawn."""

import contextlib
import io

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from support import store_suite
from support.no_pilot import NoPilot

import sweep
from solvers import find, models
from solvers.declarations import Parameter
from solvers.evaluate import parse_parameters
from sweep.errors import RunError, SpecError
from sweep.execution import launch
from sweep.folder import attributes, layout
from sweep.folder.codes import DONE, POINT_FAILED
from sweep.folder.store import Store
from sweep.pictures import averages, colours, plot, point, subject
from sweep.pictures.style import Style
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
    status = np.zeros(PLAN.spec.shape, dtype=np.uint8)
    for index in range(2 * PLAN.tiles // 3):
        failed = index % 3 == 0
        arrays = suite.arrays(index, np.nan if failed else 0.25 * index)
        store.write_tile(index, arrays)
        status[PLAN.region(index)] = POINT_FAILED if failed else DONE
    store.write_status((...,), status)
    return folder


def legend_texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


MAP = Style(kind="map")


def test_map_has_labels_units_and_a_legend_for_what_is_missing(run_folder):
    data = sweep.open(run_folder)
    figure = plot.picture(data, "height", {"pair": 0}, MAP)
    first, second = [axes for axes in figure.axes if axes.get_title()]
    assert first.get_title() == "solver = quick"
    assert first.get_xlabel() == "first parameter $a$"
    assert first.get_ylabel() == r"second parameter $\beta$ [Γ]"
    assert second.get_title() == "solver = exact"
    status = data.status.isel(pair=0)
    counts = {text: int((status == code).sum()) for code, text in ((0, "pending"), (POINT_FAILED, "failed"))}
    assert {f"{text} ({n})" for text, n in counts.items()} == set(legend_texts(figure))
    assert colours.PENDING_COLOUR != colours.FAILED_COLOUR


def test_what_is_declared_to_have_no_value_is_hatched_in_the_map_as_in_the_legend():
    """Looked up in the pixels of the picture: a cell in two colours, and a cell with a value in one."""
    axes = ("a", "b")
    data = xr.Dataset(
        {"z": (axes, [[np.nan, np.nan], [1.0, 2.0]]), "status": (axes, np.full((2, 2), DONE, dtype=np.uint8))},
        coords={"a": [0.0, 1.0], "b": [0.0, 1.0]},
    )
    data.z.attrs["nan_means"] = "unbound"
    figure = plot.picture(data, "z", {}, MAP)
    assert legend_texts(figure) == ["unbound (2)"]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1]
    colours_at = []
    for cell in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0)):
        x, y = figure.axes[0].transData.transform(cell).astype(int)
        colours_at.append(len(np.unique(pixels[y - 20 : y + 20, x - 20 : x + 20].reshape(-1, 4), axis=0)))
    assert min(colours_at) == 1 and sorted(colours_at)[1] > 1, colours_at


def test_curves_with_the_second_axis_as_colours(run_folder):
    figure = plot.picture(sweep.open(run_folder), "height", {"solver": "quick", "pair": 0}, Style(along="a"))
    axes = figure.axes[0]
    assert len(axes.get_lines()) >= 5
    assert figure.legends[0].get_title().get_text() == r"second parameter $\beta$ [Γ]"
    assert "failed" in figure.get_supxlabel()


def test_one_dimension_is_a_curve(run_folder):
    figure = plot.picture(
        sweep.open(run_folder), "wave", {"method": "exact", "pair": 0, "a": 1.4, "b": 0.4, "axis": "y"}
    )
    axes = figure.axes[0]
    assert axes.get_xlabel() == "time $t$ [1/Γ]"
    assert "a = 1.5" in figure.get_suptitle()  # the nearest value


@pytest.mark.parametrize("part", ["abs", "real", "imag", "phase"])
def test_complex_values(run_folder, part):
    figure = plot.picture(sweep.open(run_folder), "amplitude", {"pair": 0}, Style(part=part, kind="map"))
    assert f"{part} of complex amplitude" in figure.axes[-1].get_ylabel()


def test_decibels(run_folder):
    figure = plot.picture(sweep.open(run_folder), "height", {"pair": 0}, Style(db=True))
    assert "[dB]" in figure.axes[0].get_ylabel()


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (np.geomspace(1e-4, 10, 12), True),
        (np.asarray([1, 2, 4, 6, 11, 18, 32, 56, 100]), True),
        (np.linspace(0.1, 1, 12), False),
        (np.asarray([-1.0, 1.0, 3.0]), False),
        (np.asarray([1.0, 2.0]), False),
    ],
)
def test_axis_spaced_logarithmically_is_drawn_so(values, log):
    assert colours.is_geometric(values) == log


@pytest.mark.parametrize(
    ("selection", "style", "words"),
    [
        ({"pear": 0}, Style(), "did you mean pair?"),
        ({"solver": "quik", "pair": 0}, Style(), "did you mean quick?"),
        ({"pair": 0}, Style(along="c"), "not among what height can be drawn along"),
        ({"pair": 0, "a": "left"}, Style(), "needs a number"),
        ({"pair": 0, "a": 1e9}, Style(), "beyond its values, which go from 0 to 3"),
        ({"pair": 0, "a": 0, "b": 0.2, "solver": "exact"}, Style(), "is one number at .*nothing to draw"),
        ({"pair": 0}, Style(cmap="rainbowish", kind="map"), "no palette"),
        ({"pair": 0}, Style(vmin=2.0, vmax=1.0, kind="map"), "leave no range"),
    ],
)
def test_what_cannot_be_drawn_is_said(run_folder, selection, style, words):
    with pytest.raises(SpecError, match=words.replace("?", r"\?")):
        plot.picture(sweep.open(run_folder), "height", selection, style)


def test_dimensions_beyond_a_picture_are_cut_and_said(run_folder):
    data = sweep.open(run_folder)
    figure = plot.picture(data, "wave", {"solver": "quick"})
    assert "time = " in figure.get_suptitle()  # at the end
    assert figure.get_suptitle().count("=") >= 2


def test_a_plane_is_a_map_and_a_short_axis_makes_panels_of_it():
    """W(x, p) over two axes of the sweep: the short one makes panels, the long one is cut."""
    x = np.linspace(-2.0, 2.0, 11)
    dims = ("eta", "delta", "x", "p")
    W = np.multiply.outer(np.arange(1.0, 4.0), np.multiply.outer(np.ones(9), np.add.outer(x, 2 * x)))
    data = xr.Dataset(
        {
            "W": (dims, W),
            "position": ("x", x, {"long_name": "position $x$"}),
            "status": (dims[:2], np.full((3, 9), DONE, dtype=np.uint8)),
        },
        coords={"eta": [5.0, 10.0, 12.0], "delta": np.arange(9.0)},
    )
    for dim in ("x", "p"):
        data.coords[dim] = (dim, np.arange(11), {attributes.PHYSICAL: "position", "long_name": f"axis {dim}"})
    figure = plot.picture(data, "W")
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["eta = 5", "eta = 10", "eta = 12"]
    assert "delta = 4" in figure.get_suptitle()
    assert panels[0].get_xlabel() == "position $x$" and panels[0].get_ylabel() == "axis p"
    drawn = panels[2].collections[0].get_array()
    np.testing.assert_array_equal(drawn, W[2, 4].T)
    assert not figure.axes[0].get_lines()


def test_without_a_variable_the_first_output_kept_is_drawn(run_folder, cluster, tmp_path, raw):
    assert "height" in plot.picture(sweep.open(run_folder)).axes[0].get_ylabel()
    raw["outputs"] = {"keep": ["wave", "height"]}
    launch.run(parse(raw), tmp_path / "out", None, io.StringIO(), contextlib.nullcontext(cluster), NoPilot())
    assert subject.main_output(sweep.open(tmp_path / "out")) == "wave"


def test_files_are_named_by_what_they_show(run_folder):
    one = plot.draw(run_folder, "height", None, {"pair": 0, "solver": "quick"})
    other = plot.draw(run_folder, "height", None, {"pair": 0, "solver": "exact"}, Style(log=True))
    assert one.name == "height_pair=0_solver=quick.png"
    assert other.name == "height_pair=0_solver=exact_log.png"


def test_unknown_endings_are_refused_before_anything_is_drawn(run_folder, tmp_path):
    with pytest.raises(SpecError, match=r"pictures end in .*\.pdf.*given was \.foo"):
        plot.draw(run_folder, "height", tmp_path / "x.foo")


def test_a_run_that_cannot_be_written_to_says_where_to_draw(run_folder, monkeypatch):
    def full(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    with pytest.raises(RunError, match="name another file with -o"):
        plot.draw(run_folder, "height")


class TestWhatSuitsTheValues:
    """Palettes and limits by the values: closed forms of synthetic data."""

    def dataset(self, values, **attributes):
        import xarray

        shape = values.shape
        names = ("x", "y")[: values.ndim]
        coordinates = {n: np.linspace(0.0, 1.0, size) for n, size in zip(names, shape, strict=True)}
        data = xarray.DataArray(values, dims=names, coords=coordinates, attrs={"long_name": "q", **attributes})
        status = xarray.DataArray(np.full(shape, DONE, dtype=np.uint8), dims=names, coords=coordinates)
        return xarray.Dataset({"q": data, "status": status}, attrs={"title": "synthetic"})

    GRID = np.linspace(-1.0, 2.0, 400).reshape(20, 20)

    def mesh(self, values, style=None, **attributes):
        figure = plot.picture(self.dataset(values, **attributes), "q", style=style)
        return figure, figure.axes[0].collections[0]

    def test_signed_values_are_centred_at_zero(self):
        _, mesh = self.mesh(self.GRID)
        assert mesh.get_clim() == (-2.0, 2.0)
        assert mesh.get_cmap().name == "RdBu_r"

    def test_a_constant_but_for_round_off_is_a_constant(self):
        noise = 1.0 + 1e-15 * self.GRID
        figure, mesh = self.mesh(noise)
        low, high = mesh.get_clim()
        assert high - low > 0.01
        assert "everywhere" in figure.axes[-1].get_yticklabels()[0].get_text()
        _, mesh = self.mesh(1e-17 * self.GRID, valid_min=-1.0, valid_max=1.0)
        assert mesh.get_clim()[1] > 1e-3

    def test_curves_of_a_constant_do_not_show_round_off(self):
        figure = plot.picture(self.dataset(1.0 + 1e-15 * self.GRID[0]), "q")
        low, high = figure.axes[0].get_ylim()
        assert high - low > 0.01

    def test_codes_have_a_legend_and_no_bar(self):
        values = (self.GRID > 0).astype(float)
        figure, _ = self.mesh(values, flag_values=[0, 1], flag_meanings="not_locked locked")
        count = int(values.sum())
        assert legend_texts(figure) == [f"not locked ({400 - count})", f"locked ({count})"]
        assert len(figure.axes) == 1

    def test_nan_is_explained(self):
        values = np.where(self.GRID > 0, self.GRID, np.nan)
        figure, _ = self.mesh(values, nan_means="not locked")
        assert legend_texts(figure) == [f"not locked ({int(np.isnan(values).sum())})"]

    def test_nothing_but_nan_has_no_bar(self):
        figure, _ = self.mesh(np.full((20, 20), np.nan), nan_means="not locked")
        assert len(figure.axes) == 1
        assert legend_texts(figure) == ["not locked (400)"]

    def test_logarithmic_colours_leave_zeros_at_the_bottom(self):
        values = np.where(self.GRID > 0, self.GRID, 0.0)
        _, mesh = self.mesh(values, Style(log=True))
        assert mesh.norm.vmin > 0
        assert not np.ma.is_masked(mesh.get_array())

    def test_limits_and_palette_can_be_given(self):
        figure, mesh = self.mesh(self.GRID, Style(vmin=0.0, vmax=1.0, cmap="cividis", title="mine"))
        assert mesh.get_clim() == (0.0, 1.0)
        assert mesh.get_cmap().name == "cividis"
        assert figure.get_suptitle() == "mine"

    def test_an_index_axis_shows_its_physical_coordinate(self):
        data = self.dataset(np.linspace(0, 1, 20))
        field = data["q"].copy(data=np.linspace(-3, 3, 20)).assign_attrs(long_name="field", units="T")
        data = data.assign(field=field)
        data["x"].attrs["physical_coordinate"] = "field"
        axes = plot.picture(data, "q").axes[0]
        assert axes.get_xlabel() == "field [T]"
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), np.linspace(-3, 3, 20))
        along = plot.picture(data, "field", style=Style(along="q")).axes[0]
        np.testing.assert_array_equal(along.lines[0].get_xdata(), np.linspace(0, 1, 20))

    def test_a_cut_says_its_physical_coordinate_and_takes_it(self):
        one = self.dataset(np.linspace(0, 1, 20))
        data = xr.concat([one, one], xr.Variable("y", [1.0, 2.0]), combine_attrs="override")
        field = data["q"].copy(data=np.tile(np.linspace(-3, 3, 20), (2, 1))).assign_attrs(long_name="field", units="T")
        data = data.assign(field=field)
        data["x"].attrs["physical_coordinate"] = "field"
        assert "field = 3" in plot.picture(data, "q", {"field": 2.9}).get_suptitle()
        found = subject.subject(data, "q", {}, Style())
        assert subject.cut_at(found, "x", 0).cut == ("field = -3",)
        with pytest.raises(SpecError, match=r"beyond its values, which go from -3 to 3"):
            plot.picture(data, "q", {"field": 30})

    def test_many_labels_are_something_to_draw_along(self):
        values = np.linspace(0, 1, 20)
        data = self.dataset(values)
        data = data.assign_coords(x=[f"moment {k}" for k in range(20)])
        axes = plot.picture(data, "q").axes[0]
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), values)
        assert axes.get_xticklabels()[3].get_text() == "moment 3"

    def test_errors_are_bands(self):
        data = self.dataset(np.linspace(0, 1, 20))
        data = data.assign(q_sem=data["q"].copy(data=np.full(20, 0.25)))
        figure = plot.picture(data, "q")
        edges = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
        assert edges.max() == pytest.approx(1.25)
        assert "one standard error" in figure.get_supxlabel()


@pytest.mark.parametrize(
    ("unit", "text"),
    [("1/Gamma2", "1/Γ₂"), ("hbar*omega_s*gamma", "ħ·ωₛ·γ"), ("1/time**2", "1/time²"), ("1", "1"), ("rad", "rad")],
)
def test_units_are_those_of_papers(unit, text):
    assert attributes.unit_text(unit) == text


def test_names_of_axes_are_short_and_can_be_set():
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    long = []
    for model in map(find, models()):
        for thing in (*model.outputs, *model.dimensions, *model.parameters):
            name = attributes.axis_name(thing)
            parser.parse(name)
            drawn = not isinstance(thing, Parameter) or thing.physical
            if drawn and len(name.split("$")[0]) > 45:
                long.append((model.id, thing.name, name))
    assert not long


def test_new_run_of_pending_points_can_be_drawn(tmp_path):
    (tmp_path / "run").mkdir()
    layout.create(tmp_path / "run" / "data.zarr", PLAN, "code", "spec")
    path = plot.draw(tmp_path / "run", "height", tmp_path / "h.png", {"pair": 0})
    assert path.stat().st_size > 5000


def test_deviation_from_a_method(cluster, tmp_path, raw):
    raw["sweep"]["method"] = ["quick", "exact"]
    launch.run(parse(raw), tmp_path / "out", None, io.StringIO(), contextlib.nullcontext(cluster), NoPilot())
    data = sweep.open(tmp_path / "out")
    figure = plot.picture(data, "height", style=Style(against="exact", log=True, kind="map"))
    values = figure.axes[0].collections[0].get_array()
    np.testing.assert_allclose(values, 1.0, rtol=1e-12)  # the toy's two methods differ by 1
    assert "deviation from exact:\nheight" in figure.axes[-1].get_ylabel()
    with pytest.raises(SpecError, match=r"did you mean exact\?"):
        plot.picture(data, "height", style=Style(against="exat"))


def test_methods_along_one_axis_are_curves(cluster, tmp_path, raw):
    raw["sweep"]["method"] = ["quick", "exact"]
    del raw["axes"]["b"]
    launch.run(parse(raw), tmp_path / "out", None, io.StringIO(), contextlib.nullcontext(cluster), NoPilot())
    figure = plot.picture(sweep.open(tmp_path / "out"), "height")
    axes = figure.axes[0]
    assert legend_texts(figure) == ["quick", "exact"]
    assert axes.get_xlabel() == "first parameter $a$"


def test_mean_over_a_dimension_with_its_standard_error(cluster, tmp_path, raw):
    launch.run(parse(raw), tmp_path / "out", None, io.StringIO(), contextlib.nullcontext(cluster), NoPilot())
    data = sweep.open(tmp_path / "out").load()
    expected = data["height"].mean("b").values.ravel()
    sem = (data["height"].std("b", ddof=1) / np.sqrt(data.sizes["b"])).values.ravel()
    figure = plot.picture(data, "height", style=Style(mean="b"))
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), expected, rtol=1e-12)
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx((expected + sem).max(), rel=1e-12)
    assert edges.min() == pytest.approx((expected - sem).min(), rel=1e-12)
    assert "mean of" in axes.get_ylabel()
    with pytest.raises(SpecError, match="--mean bb: height has no such dimension"):
        plot.picture(data, "height", style=Style(mean="bb"))


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


class TestPoint:
    def panel(self, N, name="spins"):
        model = find("spin_network.dynamics")
        parsed = parse_parameters(model, {"N": N, "times": [0.0, 1.0]})
        output = next(o for o in model.outputs if o.name == name)
        sizes = {"time": 2, "axis": 3, "axis2": 3, "site": N, "site2": N}
        values = np.arange(np.prod([sizes[d] for d in output.dims]), dtype=float).reshape(
            [sizes[d] for d in output.dims]
        )
        return point.panel_of(model, output, values, parsed), values

    def test_few_spins_have_a_curve_each(self):
        panel, values = self.panel(2)
        assert list(panel.curves) == ["site 0, x", "site 0, y", "site 0, z", "site 1, x", "site 1, y", "site 1, z"]
        np.testing.assert_array_equal(panel.curves["site 1, y"], values[:, 1, 1])
        assert panel.cut == ""
        assert panel.along.unit == "hbar/energy"

    def test_of_many_spins_the_first_is_drawn_and_said(self):
        panel, values = self.panel(5)
        assert list(panel.curves) == ["x", "y", "z"]
        np.testing.assert_array_equal(panel.curves["z"], values[:, 0, 2])
        assert panel.cut == "\n(site = 0)"

    def test_a_matrix_of_components_is_no_panel(self):
        assert self.panel(2, "correlations")[0] is None
