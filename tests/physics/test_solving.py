"""solve, solve_many and models as the interface promises them, on the toy models."""

import gc
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from solvers import FAILED, SolverWarning, evaluate, find, fingerprint, models, solve, solve_many
from solvers.batch import Batch
from solvers.declarations import Dimension, Output, Parameter, extent
from solvers.evaluate import make_batch
from solvers.fingerprint import code_of, sources_of
from solvers.model import Method, Model
from solvers.outcome import InvalidInput, Results


def test_numbers_come_back_as_0d_arrays():
    outputs = solve("toy.waves", a=0.5, N=3)
    assert outputs["height"].shape == ()
    assert outputs["status"].shape == ()
    assert outputs["wave"].shape == (3, 3)
    assert float(outputs["height"]) == np.sin(0.5) * 0.5 + 3


def test_default_method_is_the_first():
    assert float(solve("toy.waves", method="exact")["height"]) == float(solve("toy.waves")["height"]) + 1
    assert "hole" in solve("toy.waves")
    assert "hole" not in solve("toy.waves", method="exact")
    assert solve("toy.waves", method="exact")["amplitude"].dtype == np.complex128


def test_solve_many_is_many_solves():
    a = np.linspace(0, 3, 17)
    many = solve_many("toy.waves", points={"a": a, "shape": ["round", "square"] * 8 + ["round"]}, times=[0.0, 2.0])
    assert many["wave"].shape == (17, 2, 3)
    for i in range(17):
        one = solve("toy.waves", a=a[i], shape=("round", "square")[i % 2], times=[0.0, 2.0])
        for name, value in one.items():
            assert value.tobytes() == many[name][i].tobytes()


def test_models_describe_themselves():
    listed = models()
    assert "toy.waves" in listed
    model = listed["toy.waves"]
    assert model.parameter("b").unit == "Gamma"
    assert model.methods[0].name == "quick"
    assert model.status_text[2].startswith("failed")
    assert find("toy.waves") is model


@pytest.mark.parametrize(
    ("error", "call", "words"),
    [
        (ValueError, lambda: solve("toy.wves"), ["toy.wves", "toy.waves, toy.faulty", "did you mean toy.waves?"]),
        (ValueError, lambda: solve("toy.waves", "exat"), ["exat", "did you mean exact?"]),
        (TypeError, lambda: solve("toy.waves", bb=1.0), ["'bb'", "did you mean b?"]),
        (ValueError, lambda: solve("toy.waves", b=10.0), ["b", ">= 0 and < 10", "given was 10"]),
        (ValueError, lambda: solve("toy.waves", a=np.inf), ["a", "not finite"]),
        (ValueError, lambda: solve("toy.waves", a=[1.0, 2.0]), ["a", "one number is expected"]),
        (ValueError, lambda: solve("toy.waves", a=1j), ["a", "real"]),
        (ValueError, lambda: solve("toy.waves", a=None), ["a", "missing"]),
        (ValueError, lambda: solve("toy.waves", N=2.5), ["N", "whole number"]),
        (ValueError, lambda: solve("toy.waves", shape="rund"), ["round, square", "did you mean round?"]),
        (ValueError, lambda: solve("toy.waves", times=[[0.0]]), ["times", "1 dimensions are expected"]),
        (ValueError, lambda: solve("toy.waves", times=[0.0, -1.0]), ["times", "-1"]),
        (ValueError, lambda: solve_many("toy.waves", points={}), ["points is empty"]),
        (ValueError, lambda: solve_many("toy.waves", points={"times": [[0.0]]}), ["times", "shape"]),
        (ValueError, lambda: solve_many("toy.waves", points={"a": [1.0], "b": [1.0, 2.0]}), ["same number"]),
        (ValueError, lambda: solve_many("toy.waves", points={"a": [1.0]}, a=2.0), ["a", "give it once"]),
        (ValueError, lambda: solve_many("toy.waves", points={"b": [1.0, 11.0]}), ["given was 11"]),
    ],
)
def test_bad_input_is_told(error, call, words):
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_point_outside_a_methods_limit_fails_with_its_reason():
    with pytest.warns(SolverWarning, match="needs N <= 12"):
        outputs = solve("toy.waves", method="exact", N=13)
    assert outputs["status"] == FAILED
    assert np.isnan(outputs["height"])
    many = solve_many("toy.waves", method="exact", points={"N": [11, 13, 12]})
    assert many["status"].tolist() == [0, 2, 0]
    assert np.isnan(many["height"]).tolist() == [False, True, False]


def test_exception_fails_its_own_point():
    with pytest.warns(SolverWarning, match="no result at a = 3"):
        assert solve("toy.faulty", a=3.0, at=3.0, kind="raise")["status"] == FAILED
    found = evaluate("toy.faulty", points={"a": [1.0, 3.0, 5.0]}, parameters={"at": 3.0, "kind": "raise"})
    assert found.status.tolist() == [0, 2, 0]
    assert found.remarks[1].kind == "ArithmeticError"
    assert "_faulty" in found.remarks[1].traceback


def test_bad_input_at_a_point_is_raised_or_isolated():
    points = {"a": [1.0, 3.0, 5.0]}
    with pytest.raises(ValueError, match="not physical here"):
        evaluate("toy.faulty", points=points, parameters={"at": 3.0, "kind": "value"})
    found = evaluate("toy.faulty", points=points, parameters={"at": 3.0, "kind": "value"}, isolate=True)
    assert found.status.tolist() == [0, 2, 0]
    assert found.outputs["sum"].tolist()[::2] == [1.5, 5.5]
    assert found.remarks[1].kind == "InvalidInput"


def test_warned_point_keeps_its_outputs():
    with pytest.warns(SolverWarning, match="still moving"):
        outputs = solve("toy.faulty", a=3.0, at=3.0, kind="warn")
    assert outputs["status"] == 1
    assert outputs["sum"] == 3.5


def test_random_keys_depend_on_physics_alone():
    """Not on times, tolerances, the method, the batch, or the order in it; on seed and every physical parameter."""
    model = find("toy.waves")

    def key(method="quick", points=None, **parameters):
        return make_batch(model, method, points or {}, parameters).random_keys().tolist()

    assert key() == key("exact") == key(times=[0.0, 9.0]) == key(a=1.0)
    assert key() != key(a=1.5)
    assert key() != key(shape="square")
    together = key(points={"a": [1.5, 1.0, 2.5]})
    assert together[1] == key()[0]
    assert together[::-1] == key(points={"a": [2.5, 1.0, 1.5]})
    assert len(set(together)) == 3


def test_extents():
    assert extent("3*N", {"N": 4}) == 12
    assert extent("2**N", {"N": 4}) == 16
    assert extent("max_distance+1", {"max_distance": 4}) == 5
    assert extent(3, {}) == 3
    with pytest.raises(ValueError, match="names"):
        extent("M", {"N": 4})


def _array_model():
    return Model(
        id="toy.arrays",
        title="arrays",
        source="here",
        methods=(
            Method(
                name="only",
                meaning="only",
                batch=lambda batch: Results({"first": batch["h"][:, :, 0]}, np.zeros(batch.size, dtype=np.int64)),
            ),
        ),
        parameters=(
            Parameter(name="N", meaning="sites", default=2, kind="integer", bounds=(1, 10), shape=True),
            Parameter(name="h", meaning="fields", default=0.0, dims=("N", 3)),
            Parameter(name="phi", meaning="angle", default=0.0),
        ),
        dimensions=(Dimension(name="site", size="N"),),
        outputs=(Output(name="first", meaning="first field", dims=("site",)),),
        example={},
    )


def test_arrays_take_their_shape_from_parameters():
    model = _array_model()
    assert make_batch(model, "only", {}, {"N": 4})["h"].shape == (1, 4, 3)
    batch = make_batch(model, "only", {"phi": [0.0, 1.0]}, {"h": np.ones((2, 3))})
    assert batch["h"].shape == (2, 2, 3)
    assert batch["N"] == 2
    each = make_batch(model, "only", {"h": np.ones((5, 2, 3))}, {})
    assert each.size == 5
    assert isinstance(each, Batch)
    with pytest.raises(ValueError, match=r"shape \(3, 3\) is given where \(2, 3\)"):
        make_batch(model, "only", {}, {"h": np.ones((3, 3))})


def test_declarations_are_checked_where_they_are_made():
    with pytest.raises(ValueError, match="undeclared dimensions"):
        Model(**{**vars(_array_model()), "dimensions": ()})
    with pytest.raises(ValueError, match="choice"):
        Parameter(name="x", meaning="", default="a", kind="choice", choices=("b",))
    with pytest.raises(ValueError, match="out of bounds"):
        Parameter(name="x", meaning="", default=2.0, bounds=(0.0, 1.0))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('"""Other words."""\nRATE = 2.0\n\n\ndef f(x):\n    # why\n    return (\n        RATE * x\n    )\n', True),
        ("RATE = 2.0\ndef f(x): return RATE*x\n", True),
        ("RATE = 2\ndef f(x): return RATE*x\n", False),
        ("RATE = 2.0\ndef f(x): return x*RATE\n", False),
        ("RATE = 2.0\ndef f(x): 'none'; return RATE*x, None\n", False),
        ("RATE = 2.0\ndef g(x): return RATE*x\n", False),
    ],
)
def test_comments_docstrings_and_formatting_are_no_change_of_code(text, same, tmp_path, monkeypatch):
    monkeypatch.setenv("SPINSWEEP_MODEL_PATH", str(tmp_path))
    path = tmp_path / "mine.py"

    def code(source):
        path.write_text(source)
        for function in (code_of, sources_of, fingerprint.sources_of_file, fingerprint._imports, fingerprint._tree):
            function.cache_clear()
        return code_of("solvers.models.mine"), sources_of("solvers.models.mine")

    before = code('"""A model."""\n\nRATE = 2.0\n\n\ndef f(x):\n    """Twice."""\n    return RATE * x\n')
    after = code(text)
    assert (after[0] == before[0]) == same
    assert after[1] != before[1]


def test_fingerprint_of_a_model_covers_what_it_imports_and_no_more():
    toy = sources_of("solvers.models.toy")
    assert toy != sources_of("solvers.batch")
    code = "from solvers.fingerprint import sources_of; print(sources_of('solvers.models.toy'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == toy
    with pytest.raises(ValueError, match="not a module"):
        sources_of("numpy.linalg")


@pytest.mark.parametrize("kind", ["real", "integer"])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0.0, 2.0**60), (-1.0, 2.5)])
@pytest.mark.parametrize("opened", [False, True])
def test_plain_numbers_are_parsed_as_arrays_are(kind, bounds, opened):
    """Python's own numbers take a shorter way, with the same value, type and refusal."""
    p = Parameter(name="x", meaning="", default=None, kind=kind, bounds=bounds, open_below=opened, open_above=opened)

    def parsed(value):
        try:
            found = p.parse(value)
        except InvalidInput as error:
            return str(error).partition("; given")[0]
        return type(found), found, bool(np.signbit(found))

    for value in (0, 1, -1, 0.0, -0.0, 1.5, *bounds, 2**53, -(2**53), 2**53 - 1, 2**60, 1e308, np.nan, 5e-324):
        assert parsed(value) == parsed(np.asarray(value)), value


def test_sources_are_parsed_by_several_threads():
    """Python 3.11's parser fails where another thread parses, which a callback of the garbage collector (Dask has some) lets in."""
    paths = sorted((fingerprint.ROOT / "numerics").glob("*.py"))
    failed = []

    def parse():
        try:
            for path in paths:
                fingerprint._tree.__wrapped__(path)
        except SystemError as error:
            failed.append(error)

    def let_others_in(*_):
        time.sleep(0)

    threshold = gc.get_threshold()
    gc.callbacks.append(let_others_in)
    gc.set_threshold(50)
    try:
        threads = [threading.Thread(target=parse) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(let_others_in)
    assert not failed
