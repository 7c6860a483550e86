"""One- and two-spin moments of a wave function; site 0 is the most significant bit, a set bit is spin down."""

from __future__ import annotations

import numpy as np

from solvers.numerics.compile import FASTMATH, kernel


@kernel(fastmath=FASTMATH)
def norm_squared(psi):
    total = 0.0
    for b in range(psi.shape[0]):
        total += psi[b].real ** 2 + psi[b].imag ** 2
    return total


@kernel(fastmath=FASTMATH)
def spin_moments(psi, n, i, norm, out):
    """<s_i^a>, a = x, y, z, of a psi with |psi|^2 = `norm`."""
    low = 1 << (n - 1 - i)
    ud = 0.0j
    up = 0.0
    for base in range(0, psi.shape[0], 2 * low):
        for k in range(base, base + low):
            ud += np.conj(psi[k]) * psi[k + low]
            up += psi[k].real ** 2 + psi[k].imag ** 2
    out[0] = 2 * ud.real / norm
    out[1] = 2 * ud.imag / norm
    out[2] = 2 * up / norm - 1


@kernel(fastmath=FASTMATH)
def pair_moments(psi, n, i, j, norm, out):
    """<s_i^a s_j^b>, i < j, (9,) with b running faster, of a psi with |psi|^2 = `norm`."""
    outer = 1 << (n - 1 - i)
    low = 1 << (n - 1 - j)
    # elements rho_{row,column} of the pair, digits (site i, site j), up first
    e01, e02, e03, e12, e13, e23 = 0.0j, 0.0j, 0.0j, 0.0j, 0.0j, 0.0j
    zz = 0.0
    for high in range(0, psi.shape[0], 2 * outer):
        for base in range(high, high + outer, 2 * low):
            for k in range(base, base + low):
                a, b, c, d = psi[k], psi[k + low], psi[k + outer], psi[k + low + outer]
                e01 += np.conj(a) * b
                e02 += np.conj(a) * c
                e03 += np.conj(a) * d
                e12 += np.conj(b) * c
                e13 += np.conj(b) * d
                e23 += np.conj(c) * d
                zz += (
                    (a.real**2 + a.imag**2)
                    - (b.real**2 + b.imag**2)
                    - (c.real**2 + c.imag**2)
                    + (d.real**2 + d.imag**2)
                )
    f = 2 / norm
    out[0] = f * (e03.real + e12.real)
    out[1] = f * (e03.imag - e12.imag)
    out[2] = f * (e02.real - e13.real)
    out[3] = f * (e03.imag + e12.imag)
    out[4] = f * (e12.real - e03.real)
    out[5] = f * (e02.imag - e13.imag)
    out[6] = f * (e01.real - e23.real)
    out[7] = f * (e01.imag - e23.imag)
    out[8] = zz / norm
