"""`heisenberg.mean_field_error` at a point of Fig. 4 against QuTiP and SciPy, in one process: ratio of CPU times per point."""

from __future__ import annotations

import time

import numpy as np
import qutip
from scipy.integrate import solve_ivp

from solvers.evaluate import evaluate

T_END, COUNT = 200.0, 2001
FIELD = {"N": 3, "B_x": 0.25, "B_y": 0.25, "B_z": -0.5, "V": 0.1}


def peer(anisotropy: float) -> float:
    """QuTiP's sesolve and SciPy's DOP853 on the mean-field equations, as a careful user would write them."""
    when = np.linspace(0, T_END, COUNT)
    pauli = [qutip.sigmax(), qutip.sigmay(), qutip.sigmaz()]
    s = [[qutip.tensor([p if k == j else qutip.qeye(2) for k in range(3)]) for p in pauli] for j in range(3)]
    B, V = np.array([0.25, 0.25, -0.5]), np.array([0.1 + anisotropy, 0.1, 0.1])
    H = sum(B[a] / 2 * s[j][a] for j in range(3) for a in range(3))
    H += sum(V[a] / 4 * s[j][a] * s[j + 1][a] for j in range(2) for a in range(3))
    plus = (qutip.basis(2, 0) + qutip.basis(2, 1)).unit()
    mean = [sum(s[j][a] for j in range(3)) / 3 for a in range(3)]
    options = {"rtol": 1e-10, "atol": 1e-12, "nsteps": 100_000, "progress_bar": ""}
    exact = np.array(qutip.sesolve(H, qutip.tensor([plus] * 3), when, e_ops=mean, options=options).expect).T

    def rhs(_, y):
        m = y.reshape(3, 3)
        neighbours = np.zeros((3, 3))
        neighbours[1:] += m[:-1]
        neighbours[:-1] += m[1:]
        return np.cross(B + V * neighbours / 2, m).ravel()

    start = np.tile([1.0, 0.0, 0.0], 3)
    path = solve_ivp(rhs, (0, T_END), start, method="DOP853", t_eval=when, rtol=1e-10, atol=1e-12).y.T
    deviation = ((path.reshape(-1, 3, 3).mean(axis=1) - exact) ** 2).sum(axis=1)
    return float(np.trapezoid(deviation, when) / T_END)


def test_anisotropy_point_against_qutip_and_scipy(benchmark):
    shifts = np.linspace(0.01, 0.5, 8)

    def ours():
        parameters = FIELD | {"t_end": T_END, "n_times": COUNT}
        points = {"anisotropy": shifts}
        return evaluate(
            "heisenberg.mean_field_error", "site", points=points, parameters=parameters, keep=["mean_deviation"]
        ).outputs["mean_deviation"]

    ours()
    benchmark(ours)
    start = time.process_time()
    found = ours()
    per_point = (time.process_time() - start) / len(shifts)
    start = time.process_time()
    expected = peer(shifts[2])
    ratio = (time.process_time() - start) / per_point
    benchmark.extra_info["peer_over_ours"] = ratio
    print(f"\nQuTiP and SciPy over ours: {ratio:.0f} (ours {1e3 * per_point:.2f} ms per point)")
    np.testing.assert_allclose(found[2], expected, atol=1e-6)
