"""Parameters of a network, and the only place where the source's conventions become those of the engines.

The equations are stated in the docstring of this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch
from solvers.declarations import Parameter
from solvers.engines.master_equation.closed import is_pure
from solvers.engines.master_equation.states import (
    check_density_matrix,
    moment_indices,
    pauli_vector,
    product_state,
    split_moments,
)
from solvers.engines.pair_states import TOLERANCE, smallest_pair_eigenvalue
from solvers.engines.spin_system import EPSILON, SpinSystem, local_blocks, product_correlations
from solvers.model import Method
from solvers.outcome import InvalidInput

SOURCE = "Rey and Chaparro, Mean-Field Approximation and Cumulant Expansion for a Generic Spin Hamiltonian (2021)"
UNIT_OF_TIME = "hbar/energy"
MOST_EXACT = 12

SITES = Parameter(name="N", meaning="number of spins", default=2, kind="integer", bounds=(1, 1024), shape=True)
NETWORK: tuple[Parameter, ...] = (
    SITES,
    Parameter(name="h", meaning="fields", default=0.0, unit="energy", symbol=r"\vec{h}_i", dims=("N", 3)),
    Parameter(
        name="A",
        meaning="couplings of ordered pairs (site, site, axis, axis), complex as long as H is Hermitian",
        default=0.0,
        unit="energy",
        symbol=r"A_{jk}^{\beta\epsilon}",
        kind="complex",
        dims=("N", "N", 3, 3),
    ),
    *(
        Parameter(
            name=f"gamma_{name}",
            meaning=f"rate of D[{operator}] per site",
            default=0.0,
            unit="1/time",
            symbol=rf"\gamma_{symbol}",
            bounds=(0.0, float("inf")),
            dims=("N",),
        )
        for name, symbol, operator in (
            ("minus", "-", "sigma_-"),
            ("plus", "+", "sigma_+"),
            ("z", "z", "sigma_z"),
        )
    ),
    Parameter(
        name="dissipator",
        meaning="Hermitian matrix of a correlated dissipator, index 3 site + axis, added to the rates",
        label="correlated dissipator",
        default=0.0,
        unit="1/time",
        symbol=r"\Gamma",
        kind="complex",
        dims=("3*N", "3*N"),
    ),
    Parameter(
        name="hbar",
        meaning="divides h and A, not the rates",
        default=1.0,
        unit="energy time",
        symbol=r"\hbar",
        bounds=(0.0, float("inf")),
        open_below=True,
    ),
    Parameter(name="spins0", meaning="Bloch vectors of the start, default all up", default=None, dims=("N", 3)),
    Parameter(
        name="correlations0",
        meaning="<s_i^a s_j^b> of the start, i = j ignored, default those of a product state",
        label="correlations of the start",
        default=None,
        dims=("N", "N", 3, 3),
    ),
    Parameter(
        name="rho0",
        meaning="density matrix of the start instead of spins0 and correlations0 (moment methods take its moments)",
        label="density matrix of the start",
        default=None,
        kind="complex",
        dims=("2**N", "2**N"),
    ),
)

# The methods that all models have; each model gives its own functions.
CUMULANT = partial(
    Method,
    name="cumulant",
    meaning="second-order cumulants: third cumulants of three different sites vanish",
    source="Eq. (30)",
)
MEAN_FIELD = partial(
    Method,
    name="mean_field",
    meaning="every pair factorised",
    source="Eqs. (108)-(111), (173)-(177) corrected",
)


def size_cost(cost: Callable[[float], float]) -> Callable[[Batch], NDArray[Any]]:
    """Relative cost of each point by the number of spins alone."""
    return lambda batch: np.full(batch.size, cost(float(batch["N"])))


def build_system(parameters: Mapping[str, Any]) -> SpinSystem:
    """The spin system of a point; ValueError for a Hamiltonian or a dissipator that is not Hermitian."""
    field, coupling, Gamma, fine = build_systems(parameters)
    if not fine:
        _refuse_dissipator(np.asarray(parameters["dissipator"]))
        _refuse_hamiltonian(np.asarray(parameters["A"]))
    return SpinSystem(field, coupling, Gamma)


def build_systems(
    parameters: Mapping[str, Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.complex128], NDArray[np.bool_]]:
    """Fields (..., N, 3), couplings (..., N, N, 3, 3), Gamma (..., 3N, 3N) of one point or with the points in front, and
    whether Hamiltonian and dissipator are Hermitian (...,)."""
    hbar = np.asarray(parameters["hbar"])
    field, coupling, fine = _hamiltonian(np.asarray(parameters["h"]), np.asarray(parameters["A"]))
    dissipator = np.asarray(parameters["dissipator"])
    adjoint = _adjoint(dissipator)
    fine &= _largest(dissipator - adjoint, 2) <= 1e-10 * np.maximum(1.0, _largest(dissipator, 2))
    Gamma = (dissipator + adjoint) / 2
    n = parameters["N"]
    local = local_blocks(*(np.asarray(parameters[name]) for name in ("gamma_minus", "gamma_plus", "gamma_z")))
    here = np.arange(n)
    blocks = Gamma.reshape(*Gamma.shape[:-2], n, 3, n, 3)
    for i in here:
        blocks[..., i, :, i, :] += local[..., i, :, :]
    return field / hbar[..., None, None], coupling / hbar[..., None, None, None, None], Gamma, fine


def _adjoint(matrix: NDArray[np.complex128]) -> NDArray[np.complex128]:
    return np.asarray(np.swapaxes(matrix, -1, -2).conj())


def _largest(array: NDArray[Any], dimensions: int) -> NDArray[np.float64]:
    """The largest modulus over the last dimensions."""
    return np.asarray(np.abs(array).max(axis=tuple(range(-dimensions, 0)), initial=0.0))


def _refuse_dissipator(dissipator: NDArray[np.complex128]) -> None:
    skew = np.abs(dissipator - dissipator.conj().T)
    if skew.max(initial=0.0) > 1e-10 * max(1.0, float(np.abs(dissipator).max())):
        p, q = np.unravel_index(int(skew.argmax()), skew.shape)
        raise InvalidInput(
            f"parameter dissipator must be Hermitian: element [{p}, {q}] is {dissipator[p, q]:.6g} but [{q}, {p}] is "
            f"{dissipator[q, p]:.6g}; each must be the complex conjugate of the other"
        )


def _hamiltonian(
    h: NDArray[np.float64], A: NDArray[np.complex128]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Fields (..., N, 3) and couplings (..., N, N, 3, 3) of Eq. (1), without the constant, and whether it is Hermitian."""
    n, lead = h.shape[-2], h.shape[:-2]
    if not A.any():
        return h.astype(np.float64), np.zeros((*lead, n, n, 3, 3)), np.ones(lead, dtype=bool)
    coupling, trace, twist, tolerance = _parts(A)
    fine = _largest(coupling.imag, 4) <= tolerance
    fine &= (_largest(trace.imag, 1) <= tolerance) & (_largest(twist.real, 3) <= tolerance)
    field = h - np.einsum("abc,...iab->...ic", EPSILON, twist.imag)
    return field, np.ascontiguousarray(coupling.real), np.asarray(fine)


def _parts(A: NDArray[np.complex128]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """A_ij + A_ji^T off site, trace and antisymmetric part on site, and by how much each may fail to be Hermitian."""
    here = np.arange(A.shape[-3])
    tolerance = 1e-12 * np.maximum(1.0, _largest(A, 4))
    coupling = A + np.swapaxes(np.swapaxes(A, -4, -3), -2, -1)
    coupling[..., here, here, :, :] = 0.0
    local = A[..., here, here, :, :]
    return coupling, np.trace(local, axis1=-2, axis2=-1), (local - np.swapaxes(local, -2, -1)) / 2, tolerance


def _refuse_hamiltonian(A: NDArray[np.complex128]) -> None:
    coupling, trace, twist, tolerance = _parts(A)
    bad = np.abs(coupling.imag)
    if bad.max() > tolerance:
        i, j, a, b = (int(k) for k in np.unravel_index(int(bad.argmax()), bad.shape))
        raise InvalidInput(
            f"the Hamiltonian is not Hermitian: A[{i},{j},{a},{b}] + A[{j},{i},{b},{a}] = {coupling[i, j, a, b]:.6g} must "
            f"be real; given were {A[i, j, a, b]:.6g} and {A[j, i, b, a]:.6g}; A[j,i,b,a] = conj(A[i,j,a,b]) is sufficient"
        )
    if np.abs(trace.imag).max() > tolerance:
        i = int(np.abs(trace.imag).argmax())
        raise InvalidInput(
            f"the Hamiltonian is not Hermitian: the trace of A[{i},{i}] over the axes is {trace[i]:.6g} and must be real"
        )
    if np.abs(twist.real).max() > tolerance:
        i, a, b = (int(k) for k in np.unravel_index(int(np.abs(twist.real).argmax()), twist.shape))
        raise InvalidInput(
            f"the Hamiltonian is not Hermitian: on site, s^a s^b = i eps_abc s^c, so that A[{i},{i},{a},{b}] - "
            f"A[{i},{i},{b},{a}] = {2 * twist[i, a, b]:.6g} must be imaginary; give on-site couplings as fields h"
        )


def start_moments(parameters: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Spins (N, 3) and raw correlations (N, N, 3, 3) of the start; None for a product state."""
    n = parameters["N"]
    if parameters["rho0"] is not None:
        return split_moments(pauli_vector(np.asarray(parameters["rho0"]))[moment_indices(n)], n)
    spins = parameters["spins0"]
    spins = np.tile([0.0, 0.0, 1.0], (n, 1)) if spins is None else np.array(spins, dtype=np.float64)
    correlations = parameters["correlations0"]
    if correlations is None:
        return spins, None
    correlations = np.array(correlations, dtype=np.float64)
    correlations[np.arange(n), np.arange(n)] = 0.0
    return spins, correlations


def product_start(parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """Bloch vectors (N, 3) of a product start; ValueError when the start is no product state."""
    if parameters["rho0"] is not None:
        raise InvalidInput("parameter rho0 is for method exact; quantum_jumps starts from a product state: give spins0")
    spins, correlations = start_moments(parameters)
    if correlations is not None and np.abs(correlations - product_correlations(spins)).max() > 1e-9:
        raise InvalidInput(
            "parameter correlations0 is not that of a product state; quantum_jumps starts from a product state: leave "
            "correlations0 out, or take method exact"
        )
    return spins


def start_state(parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """The start in the real Pauli basis (4^N,); ValueError when spins0 and correlations0 do not determine it."""
    n = parameters["N"]
    if parameters["rho0"] is not None:
        rho: NDArray[np.complex128] = np.asarray(parameters["rho0"])
        r = pauli_vector((rho + rho.conj().T) / 2)
        r[0] = 1.0
        return r
    spins, correlations = start_moments(parameters)
    r = product_state(spins)
    if correlations is None:
        return r
    if n == 2:
        r = r.reshape(4, 4)
        r[1:, 1:] = correlations[0, 1]
        return r.ravel()
    if np.abs(correlations - product_correlations(spins)).max() > 1e-9:
        raise InvalidInput(
            f"parameter correlations0 does not determine the state of N = {n} > 2 spins; give the density matrix rho0 "
            "to method exact, or leave correlations0 out for a product state"
        )
    return r


def exact_start(parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """The start for the exact evolution: Bloch vectors (N, 3) of a product state, else a vector in the Pauli basis (4^N,)."""
    if parameters["rho0"] is None and parameters["correlations0"] is None:
        return start_moments(parameters)[0]
    return start_state(parameters)


def closed_and_pure(parameters: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether there is no dissipation and spins0 a pure product state, for one point or with the points (P,) in front."""
    rates = sum(np.asarray(parameters[f"gamma_{name}"]).sum(axis=-1) for name in ("minus", "plus", "z"))
    closed = np.asarray(rates + np.abs(parameters["dissipator"]).sum(axis=(-2, -1)) == 0.0)
    if parameters["rho0"] is not None or parameters["correlations0"] is not None:
        return np.zeros_like(closed)
    return closed if parameters["spins0"] is None else closed & is_pure(np.asarray(parameters["spins0"]))


def check_start(parameters: Mapping[str, Any], physical: bool = True) -> None:
    """ValueError for a start that is inconsistent or, if asked, no state."""
    n, rho = parameters["N"], parameters["rho0"]
    spins, correlations = parameters["spins0"], parameters["correlations0"]
    if rho is not None:
        if spins is not None or correlations is not None:
            raise InvalidInput("give either rho0, or spins0 and correlations0; rho0 already says everything")
        check_density_matrix(np.asarray(rho), positive=physical and n <= 8)
        return
    if correlations is not None:
        C = np.array(correlations)
        C[np.arange(n), np.arange(n)] = 0.0
        skew = np.abs(C - C.transpose(1, 0, 3, 2))
        if skew.max() > 1e-9:
            i, j, a, b = (int(k) for k in np.unravel_index(int(skew.argmax()), skew.shape))
            raise InvalidInput(
                f"parameter correlations0 must be symmetric, <s_i^a s_j^b> = <s_j^b s_i^a>: element [{i},{j},{a},{b}] is "
                f"{C[i, j, a, b]:.6g}, [{j},{i},{b},{a}] is {C[j, i, b, a]:.6g}"
            )
    if not physical:
        return
    if spins is not None:
        length = np.linalg.norm(spins, axis=1)
        if length.max() > 1 + 1e-8:
            i = int(length.argmax())
            raise InvalidInput(
                f"parameter spins0: site {i} has length {length[i]:.9g}; a Bloch vector is at most 1 long"
            )
    if correlations is not None and n > 1:
        where = start_moments(parameters)
        assert where[1] is not None
        smallest = float(smallest_pair_eigenvalue(where[0][None], where[1][None])[0])
        if smallest < -TOLERANCE:
            raise InvalidInput(
                f"parameter correlations0 belongs to no state: with spins0, a pair density matrix has the eigenvalue "
                f"{smallest:.6g} < 0"
            )


def surely_valid(batch: Batch) -> NDArray[np.bool_]:
    """Points (P,) of product starts that `build_system` and `check_start` accept, all at once."""
    if batch["rho0"] is not None or batch["correlations0"] is not None:
        return np.zeros(batch.size, dtype=bool)
    fine = build_systems(batch)[-1]
    if batch["spins0"] is not None:
        fine = fine & (np.linalg.norm(batch["spins0"], axis=-1).max(axis=-1) <= 1 + 1e-8)
    return np.asarray(fine)


def random_network(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Random parameters of a network with every kind of term, weak enough for a run of a few time units."""
    A = rng.normal(size=(n, n, 3, 3)) + 1j * rng.normal(size=(n, n, 3, 3))
    A = 0.15 * (A + A.conj().transpose(1, 0, 3, 2))
    jumps = rng.normal(size=(3 * n, 3 * n)) + 1j * rng.normal(size=(3 * n, 3 * n))
    spins = rng.normal(size=(n, 3))
    spins *= rng.uniform(0.3, 0.9, size=(n, 1)) / np.linalg.norm(spins, axis=1, keepdims=True)
    return {
        "N": n,
        "h": rng.normal(size=(n, 3)),
        "A": A,
        "gamma_minus": rng.uniform(0.1, 0.6, n),
        "gamma_plus": rng.uniform(0.0, 0.4, n),
        "gamma_z": rng.uniform(0.0, 0.2, n),
        "dissipator": 0.1 * jumps @ jumps.conj().T / (3 * n),
        "hbar": float(rng.uniform(0.7, 1.4)),
        "spins0": spins,
    }
