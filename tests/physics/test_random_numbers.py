"""Philox against the published vectors; the floats made from it against their distributions and exact functions."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy import stats

from solvers.numerics.random import (
    fill_normals,
    log_unit,
    normal_pair,
    philox,
    sin_cos_turns,
    standard_normals,
    standard_uniforms,
    uniform_pair,
    words,
)

pytestmark = pytest.mark.filterwarnings("error")

# Random123 1.14, examples/kat_vectors, philox4x32 10: counter, key, result
KNOWN_ANSWERS = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@numba.njit
def run_philox(key, c0, c1, c2, c3):
    return philox(key, c0, c1, c2, c3)


@numba.njit
def run_words(key, trajectory, step, draw):
    return words(key, trajectory, step, draw)


@numba.njit
def run_pairs(key, trajectory, step, draw):
    return uniform_pair(key, trajectory, step, draw), normal_pair(key, trajectory, step, draw)


@numba.njit
def elementary(u):
    out = np.empty((3, u.size))
    for i in range(u.size):
        out[0, i] = log_unit(u[i])
        out[1, i], out[2, i] = sin_cos_turns(u[i])
    return out


@numba.njit
def row_of_normals(key, trajectory, step, n):
    out = np.empty(n)
    fill_normals(key, trajectory, step, out)
    return out


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN_ANSWERS)
def test_published_vectors(counter, key, result):
    got = run_philox(np.uint64(key[0] | key[1] << 32), *(np.uint64(c) for c in counter))
    assert [int(word) for word in got] == result


def test_address_fills_the_whole_counter():
    counter, key, result = KNOWN_ANSWERS[2]
    trajectory = np.uint64(counter[2] | counter[3] << 32)
    got = run_words(np.uint64(key[0] | key[1] << 32), trajectory, np.uint64(counter[1]), np.uint64(counter[0]))
    assert [int(word) for word in got] == result


def test_every_part_of_the_address_matters():
    here = run_pairs(1, 2, 3, 4)
    assert here == run_pairs(1, 2, 3, 4)
    others = [run_pairs(*a) for a in [(5, 2, 3, 4), (1, 5, 3, 4), (1, 2, 5, 4), (1, 2, 3, 5)]]
    assert len({here, *others}) == 5


def test_a_filled_row_holds_the_numbers_of_the_pairs():
    row = row_of_normals(np.uint64(7), 3, 5, 9)
    pairs = np.array([run_pairs(np.uint64(7), 3, 5, d)[1] for d in range(5)]).ravel()
    np.testing.assert_allclose(row, pairs[:9], rtol=1e-14, atol=1e-15)
    assert np.array_equal(row[:4], row_of_normals(np.uint64(7), 3, 5, 4)), "a longer row extends a shorter one"


def test_distributions():
    n = 200_000
    uniforms, normals = standard_uniforms(11, 0, n), standard_normals(11, 1, n)
    assert stats.kstest(uniforms, "uniform").pvalue > 1e-3
    assert stats.kstest(normals, "norm").pvalue > 1e-3
    assert 0.0 < uniforms.min() < uniforms.max() < 1.0
    # neighbours in a row, and the two of a pair, are uncorrelated: 5 sigma
    for x in (uniforms - 0.5, normals):
        for lag in (1, 2):
            assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 5 / np.sqrt(n)


def test_normals_extend_with_the_number_of_sites():
    assert np.array_equal(standard_normals(3, 8, 100)[:37], standard_normals(3, 8, 37))


def test_logarithm_sine_and_cosine_against_extended_precision():
    u = np.concatenate([standard_uniforms(1, 0, 3000), 2.0 ** -np.arange(1, 53), 1 - 2.0 ** -np.arange(2, 53)])
    u = np.concatenate([u, np.arange(1, 16) / 16])
    log, sine, cosine = elementary(u)
    x = u.astype(np.longdouble)
    turn = 2 * np.arctan2(np.longdouble(0), np.longdouble(-1))
    assert np.max(np.abs(log / np.log(x) - 1)) < 1e-15
    assert np.max(np.abs(sine - np.sin(turn * x))) < 1e-15
    assert np.max(np.abs(cosine - np.cos(turn * x))) < 1e-15
