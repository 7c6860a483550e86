"""Axes of single spins along their fields, where these are so strong that their rounding would drown all that damps.

In other axes a field h couples populations and coherences of a spin, and the slow rates g of what it leaves alone are
differences of entries of size h: lost where g < eps h. Along the field it turns coherences alone, and populations have the
entries g. What the direction of the field loses by rounding is eps of it, and as little of the answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.engines.spin_system import SpinSystem

STRONG = 100.0
"""By how much the field of a spin is larger than all else about it where its axes are turned."""


def frames_along_fields(system: SpinSystem) -> NDArray[np.float64] | None:
    """Rotations (N, 3, 3) that take strong oblique fields to z, s' = R s; None where no field is both."""
    strength = np.linalg.norm(system.field, axis=1)
    oblique = (system.field[:, :2] != 0.0).any(axis=1)
    rates = np.abs(system.Gamma).max(axis=1).reshape(-1, 3).max(axis=1)
    others = np.maximum(rates, np.abs(system.coupling).max(axis=(1, 2, 3)))
    turned = oblique & (strength > STRONG * others)
    if not turned.any():
        return None
    frames = np.tile(np.eye(3), (system.N, 1, 1))
    for i in np.flatnonzero(turned):
        z = system.field[i] / strength[i]
        x = np.cross(z, np.eye(3)[int(np.abs(z).argmin())])
        x /= np.linalg.norm(x)
        frames[i] = x, np.cross(z, x), z
    return frames


def in_frames(system: SpinSystem, frames: NDArray[np.float64]) -> SpinSystem:
    """The same spins with the components s'_i = frames_i s_i; a field along the new z has no other component."""
    n = system.N
    field = np.einsum("iab,ib->ia", frames, system.field)
    turned = (frames != np.eye(3)).any(axis=(1, 2))
    field[turned] = 0.0
    field[turned, 2] = np.linalg.norm(system.field[turned], axis=1)
    coupling = np.einsum("iac,ijcd,jbd->ijab", frames, system.coupling, frames)
    Gamma = np.einsum("iac,icjd,jbd->iajb", frames, system.Gamma.reshape(n, 3, n, 3), frames).reshape(3 * n, 3 * n)
    return SpinSystem(field, coupling, (Gamma + Gamma.conj().T) / 2)


def turn_state(r: NDArray[np.float64], frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Pauli vector (4^N,) in components s'_i = frames_i s_i."""
    n = len(frames)
    turned = np.array(r, dtype=np.float64)
    for i in range(n):
        digits = turned.reshape(4**i, 4, -1)
        digits[:, 1:] = np.einsum("ab,kbm->kam", frames[i], digits[:, 1:])
        turned = digits.reshape(-1)
    return turned
