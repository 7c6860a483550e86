"""Loaded by workers whose time is limited, by a job's wall time say: `dask worker --preload sweep.clusters.leave_in_time`.

SPINSWEEP_LEAVE_AT is when (seconds since 1970, by the worker's own clock). A worker then takes no new tile, finishes the
one it is at, hands it over and goes. Dask's own `--lifetime` drops the tile it is at, which another worker then has to
compute from its beginning.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Worker

LEAVE_AT = "SPINSWEEP_LEAVE_AT"
_LOOK_SECONDS = 0.1
_HAND_OVER_SECONDS = 30.0
"""So long a result waits to be fetched; what is not fetched by then is computed again elsewhere."""


async def dask_setup(worker: Worker) -> None:
    """Called by Dask as the worker starts."""
    leave_at = os.environ.get(LEAVE_AT)
    if leave_at:
        worker.loop.call_later(max(float(leave_at) - time.time(), 0.0), leave, worker)


async def leave(worker: Worker) -> None:
    """Finish what runs, take nothing new, and go; the nanny goes as well."""
    from distributed.core import Status

    worker.status = Status.closing_gracefully
    while worker.state.executing:
        await asyncio.sleep(_LOOK_SECONDS)
    until = time.monotonic() + _HAND_OVER_SECONDS
    while worker.data and time.monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
    # The scheduler gives away what waits here, and blames nobody for it.
    await worker.scheduler.retire_workers(workers=[worker.address], close_workers=False, remove=True)
    await worker.close(nanny=True, reason="its time is up")
