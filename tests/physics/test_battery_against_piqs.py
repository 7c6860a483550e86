"""The exact battery against qutip.piqs, whose coefficients are single precision (relative 1e-7)."""

import numpy as np
import pytest

from solvers.engines import populations as engine
from solvers.engines.pumped_populations import generator

piqs = pytest.importorskip("qutip.piqs.piqs")


@pytest.mark.parametrize("N", [1, 2, 3, 7, 8])
def test_generator_of_the_populations(N):
    gamma, collective, dephasing, pump = 1.0, 3.0, 0.5, 0.7
    # piqs counts dephasing on J_z = sigma_z/2: 4 phi here
    dicke = piqs.Dicke(N, emission=gamma, collective_emission=collective, dephasing=4 * dephasing, pumping=pump)
    theirs = dicke.coefficient_matrix().toarray()
    matrix, (n, k) = generator(N, gamma, collective, dephasing, pump, 0)
    # piqs orders by falling S, then by falling M
    order = np.lexsort((-n, k))
    ours = matrix.toarray()[np.ix_(order, order)]
    np.testing.assert_allclose(ours, theirs, atol=2e-6 * np.abs(ours).max())


@pytest.mark.parametrize("N", [4, 7])
def test_release(N):
    import qutip

    dicke = piqs.Dicke(N, emission=1.0, collective_emission=20.0)
    Jz = piqs.jspin(N, "z")
    start = piqs.dicke(N, N / 2, N / 2)
    expected = qutip.mesolve(
        dicke.liouvillian(), start, [0.0, 0.05], e_ops=[Jz], options={"rtol": 1e-10, "atol": 1e-12}
    ).expect[0][-1]
    P = np.zeros((N + 1, N // 2 + 1))
    P[N, 0] = 1.0
    engine.propagate(P, engine.rate_table(N, 1.0, 20.0, 0.0, 0), 0, 20.0, 0.05, False, True)
    assert engine.moments(P)[0] == pytest.approx(expected, abs=5e-6)
