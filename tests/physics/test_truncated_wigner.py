"""Truncated Wigner trajectories of spins 1/2: the noise derived, lengths kept, exact where they are exact, and their bias elsewhere."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.linalg import expm, toeplitz

from solvers import SolverWarning, solve
from solvers.engines.truncated_wigner.channels import LANES, channel, frame, jumped
from solvers.engines.truncated_wigner.emitters import release
from solvers.engines.truncated_wigner.sample import Lattice, prepare, split_decay
from solvers.engines.truncated_wigner.spins import GROUPS, MOMENTS, follow_spins
from solvers.outcome import InvalidInput

RATES = [
    {"minus": 0.7, "plus": 0.0, "z": 0.0},
    {"minus": 0.0, "plus": 0.4, "z": 0.0},
    {"minus": 0.0, "plus": 0.0, "z": 0.3},
    {"minus": 0.5, "plus": 0.2, "z": 0.1},
    {"minus": 30.0, "plus": 1e-3, "z": 12.0},
]


def quiet(*arguments, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(*arguments, **parameters)


def through(c, *words_and_spin):
    """`jumped`, with whole numbers as words."""
    w, s = words_and_spin[:4], words_and_spin[4:]
    return jumped(c, *(np.uint64(x) for x in w), *(float(x) for x in s))


def outcomes(c, s):
    """Every outcome of the channel for a spin s, with its probability: by the branches of `jumped`, found by asking it."""
    jump, down, keep, flip, _ = c
    low, high = 0, 2**32 - 1
    found = []
    if jump < 1.0:
        for w1, p in ((low, flip), (high, 1.0 - flip)):
            if p > 0.0:
                found.append(((1.0 - jump) * p, through(c, high, w1, low, low, *s)))
    if jump > 0.0:
        for (w1, p1), (w2, p2), (w3, p3) in itertools.product(
            ((low, down), (high, 1.0 - down)),
            ((low, 0.5 * (1 + keep * s[0])), (high, 0.5 * (1 - keep * s[0]))),
            ((low, 0.5 * (1 + keep * s[1])), (high, 0.5 * (1 - keep * s[1]))),
        ):
            if p1 > 0.0:
                found.append((jump * p1 * p2 * p3, through(c, low, w1, w2, w3, *s)))
    return [p for p, _ in found], np.array([v for _, v in found])


def bloch(minus, plus, z):
    """(4, 4): d(1, <s>)/dt of textbook D[sigma_-], D[sigma_+], D[sigma_z]."""
    A = np.zeros((4, 4))
    A[1, 1] = A[2, 2] = -(minus + plus) / 2 - 2 * z
    A[3, 3], A[3, 0] = -(minus + plus), plus - minus
    return A


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("h", [0.01, 0.8, 40.0])
@pytest.mark.parametrize("start", [(1, -1, 1), (-1, 1, -1), (np.sqrt(3), 0, 0), (0.4, -1.0, -np.sqrt(1.84))])
def test_a_jump_has_the_first_moments_of_the_channel_and_keeps_the_length(rates, h, start):
    """Summed over all outcomes, not sampled: the semigroup exp(L h) on any vector, at any h."""
    probabilities, after = outcomes(tuple(channel(**rates, h=h)), start)
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-12)
    expected = (expm(bloch(**rates) * h) @ [1.0, *start])[1:]
    np.testing.assert_allclose(np.array(probabilities) @ after, expected, rtol=0, atol=1e-9)  # 32 bits a word
    np.testing.assert_allclose(np.sum(after**2, axis=1), 3.0, rtol=1e-12)


@pytest.mark.parametrize("rates", RATES[:4])
@pytest.mark.parametrize(("theta", "phi"), [(0.0, 0.0), (np.pi / 2, 0.0), (np.pi, 0.0)])
def test_on_site_second_moments_stay_but_for_the_half_of_one(rates, theta, phi):
    """E[s_a s_b] = delta_ab, exactly; only x z falls to -(e^(-g t/2) - e^(-g t)) <s_x> with decay alone, as derived."""
    t = 1.3
    n, first, second = frame(theta, phi)
    c = tuple(channel(**rates, h=t))
    E = np.zeros((3, 3))
    for a, b in itertools.product((1, -1), repeat=2):
        probabilities, after = outcomes(c, tuple(n + a * first + b * second))
        E += 0.25 * np.einsum("p,pa,pb->ab", probabilities, after, after)
    expected = np.eye(3)
    if theta == np.pi / 2:
        total, turned = rates["minus"] + rates["plus"], np.exp(-2 * rates["z"] * t)
        bias = (rates["minus"] - rates["plus"]) / total if total else 0.0
        expected[0, 2] = expected[2, 0] = -bias * turned * (np.exp(-total * t / 2) - np.exp(-total * t))
    np.testing.assert_allclose(E, expected, atol=1e-9)


@pytest.mark.parametrize("direction", [(0.0, 0.0), (1.1, 0.4), (np.pi / 2, -2.0), (np.pi, 0.0)])
def test_starts_have_the_moments_of_a_spin(direction):
    n, first, second = frame(*direction)
    samples = np.array([n + a * first + b * second for a, b in itertools.product((1, -1), repeat=2)])
    np.testing.assert_allclose(samples.mean(axis=0), n, atol=1e-15)
    np.testing.assert_allclose(samples.T @ samples / 4, np.eye(3), atol=1e-15)


CHANNELS = [
    {"gamma_minus": 0.7},
    {"gamma_plus": 0.5},
    {"gamma_z": 0.3},
    {"gamma_minus": 0.3, "gamma_plus": 0.2, "gamma_z": 0.1, "h_x": 0.8, "h_y": -0.4, "h_z": 0.5, "disorder": 0.3},
]


@pytest.mark.parametrize("terms", CHANNELS)
def test_uncoupled_spins_are_exact(terms):
    """Means and pair correlations of every channel, and of all with a field, from any start."""
    base = {"N": 3, "theta": 1.1, "phi": 0.4, "times": [0.0, 0.4, 1.5, 4.0], **terms}
    exact = solve("spin_lattice.dynamics", "exact", **base)
    found = quiet("spin_lattice.dynamics", "twa", **base, trajectories=20_000)
    for name in ("magnetisation", "pair_correlation"):
        error = found[f"{name}_sem"]
        np.testing.assert_array_less(np.abs(found[name] - exact[name]), 4.5 * error + 5e-3)
        assert error.max() < 0.02


@pytest.mark.parametrize("theta", [0.0, np.pi / 2])
def test_ising_couplings_with_local_channels_are_exact_in_first_moments(theta):
    base = {
        "N": 6, "lattice": "power_law", "exponent": 1.5, "J_z": 0.5, "h_z": 0.3, "gamma_minus": 0.4, "gamma_plus": 0.1,
        "gamma_z": 0.05, "theta": theta, "phi": 0.7, "times": [0.3, 1.0, 3.0],
    }  # fmt: skip
    exact = solve("spin_lattice.dynamics", "exact", **base)
    found = quiet("spin_lattice.dynamics", "twa", **base, trajectories=20_000)
    assert found["magnetisation_sem"].max() < 5e-3
    np.testing.assert_array_less(
        np.abs(found["magnetisation"] - exact["magnetisation"]), 4.5 * found["magnetisation_sem"] + 1e-9
    )


def every_term(n):
    joined = np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    return Lattice(
        np.array([0.3, -0.5, 0.7]), joined, np.tile([0.2, 0.1, -0.4], (n, 1)), joined, 1.0, 0.2, 0.1, 0.3, 0.25
    )


def test_every_trajectory_keeps_the_length_of_every_spin():
    times = np.array([3.0])
    point = prepare(every_term(5), 0.7, 0.3, 0.0, times, 10**6)
    sums, squares = np.zeros((1, MOMENTS, GROUPS)), np.zeros((1, MOMENTS))
    assert follow_spins(point, np.uint64(3), np.uint64(0), LANES, times, sums, squares) < 1e-10
    s, out = np.empty((3, 40)), np.empty(6)
    rates = np.array([20.0, 1.0, 0.5, 0.3, 0.0])
    stored = channel(1.0, 0.5, 0.3, 0.2)
    steps = release(np.uint64(3), np.uint64(0), 40, stored, stored, rates, 1.0, 0.0, 10**6, s, out)
    assert steps > 300
    np.testing.assert_allclose(np.sum(s**2, axis=0), 3.0, atol=1e-9)


@pytest.mark.parametrize("neighbour", [0.0, 0.25])
def test_correlated_decay_is_split_into_positive_parts(neighbour):
    """Local jumps and common noise add up to the rates asked for; what is common is positive, and its noise has that covariance."""
    p = every_term(6)._replace(neighbour=neighbour)
    found = split_decay(p)
    R = found.modes.T @ found.modes
    G = p.minus * np.eye(6) + p.collective + neighbour * p.joined
    np.testing.assert_allclose(R + found.local * np.eye(6), G, atol=1e-12)
    np.testing.assert_allclose(found.neighbour * p.joined + found.own * np.eye(6) + found.common, R, atol=1e-12)
    assert found.local == pytest.approx(np.linalg.eigvalsh(G)[0])
    everywhere = Lattice(p.J, None, p.field, None, 1.0, 0.0, 0.0, 0.3, neighbour)
    one = split_decay(everywhere)
    G = np.eye(6) + 0.3 + neighbour * (np.ones((6, 6)) - np.eye(6))
    np.testing.assert_allclose(one.modes.T @ one.modes + one.local * np.eye(6), G, atol=1e-12)


def test_decay_that_is_not_positive_is_refused():
    with pytest.raises(InvalidInput, match="smallest eigenvalue"):
        solve("spin_lattice.dynamics", "twa", N=6, gamma_minus=0.1, gamma_neighbour=1.0)
    with pytest.raises(InvalidInput, match="smallest eigenvalue"):
        solve("spin_lattice.dynamics", "twa", N=6, lattice="all_to_all", gamma_minus=0.1, gamma_neighbour=1.0)


def test_a_bond_between_all_pairs_needs_no_table_of_bonds():
    """The same trajectories by sums over all and by a table; rounding grows along them, slowly at these times."""
    n, times = 5, np.array([0.5])
    p = every_term(n)._replace(minus=0.6, collective=0.2, neighbour=0.0)
    everywhere = np.ones((n, n)) - np.eye(n)
    sums = []
    for strength in (everywhere, None):
        point = prepare(p._replace(strength=strength, joined=strength), 0.7, 0.3, 0.01, times, 10**6)
        totals, squares = np.zeros((1, MOMENTS, GROUPS)), np.zeros((1, MOMENTS))
        follow_spins(point, np.uint64(3), np.uint64(0), LANES, times, totals, squares)
        sums.append(totals)
    np.testing.assert_allclose(sums[0], sums[1], atol=1e-8)


def test_a_power_law_by_convolution_needs_no_table_of_bonds():
    """The same trajectories by Fourier transforms and by a table; rounding grows along them, slowly at these times."""
    n, times = 7, np.array([0.5])
    fall = np.append(0.0, np.arange(1.0, n) ** -1.3)
    p = every_term(n)._replace(minus=0.6, collective=0.2, neighbour=0.0)
    sums = []
    for one in (p._replace(strength=toeplitz(fall)), p._replace(strength=None, fall=fall)):
        point = prepare(one, 0.7, 0.3, 0.0, times, 10**6)
        totals, squares = np.zeros((1, MOMENTS, GROUPS)), np.zeros((1, MOMENTS))
        follow_spins(point, np.uint64(3), np.uint64(0), LANES, times, totals, squares)
        sums.append((point.step, totals))
    assert sums[0][0] == pytest.approx(sums[1][0], rel=1e-14)
    np.testing.assert_allclose(sums[0][1], sums[1][1], atol=1e-8)


def random_lattice(rng):
    everywhere = bool(rng.integers(2))
    scale = 0.1 if everywhere else 0.4
    return {
        "N": 6,
        "lattice": "all_to_all" if everywhere else "ring",
        **{f"J_{a}": scale * float(rng.normal()) for a in "xyz"},
        **{f"h_{a}": 0.5 * float(rng.normal()) for a in "xyz"},
        **{f"gamma_{name}": float(rng.uniform(0.1, 0.5)) for name in ("minus", "plus", "z")},
        "gamma_collective": float(rng.choice([0.0, 0.1])),
        "theta": float(rng.uniform(0.0, np.pi)),
        "times": [0.5, 1.0, 2.0, 4.0],
    }


def test_bias_of_lattices():
    """Six spins with every kind of local term: within the documented 0.1 of exact, and closer than mean field."""
    rng = np.random.default_rng(2)
    errors = {"twa": [], "mean_field": []}
    for _ in range(6):
        p = random_lattice(rng)
        exact = solve("spin_lattice.dynamics", "exact", **p)
        for method in errors:
            found = quiet("spin_lattice.dynamics", method, **p, trajectories=3000)
            for name in ("magnetisation", "pair_correlation"):
                error = np.abs(found[name] - exact[name])
                errors[method].append(error.max())
                if method == "twa":
                    np.testing.assert_array_less(error, 4 * found[f"{name}_sem"] + 0.1)
    assert np.median(errors["twa"]) < 0.5 * np.median(errors["mean_field"])


@pytest.mark.parametrize("N", [2, 10, 140, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("tau_s", [0.0, 0.3])
def test_bias_of_the_battery(N, tau_s):
    """At the height of the flash and after it, with individual decay and dephasing: a tenth of a quantum beside the standard error."""
    Gamma = 100.0
    for window in (np.log(N) / (N * Gamma), 10 / Gamma):
        p = {"N": N, "Gamma": Gamma, "tau_s": tau_s, "window": window, "dephasing": 0.5}
        exact = solve("battery.release", "exact", **p)
        found = solve("battery.release", "twa", **p, trajectories=1000 if N < 500 else 300)
        for name in ("M_before", "S_before", "M_after", "S_after", "released", "individual_loss"):
            assert abs(found[name] - exact[name]) < 4 * found[f"{name}_sem"] + 0.1, name


def test_a_flash_is_better_than_by_cumulants():
    """N = 140 from full inversion at Gamma N t = ln N: cumulants put 8 % of N too much into the flash, mean field needs a seed."""
    p = {"N": 140, "Gamma": 1600.0, "tau_s": 0.0, "window": np.log(140) / (140 * 1600.0)}
    exact = solve("battery.release", "exact", **p)["released"]
    found = solve("battery.release", "twa", **p, trajectories=4000)
    cumulant = solve("battery.release", "cumulant", **p)["released"]
    assert abs(found["released"] - exact) < 4 * found["released_sem"]
    assert 4 * found["released_sem"] < 2.5 < abs(cumulant - exact)


@pytest.mark.parametrize("pump", [0.0, 0.8])
def test_a_lone_emitter_is_exact(pump):
    p = {"N": 1, "Gamma": 3.0, "gamma": 1.0, "tau_s": 0.2, "window": 0.5, "pump": pump, "dephasing": 0.3}
    exact = solve("battery.release", "exact", **p)
    found = solve("battery.release", "twa", **p, trajectories=20_000)
    for name in ("M_before", "M_after", "released", "individual_loss"):
        assert abs(found[name] - exact[name]) < 4.5 * found[f"{name}_sem"], name


def test_a_finer_step_changes_nothing_that_could_be_seen():
    base = {
        "N": 4,
        "J_z": 0.7,
        "J_x": 0.4,
        "h_x": 0.6,
        "gamma_minus": 0.3,
        "gamma_collective": 0.2,
        "times": [1.0, 3.0],
    }
    found = [
        quiet("spin_lattice.dynamics", "twa", **base, step=step, trajectories=6000, seed=seed)
        for seed, step in ((1, 0.0), (2, 0.008))
    ]
    error = np.hypot(found[0]["magnetisation_sem"], found[1]["magnetisation_sem"])
    np.testing.assert_array_less(np.abs(found[0]["magnetisation"] - found[1]["magnetisation"]), 4.5 * error)


def test_more_trajectories_and_other_times_extend_the_same_sample():
    base = {"N": 4, "J_z": 0.7, "h_x": 0.6, "gamma_minus": 0.3, "step": 0.05}
    once = quiet("spin_lattice.dynamics", "twa", **base, times=[1.0, 2.0], trajectories=40)
    more = quiet("spin_lattice.dynamics", "twa", **base, times=[0.33, 1.0, 1.99, 2.0], trajectories=40)
    np.testing.assert_array_equal(more["magnetisation"][[1, 3]], once["magnetisation"])
    point = prepare(every_term(3), 0.7, 0.3, 0.1, np.array([1.0]), 10**6)
    few, many = np.zeros((2, 1, MOMENTS, GROUPS))
    for active, sums in ((10, few), (16, many)):
        follow_spins(point, np.uint64(5), np.uint64(0), active, np.array([1.0]), sums, np.zeros((1, MOMENTS)))
    np.testing.assert_array_equal(few[..., :10], many[..., :10])
    assert not few[..., 10:].any() and many[..., 10:].any()


def test_sampling_stops_at_the_target_with_the_numbers_of_that_many():
    base = {"N": 4, "J_z": 0.7, "h_x": 0.6, "gamma_minus": 0.3, "times": [1.0]}
    kept = {"keep": ["magnetisation", "magnetisation_sem", "samples"]}
    stopped = solve("spin_lattice.dynamics", "twa", **base, **kept, target_error=0.02, trajectories=100_000)
    count = int(stopped["samples"])
    assert count < 100_000 and stopped["magnetisation_sem"].max() <= 0.02
    same = solve("spin_lattice.dynamics", "twa", **base, **kept, trajectories=count)
    np.testing.assert_array_equal(same["magnetisation"], stopped["magnetisation"])
    with pytest.warns(SolverWarning, match="target_error"):
        assert solve("spin_lattice.dynamics", "twa", **base, **kept, target_error=1e-4, trajectories=64)["status"] == 1
    battery = {"N": 20, "Gamma": 50.0, "keep": ["released", "released_sem", "samples"]}
    stopped = solve("battery.release", "twa", **battery, target_error=0.3, trajectories=100_000)
    count = int(stopped["samples"])
    assert count < 100_000 and stopped["released_sem"] <= 0.3
    same = solve("battery.release", "twa", **battery, trajectories=count)
    assert same["released"] == stopped["released"]


@pytest.mark.slow
def test_intervals_cover():
    """95 % intervals of two fields and channels, which have no bias: between 92 and 97 % of 200 seeds hold the exact mean."""
    base = {"N": 3, "gamma_minus": 0.6, "gamma_z": 0.1, "h_x": 0.7, "theta": 0.9, "times": [0.7, 2.0]}
    exact = solve("spin_lattice.dynamics", "exact", **base)["magnetisation"]
    inside = []
    for seed in range(200):
        found = quiet("spin_lattice.dynamics", "twa", **base, seed=seed, trajectories=320)
        inside.append(np.abs(found["magnetisation"] - exact) < 1.96 * found["magnetisation_sem"])
    assert 0.92 <= np.mean(inside) <= 0.97


def test_a_longer_step_of_the_discharge_has_the_same_flash():
    """The step that is chosen against a tenth of it: the flash of an inverted ensemble is when it is."""
    p = {"N": 200, "Gamma": 100.0, "tau_s": 0.0, "window": np.log(200) / (200 * 100.0)}
    chosen = solve("battery.release", "twa", **p, trajectories=4000)
    fine = solve("battery.release", "twa", **p, step=0.04 / (100.0 * 100.0), trajectories=4000, seed=1)
    for name in ("M_after", "released"):
        assert abs(chosen[name] - fine[name]) < 4 * np.hypot(chosen[f"{name}_sem"], fine[f"{name}_sem"])


def test_squeezing_is_not_biased_where_all_directions_are_equal():
    """A coherent state has xi^2 = 1, and keeps it under a field; errors are those that seeds scatter by."""
    base = {"N": 8, "theta": 1.1, "h_z": 0.4, "times": [0.0, 1.0], "trajectories": 200}
    found = [quiet("spin_lattice.dynamics", "twa", **base, seed=s) for s in range(40)]
    values, errors = (np.array([one[name] for one in found]) for name in ("squeezing", "squeezing_sem"))
    np.testing.assert_array_less(np.abs(values.mean(axis=0) - 1.0), 4 * values.std(axis=0) / np.sqrt(40))
    np.testing.assert_allclose(errors.mean(axis=0), values.std(axis=0), rtol=0.35)


def test_squeezing_of_a_decaying_ensemble():
    """One-axis twisting by a power law with decay and dephasing: the minimum within 5 %, where cumulants are 8 % low."""
    p = {
        "N": 8, "lattice": "power_law", "exponent": 1.5, "J_z": 0.25, "gamma_z": 0.02, "gamma_minus": 0.1,
        "theta": np.pi / 2, "times": np.linspace(0.0, 1.2, 13),
    }  # fmt: skip
    exact = solve("spin_lattice.dynamics", "exact", **p)["squeezing"]
    found = quiet("spin_lattice.dynamics", "twa", **p, trajectories=20_000)
    cumulant = quiet("spin_lattice.dynamics", "cumulant", **p)["squeezing"]
    assert found["squeezing_sem"].max() < 0.02
    np.testing.assert_array_less(np.abs(found["squeezing"] - exact), 4 * found["squeezing_sem"] + 0.06 * exact)
    assert cumulant.min() < 0.93 * exact.min()


@pytest.mark.parametrize(
    "rates", [{"gamma": 1e9}, {"gamma": 1e9, "pump": 1e9, "dephasing": 1e9}, {"gamma": 1.0, "pump": 0.5}]
)
def test_emitters_apart_take_no_steps(rates):
    """Without collective decay one channel is the window, however long: energies of decay and pump exact in the mean."""
    p = {"N": 30, "Gamma": 0.0, "tau_s": 0.1, "window": 2.0, **rates}
    found = solve("battery.release", "twa", **p, trajectories=2000, max_steps=1)
    gamma, pump = rates["gamma"], rates.get("pump", 0.0)
    total = gamma + pump
    n = pump / total + (1 - pump / total) * np.exp(-total * np.array([0.1, 2.1]))
    lost = gamma * (pump / total * 2.0 + (n[0] - pump / total) * -np.expm1(-2.0 * total) / total)
    for name, value in (
        ("M_before", n[0] - 0.5),
        ("M_after", n[1] - 0.5),
        ("individual_loss", lost),
        ("released", 0.0),
    ):
        assert abs(found[name] / 30 - value) <= 4.5 * found[f"{name}_sem"] / 30 + 1e-9 * (1 + value), name


def test_rates_at_the_edges_of_numbers():
    """Sums of rates that overflow, and angles of a tiny field over a long time."""
    p = {"N": 2, "times": [1.0], "trajectories": 4000}
    both = solve("spin_lattice.dynamics", "twa", **p, gamma_minus=1e308, gamma_plus=1e308)
    assert np.all(np.abs(both["magnetisation"]) < 5 * both["magnetisation_sem"])
    turned = quiet("spin_lattice.dynamics", "twa", N=2, h_x=1e-300, times=[1e300], trajectories=4000)
    expected = [0.0, -np.sin(2.0), np.cos(2.0)]
    np.testing.assert_array_less(
        np.abs(turned["magnetisation"][0] - expected), 4.5 * turned["magnetisation_sem"][0] + 1e-9
    )
