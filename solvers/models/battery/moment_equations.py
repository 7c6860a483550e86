"""The nine cumulant equations in complex form, term by term as the Appendix writes them (corrected): see `cumulants`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ORDER = ("z", "p", "m", "pm", "zz", "pz", "mz", "pp", "mm")
"""z = <s_iz>, p = <s_i+>, m = <s_i->, pm = <s_i+ s_j->, zz = <s_iz s_jz>, pz = <s_i+ s_jz>, and so on, i != j."""


def third(a: Any, b: Any, c: Any, ab: Any, ac: Any, bc: Any) -> Any:
    """<ABC> with a vanishing third cumulant."""
    return a * bc + b * ac + c * ab - 2.0 * a * b * c


def d_moments(
    N: float,
    g: float,
    G: float,
    moments: NDArray[Any],
    phi: float = 0.0,
    w: float = 0.0,
    printed: bool = False,
) -> NDArray[np.complex128]:
    """Time derivative (9,) of the moments (9,) in `ORDER`, which may be any complex numbers.

    N: emitters; g, G, phi, w: individual decay, collective decay, dephasing and pump in one unit; `printed`: the
    Appendix with its two misprints. For N = 1 there are no pairs: their derivatives are zero.
    """
    z, p, m, pm, zz, pz, mz, pp, mm = (complex(value) for value in moments)
    zpm = third(z, p, m, pz, mz, pm)
    ppm = third(p, p, m, pp, pm, pm)
    mmp = third(m, m, p, mm, pm, pm)
    pzz = third(p, z, z, pz, pz, zz)
    mzz = third(m, z, z, mz, mz, zz)
    ppz = third(p, p, z, pp, pz, pz)
    mmz = third(m, m, z, mm, mz, mz)
    others = N - 2.0
    bracket = 0.5 * G * (1.0 if printed else others)
    source = z if printed else 0.5 * (z + zz)
    d = np.zeros(9, dtype=np.complex128)
    d[0] = -(g + G) * (1.0 + z) - 2.0 * G * (N - 1.0) * pm + w * (1.0 - z)
    d[1] = -0.5 * (g + G) * p + 0.5 * G * (N - 1.0) * pz - (2.0 * phi + 0.5 * w) * p
    d[2] = -0.5 * (g + G) * m + 0.5 * G * (N - 1.0) * mz - (2.0 * phi + 0.5 * w) * m
    if N > 1:
        pair = g + G + 4.0 * phi + w
        mixed = 1.5 * g + 2.5 * G + 2.0 * phi + 1.5 * w
        d[3] = -pair * pm + G * source + G * others * zpm
        d[4] = -2.0 * (g + G) * (z + zz) + 4.0 * G * pm - 4.0 * G * others * zpm + 2.0 * w * (z - zz)
        d[5] = -mixed * pz - (g + 1.5 * G - w) * p - 2.0 * G * others * ppm + bracket * pzz
        d[6] = -mixed * mz - (g + 1.5 * G - w) * m - 2.0 * G * others * mmp + bracket * mzz
        d[7] = -pair * pp + G * others * ppz
        d[8] = -pair * mm + G * others * mmz
    return d
