"""Distributions of detunings, drawn spin by spin or as classes at their quantiles, in units of their width `delta`.

`delta` is the standard deviation (gaussian), half the splitting (two), or the half width (lorentzian: at half maximum;
uniform: of the interval).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from solvers.numerics.random import standard_normals, standard_uniforms

DISTRIBUTIONS = ("gaussian", "two", "lorentzian", "uniform")


def standard_detunings(distribution: str, count: int, seed: int, realisation: int) -> NDArray[np.float64]:
    """Detunings (count,) of every single spin in units of `delta`."""
    if distribution == "gaussian":
        return np.asarray(standard_normals(seed, realisation, count))
    if distribution == "two":
        return np.where(np.arange(count) < count // 2, 1.0, -1.0)
    uniforms = np.asarray(standard_uniforms(seed, realisation, count))
    return quantiles(distribution, uniforms)


def quantiles(distribution: str, probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse distribution function in units of `delta`."""
    if distribution == "gaussian":
        return np.asarray(ndtri(probability))
    if distribution == "lorentzian":
        return np.tan(np.pi * (probability - 0.5))
    return 2.0 * probability - 1.0


def class_detunings(distribution: str, classes: int) -> NDArray[np.float64]:
    """Detunings (classes,) of equal classes in units of `delta`."""
    if distribution == "two":
        return standard_detunings("two", classes, 0, 0)
    values = quantiles(distribution, (np.arange(classes) + 0.5) / classes)
    if distribution == "gaussian" and classes > 1:
        values = values / math.sqrt(float(np.mean(values**2)))
    return values
