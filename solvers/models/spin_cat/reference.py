"""The spin-cat equations as the paper prints them, letter by letter, for comparison with the kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Derivative = Callable[..., tuple[NDArray[Any], NDArray[Any]]]


def paper_derivative(
    eta: float, phi: float, detunings: NDArray[Any], s: NDArray[Any], z: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Eqs. (22)-(23): ds/dt and dz/dt (N,), with sums over j != m as an N x N matrix."""
    n = len(s)
    others = 1.0 - np.eye(n)
    c1, c2 = others @ s / n, others @ (1 + z) / (2 * n)
    loss, gain = c2 / n + np.abs(c1) ** 2, c1 * (2 * c2 + n * np.abs(c1) ** 2)
    return _squeezed(eta, phi, detunings, s, z, c1, loss, gain)


def exact_derivative(
    eta: float, phi: float, detunings: NDArray[Any], s: NDArray[Any], z: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same with every coincidence of indices as a product state requires (physics notes, section 5)."""
    n = len(s)
    others = 1.0 - np.eye(n)
    excited = (1 + z) / 2
    total, m, x = others @ s, others @ excited, others @ (excited * s)
    p, q, r = others @ np.abs(s) ** 2, others @ s**2, others @ (np.abs(s) ** 2 * s)
    loss = (m + np.abs(total) ** 2 - p) / n**2
    gain = (2 * (m * total - x) + total * np.abs(total) ** 2 - total.conj() * q - 2 * total * p + 2 * r) / n**2
    return _squeezed(eta, phi, detunings, s, z, total / n, loss, gain)


def _squeezed(eta, phi, detunings, s, z, c1, loss, gain) -> tuple[NDArray[Any], NDArray[Any]]:
    turn = np.exp(1j * phi)
    d_s = 1j * detunings * s - 2j * eta * turn * z * c1.conj() - 2 * s * loss + z * gain
    d_z = 8 * eta * np.imag(turn.conj() * s * c1) - 4 * (1 + z) * loss - 4 * np.real(s * gain.conj())
    return d_s, d_z


def symmetric_operators(n: int, eta: float, phi: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """C = S_-^2/N and H = eta (e^{i phi} C + h.c.) on the N + 1 symmetric states, the ground state first; Eqs. (1)-(2)."""
    k = np.arange(1, n + 1)
    lower = np.diag(np.sqrt(k * (n - k + 1.0)), 1)
    C = lower @ lower / n
    return C, eta * (np.exp(1j * phi) * C + np.exp(-1j * phi) * C.T)


def liouvillian(C: NDArray[Any], H: NDArray[Any]) -> NDArray[np.complex128]:
    """-i [H, rho] + D[C] rho as a matrix on rho row by row."""
    K, one = -1j * H - C.T @ C / 2, np.eye(len(C))
    return np.kron(K, one) + np.kron(one, K.conj()) + np.kron(C, C)


def coherent_start(n: int, eta: float, phi: float) -> NDArray[np.complex128]:
    """The coherent state of alpha = sqrt(2 eta) e^{-i (phi/2 + pi/4)}, cut off at N."""
    alpha = math.sqrt(2 * eta) * np.exp(-1j * (phi / 2 + np.pi / 4))
    start = np.array([alpha**i / math.sqrt(math.factorial(i)) for i in range(n + 1)])
    return np.asarray(start / np.linalg.norm(start))


def printed(n: float, eta: float, delta: float, a: float, zeta: float, z: float) -> tuple[float, float, float]:
    """A', zeta', z' of Eqs. (26)-(28)."""
    c = math.cos(zeta) ** 2
    w = 1 + z + n * a * a * (1 - 2 / n) * c
    pair = c - math.cos(2 * zeta) / n
    return (
        a * (-2 * eta * z * pair + z * (c - 1 / n) * w - 2 * a * a * c),
        delta + eta * z * (1 - 2 / n) * math.sin(2 * zeta) - 0.5 * z * w * math.sin(2 * zeta),
        a * a * (8 * eta * pair - 4 * (c - 1 / n) * w - 4 * (1 + z) * c),
    )


def printed_run(n: float, eta: float, delta: float, t_end: float, **options: Any) -> Any:
    """SciPy's solution of (26)-(28) from the spin coherent state up to t_end, or up to cos(zeta) = 0: then its status is 1."""
    from scipy.integrate import solve_ivp

    def unlocks(t, y):
        return math.cos(y[1])

    unlocks.terminal = True  # type: ignore[attr-defined]
    g = 2 * eta / n
    start = [math.sqrt(g) / (1 + g), 0.0, -(1 - g) / (1 + g)]
    return solve_ivp(lambda t, y: printed(n, eta, delta, *y), (0, t_end), start, events=unlocks, **options)
