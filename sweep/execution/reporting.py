"""Dask's performance report of a run: task stream, profile of the workers, their memory and transfers, as one HTML page."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sweep.clusters.cluster import Cluster
from sweep.execution.progress import Progress
from sweep.folder.run_folder import RunFolder


@contextlib.contextmanager
def performance_report(cluster: Cluster, folder: RunFolder, progress: Progress) -> Iterator[None]:
    """Write the report of what is computed in a `with` block to `meta/report.html`; a run does not fail by it."""
    import distributed

    with contextlib.ExitStack() as stack:
        stack.enter_context(cluster.client.as_current())
        page = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "report.html"
        path = folder.meta / page.name
        report = distributed.performance_report(filename=str(page))
        report.__enter__()
        try:
            yield
        finally:
            try:
                report.__exit__(None, None, None)
                folder.disk.write(path, page.read_bytes())
                progress.say(f"performance report: {path}")
            except Exception as error:  # the scheduler is gone, the disk is full: the run itself has said so
                progress.say(f"no performance report: {type(error).__name__}: {error}")
