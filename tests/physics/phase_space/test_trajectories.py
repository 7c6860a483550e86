"""TWOQS trajectories of one spin: their noise, their starts, their estimators, and their means against exact ones."""

import warnings

import numpy as np
import pytest
from scipy import stats

from solvers import SolverWarning, solve
from solvers.engines.ladder import Rates, evolve
from solvers.engines.phase_space import single
from solvers.engines.phase_space.sample import sample_path, spin
from solvers.numerics.normal_lanes import LANES
from solvers.outcome import InvalidInput

PAPER = {"variant": "positive_diffusion", "sampling": "coherent", "ordering": "symmetric", "step": 0.05}
KEEPING = {"variant": "conserving", "sampling": "ring", "ordering": "symmetric", "step": 0.05}


def quiet(*arguments, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        return solve(*arguments, **parameters)


def blocks(count):
    """Normals as the trajectories draw them: (count, 4, LANES)."""
    p = spin(S=10, Gamma=1.0, distribution="wigner", **PAPER)
    noise = np.zeros((6, 4, LANES))
    drawn = np.empty((count, 4, LANES))
    for step in range(count):
        single.draw_noise(p, noise, np.uint64(11), np.uint64(0), step)
        drawn[step] = noise[single.DECAY]
    return drawn


def test_normals_are_normal_and_independent():
    z = blocks(3000)
    flat = z.ravel()
    assert stats.kstest(flat, "norm").pvalue > 0.01
    assert np.mean(flat) == pytest.approx(0.0, abs=4 / np.sqrt(flat.size))
    assert np.mean(flat**4) == pytest.approx(3.0, abs=4 * np.sqrt(96 / flat.size))
    rows = z.transpose(1, 0, 2).reshape(4, -1)
    assert np.abs(np.corrcoef(rows) - np.eye(4)).max() < 4 / np.sqrt(rows.shape[1])
    later = np.corrcoef(z[:-1].ravel(), z[1:].ravel())[0, 1]
    assert abs(later) < 4 / np.sqrt(z[1:].size)


def test_a_refined_step_has_the_noise_of_the_whole_one():
    """Both halves of a Brownian bridge: unit variance, no correlation, and the coarse increment as their sum."""
    coarse = spin(S=10, Gamma=1.0, Gamma_phi=1.0, distribution="wigner", **PAPER)
    fine = coarse._replace(refined=1)
    noise, halves = np.zeros((2, 6, 4, LANES))
    first, second = [], []
    for step in range(600):
        single.draw_noise(coarse, noise, np.uint64(3), np.uint64(64), step)
        single.draw_noise(fine, halves, np.uint64(3), np.uint64(64), 2 * step)
        one, turn = halves[single.DECAY_CUT].copy(), halves[single.DEPHASING_CUT, step & 3].copy()
        single.draw_noise(fine, halves, np.uint64(3), np.uint64(64), 2 * step + 1)
        np.testing.assert_allclose((one + halves[single.DECAY_CUT]) / np.sqrt(2), noise[single.DECAY], atol=1e-14)
        np.testing.assert_allclose(
            (turn + halves[single.DEPHASING_CUT, step & 3]) / np.sqrt(2), noise[single.DEPHASING, step & 3], atol=1e-14
        )
        first.append(one)
        second.append(halves[single.DECAY_CUT].copy())
    first, second = np.ravel(first), np.ravel(second)
    assert np.var(first) == pytest.approx(1.0, abs=4 * np.sqrt(2 / first.size))
    assert abs(np.mean(first * second)) < 4 / np.sqrt(first.size)


@pytest.mark.parametrize("distribution", ["wigner", "P", "Q"])
@pytest.mark.parametrize(("theta", "phi"), [(np.pi, 0.0), (0.8, 0.5), (2.0, -2.5)])
def test_starts_have_the_moments_of_the_coherent_state(distribution, theta, phi):
    """Exact: <S> = S n, <S_a S_b> = S^2 n_a n_b + (S/2)(delta_ab - n_a n_b); P and Wigner add Var S = S/2 along n."""
    S = 8.0
    n = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    out = solve(
        "collective_spin.dynamics", "twoqs", S=S, theta=theta, phi=phi, times=[0.0], distribution=distribution,
        trajectories=20_000,
    )  # fmt: skip
    along = np.outer(n, n)
    second = S * S * along + S / 2 * (np.eye(3) - along) + (0.0 if distribution == "Q" else S / 2) * along
    np.testing.assert_array_less(np.abs(out["mean"][0] - S * n), 4.5 * out["mean_sem"][0] + 1e-12)
    np.testing.assert_array_less(np.abs(out["second"][0] - second), 4.5 * out["second_sem"][0] + 1e-9)


def test_a_ring_start_has_no_spread_of_the_length():
    S = 8.0
    out = solve("collective_spin.dynamics", "twoqs", S=S, theta=1.0, times=[0.0], sampling="ring", trajectories=20_000)
    n = np.array([np.sin(1.0), 0.0, np.cos(1.0)])
    second = S * S * np.outer(n, n) + S / 2 * (np.eye(3) - np.outer(n, n))
    np.testing.assert_array_less(np.abs(out["second"][0] - second), 4.5 * out["second_sem"][0] + 1e-9)
    assert out["length_mean"][0] == pytest.approx(2 * S + 1, abs=0.02)
    assert out["length_variance"][0] == pytest.approx(0.25, abs=0.02)


def random_point(rng):
    return {
        "Omega": float(rng.uniform(3.0, 6.0) * rng.choice([-1, 1])),
        "delta": float(rng.uniform(-1.0, 1.0)),
        "g": float(rng.uniform(-1.0, 1.0)),
        "Gamma": float(rng.uniform(0.0, 1.0)),
        "Gamma_up": float(rng.uniform(0.0, 0.5)),
        "Gamma_phi": float(rng.choice([0.0, rng.uniform(0.0, 0.3)])),
        "theta": float(rng.uniform(0.3, 2.8)),
        "phi": float(rng.uniform(-3.0, 3.0)),
    }


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("tuning", "bias"),
    [
        ({"distribution": "wigner", **PAPER}, 0.02),
        ({"distribution": "Q", **PAPER}, 0.02),
        ({"distribution": "wigner", **KEEPING}, 0.01),
    ],
    ids=["wigner", "Q", "conserving"],
)
def test_means_agree_with_exact_ones(seed, tuning, bias):
    """Within four standard errors plus the documented bias at S = 60 up to t = 1.5: 2 % of S, 1 % for the conserving variant."""
    rng = np.random.default_rng(100 + seed)
    S, point, times = 60.0, random_point(rng), np.array([0.5, 1.0, 1.5])
    names = ("Omega", "delta", "g", "Gamma", "Gamma_up", "Gamma_phi")
    path = evolve(
        Rates(S, **{n: point[n] for n in names}), point["theta"], point["phi"], times,
        rtol=1e-9, atol=1e-12, max_steps=10**6,
    )  # fmt: skip
    out = quiet("collective_spin.dynamics", "twoqs", S=S, **point, times=times, trajectories=2000, seed=seed, **tuning)
    np.testing.assert_array_less(np.abs(out["mean"] - path.mean), 4 * out["mean_sem"] + bias * S)
    np.testing.assert_array_less(np.abs(out["second"] - path.second), 4 * out["second_sem"] + 3 * bias * S**2)


@pytest.mark.parametrize("distribution", ["wigner", "P", "Q"])
def test_dephasing_is_exact_at_any_step(distribution):
    out = solve(
        "collective_spin.dynamics", "twoqs", S=10, Gamma_phi=1.0, theta=np.pi / 2, times=[0.3, 1.0, 2.5], step=0.5,
        distribution=distribution, trajectories=5000,
    )  # fmt: skip
    expected = 10 * np.exp(-np.array([0.3, 1.0, 2.5]))
    np.testing.assert_array_less(np.abs(out["mean"][:, 0] - expected), 4 * out["mean_sem"][:, 0])


def test_the_conserving_variant_keeps_the_length_of_every_trajectory():
    p = spin(S=3, Omega=1.0, g=0.5, Gamma=1.0, Gamma_up=0.4, Gamma_phi=0.2, distribution="wigner", **KEEPING)
    start, end = (sample_path(p, 7, np.array([t]), 64).values for t in (0.0, 40.0))
    assert end.length_mean[0] == pytest.approx(start.length_mean[0], rel=1e-12)
    assert end.length_variance[0] == pytest.approx(start.length_variance[0], rel=1e-8)


def test_gain_is_decay_upside_down():
    down = quiet("collective_spin.dynamics", "exact", S=20, Gamma=1.0, theta=0.7, times=[0.8])
    for tuning in ({"distribution": "P"}, {"distribution": "Q"}, {"distribution": "wigner"}, KEEPING):
        up = quiet(
            "collective_spin.dynamics",
            "twoqs",
            S=20,
            Gamma_up=1.0,
            theta=np.pi - 0.7,
            times=[0.8],
            trajectories=4000,
            **tuning,
        )
        assert up["mean"][0, 2] == pytest.approx(-down["mean"][0, 2], abs=4 * up["mean_sem"][0, 2] + 0.5)


def test_more_trajectories_and_other_times_extend_the_same_sample():
    base = {"S": 12.0, "Omega": 1.0, "Gamma": 1.0, "step": 0.1}
    once = solve("collective_spin.dynamics", "twoqs", **base, times=[1.0, 2.0], trajectories=100)
    among_others = solve("collective_spin.dynamics", "twoqs", **base, times=[0.33, 1.0, 1.57, 2.0], trajectories=100)
    np.testing.assert_array_equal(among_others["mean"][[1, 3]], once["mean"])
    p = spin(S=12, Omega=1.0, Gamma=1.0, distribution="wigner", **{**PAPER, "step": 0.1})
    few, many = np.zeros((2, 1, single.QUANTITIES, single.GROUPS))
    single.follow(p, np.uint64(5), np.uint64(0), 10, np.array([2.0]), few)
    single.follow(p, np.uint64(5), np.uint64(0), 16, np.array([2.0]), many)
    np.testing.assert_array_equal(few[..., :10], many[..., :10])
    assert not few[..., 10:].any() and many[..., 10:].any()


def test_sampling_stops_at_the_target_with_the_numbers_of_that_many():
    base = {"S": 10.0, "Gamma": 1.0, "times": [1.0], "keep": ["mean", "mean_sem", "samples"]}
    stopped = solve("collective_spin.dynamics", "twoqs", **base, target_error=0.1, trajectories=100_000)
    count = int(stopped["samples"])
    assert stopped["status"] == 0
    assert count < 100_000
    assert stopped["mean_sem"].max() <= 0.1
    same = solve("collective_spin.dynamics", "twoqs", **base, trajectories=count)
    np.testing.assert_array_equal(same["mean"], stopped["mean"])
    with pytest.warns(SolverWarning, match="target_error"):
        missed = solve("collective_spin.dynamics", "twoqs", **base, target_error=0.001, trajectories=300)
    assert missed["status"] == 1


def test_halving_the_step_follows_the_same_paths():
    """The error of a step is of order 2: a quarter of the step has a sixteenth, far below what separate samples differ by."""
    base = {"S": 500.0, "Omega": 2.0, "Gamma": 1.0, "theta": np.pi, "times": [2.4], "check_step": "yes"}
    coarse, fine = (
        quiet("collective_spin.dynamics", "twoqs", **base, step=step, trajectories=4000)["step_error"]
        for step in (0.4, 0.1)
    )
    assert coarse / 20 < fine < coarse / 12


def test_a_spreading_length_is_warned_about_with_its_time():
    with pytest.warns(SolverWarning, match="variance of N"):
        out = solve(
            "collective_spin.dynamics", "twoqs", S=10, Gamma=1.0, times=np.linspace(0, 20, 11), trajectories=500
        )
    assert out["status"] == 1
    at = np.flatnonzero(np.linspace(0, 20, 11) == out["first_bad_time"])[0]
    grown = out["length_variance"] - 20.5 > 0.05 * out["length_mean"] ** 2
    assert grown[at] and not grown[:at].any()
    kept = solve("collective_spin.dynamics", "twoqs", S=10, Gamma=1.0, times=[20.0], trajectories=500, **KEEPING)
    assert kept["status"] == 0


@pytest.mark.parametrize(
    ("model", "more"), [("collective_spin.dynamics", {"seed": 0}), ("spin_chain.dynamics", {"N": 2, "seed": 5})]
)
def test_starts_that_happen_to_scatter_more_are_no_growth_of_a_length_that_is_kept(model, more):
    """Few trajectories of a short spin: the variance of their starts is above that of all starts, and stays."""
    tuning = {"variant": "conserving", "sampling": "coherent", "trajectories": 60}
    out = solve(model, "twoqs", S=1, Gamma=1.0, times=[0.0, 5.0], **tuning, **more)
    assert out["length_variance"][0] > 2.5 + 0.05 * out["length_mean"][0] ** 2
    assert out["length_variance"][1] == pytest.approx(out["length_variance"][0])
    assert out["status"] == 0 and np.isnan(out["first_bad_time"])


def test_squeezing_is_not_biased_where_all_directions_are_equal():
    """A coherent state has xi^2 = 1; the smallest eigenvalue of 200 samples lies 15 % below."""
    found = [
        solve("collective_spin.dynamics", "twoqs", S=20, theta=np.pi, times=[0.0], trajectories=200, seed=s)["xi2"][0]
        for s in range(40)
    ]
    assert np.mean(found) == pytest.approx(1.0, abs=4 * np.std(found) / np.sqrt(40))


def test_ordering_corrections_and_their_absence():
    for distribution, shift in (("P", 2 * 10 / 4), ("wigner", -1 / 8), ("Q", -22 / 4)):
        base = {"S": 10.0, "theta": np.pi, "times": [0.0], "distribution": distribution, "trajectories": 4000}
        with_, without = (solve("collective_spin.dynamics", "twoqs", **base, ordering=o) for o in ("symmetric", "none"))
        np.testing.assert_allclose(np.diagonal(with_["second"] - without["second"], axis1=1, axis2=2), shift, rtol=0.01)


def test_combinations_that_do_not_exist_are_refused():
    for change in ({"variant": "conserving"}, {"sampling": "ring"}):
        with pytest.raises(InvalidInput, match="Wigner"):
            solve("collective_spin.dynamics", "twoqs", distribution="Q", times=[0.0], **change)
    with pytest.raises(ValueError, match="whole or half"):
        solve("collective_spin.dynamics", "exact", S=1.3)


@pytest.mark.slow
@pytest.mark.parametrize("tuning", [{}, KEEPING], ids=["paper", "conserving"])
def test_intervals_cover(tuning):
    """95 % intervals of dephasing, which has no bias: between 92 and 97 % of 200 seeds hold the exact mean."""
    inside = []
    for seed in range(200):
        out = solve(
            "collective_spin.dynamics", "twoqs", S=10, Gamma_phi=1.0, delta=0.7, theta=1.2, times=[0.5, 1.5],
            trajectories=400, seed=seed, **tuning,
        )  # fmt: skip
        times = np.array([0.5, 1.5])
        turn = 10 * np.sin(1.2) * np.exp(-times) * np.exp(1j * 0.7 * times)
        expected = np.stack([turn.real, turn.imag], axis=-1)
        inside.append(np.abs(out["mean"][:, :2] - expected) < 1.96 * out["mean_sem"][:, :2])
    cover = np.mean(inside, axis=0)
    assert np.all((cover >= 0.92 - 0.01) & (cover <= 0.98)), cover
    assert 0.92 <= cover.mean() <= 0.97


def test_sine_and_cosine_of_any_angle():
    x = np.concatenate([np.linspace(-30, 30, 4001), [1e4, -1e4]])
    out = np.array([single.sine_cosine(value) for value in x])
    np.testing.assert_allclose(out, np.stack([np.sin(x), np.cos(x)], axis=-1), atol=2e-12)


def test_a_step_too_long_for_the_rates_is_warned_about():
    base = {"S": 100.0, "theta": 2.0, "times": [1.0], "trajectories": 1000}
    for rates, tuning in (
        ({"Omega": 1.0, "Gamma": 15.0}, {}),
        ({"Omega": 60.0, "Gamma": 1.0}, {}),
        ({"Omega": 60.0, "Gamma": 1.0}, KEEPING),
        ({"g": 120.0, "Gamma_phi": 1.0}, {}),
    ):
        with pytest.warns(SolverWarning, match="a step of 0.05 is too long"):
            assert solve("collective_spin.dynamics", "twoqs", **base, **rates, **tuning)["status"] == 1
    for rates, tuning in (
        ({"Omega": 60.0}, {}),  # alone: exact
        ({"delta": 60.0, "Gamma": 1.0}, {}),  # a frame that turns about z changes nothing
        ({"Omega": 1.0, "Gamma": 15.0}, KEEPING),  # closed form
    ):
        assert solve("collective_spin.dynamics", "twoqs", **base, **rates, **tuning)["status"] == 0
    with pytest.warns(SolverWarning, match="too long for turns"):
        solve("spin_chain.dynamics", "twoqs", N=4, S=50.0, J_x=60.0, Gamma=1.0, theta=3.0, times=[0.2], trajectories=4)
