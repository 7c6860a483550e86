"""Few levels over many of their fastest periods: `collective_spin.dynamics` and `spin_chain.dynamics`, method exact."""

import math
import warnings

import numpy as np
import pytest

from solvers import solve


def test_a_million_turns_of_a_driven_spin():
    times = [0.3, 2e5, 1e6]
    found = solve("collective_spin.dynamics", method="exact", S=3, Omega=1.3, times=times, rtol=1e-8)
    assert found["status"] == 0
    # rotation about x by Omega t, from up
    np.testing.assert_allclose(found["mean"][:, 2], 3 * np.cos(1.3 * np.array(times)), atol=1e-8)
    np.testing.assert_allclose(found["mean"][:, 1], -3 * np.sin(1.3 * np.array(times)), atol=1e-8)


def test_twisting_far_beyond_the_revival():
    S, t = 1.0, 3e5
    found = solve("collective_spin.dynamics", method="exact", S=S, g=0.7, theta=math.pi / 2, phi=math.pi / 2, times=[t])
    # <S_y + i S_z> = S cos(g t/2S)^(2S-1) from a coherent state along y (Kitagawa and Ueda, about x)
    np.testing.assert_allclose(found["mean"][0], [0.0, S * math.cos(0.7 * t / (2 * S)) ** (2 * S - 1), 0.0], atol=1e-9)


def test_strong_dephasing_slows_the_drive():
    # <S_z>'' + Gamma_phi <S_z>' + Omega^2 <S_z> = 0: the slow root is Omega^2/Gamma_phi (1 + 1e-12)
    found = solve("collective_spin.dynamics", method="exact", S=0.5, Omega=1.0, Gamma_phi=1e6, times=[5e5, 1e6, 2e6])
    np.testing.assert_allclose(found["mean"][:, 2], 0.5 * np.exp([-0.5, -1.0, -2.0]), rtol=1e-8)


@pytest.mark.parametrize("S", [0.5, 2.0])
def test_rest_after_a_very_long_time(S):
    point = {"S": S, "Omega": 0.7, "Gamma": 1.0}
    rest = solve("collective_spin.steady_state", method="analytic", **point)  # closed form of Puri and Lawande
    found = solve("collective_spin.dynamics", method="exact", times=[1e3, 1e8], **point)
    assert found["status"] == 0
    np.testing.assert_allclose(found["mean"][-1], rest["mean"], atol=1e-10)
    np.testing.assert_allclose(found["second"][-1], rest["second"], atol=1e-10)


def test_long_and_short_times_agree():
    point = {"S": 1.5, "Omega": 0.8, "delta": 0.3, "g": 1.1, "Gamma": 0.05, "Gamma_up": 0.02, "theta": 1.0, "phi": 0.4}
    short = solve("collective_spin.dynamics", method="exact", times=[0.5, 1.0], Gamma_phi=0.01, **point)
    long = solve("collective_spin.dynamics", method="exact", times=[0.5, 1.0, 1e6], Gamma_phi=0.01, **point)
    np.testing.assert_allclose(short["mean"], long["mean"][:2], atol=1e-8)
    np.testing.assert_allclose(short["second"], long["second"][:2], atol=1e-8)
    assert not np.array_equal(short["mean"], long["mean"][:2])  # the ways differ


def test_a_pair_of_the_chain_turns_for_a_long_time():
    times = np.array([0.9, 1e4, 166038.906673])
    point = {"N": 2, "S": 0.5, "J_z": 0.362143, "theta": math.pi / 2, "times": times}
    found = solve("spin_chain.dynamics", method="exact", **point)
    assert found["status"] == 0
    # H = 2 J_z S_1^z S_2^z: the other spin, up or down, turns <S_x> by -+ J_z t
    np.testing.assert_allclose(found["mean"][:, 0], 0.5 * np.cos(0.362143 * times), atol=1e-9)


def test_a_decaying_pair_of_the_chain():
    times = np.array([1.0, 1e5, 7e5])
    found = solve("spin_chain.dynamics", method="exact", N=2, S=0.5, J_z=1.0, Gamma=1e-6, times=times)
    assert found["status"] == 0
    np.testing.assert_allclose(found["mean"][:, 2], np.exp(-2e-6 * times) - 0.5, atol=1e-9)  # the doubled D


def test_phases_beyond_double_precision_are_said():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain = solve("spin_chain.dynamics", method="exact", N=2, S=0.5, J_z=1e9, theta=1.0, times=[1e9])
        spin = solve("collective_spin.dynamics", method="exact", S=2, g=1e9, Omega=1.0, theta=1.0, times=[1e9])
    assert chain["status"] == 1 and spin["status"] == 1


def test_a_spin_of_ten_driven_for_ten_million_lifetimes():
    point = {"S": 10, "Omega": 2.0, "Gamma": 1.0}
    rest = solve("collective_spin.steady_state", method="analytic", **point)
    found = solve("collective_spin.dynamics", method="exact", times=[1e7], **point)
    assert found["status"] == 0
    np.testing.assert_allclose(found["mean"][0], rest["mean"], atol=1e-8)
