"""`spin_cat.mean_field` and `spin_cat.derivative`: against the master equation, literal sums, `two_ensembles` and figures."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest

from solvers import FAILED, OK, SolverWarning, models, solve, solve_many
from solvers.evaluate import parse_parameters
from solvers.models.spin_cat.detunings import class_detunings, standard_detunings
from solvers.models.spin_cat.mean_field_equations import derivatives, differentiate
from solvers.numerics import coupled_blocks

MEAN_FIELD = models()["spin_cat.mean_field"]
DERIVATIVE = models()["spin_cat.derivative"]


def quiet_solve(*args, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(*args, **parameters)


@pytest.mark.parametrize(
    ("model", "check"), [(m, c) for m in (MEAN_FIELD, DERIVATIVE) for c in m.checks], ids=lambda x: getattr(x, "id", "")
)
def test_checks(model, check):
    found = quiet_solve(model.id, check.method, **check.parameters)
    for name, value in check.expect.items():
        index, value = value if isinstance(value, tuple) else ((), value)
        np.testing.assert_allclose(found[name][index], value, rtol=check.rtol, atol=check.atol, err_msg=name)


@pytest.mark.parametrize("method", ["paper", "exact"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("model", [MEAN_FIELD, DERIVATIVE], ids=lambda m: m.id)
def test_random_points_against_literal_sums(model, method, seed):
    parameters = model.random_parameters(np.random.default_rng(seed))
    expected = model.method(method).reference(parse_parameters(model, parameters))
    found = quiet_solve(model.id, method, **parameters)
    rtol, atol = model.reference_tolerance
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=atol, err_msg=name)


def lindblad_derivative(n, eta, phi, detunings, spins):
    """d<sigma_m^+>/dt and d<sigma_m^z>/dt of a product state under Eqs. (1)-(2), with dense matrices; basis (g, e)."""
    lower = np.array([[0, 1], [0, 0]], dtype=complex)
    z = np.diag([-1.0, 1.0]).astype(complex)

    def on(site, matrix):
        return functools.reduce(np.kron, [matrix if j == site else np.eye(2) for j in range(n)])

    minus = [on(m, lower) for m in range(n)]
    inversion = [on(m, z) for m in range(n)]
    total = sum(minus)
    pair = total @ total
    h = 0.5 * sum(d * i for d, i in zip(detunings, inversion, strict=True))
    h = h + eta / n * (np.exp(1j * phi) * pair + np.exp(-1j * phi) * pair.conj().T)
    c = pair / n
    rho = np.ones((1, 1))
    for x, y, w in spins:
        s = 0.5 * (x + 1j * y)  # <sigma^+> = tr(rho |e><g|) = rho_ge
        rho = np.kron(rho, np.array([[(1 - w) / 2, s], [np.conj(s), (1 + w) / 2]]))
    gain = c @ rho @ c.conj().T
    loss = c.conj().T @ c
    d_rho = -1j * (h @ rho - rho @ h) + gain - 0.5 * (loss @ rho + rho @ loss)
    d_s = [np.trace(m.conj().T @ d_rho) for m in minus]
    return np.array(d_s), np.array([np.trace(i @ d_rho).real for i in inversion])


@pytest.mark.parametrize("n", [2, 3, 5])
def test_exact_closure_is_the_master_equations_derivative(n):
    rng = np.random.default_rng(n)
    parameters = DERIVATIVE.random_parameters(rng) | {"N": n, "detunings": rng.normal(size=n)}
    spins = rng.normal(size=(n, 3))
    parameters["spins0"] = spins * (rng.uniform(size=n) / np.linalg.norm(spins, axis=1))[:, None]
    d_s, d_z = lindblad_derivative(
        n, parameters["eta"], parameters["phi"], parameters["detunings"], parameters["spins0"]
    )
    found = solve(DERIVATIVE.id, "exact", **parameters)
    np.testing.assert_allclose(found["d_s"], d_s, atol=1e-13)
    np.testing.assert_allclose(found["d_z"], d_z, atol=1e-13)
    paper = solve(DERIVATIVE.id, "paper", **parameters)
    assert np.max(np.abs(paper["d_z"] - d_z)) > 1e-3, "the paper's closure differs at small N"


@pytest.mark.parametrize("exact", [0.0, 1.0])
def test_blocks_plus_low_rank_are_the_jacobian_and_solve_with_it(exact):
    rng = np.random.default_rng(3)
    size, r = 4, 7 if exact else 3
    y, weights = 0.3 * rng.normal(size=3 * size), np.array([3.0, 2.0, 1.0, 4.0])
    p = (rng.normal(size=size), weights, weights.sum(), 0.7, exact, 0.0)
    local, left, right = np.empty((9, size)), np.empty((3 * r, size)), np.empty((3 * r, size))
    differentiate(0.0, y, p, local, left, right)
    full = np.einsum("mik,mjl->ikjl", left.reshape(r, 3, size), right.reshape(r, 3, size))
    for k in range(size):
        full[:, k, :, k] += local[:, k].reshape(3, 3)
    full = full.reshape(3 * size, 3 * size)
    for j in range(3 * size):
        step, forward, backward = 1e-6 * np.eye(3 * size)[j], np.empty(3 * size), np.empty(3 * size)
        derivatives(0.0, y + step, p, forward)
        derivatives(0.0, y - step, p, backward)
        np.testing.assert_allclose(full[:, j], (forward - backward) / 2e-6, atol=1e-8)
    work = (local, left, right, np.empty((9, size)), np.empty((3 * r, size)), np.empty((r, r)), np.empty(r, dtype=int))
    assert coupled_blocks.factor(2.3, work)
    b = rng.normal(size=3 * size)
    x = b.copy()
    coupled_blocks.solve(work, x)
    np.testing.assert_allclose((2.3 * np.eye(3 * size) - full) @ x, b, atol=1e-13)


def test_two_classes_are_the_two_ensembles_within_1_over_n():
    """zeta is the spread of the phases; the reduced equations drop relative O(1/N)."""
    previous = np.inf
    for n in (1_000, 10_000, 100_000):
        common = {"N": n, "eta": n / 32, "delta": 0.05}
        full = quiet_solve(MEAN_FIELD.id, "paper", **common, distribution="two", classes=2, times=[30.0])
        reduced = quiet_solve("spin_cat.two_ensembles", **common, t_end=30.0)
        difference = max(
            abs(float(full["spread"][0] - reduced["zeta"])),
            abs(float(full["z"][0] - reduced["z"])),
            abs(float(abs(full["c1"][0]) - reduced["A"] * np.cos(reduced["zeta"]))),
        )
        assert difference < 2.0 / n
        assert difference < 0.15 * previous
        previous = difference


def test_physics_notes_numbers_of_the_full_equations():
    """Section 5.2: zeta .76107, z -.65397 at N = 1000, eta = 31.25, delta = .05, t = 30."""
    found = quiet_solve(MEAN_FIELD.id, N=1000, eta=31.25, delta=0.05, distribution="two", times=[30.0])
    assert found["spread"][0] == pytest.approx(0.76107, abs=1e-5)
    assert found["z"][0] == pytest.approx(-0.65397, abs=1e-5)


def test_permuting_the_spins_changes_nothing():
    rng = np.random.default_rng(0)
    detunings = 0.05 * rng.normal(size=300)
    one = quiet_solve(MEAN_FIELD.id, N=300, eta=9.0, detunings=detunings, times=[5.0, 40.0])
    other = quiet_solve(MEAN_FIELD.id, N=300, eta=9.0, detunings=rng.permutation(detunings), times=[5.0, 40.0])
    for name, values in one.items():
        assert np.array_equal(values, other[name]), name


def test_permuting_the_spins_permutes_their_derivatives():
    rng = np.random.default_rng(1)
    parameters = DERIVATIVE.random_parameters(rng)
    order = rng.permutation(parameters["N"])
    moved = parameters | {name: parameters[name][order] for name in ("detunings", "spins0")}
    for method in ("paper", "exact"):
        one, other = solve(DERIVATIVE.id, method, **parameters), solve(DERIVATIVE.id, method, **moved)
        np.testing.assert_allclose(other["d_s"], one["d_s"][order], atol=1e-15)
        np.testing.assert_allclose(other["d_z"], one["d_z"][order], atol=1e-15)


def test_squeezing_phase_turns_the_spins_only():
    plain = quiet_solve(MEAN_FIELD.id, **MEAN_FIELD.example)
    turned = quiet_solve(MEAN_FIELD.id, **MEAN_FIELD.example, phi=1.3)
    assert np.array_equal(plain["z"], turned["z"])
    np.testing.assert_allclose(turned["c1"], plain["c1"] * np.exp(0.65j), rtol=1e-14)
    # delta = 0: the locked phase is pi/4 + phi/2
    np.testing.assert_allclose(np.angle(turned["c1"]), np.pi / 4 + 0.65, atol=1e-7)


def test_critical_standard_deviation_of_gaussian_classes():
    """60 classes, N = 10^4, eta = N/32: locks at .082, collapses at .083 (physics notes, t = 77)."""
    found = solve_many(
        MEAN_FIELD.id,
        points={"delta": [0.080, 0.082, 0.083, 0.086]},
        distribution="gaussian",
        classes=60,
        times=[53.0, 55.0, 76.0, 78.0, 400.0],
    )
    assert found["locked"].tolist() == [1, 1, 0, 0]
    assert found["status"].tolist() == [OK] * 4
    assert abs(found["c1"][0, -1]) == pytest.approx(0.2498, abs=1e-4)
    assert np.isnan(found["z"][2]).tolist() == [False, False, False, True, True]
    assert np.isnan(found["z"][3]).tolist() == [False, True, True, True, True]


def test_individual_spins_of_a_drawn_sample():
    """Four samples of 10^4 spins unlock between .0837 and .0846 (physics notes); equal samples are equal numbers."""
    found = solve_many(MEAN_FIELD.id, points={"delta": [0.081, 0.087]}, N=10_000, times=[200.0], seed=5)
    assert found["locked"].tolist() == [1, 0]


def test_drawn_detunings_depend_on_seed_realisation_and_site_alone():
    few, many = standard_detunings("gaussian", 11, 7, 2), standard_detunings("gaussian", 500, 7, 2)
    assert np.array_equal(few, many[:11])
    assert not np.any(few == standard_detunings("gaussian", 11, 8, 2))
    assert not np.any(few == standard_detunings("gaussian", 11, 7, 3))


@pytest.mark.parametrize(
    ("distribution", "median_size"), [("gaussian", 0.6745), ("lorentzian", 1.0), ("uniform", 0.5), ("two", 1.0)]
)
def test_distributions(distribution, median_size):
    """Half of the spins are inside the quartiles: .6745 sigma, the half width, half of the half width."""
    drawn = standard_detunings(distribution, 40_000, 3, 0)
    assert np.median(np.abs(drawn)) == pytest.approx(median_size, rel=0.03)
    assert np.median(np.abs(class_detunings(distribution, 4_000))) == pytest.approx(median_size, rel=2e-3)
    assert np.mean(np.sign(drawn)) == pytest.approx(0.0, abs=0.02)


def test_gaussian_classes_have_the_standard_deviation_asked_for():
    for classes in (2, 7, 60):
        assert np.std(class_detunings("gaussian", classes)) == pytest.approx(1.0, rel=1e-14)
    assert class_detunings("two", 4).tolist() == [1.0, 1.0, -1.0, -1.0]


def test_equal_detunings_given_one_by_one_are_the_classes():
    common = {"N": 90, "eta": 2.5, "times": [4.0, 25.0]}
    classes = 0.03 * class_detunings("gaussian", 3)
    by_spin = quiet_solve(MEAN_FIELD.id, **common, detunings=np.repeat(classes, 30))
    by_class = quiet_solve(MEAN_FIELD.id, **common, delta=0.03, classes=3)
    for name, values in by_spin.items():
        np.testing.assert_allclose(values, by_class[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "locked"),
    [
        ({"eta": 0.0, "delta": 0.1}, 0),
        ({"eta": 1e-4, "delta": 0.0}, 1),
        ({"eta": 1000.0, "delta": 0.0}, 0),
        ({"N": 2, "eta": 0.05, "delta": 0.01}, 0),
        ({"N": 3, "eta": 0.1, "delta": 0.0, "distribution": "two"}, 1),
        ({"delta": 50.0, "classes": 9}, 0),
        ({"delta": 0.02, "distribution": "lorentzian", "classes": 60}, 1),
        ({"delta": 0.05, "times": [0.0]}, 1),
    ],
)
def test_edges(parameters, locked):
    found = quiet_solve(MEAN_FIELD.id, **({"times": [0.0, 200.0], "classes": 60} | parameters))
    assert found["status"] == OK
    assert found["locked"] == locked
    assert np.isfinite(found["z"][0])


def test_spent_budget_fails_the_point():
    found = quiet_solve(MEAN_FIELD.id, **MEAN_FIELD.example, max_steps=5)
    assert found["status"] == FAILED
    assert np.all(np.isnan(found["z"]))


def test_same_bits_in_any_batch():
    rng = np.random.default_rng(2)
    points = {"delta": rng.uniform(0, 0.09, 9), "eta": rng.uniform(50, 600, 9)}
    whole = solve_many(MEAN_FIELD.id, points=points, classes=13, times=[10.0, 100.0])
    back = solve_many(MEAN_FIELD.id, points={k: v[::-1] for k, v in points.items()}, classes=13, times=[10.0, 100.0])
    for name, values in whole.items():
        assert np.array_equal(values, back[name][::-1], equal_nan=True), name


def test_gaussian_dynamic_edge_separates_integrated_points():
    edge = float(solve("spin_cat.boundary", "dynamic", eta=312.5, distribution="gaussian")["delta_critical"])
    assert 0.082 < edge < 0.083
    sides = solve_many(
        MEAN_FIELD.id, points={"delta": [edge * (1 - 1e-4), edge * (1 + 1e-4)]}, classes=60, times=[5e3], rtol=1e-9
    )
    assert sides["locked"].tolist() == [1, 0]
