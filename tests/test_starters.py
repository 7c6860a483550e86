"""`new`: the starter of every model runs as it is, and its picture shows something."""

import io
import tomllib

import numpy as np
import pytest

import sweep
from solvers import find, models
from solvers.declarations import Starter
from solvers.model import Model
from sweep.cli.starting import starter
from sweep.execution import launch
from sweep.folder.codes import DONE
from sweep.pictures.subject import main_output
from sweep.spec.parsing import parse
from sweep.spec.sweep_spec import SOLVER

OURS = sorted(name for name, model in models().items() if not name.startswith("toy."))


@pytest.mark.slow
@pytest.mark.parametrize("model_id", OURS)
def test_starter_computes_every_point_without_a_warning_and_varies_what_is_drawn(model_id, tmp_path):
    spec = parse(tomllib.loads(starter(find(model_id))))
    result = launch.run(spec, tmp_path / "run", launch.Options(cluster="here", quiet=True), io.StringIO())
    assert result.exit_status == 0
    data = sweep.open(tmp_path / "run").load()
    assert (data.status == DONE).all()
    drawn = data[main_output(data)]
    for axis in {d.name for d in spec.dimensions} - {SOLVER}:
        change = np.abs(drawn - drawn.isel({axis: 0}))
        appears = (drawn.isnull() != drawn.isnull().isel({axis: 0})).any()  # where there is a value may be what varies
        assert appears or float(change.max()) > 1e-3 * float(np.abs(drawn).max()), axis


def test_starter_of_a_model_without_one_takes_a_number_with_a_unit():
    spec = parse(tomllib.loads(starter(find("spin_network.derivative"))))
    assert [d.name for d in spec.dimensions] == ["gamma_minus"] and spec.shape == (11,)


def test_starter_stands_in_for_example_and_default_method():
    text = starter(find("collective_spin.optimal_squeezing"))
    assert 'method = ["twoqs", "exact"]' in text
    assert "\ntrajectories = 4000 " in text
    assert "times = { linspace = [0.0, 6.0, 61] }" in starter(find("collective_spin.dynamics"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"axes": {"taud": {"values": [1.0]}}}, "did you mean tau_d"),
        ({"axes": {"cycles": {"values": [1]}}}, "which are no axes"),
        ({"axes": {"tau_d": {"values": [1.0]}}, "methods": ("exakt",)}, "unknown methods"),
        ({"axes": {}}, "needs axes"),
    ],
)
def test_a_starter_that_is_none_is_refused_with_its_model(words, said):
    model = find("battery.cycles")
    fields = {name: getattr(model, name) for name in ("id", "title", "source", "methods", "parameters", "outputs")}
    with pytest.raises((TypeError, ValueError), match=said):
        Model(**fields, dimensions=model.dimensions, example=model.example, starter=Starter(**words))
