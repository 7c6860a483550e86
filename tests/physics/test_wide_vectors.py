"""Kernels that ask for vectors of 512 bits get them where the CPU has them."""

import llvmlite.binding
import numpy as np
import pytest

from solvers.numerics.compile import FASTMATH, kernel


@kernel(fastmath=FASTMATH, wide=True)
def polynomial(x, y):
    for i in range(64):
        y[i] = 1.0 + x[i] * (2.0 + x[i] * (3.0 + x[i] * (4.0 + x[i] * 5.0)))


def test_wide_kernels_use_wide_vectors():
    x, y = np.linspace(-1.0, 1.0, 64), np.empty(64)
    polynomial(x, y)
    np.testing.assert_allclose(y, np.polyval([5.0, 4.0, 3.0, 2.0, 1.0], x), rtol=1e-14)
    if not llvmlite.binding.get_host_cpu_features().get("avx512f"):
        pytest.skip("this CPU has no vectors of 512 bits")
    (assembly,) = polynomial.inspect_asm().values()
    assert "zmm" in assembly
