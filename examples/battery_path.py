"""Fig. 2(b) of Pirmoradian and Moelmer: python examples/battery_path.py [RUN] [PICTURE].

RUN is the folder that `spinsweep run examples/battery_storage_path.toml` made. Its points, one per storage time, are
drawn as paths in the plane of S and M: storage leads down along the edge M = S, release at constant S to M = -S.
Lines: exact; dots: cumulants.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import sweep


def main(folder="results/battery_storage_path", output="battery_path.png"):
    data = sweep.open(folder)
    figure, axes = plt.subplots(figsize=(6.4, 5.4), layout="constrained")
    for k, tau_s in enumerate(data.tau_s.values):
        exact, cumulant = (data.sel(solver=method).isel(tau_s=k) for method in ("exact", "cumulant"))
        axes.plot(exact.S, exact.M, f"C{k}", label=f"{tau_s:.3g}")
        axes.plot(cumulant.S[::8], cumulant.M[::8], f"C{k}.", markersize=4)
    half = float(data.N) / 2
    axes.plot([0, half, 0], [0, half, 0], color="0.7", zorder=0)
    axes.plot([0, half], [0, -half], color="0.7", zorder=0)
    axes.set(xlabel="S", ylabel="M", title=data.attrs["title"])
    axes.legend(title="storage time tau_s", fontsize="small")
    figure.savefig(output, dpi=150)
    print(Path(output).resolve())


if __name__ == "__main__":
    main(*sys.argv[1:3])
