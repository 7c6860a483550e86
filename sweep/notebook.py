"""Sweeps from Python: `Sweep(...).run()` and `open(...)`, with the behaviour of the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.errors import RunError, SpecError
from sweep.folder import RunFolder
from sweep.spec import SweepSpec, parse, plain

if TYPE_CHECKING:
    import xarray
    from distributed import Client


def open(path: str | Path) -> xarray.Dataset:
    """Open a run as an `xarray.Dataset`, at any moment of the run.

    Parameters
    ----------
    path : the run's folder, or the `data.zarr` in it.

    Values are read when they are used; points that are not computed yet are NaN, and 0 in `status`. Open it again to
    see a store grow. Raises RunError when there is no run.
    """
    import xarray

    given = Path(path)
    data = given if given.name == "data.zarr" else RunFolder(given).data
    if not (data / "zarr.json").is_file():
        raise RunError(f"{given} is not a run folder (no data.zarr); give the folder that `spinsweep run` made")
    dataset: xarray.Dataset = xarray.open_zarr(data, chunks=None)
    return dataset


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep described in Python; the fields are those of a spec file.

    `axes` maps a parameter to its values (a list, an array, or a form such as `{"linspace": [0, 1, 11]}`); `zip` maps a
    dimension's name to parameters that vary together. A list of methods makes `method` the first axis.
    """

    model: str
    axes: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    method: str | Sequence[str] | None = None
    seed: int | None = None
    zip: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keep: Sequence[str] | None = None
    name: str | None = None
    tile: str | Mapping[str, int] = "auto"
    retries: int = 2
    max_failures: int | str | None = None

    def raw(self) -> dict[str, Any]:
        """The mapping that a spec file would hold."""
        head: dict[str, Any] = {"name": self.name, "model": self.model, "seed": self.seed}
        head["method"] = self.method if self.method is None or isinstance(self.method, str) else list(self.method)
        options = {"tile": self.tile, "retries": self.retries, "max_failures": self.max_failures}
        raw: dict[str, Any] = {
            "sweep": {k: v for k, v in head.items() if v is not None},
            "parameters": {k: _form(v) for k, v in self.parameters.items()},
            "axes": {k: _form(v) for k, v in self.axes.items()},
            "zip": {name: {k: _form(v) for k, v in group.items()} for name, group in self.zip.items()},
            "outputs": {} if self.keep is None else {"keep": list(self.keep)},
            "run": {k: v for k, v in options.items() if v is not None},
        }
        return {section: table for section, table in raw.items() if table}

    def spec(self) -> SweepSpec:
        """The validated spec; SpecError says what is wrong with it."""
        return parse(self.raw())

    def run(
        self,
        client: Client | None = None,
        store: str | Path | None = None,
        workers: int | None = None,
        quiet: bool = False,
    ) -> xarray.Dataset:
        """Run, or continue, the sweep and open its results.

        Parameters
        ----------
        client : a Dask client to run on; None starts a local cluster for the time of the run.
        store : the run folder; by default `results/<name or model>`.
        workers : processes of the local cluster; by default one per core.

        In a script the local cluster needs the usual `if __name__ == "__main__":`.
        """
        from sweep import launch
        from sweep.clusters import Connection

        out = Path(store) if store is not None else Path("results") / (self.name or self.model)
        connection = None if client is None else contextlib.nullcontext(Connection(client, local=False))
        launch.run(self.raw(), out, launch.Options(workers=workers, quiet=quiet), connection=connection)
        return open(out)


def _form(value: Any) -> Any:
    """Arrays and other sequences as a spec file would have them."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value)
    if isinstance(value, range | tuple):
        return list(value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    if value is None or callable(value):
        raise SpecError(f"a sweep holds numbers, texts and arrays, not {value!r}")
    return value
