"""Many small systems side by side: the same numbers as one by one, the same bits alone and among others, and what is left out."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import solvers
from solvers.engines.collective import squeezing
from solvers.engines.master_equation.exact import evolve_exactly
from solvers.engines.master_equation.generator import build_generator
from solvers.engines.master_equation.side_by_side import are_positive, evolve_side_by_side
from solvers.engines.master_equation.states import moment_indices
from solvers.engines.master_equation.structure import coefficients, structure_of
from solvers.engines.pair_states import smallest_of_products, smallest_pair_eigenvalue
from solvers.engines.spin_system import SpinSystem, product_correlations
from solvers.evaluate import make_batch
from solvers.model import Method
from solvers.numerics.lane_product import LANES, add_row

TIMES = np.array([0.0, 0.0, 0.01, 0.3, 0.3, 1.1, 2.0])


def systems(n, count, seed=0, strength=0.5):
    """Random fields, couplings, correlated positive rates and mixed product starts."""
    rng = np.random.default_rng(seed)
    field = rng.normal(size=(count, n, 3)) * strength
    coupling = rng.normal(size=(count, n, n, 3, 3)) * strength
    coupling = coupling + coupling.transpose(0, 2, 1, 4, 3)
    coupling[:, np.arange(n), np.arange(n)] = 0.0
    jumps = rng.normal(size=(count, 3 * n, 3 * n)) + 1j * rng.normal(size=(count, 3 * n, 3 * n))
    Gamma = 0.2 * strength * jumps @ jumps.conj().transpose(0, 2, 1) / n
    spins = rng.normal(size=(count, n, 3))
    spins *= rng.uniform(0.2, 1.0, size=(count, n, 1)) / np.linalg.norm(spins, axis=-1, keepdims=True)
    return field, coupling, Gamma, spins


def evolve(field, coupling, Gamma, spins, times=TIMES, rtol=1e-10, max_steps=10**6):
    count, n = field.shape[:2]
    return evolve_side_by_side(
        field, coupling, Gamma, spins, times, np.full(count, rtol), np.full(count, max_steps), moment_indices(n)
    )


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_agrees_with_the_evolution_one_by_one(n):
    given = systems(n, 5)
    found, done = evolve(*given)
    assert done.all()
    for p in range(5):
        field, coupling, Gamma, spins = (a[p] for a in given)
        one = evolve_exactly(SpinSystem(field, coupling, Gamma), spins, TIMES, rtol=1e-12, max_steps=10**6)
        np.testing.assert_allclose(found[p], one.observed, atol=2e-12)


def test_the_elements_are_those_of_the_generator():
    for n in (1, 2, 3):
        field, coupling, Gamma, _ = systems(n, 1, seed=n)
        x = coefficients(field, coupling, Gamma)
        s = structure_of(n, (x != 0).any(axis=0).tobytes())
        dense = np.zeros((4**n, 4**n))
        rows = np.repeat(np.arange(4**n), np.diff(s.starts))
        dense[rows, s.columns] = np.add.reduceat(s.weights[:, 0] * x[0, s.sources], s.first[:-1])
        expected = build_generator(SpinSystem(field[0], coupling[0], Gamma[0])).dense()
        np.testing.assert_allclose(dense, expected, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_bits_are_the_same_alone_and_among_others(n):
    field, coupling, Gamma, spins = systems(n, 11)
    field *= np.geomspace(0.05, 5.0, 11)[:, None, None]  # different numbers of segments
    coupling[3:6] = 0.0  # and of elements
    Gamma[4:8] = 0.0
    given = field, coupling, Gamma, spins
    together, done = evolve(*given)
    assert done.all()
    backwards, _ = evolve(*(a[::-1] for a in given))
    for p in range(11):
        alone, _ = evolve(*(a[p : p + 1] for a in given))
        assert alone[0].tobytes() == together[p].tobytes() == backwards[10 - p].tobytes()


def test_what_is_not_cheap_or_not_positive_is_left_alone():
    field, coupling, Gamma, spins = systems(2, 7)
    Gamma[0] -= 0.5 * np.eye(6)  # indefinite
    field[1] *= 1e4  # fast
    field[2] *= 1e200  # extreme
    field[3], coupling[3], Gamma[3] = 0.0, 0.0, 0.0  # nothing happens
    field[4, 0, 0] = np.nan
    found, done = evolve(field, coupling, Gamma, spins)
    assert done.tolist() == [False, False, False, True, False, True, True]
    assert np.ptp(found[3], axis=0).max() == 0.0
    _, done = evolve(*(a[5:6] for a in (field, coupling, Gamma, spins)), max_steps=1)
    assert not done.any()  # a step is a hundred applications of L


def test_positivity_is_that_of_the_system():
    rng = np.random.default_rng(3)
    for shift in (0.0, 1e-14, -1e-14, 1e-9, -1e-9, -1e-3):
        _, _, Gamma, _ = systems(2, 20, seed=rng.integers(100))
        values, vectors = np.linalg.eigh(Gamma)
        values[:, 0] = shift * values[:, -1]
        Gamma = (vectors * values[:, None, :]) @ vectors.conj().transpose(0, 2, 1)
        expected = [SpinSystem(np.zeros((2, 3)), np.zeros((2, 2, 3, 3)), g).positive for g in Gamma]
        assert are_positive(np.ascontiguousarray(Gamma)).tolist() == expected


def test_rows_are_added_in_order_with_fused_operations():
    rng = np.random.default_rng(0)
    values, x, columns = rng.normal(size=(5, LANES)), rng.normal(size=(3, LANES)), np.array([2, 0, 1, 1, 0])

    @numba.njit
    def run(values, columns, x, out):
        add_row(values, columns, x, 1, 4, 2.0, out, 1)

    out = np.zeros((2, LANES))
    run(values, columns, x, out)
    assert not out[0].any()
    np.testing.assert_allclose(out[1], 2 * (values[1:4] * x[columns[1:4]]).sum(axis=0), rtol=1e-14)
    # (1 + u)^2 - 1 - 2u = u^2 survives only in a fused operation
    u = 2.0**-40
    values, x = np.array([[-1.0 - 2 * u] * LANES, [1 + u] * LANES]), np.array([[1.0] * LANES, [1 + u] * LANES])
    run(np.concatenate([values[:1], values, values[:1] * 0]), np.array([0, 0, 1, 0]), x, out)
    assert out[1].tolist() == [2 * u * u] * LANES


def compare(model_id, method_name, points, fixed, monkeypatch, atol=1e-9, loose=()):
    """Points together, alone and one by one: equal bits, equal remarks, nearly equal numbers. Which were solved in bulk."""
    model = solvers.find(model_id)
    method = model.method(method_name)
    assert method.bulk is not None
    treated = method.bulk(make_batch(model, method_name, points, fixed))[1]
    together = solvers.evaluate(model_id, method_name, points=points, parameters=fixed)
    for p in range(len(treated)):
        own = {name: values[p] if np.ndim(values[p]) else values[p].item() for name, values in points.items()}
        alone = solvers.evaluate(model_id, method_name, points={}, parameters=own | fixed)
        assert alone.status[0] == together.status[p]
        for name, values in alone.outputs.items():
            assert values[0].tobytes() == together.outputs[name][p].tobytes(), (name, p)
    monkeypatch.setitem(method.__dict__, "bulk", None)
    single = solvers.evaluate(model_id, method_name, points=points, parameters=fixed)
    assert together.remarks == single.remarks
    for name, values in single.outputs.items():
        near = 2e-7 if name in loose else atol
        np.testing.assert_allclose(together.outputs[name], values, atol=near, err_msg=name)
    return treated, together.status


@pytest.mark.parametrize("method", ["exact", "mean_field", "cumulant"])
@pytest.mark.parametrize("lattice", ["chain", "ring", "all_to_all", "power_law"])
def test_lattices_in_bulk_and_one_by_one_agree(lattice, method, monkeypatch):
    rng = np.random.default_rng(1)
    count = 12
    points = {name: rng.normal(size=count) for name in ("J_x", "J_z", "h_x", "h_z")}
    points |= {
        "N": rng.integers(1, 6, count),
        "disorder": rng.choice([0.0, 0.3], count),
        "exponent": rng.normal(size=count),
    }
    points |= {"gamma_minus": rng.choice([0.0, 0.5], count), "gamma_neighbour": rng.choice([0.0, 0.1, 0.6], count)}
    points["gamma_z"] = np.where(np.arange(count) == 5, 1e5, 0.0)  # stiff
    fixed = {
        "lattice": lattice,
        "theta": 0.7,
        "phi": 0.2,
        "times": TIMES,
        "gamma_collective": 0.1,
        "J_y": 0.4,
        "rtol": 1e-9,
    }
    treated, status = compare("spin_lattice.dynamics", method, points, fixed | {"atol": 1e-11}, monkeypatch, 1e-7)
    assert not treated.all()  # N = 5, stiff points, all alike, and rates that are not positive
    assert treated.any()
    assert set(status.tolist()) == {0, 1}


def test_squeezing_by_the_covariance_matrix():
    rng = np.random.default_rng(0)
    for n in (1, 2, 7):
        m = rng.normal(size=(5, 3)) * 0.3
        m[0], m[1] = [0.0, 0.0, 0.5], [0.2, 0.2, 0.0]
        p = rng.normal(size=(5, 3, 3)) * 0.1
        p = p + p.transpose(0, 2, 1)
        found = squeezing(n, m, p)
        for row in range(5):
            length = np.linalg.norm(m[row])
            cov = (n * np.eye(3) + n * (n - 1) * p[row] - n * n * np.outer(m[row], m[row])) / 4
            plane = np.linalg.svd(m[row][None])[2][1:]
            least = np.linalg.eigvalsh(plane @ cov @ plane.T)[0]
            assert found[row] == pytest.approx(n * least / (n * length / 2) ** 2, rel=1e-12)
    assert np.isnan(squeezing(3, np.zeros((1, 3)), np.zeros((1, 3, 3)))).all()


def test_a_method_in_bulk_needs_one_for_single_points():
    with pytest.raises(ValueError, match="bulk goes with solve"):
        Method(name="m", meaning="m", batch=lambda batch: None, bulk=lambda batch: None)
    with pytest.raises(ValueError, match="without random numbers"):
        Method(name="m", meaning="m", solve=lambda p: {}, bulk=lambda batch: None, draws_numbers=True)


@pytest.mark.parametrize("method", ["exact", "mean_field", "cumulant"])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_chains_in_bulk_and_one_by_one_agree(n, method, monkeypatch):
    rng = np.random.default_rng(n)
    count = 7
    points = {name: rng.normal(size=count) for name in ("V_x", "V_z", "B_x", "B_z", "theta0")}
    points |= {"Gamma": rng.choice([0.0, 0.4], count), "g_ratio": np.where(np.arange(count) == 2, 2.0, 0.2)}
    points["B_z"][3] = 1e5 if method == "exact" else 0.1
    fixed = {"N": n, "times": TIMES, "rtol": 1e-10, "atol": 1e-12}
    # a concurrence is a difference of square roots of eigenvalues
    loose = ("concurrence", "max_concurrence")
    treated, _ = compare("heisenberg.dynamics", method, points, fixed, monkeypatch, 1e-8, loose)
    assert treated.any()
    assert method != "exact" or not treated[3]


@pytest.mark.parametrize("method", ["mean_field_uniform", "printed"])
def test_bulk_sites_in_bulk_and_one_by_one_agree(method, monkeypatch):
    rng = np.random.default_rng(4)
    count = 9
    points = {name: rng.normal(size=count) for name in ("V_x", "V_z", "B_x", "B_z")}
    on_site = rng.uniform(0.0, 0.5, (count, 3, 2))
    on_site[:6, :2] = 0.0
    spins = np.repeat(rng.normal(size=(count, 1, 3)), 2, axis=1)
    spins /= np.linalg.norm(spins, axis=-1, keepdims=True) * np.where(np.arange(count) % 2, 1.0, 1.5)[:, None, None]
    spins[3, 1] *= -1.0
    on_site[4] = 0.0
    points |= {"on_site": on_site, "neighbour": 0.3 * on_site, "spins0": spins}
    points["neighbour"][5] = 2.0 * on_site[5]
    fixed = {"N": 2, "times": TIMES}
    treated, status = compare("heisenberg.dynamics", method, points, fixed, monkeypatch)
    assert treated.tolist() == [k not in (3, 5) and (method != "printed" or k < 6) for k in range(count)]
    assert status[3] == 2 and status[5] == 1


@pytest.mark.parametrize("method", ["exact", "mean_field"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_networks_in_bulk_and_one_by_one_agree(n, method, monkeypatch):
    rng = np.random.default_rng(n)
    count = 6
    field, coupling, Gamma, spins = systems(n, count, seed=n)
    points = {
        "h": field,
        "A": coupling * 0.3 + 0j,
        "dissipator": Gamma,
        "spins0": spins,
        "hbar": rng.uniform(0.5, 2, count),
    }
    points["gamma_minus"] = rng.uniform(0, 1, (count, n))
    points["dissipator"][1] -= np.eye(3 * n)
    fixed = {"N": n, "times": TIMES, "rtol": 1e-10, "atol": 1e-12}
    treated, status = compare("spin_network.dynamics", method, points, fixed, monkeypatch)
    assert treated.tolist() == [k != 1 for k in range(count)]
    assert status.tolist() == [int(k == 1) for k in range(count)]


def test_wrong_networks_are_found_among_many():
    field, coupling, Gamma, spins = systems(2, 4)
    good = {"h": field, "A": coupling + 0j, "dissipator": Gamma, "spins0": spins}
    fixed = {"N": 2, "times": [0.5]}
    for name, index, says in (
        ("A", (2, 0, 1, 0, 0), "the Hamiltonian is not Hermitian"),
        ("A", (2, 0, 0, 0, 0), "the trace of A"),
        ("A", (2, 0, 0, 0, 1), "must be imaginary"),
        ("dissipator", (2, 0, 1), "dissipator must be Hermitian"),
        ("spins0", (2, 1, 1), "a Bloch vector is at most 1 long"),
    ):
        bad = {key: values.copy() for key, values in good.items()}
        bad[name][index] += 3.0 if name == "spins0" or (index[-2:] == (0, 1) and name == "A") else 3.0j
        with pytest.raises(ValueError, match=says):
            solvers.evaluate("spin_network.dynamics", "exact", points=bad, parameters=fixed)
        found = solvers.evaluate("spin_network.dynamics", "exact", points=bad, parameters=fixed, isolate=True)
        assert found.status.tolist() == [0, 0, 2, 0]


def test_smallest_eigenvalues_of_products():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 5):
        spins = rng.normal(size=(40, n, 3)) * rng.uniform(0.2, 0.8, size=(40, 1, 1))
        expected = smallest_pair_eigenvalue(spins, product_correlations(spins))
        np.testing.assert_allclose(smallest_of_products(spins), expected, atol=1e-14)
