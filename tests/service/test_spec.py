"""What a spec means, and that every mistake in one is told in one sentence that names culprit, allowed, given, cure."""

import copy

import numpy as np
import pytest

from sweep.errors import SpecError
from sweep.plan.variables import check_size
from sweep.spec.axis_forms import axis_from_text, axis_values, from_text
from sweep.spec.documents import read, with_overrides
from sweep.spec.parsing import parse
from sweep.spec.toml_text import spec_text


def test_axes_are_dimensions_in_their_order(raw):
    spec = parse(raw)
    assert [d.name for d in spec.dimensions] == ["a", "b"]
    assert spec.shape == (7, 4)
    assert spec.points == 28
    np.testing.assert_array_equal(spec.dimensions[0].columns["a"], np.linspace(0, 3, 7))
    assert spec.parameters["N"] == 5
    assert spec.parameters["shape"] == "round"  # the model's default


def test_list_of_methods_is_the_first_axis(raw):
    raw["sweep"]["method"] = ["exact", "quick"]
    spec = parse(raw)
    assert [d.name for d in spec.dimensions] == ["solver", "a", "b"]
    assert spec.dimensions[0].labels == ("exact", "quick")
    assert "amplitude" in spec.keep
    assert "hole" in spec.keep


def test_zip_varies_parameters_together(raw):
    del raw["axes"]["a"]
    raw["zip"] = {"run": {"a": [1.0, 2.0, 2.0], "shape": ["round", "round", "square"]}}
    spec = parse(raw)
    assert spec.shape == (4, 3)
    assert set(spec.dimensions[1].columns) == {"a", "shape"}


def test_array_parameters_take_axis_forms(raw):
    raw["parameters"]["times"] = {"linspace": [0, 30, 61]}
    np.testing.assert_array_equal(parse(raw).parameters["times"], np.linspace(0, 30, 61))


def test_numbers_along_an_axis_fill_an_array_parameter():
    spec = parse({"sweep": {"model": "toy.weighted"}, "axes": {"weights": [1.0, 2.0]}})
    assert spec.shape == (2,)


def test_axis_forms():
    np.testing.assert_array_equal(axis_values("x", [1, 2]), [1, 2])
    np.testing.assert_array_equal(axis_values("x", {"arange": [0, 1, 0.25]}), [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(axis_values("x", {"logspace": [1e-4, 10, 6]}), 10.0 ** np.arange(-4, 2))
    assert axis_values("x", {"logspace": [1, 100, 20]}, "integer")[:4] == [1, 2, 3, 4]
    assert axis_from_text("x", "0:1:3:log") == {"logspace": [0.0, 1.0, 3.0]}
    assert axis_from_text("x", "1,2.5,up") == {"values": [1, 2.5, "up"]}
    assert from_text("x", "0:1:3") == {"linspace": [0.0, 1.0, 3.0]}
    assert from_text("x", "[1, 2]") == [1, 2]
    assert from_text("x", "gaussian") == "gaussian"
    assert from_text("x", "10_000") == 10_000


def test_overrides_replace_axes_and_parameters(raw):
    changed = with_overrides(raw, {"b": 0.3, "method": "exact"}, {"N": {"values": [2, 4]}})
    spec = parse(changed)
    assert [d.name for d in spec.dimensions] == ["a", "N"]
    assert spec.parameters["b"] == 0.3
    assert spec.methods == ("exact",)
    assert "b" in raw["axes"]  # the original is left alone


def test_hash_covers_what_decides_the_numbers(raw):
    first = parse(raw).hash()
    for section, entry in (("sweep", {"name": "other"}), ("run", {"tile": {"a": 2}, "retries": 5})):
        assert parse({**raw, section: {**raw.get(section, {}), **entry}}).hash() == first
    explicit = copy.deepcopy(raw)
    explicit["parameters"]["shape"] = "round"
    explicit["axes"]["a"] = [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert parse(explicit).hash() == first
    for section, entry in (
        ("sweep", {"method": "exact"}),
        ("sweep", {"seed": 3}),
        ("parameters", {"N": 6}),
        ("axes", {"a": {"linspace": [0.0, 3.0, 8]}}),
        ("outputs", {"keep": ["height"]}),
    ):
        assert parse({**raw, section: {**raw.get(section, {}), **entry}}).hash() != first
    reordered = {**raw, "axes": dict(reversed(raw["axes"].items()))}
    assert parse(reordered).hash() != first


def test_written_spec_reads_back(raw, tmp_path):
    raw["zip"] = {"pair": {"N": [1, 2], "shape": ["round", "square"]}}
    del raw["parameters"]["N"]
    path = tmp_path / "spec.toml"
    path.write_text(spec_text(raw))
    assert read(path) == raw
    assert parse(read(path)).hash() == parse(raw).hash()


def change(**sections):
    """Put entries into sections; None takes an entry out."""

    def apply(raw):
        for section, entries in sections.items():
            if not isinstance(entries, dict):
                raw[section] = entries
                continue
            raw.setdefault(section, {})
            for key, value in entries.items():
                if value is None:
                    raw[section].pop(key, None)
                else:
                    raw[section][key] = value

    return apply


BAD = {
    "unknown section": (change(sweeep={}), ["sweeep", "allowed are sweep", "did you mean sweep?"]),
    "unknown key": (change(sweep={"modle": 1}), ["[sweep]", "modle", "did you mean model?"]),
    "no model": (change(sweep={"model": None}), ["names no model", "spinsweep models"]),
    "unknown model": (change(sweep={"model": "toy.wave"}), ["toy.wave", "did you mean toy.waves?"]),
    "unknown method": (change(sweep={"method": "quik"}), ["quik", "quick, exact", "did you mean quick?"]),
    "no methods": (change(sweep={"method": []}), ["empty list", "quick"]),
    "method twice": (change(sweep={"method": ["quick", "quick"]}), ["twice"]),
    "name is a number": (change(sweep={"name": 3}), ["name", "text"]),
    "unknown parameter": (change(parameters={"M": 1}), ["'M'", "it has a, b, N"]),
    "out of bounds": (change(parameters={"N": 0}), ["N", ">= 1", "given was 0"]),
    "wrong type": (change(parameters={"N": "five"}), ["N", "whole number", "'five'", "formula"]),
    "fraction": (change(parameters={"N": 2.5}), ["N", "whole number", "2.5"]),
    "boolean": (change(parameters={"N": True}), ["N", "True"]),
    "not a number": (change(parameters={"N": float("nan")}), ["N", "nan"]),
    "unknown choice": (change(parameters={"shape": "rond"}), ["round, square", "did you mean round?"]),
    "times decrease": (change(parameters={"times": [1.0, 0.0]}), ["times", "decreas"]),
    "no axis": (change(axes={"a": None, "b": None}), ["no axis", "[axes]", "linspace"]),
    "unknown axis": (change(axes={"aa": [1.0]}), ["'aa'", "did you mean a?"]),
    "axis out of bounds": (change(axes={"b": [0.0, 10.0]}), ["b", "< 10", "given was 10"]),
    "infinite axis": (change(axes={"b": [0.0, float("inf")]}), ["b", "finite"]),
    "unknown form": (change(axes={"a": {"linspce": [0, 1, 2]}}), ["linspce", "did you mean linspace?"]),
    "two forms": (change(axes={"a": {"linspace": [0, 1, 2], "values": [1]}}), ["exactly one", "linspace, values"]),
    "count that is no number": (
        change(axes={"a": {"linspace": [0, 1, float("nan")]}}),
        ["count of linspace", "whole number", "nan"],
    ),
    "no form": (change(axes={"a": 3.0}), ["write a list or one of values, linspace"]),
    "empty axis": (change(axes={"a": []}), ["a", "at least one value"]),
    "repeated value": (change(axes={"a": [1.0, 2.0, 1.0]}), ["a", "1.0", "repeated"]),
    "no count": (change(axes={"a": {"linspace": [0, 1]}}), ["linspace", "first, last, count"]),
    "count of zero": (change(axes={"a": {"linspace": [0, 1, 0]}}), ["count", "given was 0"]),
    "exponents": (change(axes={"a": {"logspace": [-4, 1, 10]}}), ["end points themselves", "1e-4"]),
    "arange of nothing": (change(axes={"a": {"arange": [0, 1, -1]}}), ["no values"]),
    "fixed and varied": (change(parameters={"a": 1.0}), ["a", "[parameters]", "leave one"]),
    "shape axis": (change(parameters={"times": None}, axes={"times": [1.0]}), ["times", "shape", "[parameters]"]),
    "arrays of another shape as axis": (
        change(
            sweep={"model": "toy.weighted", "method": None},
            parameters={"N": None, "times": None},
            axes={"b": None, "weights": [[1, 2], [3, 4]]},
        ),
        ["weights", "shape (2,) is given where (3,) is expected"],
    ),
    "method as axis": (change(axes={"method": ["quick"]}), ["[sweep]"]),
    "zip of two lengths": (
        change(zip={"run": {"N": [1, 2], "shape": ["round"]}}, parameters={"N": None}),
        ["same number"],
    ),
    "zip and axis": (change(zip={"run": {"a": [1.0]}}), ["two places"]),
    "zip named like an output": (change(zip={"height": {"N": [1, 2]}}, parameters={"N": None}), ["height", "rename"]),
    "unknown output": (change(outputs={"keep": ["hight"]}), ["hight", "did you mean height?"]),
    "output of another method": (change(outputs={"keep": ["amplitude"]}), ["no method of this sweep"]),
    "keep nothing": (change(outputs={"keep": []}), ["keep", "one or more"]),
    "seed twice": (change(sweep={"seed": -1}), ["seed", "-1"]),
    "tile of nothing": (change(run={"tile": {"a": 0}}), ["tile", "points per axis"]),
    "tile of no axis": (change(run={"tile": {"c": 2}}), ["'c'", "a, b"]),
    "retries": (change(run={"retries": -1}), ["retries"]),
    "max_failures": (change(run={"max_failures": "five"}), ["max_failures", "5%"]),
    "section is no table": (change(axes=3), ["[axes]", "table"]),
}


@pytest.mark.parametrize(("spoil", "words"), BAD.values(), ids=BAD.keys())
def test_bad_specs_are_refused_in_one_sentence(raw, spoil, words):
    parse(raw)
    spoil(raw)
    with pytest.raises(SpecError) as caught:
        parse(raw)
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(SpecError, match="does not exist; `spinsweep new"):
        read(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="spinsweep resume"):
        read(tmp_path)
    (tmp_path / "bad.toml").write_text("[sweep]\nname = x\n")
    with pytest.raises(SpecError, match="line 2"):
        read(tmp_path / "bad.toml")


def test_absurd_sizes_are_refused_with_their_bytes(raw):
    raw["axes"] = {"a": {"linspace": [0.0, 3.0, 3_000_000]}, "b": {"linspace": [0.0, 1.0, 3_000_000]}}
    with pytest.raises(SpecError, match=r"9,000,000,000,000 points .* TiB"):
        check_size(parse(raw))
