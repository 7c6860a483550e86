"""Run: a run folder in a notebook. Its data, its status, its failures, and any of its points again."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solvers import solve
from solvers.suggest import did_you_mean
from sweep.errors import RunError, SpecError
from sweep.folder.cancelling import ask
from sweep.folder.codes import FLAGS
from sweep.folder.committed import Committed
from sweep.folder.dataset import dimension_named, nearest
from sweep.folder.dataset import open as open_data
from sweep.folder.places import place
from sweep.folder.run_folder import RunFolder
from sweep.plan.tiling import Plan
from sweep.results.failures import Group, groups
from sweep.results.status import RunStatus, status_of

if TYPE_CHECKING:
    import xarray

    from sweep.execution.finalizing import Finalized


@dataclass(frozen=True)
class Point:
    """One point of a run: its model, method and parameters, its place in the grid and its status word."""

    model: str
    method: str
    parameters: Mapping[str, Any]
    place: Mapping[str, int]
    status: str

    def solve(self, method: str | None = None, **changes: Any) -> Mapping[str, NDArray[Any]]:
        """Solve the point here and now, with another method or other parameters if asked."""
        return solve(self.model, method=method or self.method, **{**self.parameters, **changes})


class Run:
    """A run, by its folder or its address in a bucket.

        run = sweep.Run("results/my")
        run.data.zeta.plot()
        run.point(eta=300, delta=0.05).solve()

    Raises RunError when the folder holds no run.
    """

    def __init__(self, path: str | Path) -> None:
        self.folder = RunFolder(place(path))
        self.plan: Plan = self.folder.plan()

    def __repr__(self) -> str:
        now = self.status()
        return f"Run({str(self.folder.path)!r}: {now.model}, {now.done:,} of {now.points:,} points)"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        now, spec = self.status(), self.plan.spec
        rows = {
            "model": f"{now.model} ({', '.join(spec.methods)})",
            "grid": " × ".join(f"{d.name} {d.size:,}" for d in spec.dimensions),
            "points": f"{now.done:,} of {now.points:,} done, {now.failed:,} failed, {now.warned:,} with a warning",
            "outputs": ", ".join(spec.keep),
            "state": now.state,
            "folder": now.folder,
        }
        lines = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in rows.items())
        return f"<table><caption>{html.escape(now.name)}</caption>{lines}</table>"

    @property
    def data(self) -> xarray.Dataset:
        """The results as they are now."""
        return open_data(self.folder.path)

    def status(self) -> RunStatus:
        """Points done, failed, warned; whether a driver is at work."""
        return status_of(self.folder.path)

    def cancel(self, now: bool = False) -> str:
        """Ask the driver, wherever it is, to stop: when the tiles that run are finished, or `now`; says what will happen.

        RunError when no driver is at work.
        """
        return ask(self.folder.path, now)

    def errors(self) -> list[Group]:
        """Failed points grouped by cause, each with an example and the command that repeats it."""
        return groups(self.folder)

    def finalize(self, undo: bool = False, break_lease: bool = False) -> Finalized:
        """Pack the chunks of the run, which is complete, into few files; every chunk is compared before the old files go.

        Parameters
        ----------
        undo : take them apart again, so that points can be added.
        break_lease : take the run from another driver that you know is gone.

        Returns
        -------
        Finalized: the number of files `before` and `after`, chunks that were `lost` because they are damaged, and whether
        something was `done`.

        Raises RunError where the run is not complete, is damaged, or a driver is at work on it; it then stays as it is.
        """
        from sweep.execution.finalizing import finalize, take_apart

        return (take_apart if undo else finalize)(self.folder, break_lease)

    def point(self, **coordinates: Any) -> Point:
        """The point nearest to the given coordinates (numbers), or with those labels; dimensions of length 1 may be left out.

        Raises RunError for a name that is no dimension, or a dimension that is missing.
        """
        names = [d.name for d in self.plan.spec.dimensions]
        coordinates = {dimension_named(name, names): value for name, value in coordinates.items()}
        for name in coordinates:
            if name not in names:
                raise RunError(
                    f"the run has no dimension {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}"
                )
        place: dict[str, int] = {}
        method = self.plan.spec.methods[0]
        parameters = {name: value for name, value in self.plan.spec.parameters.items() if value is not None}
        for dimension in self.plan.spec.dimensions:
            values = dimension.coordinate
            if dimension.name in coordinates:
                try:
                    place[dimension.name] = nearest(values, coordinates[dimension.name], dimension.name)
                except SpecError as error:
                    raise RunError(str(error)) from error
            elif dimension.size == 1:
                place[dimension.name] = 0
            else:
                raise RunError(
                    f"say which {dimension.name}: point({dimension.name}=...), it has {dimension.size} values"
                )
            index = place[dimension.name]
            if dimension.labels:
                method = dimension.labels[index]
        at = self.plan.spec.at([np.asarray(k) for k in place.values()])
        parameters |= {name: value if value.ndim else value.item() for name, value in at.items()}
        code = Committed.read(self.folder, self.plan).at(tuple(place.values()))
        return Point(self.plan.spec.model, method, parameters, place, FLAGS[code])
