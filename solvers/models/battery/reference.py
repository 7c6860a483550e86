"""Slow, independent solutions of small batteries: dense 2^N density matrices, and complex moments through LSODA or Radau."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply

from solvers.models.battery.moment_equations import d_moments

_LOWER = np.array([[0.0, 0.0], [1.0, 0.0]])  # sigma_- with up first
_Z = np.diag([1.0, -1.0])


@functools.lru_cache(maxsize=16)
def site_operators(N: int) -> tuple[list[Any], list[Any]]:
    """sigma_- and sigma_z of each site as sparse 2^N matrices, site 0 leftmost."""

    def at(site: int, operator: NDArray[np.float64]) -> Any:
        left, right = sparse.identity(2**site), sparse.identity(2 ** (N - 1 - site))
        return sparse.csr_array(sparse.kron(sparse.kron(left, operator), right))

    return [at(i, _LOWER) for i in range(N)], [at(i, _Z) for i in range(N)]


def liouvillian(jumps: list[tuple[float, Any]], hamiltonian: Any) -> Any:
    """The generator on row-major density matrices: sum rate D[L] and -i[H, .]."""
    size = hamiltonian.shape[0]
    one = sparse.identity(size)
    total = -1j * (sparse.kron(hamiltonian, one) - sparse.kron(one, hamiltonian.T))
    for rate, L in jumps:
        if rate != 0.0:
            product = L.conj().T @ L
            leave = sparse.kron(product, one) + sparse.kron(one, product.T)
            total = total + rate * (sparse.kron(L, L.conj()) - 0.5 * leave)
    return sparse.csr_array(total)


class DenseBattery:
    """N emitters (N <= 6) as a dense density matrix with two counters, of energy released and of energy lost."""

    def __init__(self, N: int, up: bool, detunings: Any = 0.0, couplings: Any = 1.0) -> None:
        self.N = N
        self.lower, self.z = site_operators(N)
        self.couplings = np.broadcast_to(couplings, N)
        self.collective = sum(c * s for c, s in zip(np.ones(N), self.lower, strict=True))
        self.radiating = sum(float(c) * s for c, s in zip(self.couplings, self.lower, strict=True))
        self.hamiltonian = 0.5 * sum(float(d) * s for d, s in zip(np.broadcast_to(detunings, N), self.z, strict=True))
        self.rho = np.zeros((2**N, 2**N), dtype=complex)
        place = 0 if up else 2**N - 1
        self.rho[place, place] = 1.0
        self._propagators: dict[tuple[float, ...], NDArray[Any]] = {}

    def expect(self, operator: Any) -> float:
        return float(np.real(np.sum(operator.T.multiply(self.rho))))

    def read(self) -> dict[str, float]:
        """M, S and <S>: eigenvalues S(S+1) of S^2 weighted with the populations of their spaces."""
        raising = self.collective.conj().T
        Sz = 0.5 * sum(self.z)
        square = (raising @ self.collective + Sz @ Sz - Sz).toarray()
        values, vectors = np.linalg.eigh(square)
        weights = np.real(np.einsum("ij,ik,kj->j", vectors.conj(), self.rho, vectors))
        lengths = np.sqrt(np.abs(values) + 0.25) - 0.5
        mean_square = float(weights @ values)
        return {"M": self.expect(Sz), "S": math.sqrt(mean_square + 0.25) - 0.5, "meanS": float(weights @ lengths)}

    def pulse(self, angle: float) -> None:
        c, s = math.cos(0.5 * angle), math.sin(0.5 * angle)
        one = np.array([[c, -1j * s], [-1j * s, c]])
        turn = functools.reduce(np.kron, [one] * self.N)
        self.rho = turn @ self.rho @ turn.conj().T

    def evolve(
        self, time: float, gamma: float, Gamma: float, dephasing: float = 0.0, pump: float = 0.0
    ) -> tuple[float, float]:
        """Returns (released collectively, lost individually)."""
        state = np.concatenate([self.rho.ravel(), [0.0, 0.0]])
        key = (time, gamma, Gamma, dephasing, pump)
        if time > 0.0 and self.N <= 4:  # small enough for a dense propagator, which serves many cycles
            if key not in self._propagators:
                self._propagators[key] = expm(self.counted_generator(*key[1:]).toarray() * time)
            state = self._propagators[key] @ state
        elif time > 0.0:
            state = expm_multiply(self.counted_generator(*key[1:]) * time, state)
        self.rho = state[:-2].reshape(self.rho.shape)
        return float(state[-2].real), float(state[-1].real)

    def counted_generator(self, gamma: float, Gamma: float, dephasing: float, pump: float) -> Any:
        """The generator with two rows more, that count the energies."""
        jumps = [(Gamma, self.radiating)]
        for lower, z in zip(self.lower, self.z, strict=True):
            jumps += [(gamma, lower), (dephasing, z), (pump, lower.conj().T)]
        generator = liouvillian(jumps, self.hamiltonian)
        emission = (Gamma * self.radiating.conj().T @ self.radiating).T.toarray().ravel()
        loss = (gamma * sum(s.conj().T @ s for s in self.lower)).T.toarray().ravel()
        rows = sparse.csr_array(np.stack([emission, loss]))
        return sparse.csr_array(sparse.block_array([[generator, None], [rows, sparse.csr_array((2, 2))]]))


class MomentBattery:
    """N emitters as nine complex moments, closed at second order, or as a product state (`order` 1)."""

    def __init__(self, N: int, up: bool, printed: bool = False, order: int = 2) -> None:
        self.N, self.printed, self.order = N, printed, order
        self.moments = np.zeros(9, dtype=complex)
        self.moments[0], self.moments[4] = (1.0 if up else -1.0), 1.0

    def product(self) -> None:
        z, p, m = self.moments[:3]
        self.moments[3:] = p * m, z * z, p * z, m * z, p * p, m * m

    def read(self) -> dict[str, float]:
        C, Z = self.moments[3].real, self.moments[4].real
        if self.N == 1:
            C, Z = 0.0, 0.0
        square = 0.75 * self.N + 0.25 * self.N * (self.N - 1) * (4.0 * C + Z)
        S = math.sqrt(square + 0.25) - 0.5 if square > -0.25 else math.nan
        return {"M": 0.5 * self.N * self.moments[0].real, "S": S}

    def pulse(self, angle: float) -> None:
        """By the vector and tensor of <s_a> and <s_a s_b>, a = x, y, z."""
        z, p, _, C, Z, P, _, Q, _ = self.moments
        turn = np.array([[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]])
        b = turn @ np.real([2 * p.real, 2 * p.imag, z.real])
        xy, xz, yz = 2 * Q.imag, 2 * P.real, 2 * P.imag
        pairs = np.array([[2 * (C + Q).real, xy, xz], [xy, 2 * (C.real - Q.real), yz], [xz, yz, Z.real]], dtype=float)
        pairs = turn @ pairs @ turn.T
        p, P = 0.5 * (b[0] + 1j * b[1]), 0.5 * (pairs[0, 2] + 1j * pairs[1, 2])
        C, Q = 0.25 * (pairs[0, 0] + pairs[1, 1]), 0.25 * (pairs[0, 0] - pairs[1, 1]) + 0.5j * pairs[0, 1]
        self.moments = np.array([b[2], p, np.conj(p), C, pairs[2, 2], P, np.conj(P), Q, np.conj(Q)])

    def evolve(
        self, time: float, gamma: float, Gamma: float, dephasing: float = 0.0, pump: float = 0.0
    ) -> tuple[float, float]:
        N = self.N

        def slope(_: float, y: NDArray[Any]) -> NDArray[Any]:
            self.moments = y[:9] + 1j * y[9:18]
            if self.order == 1:
                self.product()
            d = d_moments(N, gamma, Gamma, self.moments, dephasing, pump, self.printed)
            excited = 0.5 * N * (1.0 + self.moments[0].real)
            emission = Gamma * (excited + N * (N - 1) * self.moments[3].real)
            if self.order == 1:
                d[3:] = 0.0
            return np.concatenate([d.real, d.imag, [emission, gamma * excited]])

        start = np.concatenate([self.moments.real, self.moments.imag, [0.0, 0.0]])
        end = start
        if time > 0.0:
            end = solve_ivp(slope, (0.0, time), start, method="LSODA", rtol=1e-11, atol=1e-13).y[:, -1]
        self.moments = end[:9] + 1j * end[9:18]
        if self.order == 1:
            self.product()
        return float(end[18]), float(end[19])


Battery = DenseBattery | MomentBattery


Start = Callable[[int, bool], Battery]
"""Makes a battery of N emitters, all up or all down: what stands for a method."""

printed_moments: Start = functools.partial(MomentBattery, printed=True)


def released(start: Start, p: Mapping[str, Any]) -> dict[str, float]:
    """battery.release by dense matrices or complex moments."""
    return released_from(start(p["N"], True), p)


def released_product(p: Mapping[str, Any]) -> dict[str, float]:
    """battery.release by product states, from a tilted start."""
    battery = MomentBattery(p["N"], True, order=1)
    battery.pulse(p["seed_angle"])
    battery.product()
    return released_from(battery, p)


def released_from(battery: Battery, p: Mapping[str, Any]) -> dict[str, float]:
    battery.evolve(p["tau_s"], p["gamma"], 0.0, p["dephasing"], p["pump"])
    before = battery.read()
    energy, lost = battery.evolve(p["window"], p["gamma"], p["Gamma"], p["dephasing"], p["pump"])
    after = battery.read()
    return {
        "M_before": before["M"],
        "S_before": before["S"],
        "M_after": after["M"],
        "S_after": after["S"],
        "released": energy,
        "individual_loss": lost,
    }


def cycled(start: Start, p: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """battery.cycles by dense matrices or complex moments."""
    battery = start(p["N"], False)
    found: dict[str, list[float]] = {}

    def note(**values: float) -> None:
        for name, value in values.items():
            found.setdefault(name, []).append(value)

    def look(when: str) -> dict[str, float]:
        reading = battery.read()
        note(**{f"{name}_{when}": value for name, value in reading.items()})
        return reading

    for _ in range(p["cycles"]):
        before = battery.read()["M"]
        battery.pulse(p["pulse_angle"])
        charged = look("after_pulse")["M"] - before
        _, in_storage = battery.evolve(p["tau_s"], p["gamma"], p["Gamma_storage"], p["dephasing"], p["pump"])
        look("after_storage")
        energy, in_discharge = battery.evolve(p["tau_d"], p["gamma"], p["Gamma"], p["dephasing"], p["pump"])
        look("after_discharge")
        note(
            released=energy,
            charged=charged,
            individual_loss_storage=in_storage,
            individual_loss_discharge=in_discharge,
            efficiency=energy / charged if charged != 0.0 else math.nan,
        )
    return {name: np.array(values) for name, values in found.items()}
