"""Announces runs to the page `/sweep` on the server of a cluster's dashboard."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.errors import program

if TYPE_CHECKING:
    from sweep.clusters.cluster import Cluster

_SHOWS = "sweep.pictures.page.scheduler"
"""What the scheduler loads, by name: it is of a floor above."""


def announce(cluster: Cluster, folder: Path) -> str:
    """Have a run shown on the page of a cluster; returns where that is, or why there is none: a run does not fail by it.

    A scheduler of somebody else's that has no spinsweep, or does not see the run's folder, shows nothing.
    """
    try:
        cluster.client.run_on_scheduler(_show, str(folder.absolute()))
        return f"page: {cluster.dashboard.rsplit('/', 1)[0]}/sweep/"
    except Exception as error:
        why = str(error).splitlines()[:1]
        return (
            f"no page on this scheduler ({type(error).__name__}: {''.join(why)}); watch with: {program()} view {folder}"
        )


def _show(folder: str, dask_scheduler: Any = None) -> None:
    """Runs on the scheduler."""
    importlib.import_module(_SHOWS).show(dask_scheduler, folder)
