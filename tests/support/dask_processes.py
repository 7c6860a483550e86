"""A Dask cluster as an operator would start it."""

import json
import subprocess
import sys

from support.watching import wait_for


def start_dask(spinsweep, folder, more=(), count=1):
    """A scheduler and workers of their own, as an operator would start them: (processes, address, scheduler file).

    `more` are words for all.
    """
    file = folder / "scheduler.json"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler += ["--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
    worker += ["--dashboard-address", "127.0.0.1:0", "--local-directory", str(folder / "worker")]
    scheduler += more
    worker += more
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": spinsweep.environment, "cwd": folder}
    started = [subprocess.Popen(scheduler, **quiet)]
    wait_for(file.exists, "a scheduler", started[0])
    started += [subprocess.Popen(worker, **quiet) for _ in range(count)]
    return started, json.loads(file.read_text())["address"], file
