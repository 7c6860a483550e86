"""spin_cat.lindblad against QuTiP, its own dense reference, and what its blocks and streams promise."""

import warnings

import numpy as np
import pytest
import qutip

from solvers import SolverWarning, models, solve
from solvers.evaluate import parse_parameters
from solvers.numerics.random import standard_normals

MODEL = models()["spin_cat.lindblad"]
DETUNINGS = [0.4, -0.7, 0.25, -0.1]
TIMES = [0.0, 0.9, 4.0]


def by_qutip(n, eta, phi, detunings, weights, times):
    """Fidelity, purity and excitations of sum_m weights[m] |azimuth turned by m pi/2>, all 2^n states, by mesolve."""
    ground, excited = qutip.basis(2, 0), qutip.basis(2, 1)

    def at(operator, i):
        return qutip.tensor([operator if j == i else qutip.qeye(2) for j in range(n)])

    lower = sum(at(ground * excited.dag(), i) for i in range(n))
    number = sum(at(excited * excited.dag(), i) for i in range(n))
    pairs = np.exp(1j * phi) * lower * lower
    H = eta / n * (pairs + pairs.dag())
    H += sum(d / 2 * at(excited * excited.dag() - ground * ground.dag(), i) for i, d in enumerate(detunings))
    state = 0
    for m, weight in enumerate(weights):
        spin = ground + np.sqrt(2 * eta / n) * np.exp(-1j * (phi / 2 + np.pi / 4 - m * np.pi / 2)) * excited
        state = state + weight * qutip.tensor([spin.unit()] * n)
    state = state.unit()
    options = {"rtol": 1e-9, "atol": 1e-11, "nsteps": 100_000}
    run = qutip.mesolve(H, state, times, c_ops=[lower * lower / n], options={**options, "store_states": True})
    return {
        "fidelity": [qutip.expect(rho, state) if rho.isket is False else 1.0 for rho in run.states[1:]],
        "purity": [(rho * rho).tr().real for rho in run.states[1:]],
        "excitations": [qutip.expect(number, rho) for rho in run.states[1:]],
    }


@pytest.mark.parametrize(
    ("start", "parity", "weights"),
    [
        ("cat", "even", [1, 0, 1]),
        ("cat", "odd", [1, 0, -1]),
        ("coherent", "odd", [1]),
        ("four_component", "odd", [1, 1, 1, 1]),
    ],
)
def test_agrees_with_the_full_master_equation(start, parity, weights):
    expected = by_qutip(4, 0.6, 0.8, DETUNINGS, weights, TIMES)
    found = solve(MODEL.id, N=4, eta=0.6, phi=0.8, detunings=DETUNINGS, start=start, parity=parity, times=TIMES)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name][1:], values, atol=2e-7, err_msg=name)
    assert found["fidelity"][0] == pytest.approx(1.0, abs=1e-14)


def test_reference_agrees_at_random_points():
    rng = np.random.default_rng(5)
    for _ in range(8):
        parameters = MODEL.random_parameters(rng)
        expected = MODEL.methods[0].reference(parse_parameters(MODEL, parameters))
        found = solve(MODEL.id, **parameters)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, atol=1e-7, err_msg=f"{name} {parameters}")


def test_a_realisation_is_one_sample_scaled_by_delta():
    drawn = 0.3 * np.asarray(standard_normals(3, 7, 5))
    common = {"N": 5, "eta": 0.3, "times": [2.0, 6.0], "parity": "odd"}
    given = solve(MODEL.id, detunings=drawn, **common)
    sampled = solve(MODEL.id, delta=0.3, realisation=7, seed=3, **common)
    for name, values in given.items():
        np.testing.assert_array_equal(sampled[name], values)
    other = solve(MODEL.id, delta=0.3, realisation=8, seed=3, **common)
    assert np.abs(other["fidelity"] - given["fidelity"]).max() > 1e-3


def test_output_times_change_no_bit():
    common = {"N": 6, "eta": 0.4, "delta": 0.05}
    few = solve(MODEL.id, times=[3.0, 17.0, 40.0], **common)
    many = solve(MODEL.id, times=np.linspace(0.0, 40.0, 401), **common)
    for name in ("fidelity", "purity", "excitations"):
        assert few[name].tobytes() == many[name][[30, 170, 400]].tobytes()


def test_a_state_at_rest_is_not_integrated_further():
    common = {"N": 3, "eta": 0.5, "detunings": [0.4, -0.3, 0.2], "parity": "odd"}
    late = {"times": [3e3], **common}
    expected = MODEL.methods[0].reference(parse_parameters(MODEL, late))
    found = solve(MODEL.id, times=[3e3, 1e5], **common)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values[0], atol=1e-7)
    with pytest.warns(SolverWarning, match="at rest to rounding"):
        assert solve(MODEL.id, times=[1e13], **common)["status"] == 1


@pytest.mark.parametrize("extreme", [{"eta": 1e300}, {"delta": 1e308}, {"delta": 1e6}, {"times": [1e300]}, {"N": 11}])
def test_what_cannot_be_reached_is_refused_with_a_reason(extreme):
    with pytest.warns(SolverWarning, match=r"needed|needs"):
        found = solve(MODEL.id, **({"N": 4, "delta": 0.1, "max_steps": 500} | extreme))
    assert found["status"] == 2
    assert np.all(np.isnan(found["fidelity"]))


def test_no_squeezing_leaves_the_limits_of_the_cats():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for parity, excited in (("even", 0.0), ("odd", 1.0)):
            found = solve(MODEL.id, N=5, eta=0.0, parity=parity, times=[10.0])
            assert found["excitations"] == pytest.approx([excited], abs=1e-12)
            assert found["fidelity"] == pytest.approx([1.0], abs=1e-12)
