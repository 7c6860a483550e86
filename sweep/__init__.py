"""Sweeps: a spec, a model and axes in, a Zarr store that xarray opens out.

import sweep
data = sweep.open("results/quickstart")
data = sweep.Sweep(model="spin_cat.two_ensembles", axes={"eta": [100, 200], "delta": [0.01, 0.02]}).run()
"""

from sweep.errors import AbortedError, RunError, SpecError, SweepError
from sweep.notebook import Sweep, open
from sweep.run import Point, Run

__all__ = ["AbortedError", "Point", "Run", "RunError", "SpecError", "Sweep", "SweepError", "open"]
