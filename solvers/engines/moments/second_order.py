"""Second-order cumulants: third cumulants of three different sites vanish.

X_kl = <s_k s_l> - <s_k><s_l> for k != l, zero diagonal blocks, index a N + i. With the exact on-site covariance
X~ = X + blockdiag(1 - s_k s_k^T), all sums over other sites are one matrix product P = K X~, and

    ds_k = (Omega_k + F_k) x s_k + q_k - R_k s_k + g_k,   q_k^c = eps_cae P_kk^ae,   F = K s
    G_kl = ([Omega_k + F_k]_x - R_k) X_kl - [s_k]_x P_kl - [K_kl s_l]_x X_kl - v_kl s_l^T,   v_kl^c = eps_cae (K_kl X_lk)^ae
    dX   = G + G^T + Z off the diagonal,   Z_kl^cd = 4 eps_cae eps_dbf S_kl^ab (X_kl + s_k s_l^T)^ef

The two subtracted terms of G exclude the site l from the sum over third sites. Exact for two spins and disjoint pairs.

The state is y = (s (3N,), the rows of X right of the diagonal): 3N + 3N (3N - 1)/2 numbers, half of the symmetric matrix,
which halves the memory traffic of the integrator. The zeros of X inside a site stay zero.
"""

from __future__ import annotations

import numpy as np

from solvers.engines.moments.equations import multiply, multiply_vector
from solvers.engines.moments.first_order import too_long
from solvers.engines.pair_states import TOLERANCE
from solvers.numerics.compile import FASTMATH, entry, kernel

_TILE = 32


@kernel(inline="always")
def position(size, r, m):
    """Where element (r, m) of X is in y."""
    r, m = min(r, m), max(r, m)
    return size + r * size - r * (r + 1) // 2 + m - r - 1


@kernel(fastmath=FASTMATH)
def unpack(y, n, covariance):
    """Fill X~ (3N, 3N) from y."""
    size = 3 * n
    for r0 in range(0, size, _TILE):
        r1 = min(r0 + _TILE, size)
        for m0 in range(r0, size, _TILE):
            m1 = min(m0 + _TILE, size)
            for r in range(r0, r1):
                begin = position(size, r, r + 1) - (r + 1)
                for m in range(max(m0, r + 1), m1):
                    covariance[r, m] = y[begin + m]
            for m in range(m0, m1):
                for r in range(r0, min(r1, m)):
                    covariance[m, r] = covariance[r, m]
    for a in range(3):
        for b in range(3):
            one = 1.0 if a == b else 0.0
            for k in range(n):
                covariance[a * n + k, b * n + k] = one - y[a * n + k] * y[b * n + k]


@kernel(fastmath=FASTMATH)
def pack_symmetric(G, n, dy):
    """Write G + G^T into dy, with zeros inside each site."""
    size = 3 * n
    for r0 in range(0, size, _TILE):
        r1 = min(r0 + _TILE, size)
        for m0 in range(r0, size, _TILE):
            m1 = min(m0 + _TILE, size)
            for r in range(r0, r1):
                begin = position(size, r, r + 1) - (r + 1)
                for m in range(max(m0, r + 1), m1):
                    dy[begin + m] = G[r, m] + G[m, r]
    for k in range(n):
        for a in range(3):
            for b in range(a + 1, 3):
                dy[position(size, a * n + k, b * n + k)] = 0.0


@kernel(fastmath=FASTMATH)
def cumulant_rhs(t, y, p, dy):
    """dy = the second-order equations at y."""
    n = p.Omega.shape[1]
    s = y[: 3 * n].reshape(3, n)
    ds = dy[: 3 * n].reshape(3, n)
    P, G = p.product, p.pair
    # Where the equations say X, X~ serves: they differ inside a site only, and what that adds to G there is not used.
    X = p.covariance
    force = np.empty(3 * n)
    multiply_vector(p, y[: 3 * n], force)
    unpack(y, n, X)
    multiply(p, X, P)
    w = np.empty((3, n))
    v = np.empty((3, n))
    for k in range(n):
        x0, x1, x2 = s[0, k], s[1, k], s[2, k]
        b0 = p.Omega[0, k] + force[k]
        b1 = p.Omega[1, k] + force[n + k]
        b2 = p.Omega[2, k] + force[2 * n + k]
        k0, k1, k2 = k, n + k, 2 * n + k
        R = p.R
        ds[0, k] = b1 * x2 - b2 * x1 + p.g[0, k] - (R[0, 0, k] * x0 + R[0, 1, k] * x1 + R[0, 2, k] * x2)
        ds[1, k] = b2 * x0 - b0 * x2 + p.g[1, k] - (R[1, 0, k] * x0 + R[1, 1, k] * x1 + R[1, 2, k] * x2)
        ds[2, k] = b0 * x1 - b1 * x0 + p.g[2, k] - (R[2, 0, k] * x0 + R[2, 1, k] * x1 + R[2, 2, k] * x2)
        ds[0, k] += P[k1, k2] - P[k2, k1]
        ds[1, k] += P[k2, k0] - P[k0, k2]
        ds[2, k] += P[k0, k1] - P[k1, k0]
        X0, X1, X2 = X[k0], X[k1], X[k2]
        P0, P1, P2 = P[k0], P[k1], P[k2]
        G0, G1, G2 = G[k0], G[k1], G[k2]
        m00, m11, m22 = -R[0, 0, k], -R[1, 1, k], -R[2, 2, k]
        m01, m02, m12 = -b2 - R[0, 1, k], b1 - R[0, 2, k], -b0 - R[1, 2, k]
        m10, m20, m21 = b2 - R[1, 0, k], -b1 - R[2, 0, k], b0 - R[2, 1, k]
        for m in range(3 * n):
            u0, u1, u2 = X0[m], X1[m], X2[m]
            q0, q1, q2 = P0[m], P1[m], P2[m]
            G0[m] = m00 * u0 + m01 * u1 + m02 * u2 - (x1 * q2 - x2 * q1)
            G1[m] = m10 * u0 + m11 * u1 + m12 * u2 - (x2 * q0 - x0 * q2)
            G2[m] = m20 * u0 + m21 * u1 + m22 * u2 - (x0 * q1 - x1 * q0)
        if p.K_planes.shape[0] > 0:
            w[:] = 0.0
            v[:] = 0.0
            for e in range(p.K_planes.shape[0]):
                a, b = p.K_planes[e, 0], p.K_planes[e, 1]
                a1, a2 = (a + 1) % 3, (a + 2) % 3
                K_row = p.K[a * n + k, b * n : b * n + n]
                plus = X[a1 * n + k, b * n : b * n + n]
                minus = X[a2 * n + k, b * n : b * n + n]
                w_a, v_1, v_2, s_b = w[a], v[a1], v[a2], s[b]
                for m in range(n):
                    w_a[m] += K_row[m] * s_b[m]
                    v_2[m] += K_row[m] * plus[m]
                    v_1[m] -= K_row[m] * minus[m]
            for d in range(3):
                Y0, Y1, Y2 = X0[d * n : d * n + n], X1[d * n : d * n + n], X2[d * n : d * n + n]
                H0, H1, H2 = G0[d * n : d * n + n], G1[d * n : d * n + n], G2[d * n : d * n + n]
                s_d = s[d]
                for m in range(n):
                    H0[m] -= w[1, m] * Y2[m] - w[2, m] * Y1[m] + v[0, m] * s_d[m]
                    H1[m] -= w[2, m] * Y0[m] - w[0, m] * Y2[m] + v[1, m] * s_d[m]
                    H2[m] -= w[0, m] * Y1[m] - w[1, m] * Y0[m] + v[2, m] * s_d[m]
        for plane in range(p.S_planes.shape[0]):
            a, b = p.S_planes[plane, 0], p.S_planes[plane, 1]
            S_row = p.S[a * n + k, b * n : b * n + n]
            for one in range(2):
                e, c = (a + 1 + one) % 3, (a + 2 - one) % 3
                for two in range(2):
                    f, d = (b + 1 + two) % 3, (b + 2 - two) % 3
                    # half of Z, because G + G^T doubles it
                    sign = 2.0 if one == two else -2.0
                    into = G[c * n + k, d * n : d * n + n]
                    source = X[e * n + k, f * n : f * n + n]
                    s_e, s_f = s[e, k], s[f]
                    for m in range(n):
                        into[m] += sign * S_row[m] * (source[m] + s_e * s_f[m])
    pack_symmetric(G, n, dy)


@kernel
def pair_is_negative(s, r, c, h):
    """Whether the state of a pair with the Bloch vectors s, r (3,) and correlations c (3, 3) has an eigenvalue below -TOLERANCE.

    A Cholesky factorisation fails; h (4, 4) is scratch.
    """
    x, y_, z = 0, 1, 2
    h[0, 0] = 1 + s[z] + r[z] + c[z, z]
    h[1, 1] = 1 + s[z] - r[z] - c[z, z]
    h[2, 2] = 1 - s[z] + r[z] - c[z, z]
    h[3, 3] = 1 - s[z] - r[z] + c[z, z]
    h[1, 0] = complex(r[x] + c[z, x], r[y_] + c[z, y_])
    h[3, 2] = complex(r[x] - c[z, x], r[y_] - c[z, y_])
    h[2, 0] = complex(s[x] + c[x, z], s[y_] + c[y_, z])
    h[3, 1] = complex(s[x] - c[x, z], s[y_] - c[y_, z])
    h[3, 0] = complex(c[x, x] - c[y_, y_], c[x, y_] + c[y_, x])
    h[2, 1] = complex(c[x, x] + c[y_, y_], c[y_, x] - c[x, y_])
    for a in range(4):
        pivot = h[a, a].real + 4 * TOLERANCE
        for k in range(a):
            pivot -= h[a, k].real ** 2 + h[a, k].imag ** 2
        if not pivot > 0.0:
            return True
        root = np.sqrt(pivot)
        for b in range(a + 1, 4):
            for k in range(a):
                h[b, a] -= h[b, k] * np.conj(h[a, k])
            h[b, a] /= root
    return False


@kernel
def not_positive(y, n, i, j, c, h):
    """Whether the pair state of i and j has an eigenvalue below -TOLERANCE; c (3, 3) and h (4, 4) are scratch."""
    s = y[: 3 * n].reshape(3, n)
    for a in range(3):
        for b in range(3):
            c[a, b] = y[position(3 * n, a * n + i, b * n + j)] + s[a, i] * s[b, j]
    return pair_is_negative(s[:, i], s[:, j], c, h)


@kernel
def watch_pairs(t, y, p):
    """Never stops; notes the first step's end at which a spin is longer than 1 or a pair state is not positive."""
    if not np.isnan(p.first_bad[0]):
        return 1.0
    n = p.Omega.shape[1]
    s = y[: 3 * n].reshape(3, n)
    if too_long(s):
        p.first_bad[0] = t
        return 1.0
    c = np.empty((3, 3))
    h = np.empty((4, 4), np.complex128)
    for i in range(n):
        for j in range(i + 1, n):
            if not_positive(y, n, i, j, c, h):
                p.first_bad[0] = t
                return 1.0
    return 1.0


@entry
def cumulant_derivative(p, y, dy):
    """dy at y."""
    cumulant_rhs(0.0, y, p, dy)
