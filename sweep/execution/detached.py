"""A detached driver: `python -m sweep.execution.detached ORDER`, as `watching.start_process` calls it.

Exit status 0 where the run has ended as it should, and 75 where another driver may go on (see `watching.LOST`).
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from sweep.clusters.cluster import SCHEDULER_LOST, Cluster
from sweep.errors import AbortedError, InUseError, StoppedError, SweepError
from sweep.execution import launch
from sweep.execution.launch import Options
from sweep.execution.watching import LOST, Order, watched
from sweep.folder import submission
from sweep.folder.places import place
from sweep.folder.run_folder import RunFolder

RECONNECTS = 10
_PAUSE_SECONDS = 5.0


def main(words: str) -> int:
    """Drive the run of an order to its end."""
    order = Order.read(words)
    folder = RunFolder(place(order.folder))
    options = Options(
        cluster=order.cluster,
        workers=order.workers,
        memory=order.memory,
        dashboard_port=order.dashboard_port,
        report=order.report,
        certificates=order.certificates,
    )
    if not order.watched:
        return _drive(folder, order, options)
    # Not in the main thread, where a polite kill would count as the user's wish to stop: here it is the machine's, a batch
    # system at the end of a job say, and the run goes on elsewhere.
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(_watched(folder, order, options)), name="driver")
    thread.start()
    thread.join()
    return status[0] if status else 1


def _drive(folder: RunFolder, order: Order, options: Options) -> int:
    try:
        launch.resume(folder.path, options)
    except SweepError as error:
        print(f"spinsweep: {error.on_command_line()}", file=sys.stderr, flush=True)
    return 0


def _watched(folder: RunFolder, order: Order, options: Options) -> int:
    """Drive; where the scheduler is out of reach, try again for a while."""
    for _ in range(RECONNECTS):
        if submission.read(folder) is None:
            return 0
        try:
            result = launch.resume(folder.path, options, cluster=_connected(folder, order, options))
        except InUseError as error:
            print(f"spinsweep: {error.on_command_line()}", file=sys.stderr, flush=True)
            return LOST
        except SweepError as error:
            print(f"spinsweep: {error.on_command_line()}", file=sys.stderr, flush=True)
            if not isinstance(error, _Unreachable) and error.text != SCHEDULER_LOST:
                break
        else:
            if submission.read(folder) is None:
                return 0
            if result.reason != SCHEDULER_LOST:  # not an end of the run, but of this driver
                return LOST
        time.sleep(_PAUSE_SECONDS)
    submission.end(folder)
    return 0


class _Unreachable(AbortedError):
    """No scheduler answers."""


@contextlib.contextmanager
def _connected(folder: RunFolder, order: Order, options: Options) -> Iterator[Cluster]:
    """The cluster, with a task that looks after this driver."""
    with contextlib.ExitStack() as stack:
        try:
            cluster = stack.enter_context(options.connect())
        except AbortedError as error:
            raise _Unreachable(error.text, error.cure) from error
        if submission.read(folder) is None:
            raise StoppedError("stopped on request, before the driver had begun")
        stack.enter_context(watched(cluster, folder, order))
        yield cluster


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
