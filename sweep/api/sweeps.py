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
from sweep.records import Json
from sweep.spec.parsing import parse
from sweep.spec.sweep_spec import SweepSpec, plain

if TYPE_CHECKING:
    import xarray
    from distributed import Client


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep described in Python; the fields are those of a spec file.

    `axes` maps a parameter to its values (a list, an array, or a form such as `{"linspace": [0, 1, 11]}`; arrays, with the
    points in front, for an array parameter, and `{"arrays": ..., "labels": {"NAME": [...]}}` to name them); `zip` maps a
    dimension's name to parameters that vary together, or are drawn together (`{"sobol": [lo, hi, n]}`). A text for a number
    in `parameters` is a formula of other parameters (`"N/32"`). A list of methods makes the first axis, `solver`.
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
        store : the run folder; by default `results/<name or model>`.
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
        from sweep.clusters.given import given
        from sweep.execution import launch
        from sweep.execution.scheduling import Outcome

        out = Path(store) if store is not None else Path("results") / (self.name or self.model)
        cluster = None if client is None else contextlib.nullcontext(given(client))
        options = launch.Options(
            workers=workers,
            quiet=quiet,
            accept_code_change=accept_code_change,
            break_lease=break_lease,
            overwrite=overwrite,
            extend=extend,
            python=True,
        )
        result = launch.run(self.spec(), out, options, cluster=cluster)
        if result.outcome is not Outcome.COMPLETE:
            kind = StoppedError if result.outcome is Outcome.STOPPED else AbortedError
            raise kind(result.sentence(), result.cure)
        return open_run(out)


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
