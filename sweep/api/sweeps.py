"""Sweeps from Python: `Sweep(...).run()`, with the behaviour of the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.errors import AbortedError, SpecError, StoppedError
from sweep.folder.dataset import open as open_run
from sweep.folder.places import place
from sweep.records import Json
from sweep.spec.parsing import parse
from sweep.spec.sweep_spec import REFINE, SweepSpec, plain

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import xarray
    from distributed import Client

    from sweep.api.run import Run
    from sweep.clusters.cluster import Cluster
    from sweep.execution.launch import Options
    from sweep.execution.result import RunResult


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep described in Python; the fields are those of a spec file.

    `axes` maps a parameter to its values (a list, an array, or a form such as `{"linspace": [0, 1, 11]}`; arrays, with the
    points in front, for an array parameter, and `{"arrays": ..., "labels": {"NAME": [...]}}` to name them); `zip` maps a
    dimension's name to parameters that vary together, or are drawn together (`{"sobol": [lo, hi, n]}`). A text for a number
    in `parameters` is a formula of other parameters (`"N/32"`). A list of methods makes the first axis, `solver`. `refine`, like
    `{"depth": 4, "outputs": ["locked"]}`, computes the grid only where results change, and interpolates the rest (status 4).
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
    refine: Mapping[str, Any] | None = None

    def raw(self) -> Json:
        """The mapping that a spec file would hold."""
        method = self.method if self.method is None or isinstance(self.method, str) else list(self.method)
        head: Json = {"name": self.name, "model": self.model, "seed": self.seed, "method": method}
        options = {"tile": self.tile, "retries": self.retries, "max_failures": self.max_failures}
        raw: Json = {
            "sweep": {k: v for k, v in head.items() if v is not None},
            "parameters": {k: _form(v) for k, v in self.parameters.items()},
            "axes": {k: _form(v) for k, v in self.axes.items()},
            "zip": {name: {k: _form(v) for k, v in group.items()} for name, group in self.zip.items()},
            "outputs": {} if self.keep is None else {"keep": list(self.keep)},
            "run": {k: v for k, v in options.items() if v is not None},
            REFINE: {k: _form(v) for k, v in (self.refine or {}).items()},
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
        accept_code_change: bool = False,
        break_lease: bool = False,
        overwrite: bool = False,
        extend: bool = True,
    ) -> xarray.Dataset:
        """Run, or continue, the sweep and open its results.

        Parameters
        ----------
        client : a Dask client to run on, connected and not asynchronous; None starts a local cluster for the time of the
            run, unless the sweep is so small that it needs none.
        store : the run folder, or its address in a bucket, `s3://bucket/run`; by default `results/<name or model>`.
        workers : processes of the local cluster; by default one per core.
        quiet : say nothing on the way.
        accept_code_change : go on although the solver code has changed since the run was started; recorded.
        break_lease : take the run from another driver that you know is gone.
        overwrite : move a run of another sweep that is in the folder to `.trash` beside it.
        extend : compute only what is new where the folder holds this sweep with fewer values on its axes; else refuse it.

        Returns
        -------
        The dataset of the complete run; points that failed are NaN in it, with `status` 2.

        Raises SpecError (bad sweep), RunError (the folder cannot be used), StoppedError (Ctrl-C, `spinsweep cancel`) or
        AbortedError (`max_failures`, full disk, lost cluster); what is committed is kept, and the same call goes on.

        In a script the local cluster needs the usual ``if __name__ == "__main__":``.
        """
        from sweep.execution import launch

        out = self._place(store)
        options = _options(None, workers, quiet, accept_code_change, break_lease, overwrite, extend)
        return _opened(launch.run(self.spec(), out, options, cluster=_cluster_of(client)))

    def submit(
        self,
        client: Client | None = None,
        store: str | Path | None = None,
        cluster: str | None = None,
        workers: int | None = None,
        quiet: bool = False,
        accept_code_change: bool = False,
        break_lease: bool = False,
        overwrite: bool = False,
        extend: bool = True,
    ) -> Run:
        """Run, or continue, the sweep in the background, and return at once; this process may end meanwhile.

        Parameters
        ----------
        client : a Dask client of a cluster that goes on without this process; the driver itself runs there.
        cluster : instead, the address of such a scheduler or the path of its scheduler file; or a cluster that is made for
            the run, as ``--cluster`` names them. Without either, a process of its own on this machine computes.

        The others are those of `run`, which also says what is raised.

        Returns
        -------
        The run: ``status()``, ``errors()``, ``data`` as it fills, ``cancel()``.
        """
        from sweep.api.run import Run
        from sweep.execution import submitting

        if client is not None and cluster is not None:
            raise SpecError("give submit(client=...) or submit(cluster=...), not both")
        options = _options(cluster, workers, quiet, accept_code_change, break_lease, overwrite, extend)
        out = self._place(store)
        submitting.submit(self.spec(), out, options, cluster=_cluster_of(client))
        return Run(out)

    def _place(self, store: str | Path | None) -> Path:
        return place(store) if store is not None else Path("results") / (self.name or self.model)


def refine(
    store: str | Path,
    depth: int | None = None,
    outputs: Sequence[str] | None = None,
    tolerance: float | str | Mapping[str, float | str] | None = None,
    axes: Sequence[str] | None = None,
    interpolate: bool | None = None,
    client: Client | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> xarray.Dataset:
    """Compute a run on a finer grid, only where its results change between neighbours, and open its results.

    Parameters
    ----------
    store : the run folder.
    depth : how often cells are halved, counted from the start grid: the run's as it is, or the one that it was refined from.
    outputs : results whose changes count, like `["locked", "zeta", "sign(z)"]`; by default those that are codes, or all numbers.
    tolerance : change of a number that counts, in its unit or as a share of its range (`"5%"`); or a mapping by output.
    axes : axes that are refined; by default all of physical numbers in ascending or descending order.
    interpolate : whether what is not computed is interpolated, with status 4, or left pending.
    client, workers, quiet : as for `Sweep.run`.

    What is left out is as the run has it. Returns and raises as `Sweep.run`; what is committed keeps its bits.
    """
    from sweep.execution import launch

    given = {"depth": depth, "outputs": outputs, "tolerance": tolerance, "axes": axes, "interpolate": interpolate}
    changes = {name: _form(value) for name, value in given.items() if value is not None}
    options = launch.Options(workers=workers, quiet=quiet, python=True)
    return _opened(launch.refine(place(store), changes, options, cluster=_cluster_of(client)))


def _options(
    cluster: str | None,
    workers: int | None,
    quiet: bool,
    accept_code_change: bool,
    break_lease: bool,
    overwrite: bool,
    extend: bool,
) -> Options:
    """What `run` and `submit` have in common."""
    from sweep.execution.launch import Options

    return Options(
        cluster=cluster,
        workers=workers,
        quiet=quiet,
        accept_code_change=accept_code_change,
        break_lease=break_lease,
        overwrite=overwrite,
        extend=extend,
        python=True,
    )


def _cluster_of(client: Client | None) -> AbstractContextManager[Cluster] | None:
    """The cluster of a user's client, who keeps it."""
    from sweep.clusters.given import given

    return None if client is None else contextlib.nullcontext(given(client))


def _opened(result: RunResult) -> xarray.Dataset:
    """The data of a run that is complete; StoppedError or AbortedError otherwise."""
    from sweep.execution.scheduling import Outcome

    if result.outcome is not Outcome.COMPLETE:
        kind = StoppedError if result.outcome is Outcome.STOPPED else AbortedError
        raise kind(result.sentence(), result.cure)
    return open_run(result.folder.path)


def _form(value: Any) -> Any:
    """Arrays and other sequences as a spec file would have them."""
    if isinstance(value, Mapping):
        return {key: _form(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value)
    if isinstance(value, range | tuple):
        return list(value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    if value is None or callable(value):
        raise SpecError(f"a sweep holds numbers, texts and arrays, not {value!r}")
    return value
