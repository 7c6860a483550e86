"""Dask's performance report of a run: task stream, profile of the workers, their memory and transfers, as one HTML page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sweep.clusters.cluster import Cluster
from sweep.execution.progress import Progress


@contextlib.contextmanager
def performance_report(cluster: Cluster, path: Path, progress: Progress) -> Iterator[None]:
    """Write the report of what is computed in a `with` block; a run does not fail by it."""
    import distributed

    with contextlib.ExitStack() as stack:
        stack.enter_context(cluster.client.as_current())
        report = distributed.performance_report(filename=str(path))
        report.__enter__()
        try:
            yield
        finally:
            try:
                report.__exit__(None, None, None)
                progress.say(f"performance report: {path}")
            except Exception as error:  # the scheduler is gone, the disk is full: the run itself has said so
                progress.say(f"no performance report: {type(error).__name__}: {error}")
