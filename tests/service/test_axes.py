"""Axes of everything: arrays along an axis, derived parameters, zipped groups, random designs."""

import contextlib
import io
import shlex

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support.no_pilot import NoPilot

import sweep
from sweep.cli.program import main
from sweep.errors import SpecError
from sweep.execution import launch
from sweep.folder.run_folder import RunFolder
from sweep.results.failures import groups
from sweep.spec.documents import read
from sweep.spec.formulas import parse_formula
from sweep.spec.parsing import parse
from sweep.spec.toml_text import spec_text


def weighted(**sections):
    return {"sweep": {"model": "toy.weighted"}, "parameters": {"a": 2.0}, **sections}


def run(raw, out, cluster):
    return launch.run(parse(raw), out, None, io.StringIO(), contextlib.nullcontext(cluster), NoPilot())


STACK = np.asarray([[1.0, 2.0, 5.0], [4.0, 0.0, 4.0], [3.0, 1.0, 0.0]])


class TestArrays:
    @pytest.fixture
    def form(self, request, tmp_path):
        np.save(tmp_path / "stack.npy", STACK)
        for k, array in enumerate(STACK):
            np.save(tmp_path / f"w{k}.npy", array)
        return {
            "file": str(tmp_path / "stack.npy"),
            "list": STACK.tolist(),
            "files": [str(tmp_path / f"w{k}.npy") for k in range(3)],
            "named": {"arrays": str(tmp_path / "stack.npy")},
            "complex": {"re": STACK.tolist(), "im": np.zeros((3, 3)).tolist()},
            "one file in a list": [str(tmp_path / "stack.npy")],
        }[request.param]

    @pytest.mark.parametrize("form", ["file", "list", "files", "named", "complex", "one file in a list"], indirect=True)
    def test_arrays_are_an_axis(self, form, cluster, tmp_path):
        raw = weighted(axes={"weights": form, "a": [1.0, 2.0]}, parameters={})
        assert run(raw, tmp_path / "out", cluster).exit_status == 0
        for path in tmp_path.glob("*.npy"):
            path.unlink()  # the run has its own copies
        data = sweep.open(tmp_path / "out")
        np.testing.assert_array_equal(data["weights"], [0, 1, 2])
        np.testing.assert_allclose(data["mean"], (STACK[:, 0] / STACK.sum(axis=1))[:, None] * [1.0, 2.0])
        assert sweep.Run(tmp_path / "out").point(weights=1, a=2.0).solve()["mean"] == 1.0

    def test_a_column_of_labels_is_the_coordinate(self, cluster, tmp_path):
        raw = weighted(axes={"weights": {"arrays": STACK.tolist(), "labels": {"skew": [0.5, -1.0, 2.0]}}})
        assert run(raw, tmp_path / "out", cluster).exit_status == 0
        data = sweep.open(tmp_path / "out")
        assert data["mean"].dims == ("skew",)
        assert data["mean"].sel(skew=-1.0) == 1.0
        np.testing.assert_array_equal(sweep.Run(tmp_path / "out").point(skew=2.0).parameters["weights"], STACK[2])

    def test_arrays_in_a_zipped_group_keep_their_labels(self, cluster, tmp_path):
        weights = {"arrays": STACK.tolist(), "labels": {"which": ["low", "mid", "high"]}}
        raw = weighted(zip={"case": {"weights": weights, "a": [1.0, 2.0, 3.0]}}, parameters={})
        assert run(raw, tmp_path / "out", cluster).exit_status == 0
        data = sweep.open(tmp_path / "out")
        assert data["which"].values.tolist() == ["low", "mid", "high"]
        assert data["which"].dims == data["a"].dims == ("case",)

    def test_a_failed_array_is_repeated_from_the_runs_own_copy(self, cluster, tmp_path):
        np.save(tmp_path / "stack.npy", np.asarray([[1.0, 2.0, 3.0], [1.0, -1.0, 0.0]]))
        raw = weighted(axes={"a": [1.0, 2.0], "weights": str(tmp_path / "stack.npy")}, parameters={})
        assert run(raw, tmp_path / "out", cluster).exit_status == 3
        (group,) = groups(RunFolder(tmp_path / "out"))
        assert group.count == 2
        assert group.parameters == {"weights": 1, "a": 1.0}
        result = CliRunner().invoke(main, shlex.split(group.command)[1:])
        assert "weights of zero" in result.output
        assert "meta/arrays/weights.npy[1]" in group.command

    @pytest.mark.parametrize(
        ("axes", "words"),
        [
            ({"weights": {"arrays": STACK.tolist(), "labels": {"x": [1.0, 2.0]}}}, "x has 2 values for 3 arrays"),
            ({"weights": {"arrays": STACK.tolist(), "labels": {"x": [1.0, 1.0, 2.0]}}}, "each once"),
            ({"weights": {"arrays": STACK.tolist(), "labels": {"mean": [1, 2, 3]}}}, "cannot be called 'mean'"),
            ({"weights": {"arrays": STACK.tolist(), "label": [1]}}, "no form 'label'"),
            ({"weights": {"labels": {"x": [1]}}}, "labels belong to arrays"),
            ({"a": {"arrays": STACK.tolist()}}, "one number, not an array; arrays of toy.weighted are weights"),
            ({"weights": "nowhere.npy"}, "does not exist"),
            ({"weights": [[1.0, 2.0, 3.0], [1.0]]}, "different lengths"),
        ],
    )
    def test_mistakes_are_told(self, axes, words):
        with pytest.raises(SpecError, match=words):
            parse(weighted(axes=axes, parameters={}))


VALUES = {"a": np.asarray(3.0), "b": np.asarray(0.5)}


class TestFormulas:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("a/b", 6.0),
            ("-a**2", -9.0),
            ("2**-1", 0.5),
            ("2**3**2", 512.0),
            ("a - b - 1", 1.5),
            ("8/4/2", 1.0),
            ("2*(a+b)*sqrt(4)", 14.0),
            ("log(exp(2))", 2.0),
            ("pi*1_000e-3", np.pi),
            ("+-+a", -3.0),
            (".5e1", 5.0),
        ],
    )
    def test_arithmetic(self, text, value):
        assert parse_formula("x", text)(VALUES) == pytest.approx(value, rel=1e-15)

    @given(
        st.recursive(
            st.sampled_from(["a", "b", "2", "0.25", "pi"]),
            lambda inner: st.one_of(
                st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
                inner.map(lambda t: f"-{t}"),
                inner.map(lambda t: f"({t})**2"),
            ),
            max_leaves=12,
        )
    )
    def test_agrees_with_python(self, text):
        with contextlib.suppress(ZeroDivisionError, OverflowError):
            expected = eval(text, {"__builtins__": {}}, {"a": 3.0, "b": 0.5, "pi": np.pi})
            np.testing.assert_array_equal(parse_formula("x", text)(VALUES), float(expected))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("a +", "breaks off"),
            ("a b", "'b' is not expected here, at character 3"),
            ("(a", "breaks off"),
            ("a)", "'\\)' is not expected"),
            ("a;b", "';' has no meaning"),
            ("__import__('os')", "has no meaning"),
            ("sin(a)", "no function 'sin'"),
            ("a.b", "has no meaning|not expected"),
            ("(" * 60 + "a" + ")" * 60, "nested"),
            ("-" * 200 + "a", "nested"),
            ("a+" * 600 + "a", "at most 1000 characters"),
            ("", "breaks off"),
        ],
    )
    def test_what_is_no_formula_is_refused(self, text, words):
        with pytest.raises(SpecError, match=words):
            parse_formula("[parameters] x", text)

    def test_derived_parameters_vary_and_are_coordinates(self, raw, cluster, tmp_path):
        raw["sweep"]["method"] = ["quick", "exact"]
        raw["parameters"] |= {"b": "N*a/100 + 0.25", "N": "2**3"}
        raw["axes"] = {"a": [1.0, 2.0, 3.0]}
        spec = parse(raw)
        assert spec.parameters["N"] == 8
        np.testing.assert_array_equal(spec.derived["b"].values, 8 * np.asarray([1.0, 2.0, 3.0]) / 100 + 0.25)
        assert run(raw, tmp_path / "out", cluster).exit_status == 0
        data = sweep.open(tmp_path / "out")
        assert data["b"].dims == ("a",)
        assert data["b"].attrs["formula"] == "N * a / 100 + 0.25"
        np.testing.assert_allclose(data["height"].sel(solver="quick"), np.sin(data["a"]) * data["b"] + 8)
        assert sweep.Run(tmp_path / "out").point(a=2.0, method="exact").parameters["b"] == 8 * 2.0 / 100 + 0.25

    def test_formulas_of_formulas_over_several_axes(self, raw):
        raw["parameters"] = {"b": "a/10 + N/100", "N": 5}
        raw["axes"] = {"a": [1.0, 2.0]}
        raw["zip"] = {"pair": {"shape": ["round", "square", "round"]}}
        assert parse(raw).derived["b"].along == (0,)
        del raw["parameters"]["N"]
        raw["zip"]["pair"]["N"] = [1, 2, 3]
        spec = parse(raw)
        assert spec.derived["b"].along == (0, 1)
        np.testing.assert_allclose(spec.derived["b"].values, [[0.11, 0.12, 0.13], [0.21, 0.22, 0.23]])

    def test_a_formula_of_constants_is_the_number(self, raw):
        number = parse(raw).hash()
        raw["parameters"]["N"] = "10/2"
        assert parse(raw).hash() == number

    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"b": "a/c"}, "has no parameter 'c'"),
            ({"b": "N", "N": "b*1"}, "round in a circle: .*needs"),
            ({"b": "shape*2"}, "shape is a choice"),
            ({"b": "5*a"}, "at a = 2.0: parameter b .* given was 10.0"),
            ({"N": "a/2"}, "not a whole number"),
            ({"b": "1/(a-1)"}, "at a = 1.0: .*not finite"),
            ({"times": "a"}, "sets the shape"),
        ],
    )
    def test_mistakes_are_told(self, raw, parameters, words):
        raw["parameters"] = {"times": [0.0, 1.0], **parameters}
        raw["axes"] = {"a": [1.0, 2.0, 3.0]}
        with pytest.raises(SpecError, match=words):
            parse(raw)


class TestDesigns:
    def sample(self, raw, n=64, seed=0, **forms):
        raw["sweep"]["seed"] = seed
        raw["axes"] = {}
        raw["parameters"].pop("N", None)
        raw["zip"] = {"sample": forms or {"a": {"sobol": [-1.0, 2.0, n]}, "b": {"sobol": [0.0, 1.0, n]}}}
        return parse(raw)

    def test_sobol_fills_the_box_evenly(self, raw):
        columns = self.sample(raw, 64).dimensions[0].columns
        a, b = (columns["a"] + 1.0) / 3.0, columns["b"]
        cells = np.floor(a * 8) * 8 + np.floor(b * 8)
        assert len(set(cells.tolist())) == 64  # a (0, 6, 2)-net: one point in every one of 64 cells

    def test_uniform_numbers_are_uniform(self, raw):
        spec = self.sample(raw, a={"uniform": [-1.0, 1.0, 20_000]}, N={"uniform": [1, 100, 20_000]})
        a, n = (spec.dimensions[0].columns[k] for k in ("a", "N"))
        assert abs(a.mean()) < 5 / np.sqrt(3 * 20_000)  # five standard errors
        assert n.dtype.kind == "i"
        assert abs(np.corrcoef(a, n)[0, 1]) < 5 / np.sqrt(20_000)

    def test_the_seed_decides_the_sample(self, raw):
        first, again, other = (self.sample(raw, seed=s).dimensions[0].columns["a"] for s in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert np.all(first != other)

    def test_the_logarithm_is_drawn(self, raw):
        a = self.sample(raw, a={"sobol": [1e-3, 1e3, 8, "log"]}).dimensions[0].columns["a"]
        assert sorted(np.floor(np.log10(a) / 6 * 8 + 4).astype(int).tolist()) == list(range(8))

    @pytest.mark.parametrize(
        ("forms", "words"),
        [
            ({"a": {"sobol": [0, 1]}}, "needs .lo, hi, count"),
            ({"a": {"sobol": [1, 0, 4]}}, "lo < hi"),
            ({"a": {"uniform": [0, 1, 4, "log"]}}, "both > 0"),
            ({"a": {"sobol": [0, 1, 4]}, "b": {"sobol": [0, 1, 8]}}, "same count"),
            ({"a": {"sobol": [0, 1, 4]}, "b": [0.1]}, "same number"),
            ({"b": {"uniform": [0, 20, 100]}}, "< 10"),
        ],
    )
    def test_mistakes_are_told(self, raw, forms, words):
        with pytest.raises(SpecError, match=words):
            self.sample(raw, **forms)

    def test_a_design_is_no_axis(self, raw):
        raw["axes"]["a"] = {"sobol": [0, 1, 8]}
        with pytest.raises(SpecError, match=r"write \[zip.sample\]"):
            parse(raw)


def test_zip_groups_can_be_an_array_of_tables(raw, tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(
        '[sweep]\nmodel = "toy.waves"\n[[zip]]\nname = "run"\na = [1.0, 2.0]\nb = [0.1, 0.2]\n[[zip]]\nN = [3, 4, 5]\n'
    )
    spec = parse(read(path))
    assert [(d.name, d.size) for d in spec.dimensions] == [("run", 2), ("N", 3)]
    path.write_text(spec_text(read(path)))
    assert parse(read(path)).hash() == spec.hash()


def test_a_resumed_run_has_the_same_points(raw, cluster, tmp_path):
    raw["axes"] = {"a": [1.0, 2.0]}
    raw["parameters"] = {"b": "a/10"}
    raw["zip"] = {"sample": {"N": {"uniform": [1, 12, 5]}}}
    assert run(raw, tmp_path / "out", cluster).exit_status == 0
    assert RunFolder(tmp_path / "out").plan().spec.hash() == parse(raw).hash()
    assert run(raw, tmp_path / "out", cluster).exit_status == 0
