"""How the critical linewidth scales with N, in numbers: python examples/spin_cat_scaling.py [RUN at fixed ratio] [RUN at fixed amplitude].

The runs are those of `examples/spin_cat_scaling_fixed_ratio.toml` and `examples/spin_cat_scaling_fixed_amplitude.toml`. Mok,
Kwek and Touzard say both "delta/Gamma2 must scale as 1/N^2" (Sec. IV) and "robust if delta/Gamma2 is of order one"
(Sec. V). The transition does neither at a fixed amplitude (exponent -1/2), and does not depend on N at fixed eta/N; it is
a constant phase spread that needs N^-2.
"""

import sys

import numpy as np

import sweep


def exponent(spins, delta):
    """Slope of log delta over log N through the larger half of the sizes."""
    half = len(spins) // 2
    return np.polyfit(np.log(spins[half:]), np.log(delta[half:]), 1)[0]


def main(
    fixed_ratio="results/spin_cat_scaling_fixed_ratio", fixed_amplitude="results/spin_cat_scaling_fixed_amplitude"
):
    ratio = sweep.open(fixed_ratio)
    for method in ratio.solver.values:
        for distribution in ratio.distribution.values:
            delta = ratio.delta_critical.sel(solver=method, distribution=distribution).values
            slope = exponent(ratio.N.values, delta)
            print(f"eta = N/32, {distribution}, {method}: N = 1e5 {delta[-1]:.4f} Gamma2, exponent {slope:+.4f}")
    amplitude = sweep.open(fixed_amplitude)
    for method in amplitude.solver.values:
        for eta in amplitude.eta.values:
            delta = amplitude.delta_critical.sel(solver=method, eta=eta).values
            slope = exponent(amplitude.N.values, delta)
            print(f"eta = {eta:g}, {method}: N = 1e5 {delta[-1]:.5f} Gamma2, exponent {slope:+.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
