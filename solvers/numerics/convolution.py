"""Products of a symmetric Toeplitz matrix and vectors, out_i = sum_j c_|i-j| x_j, by Fourier transforms or by its diagonals.

The matrix is a corner of a circulant one of a power of two M >= 2 n - 1, whose eigenvalues, real as c is even, are the
transform of its first row. Two real vectors are the parts of one complex vector, and need not be taken apart: the
circulant is real. The transform leaves its output in bit-reversed order and its inverse takes it so, hence neither
reorders anything. The error is some roundings of |c| |x| (Euclidean norms), not of out_i.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.numerics.compile import FASTMATH, kernel


class Toeplitz(NamedTuple):
    """A symmetric Toeplitz matrix (n, n) by its first row c; `spectrum` (M,) in bit-reversed order, divided by M."""

    c: NDArray[np.float64]
    spectrum: NDArray[np.float64]
    cosine: NDArray[np.float64]  # (M,): cos(pi k/h) at h + k, for h = 1, 2, 4, ... M/2 and k < h
    sine: NDArray[np.float64]


STEEPEST = 8.0
"""As exponent of elements that rise with distance: those at the ends of a vector are 2^9 those in its middle at most, and
the error, relative to the largest element of a product, is below 1e-12 of the smallest."""


def is_level(c: NDArray[np.float64]) -> bool:
    """Whether a transform is accurate for every element of a product, not only for the largest: see STEEPEST."""
    far, near = (np.abs(part).max(initial=0.0) for part in (c[1:], c[1 : len(c) // 2 + 1]))
    return bool(np.isfinite(far) and far <= 2.0**STEEPEST * near)


def toeplitz(c: NDArray[np.float64]) -> Toeplitz:
    """The tables of a matrix with the first row c (n,)."""
    n = len(c)
    size = 1 << max(2 * n - 2, 1).bit_length()
    row = np.zeros(size)
    row[:n] = c
    row[size - n + 1 :] = c[:0:-1]
    order = np.zeros(1, dtype=np.int64)
    while len(order) < size:
        order = np.concatenate([2 * order, 2 * order + 1])
    halves = [h for h in (1 << np.arange(size.bit_length() - 1)).tolist() if h < size]
    angles = np.concatenate([np.zeros(1), *(np.pi * np.arange(h) / h for h in halves)])
    return Toeplitz(np.ascontiguousarray(c), np.fft.fft(row).real[order] / size, np.cos(angles), np.sin(angles))


@kernel(fastmath=FASTMATH)
def circulate(p, re, im):
    """Multiply re + i im (M,), which is zero from n on, by the circulant matrix in place; its first n are the product."""
    size = re.shape[0]
    h = size // 2
    while h > 0:
        cosine, sine = p.cosine[h : 2 * h], p.sine[h : 2 * h]
        for first in range(0, size, 2 * h):
            a, b = re[first : first + h], im[first : first + h]
            c, d = re[first + h : first + 2 * h], im[first + h : first + 2 * h]
            for k in range(h):
                u, v = a[k] - c[k], b[k] - d[k]
                a[k] += c[k]
                b[k] += d[k]
                c[k] = u * cosine[k] + v * sine[k]
                d[k] = v * cosine[k] - u * sine[k]
        h //= 2
    for k in range(size):
        re[k] *= p.spectrum[k]
        im[k] *= p.spectrum[k]
    h = 1
    while h < size:
        cosine, sine = p.cosine[h : 2 * h], p.sine[h : 2 * h]
        for first in range(0, size, 2 * h):
            a, b = re[first : first + h], im[first : first + h]
            c, d = re[first + h : first + 2 * h], im[first + h : first + 2 * h]
            for k in range(h):
                u, v = c[k] * cosine[k] - d[k] * sine[k], d[k] * cosine[k] + c[k] * sine[k]
                c[k] = a[k] - u
                d[k] = b[k] - v
                a[k] += u
                b[k] += v
        h *= 2


@kernel(fastmath=FASTMATH)
def circulate_lanes(p, re, im):
    """The same for many vectors side by side, re and im (M, lanes)."""
    size, lanes = re.shape
    h = size // 2
    while h > 0:
        for first in range(0, size, 2 * h):
            for k in range(first, first + h):
                cosine, sine = p.cosine[h + k - first], p.sine[h + k - first]
                a, b, c, d = re[k], im[k], re[k + h], im[k + h]
                for m in range(lanes):
                    u, v = a[m] - c[m], b[m] - d[m]
                    a[m] += c[m]
                    b[m] += d[m]
                    c[m] = u * cosine + v * sine
                    d[m] = v * cosine - u * sine
        h //= 2
    for k in range(size):
        a, b = re[k], im[k]
        for m in range(lanes):
            a[m] *= p.spectrum[k]
            b[m] *= p.spectrum[k]
    h = 1
    while h < size:
        for first in range(0, size, 2 * h):
            for k in range(first, first + h):
                cosine, sine = p.cosine[h + k - first], p.sine[h + k - first]
                a, b, c, d = re[k], im[k], re[k + h], im[k + h]
                for m in range(lanes):
                    u, v = c[m] * cosine - d[m] * sine, d[m] * cosine + c[m] * sine
                    c[m] = a[m] - u
                    d[m] = b[m] - v
                    a[m] += u
                    b[m] += v
        h *= 2


@kernel(fastmath=FASTMATH)
def by_diagonals(c, x, out):
    """out (n,) = the product, diagonal by diagonal: every out_i to its own rounding, n^2 multiply-adds."""
    n = x.shape[0]
    for i in range(n):
        out[i] = c[0] * x[i]
    for d in range(1, n):
        value, ahead, behind = c[d], x[d:], out[d:]
        for i in range(n - d):
            out[i] += value * ahead[i]
        for i in range(n - d):
            behind[i] += value * x[i]
