"""What keeps a detached driver going: a task on the cluster looks after its process, and the driver after that task.

The driver is a process of its own, beside a worker, not in one: a point that takes its worker down would else take the
driver along, again and again. The task that looks after it gives its thread back at once, so that a worker of one thread
computes on. Where the worker of the task dies, Dask starts the task elsewhere, and it finds the driver at work or, by the
lease, gone; then it starts another one. Dask lets a task die with its worker a few times only (`allowed-failures`), so every
driver begins with a task of a new name, and puts another in its place when Dask gives one up.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sweep
from solvers.cache_place import cache_root
from sweep.clusters.cluster import Cluster
from sweep.clusters.tls import Certificates
from sweep.errors import AbortedError, RunError
from sweep.folder import provenance, submission
from sweep.folder.lease import Lease
from sweep.folder.places import in_bucket, place
from sweep.folder.run_folder import RunFolder
from sweep.folder.submission import Submission
from sweep.records import Record

if TYPE_CHECKING:
    from distributed import Worker

PRIORITY = 1000
"""Before all tiles that wait."""
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 10.0
FRUITLESS_DRIVERS = 5
"""So many in a row that die without a tile committed are no accident."""
LOST = 75
"""Exit status of a driver that has lost the run or the scheduler, and is to be started again where nobody else is at work."""


@dataclass(frozen=True)
class Order(Record):
    """What a detached driver is to do: the run's folder, the cluster (None: one of its own), and options of `launch`."""

    folder: str
    cluster: str | None = None
    watched: bool = False
    """Whether a task on the cluster looks after it."""
    workers: int | None = None
    memory: str | None = None
    dashboard_port: int | None = None
    report: bool = False
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def certificates(self) -> Certificates:
        return Certificates(self.authority, self.certificate, self.key)

    def words(self) -> str:
        """As one word of a command."""
        return json.dumps(self.to_json())

    @classmethod
    def read(cls, words: str) -> Order:
        """The order in such a word."""
        return cls.from_json(json.loads(words), "a driver's order")


def log_of(folder: RunFolder) -> Path:
    """What a detached driver says; of a run in a bucket, on the machine that it is on."""
    if in_bucket(folder.path):
        return cache_root() / "logs" / f"{folder.path.name}.log"
    return Path(folder.meta / "driver.log")


def start_process(order: Order) -> subprocess.Popen[bytes]:
    """A driver as a process in a session of its own, which outlives whoever has started it; its words go to the log."""
    root = str(Path(sweep.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    path_of_log = log_of(RunFolder(place(order.folder)))
    path_of_log.parent.mkdir(parents=True, exist_ok=True)
    with open(path_of_log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "sweep.execution.detached", order.words()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )


def watch(words: str, key: str) -> str:
    """The task: start a driver wherever none is at work, as long as the run wants one; says why that is over."""
    from distributed import get_worker, secede

    worker = get_worker()
    secede()
    order = Order.read(words)
    RunFolder(place(order.folder)).record()  # an error where it is not seen from here
    with _certificates(worker) as files:
        here = {"cluster": worker.scheduler.address, **files}
        return _watch(worker, Order(**{**order.to_json(), **here}), key)


def _watch(worker: Worker, order: Order, key: str) -> str:
    from distributed.core import Status

    folder = RunFolder(place(order.folder))
    driver: subprocess.Popen[bytes] | None = None
    fruitless, committed = 0, -1
    while True:
        found = submission.read(folder)
        if found is None or found.watcher != key:
            return "the run has ended" if found is None else "another task looks after the driver"
        code = driver.poll() if driver is not None else None
        if code is not None:
            driver = None
            now = _size(folder)
            fruitless, committed = (0 if now > committed or code == LOST else fruitless + 1), max(now, committed)
            if fruitless >= FRUITLESS_DRIVERS:
                submission.end(folder)
                raise RunError(
                    f"{fruitless} drivers of {folder.path} have died before they committed anything; {log_of(folder)}"
                )
        # A worker that is leaving starts nothing more; its task is given to another one.
        if driver is None and worker.status == Status.running and _free(folder):
            driver = start_process(order)
        time.sleep(LOOK_SECONDS)


def _free(folder: RunFolder) -> bool:
    """Whether no driver is at work; of one on another host this takes up to the time that a heartbeat is waited for."""
    try:
        return Lease(folder.lease, host=folder.host).free()
    except (OSError, RunError):  # it may pass; what is malformed is the driver's to say
        return not folder.disk.is_file(folder.lease)


def _size(folder: RunFolder) -> int:
    try:
        return folder.disk.size(folder.journal)
    except OSError:
        return 0


@contextlib.contextmanager
def _certificates(worker: Worker) -> Iterator[dict[str, str]]:
    """The files of the certificates that a worker talks to its scheduler with; what it has in memory alone is written out,
    for its own user to read."""
    security = worker.security
    pairs = {
        "authority": security.tls_ca_file,
        "certificate": security.tls_worker_cert,
        "key": security.tls_worker_key,
    }
    with tempfile.TemporaryDirectory(prefix="spinsweep-") as place:
        found = {}
        for name, value in pairs.items():
            if worker.scheduler.address.startswith("tls://") and value is not None:
                path = value
                if "\n" in value:
                    path = os.path.join(place, f"{name}.pem")
                    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                        file.write(value)
                found[name] = path
        yield found


def submit_watcher(cluster: Cluster, folder: RunFolder, order: Order) -> Any:
    """Have the cluster look after the driver of a run, from now on by a task of a new name; returns its future.

    The task goes on when the client is gone: else Dask drops what nobody waits for. AbortedError where no worker that is
    there sees the folder.
    """
    from distributed import fire_and_forget

    client, record = cluster.client, folder.record()
    where = _seeing(cluster, order.folder, record.id)
    name = re.sub(r"[^0-9A-Za-z]+", "_", f"driver of {record.name or order.folder}").strip("_")
    key = f"{name}-{record.id[:6]}{secrets.token_hex(4)}"
    submission.write(folder, Submission(str(client.scheduler.address), provenance.now(), key))
    future = client.submit(watch, order.words(), key, key=key, pure=False, priority=PRIORITY, workers=where)
    fire_and_forget(future)
    return future


def _seeing(cluster: Cluster, folder: str, run_id: str) -> list[str] | None:
    """The workers that see the run; None where all do, or nobody is there to be asked."""
    there = cluster.workers()
    answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    for worker in there:
        cluster.ask(worker, see, folder, run_id, heard=lambda *answer: answers.put(answer))
    until = time.monotonic() + ANSWER_SECONDS
    seeing, blind = [], ""
    for _ in there:
        try:
            worker, answer = answers.get(timeout=max(until - time.monotonic(), 0.0))
        except queue.Empty:  # who does not answer is not to be relied on
            break
        if isinstance(answer, Exception):
            blind = f"{worker}: {answer}"
        else:
            seeing.append(worker)
    if blind and not seeing:
        raise AbortedError(
            f"no worker of {cluster.place} can run the driver: {blind}; workers need the run folder {folder} on a shared file "
            "system and the same spinsweep"
        )
    return seeing if seeing and len(seeing) < len(there) else None


def see(folder: str, run_id: str) -> None:
    """Raise where this worker does not see the run."""
    if RunFolder(place(folder)).record().id != run_id:
        raise RunError(f"{folder} is another run here")


@contextlib.contextmanager
def watched(cluster: Cluster, folder: RunFolder, order: Order) -> Iterator[None]:
    """Keep the task that looks after this driver alive for the time of a `with` block."""
    future = submit_watcher(cluster, folder, order)
    over = threading.Event()

    def keep() -> None:
        nonlocal future
        while not over.wait(LOOK_SECONDS):
            if cluster.connected and future.status in ("error", "cancelled", "lost"):
                with contextlib.suppress(Exception):  # tried again at the next look
                    if submission.read(folder) is not None:
                        future = submit_watcher(cluster, folder, order)

    thread = threading.Thread(target=keep, name="watcher", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
