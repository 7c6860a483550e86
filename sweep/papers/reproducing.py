"""Reproduce figures: run their sweeps or take what the stores have, draw, judge, and write the table beside the picture."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.clusters.cluster import Cluster
from sweep.errors import AbortedError, StoppedError
from sweep.execution import launch
from sweep.execution.scheduling import Outcome
from sweep.folder.dataset import open as open_run
from sweep.folder.run_folder import RunFolder
from sweep.papers import drawing
from sweep.papers.figures import FULL, Figure, Sweep
from sweep.papers.tables import table
from sweep.papers.verdicts import Row, rows_of
from sweep.plan.pilots_ahead import PilotsAhead
from sweep.spec.sweep_spec import SweepSpec

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Reproduced:
    """A figure that was drawn (unless it shows no data) and judged, with the page of its table; `seconds` is the time that its points took, on one core."""

    figure: Figure
    picture: Path | None
    page: Path
    rows: tuple[Row, ...]
    seconds: float


def run_folder(sweep: Sweep, preset: str, out: Path) -> Path:
    """Where the store of a sweep is; that of a whole sweep is where `spinsweep run` puts it."""
    return out / sweep.name if preset == FULL else out / preset / sweep.name


def reproduce(
    figures: Sequence[Figure],
    out: Path,
    preset: str = FULL,
    options: launch.Options | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Iterable[Reproduced]:
    """Reproduce figures one after another; `<out>/papers` gets a picture and a table of each.

    With a cluster in the options, one is connected for all of them. Raises StoppedError or AbortedError when a sweep did not
    become complete; what is committed is kept, and the same call goes on.
    """
    options = options or launch.Options(quiet=True)
    computed: set[Path] = set()
    with contextlib.ExitStack() as stack:
        cluster = None if options.open else stack.enter_context(options.connect())
        specs = {run_folder(one, preset, out): one.parsed(preset) for figure in figures for one in figure.sweeps}
        missing = [folder for folder in specs if options.overwrite or not RunFolder(folder).exists()]
        ahead = stack.enter_context(PilotsAhead({folder: specs[folder].raw for folder in missing}))
        for figure in figures:
            say(f"{figure.name}: {figure.title}")
            data = {}
            for one in figure.sweeps:
                folder = run_folder(one, preset, out)
                # A sweep of two figures is computed afresh for the first one only.
                how = dataclasses.replace(options, overwrite=options.overwrite and folder not in computed)
                computed.add(folder)
                data[one.name] = _computed(specs[folder], folder, how, cluster, ahead)
            place = out / "papers" if preset == FULL else out / preset / "papers"
            picture = drawing.draw(figure, data, place / f"{figure.name}.png") if figure.draw else None
            rows = rows_of(figure, data)
            page = place / f"{figure.name}.md"
            place.mkdir(parents=True, exist_ok=True)
            page.write_text(table(figure, rows, preset))
            seconds = sum(float(one.elapsed_seconds.sum()) for one in data.values())
            yield Reproduced(figure, picture, page, rows, seconds)


def _computed(
    spec: SweepSpec, folder: Path, options: launch.Options, cluster: Cluster | None, ahead: PilotsAhead
) -> xarray.Dataset:
    """The results of a sweep, computed as far as its store lacks them."""
    connected = None if cluster is None else contextlib.nullcontext(cluster)
    with ahead.pilot(folder) as pilot:
        result = launch.run(spec, folder, options, cluster=connected, pilot=pilot)
    if result.outcome is not Outcome.COMPLETE:
        kind = StoppedError if result.outcome is Outcome.STOPPED else AbortedError
        raise kind(f"{folder}: {result.sentence()}", result.cure)
    return open_run(folder).load()
