"""Whether a cluster can serve runs: one worker is asked what it sees, and that is compared with what is seen here."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import secrets
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from solvers.fingerprint import code_of
from solvers.registry import BrokenModelFile, models_of, module_of, systems
from sweep.clusters.cluster import Wanted
from sweep.clusters.kinds import connect
from sweep.errors import AbortedError
from sweep.execution.local_worker import __name__ as loaded_by_workers
from sweep.folder import provenance
from sweep.folder.host import HERE
from sweep.folder.places import place

CLOCK_SECONDS = 5.0
"""Clocks further apart than this mislead who reads the times in a journal."""
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is well, what was found, and what to do where it is not."""

    about: str
    well: bool
    text: str


@dataclass(frozen=True)
class View:
    """What a process sees: versions, the code of every model, its clock, and whether it can read and write in a folder.

    `folder` is empty where it can, else what is wrong.
    """

    host: str
    version: str
    packages: Mapping[str, str]
    models: Mapping[str, str]
    cpu: str
    clock: float
    folder: str


def look(folder: str = "", token: str = "") -> View:
    """What this process sees; in `folder` there should be a file of the name and content `token`, beside which it puts
    another one."""
    models: dict[str, str] = {}
    for system in systems():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                models |= {name: code_of(module_of(model)) for name, model in models_of(system).items()}
            except BrokenModelFile:
                continue
    return View(
        host=socket.gethostname(),
        version=provenance.version(),
        packages={name: importlib.metadata.version(name) for name in provenance.PACKAGES},
        models=models,
        cpu=provenance.cpu_model(),
        clock=time.time(),
        folder=_try_folder(place(folder), token) if token else "",
    )


def _try_folder(folder: Path, token: str) -> str:
    try:
        disk = HERE.at(folder).disk
        if disk.read(folder / token) != token.encode():
            return "holds another file of the same name"
        disk.write(folder / f"{token}.answer", token.encode())
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    return ""


def check_cluster(name: str, folder: Path, seconds: float, wanted: Wanted | None = None) -> Iterator[Finding]:
    """Start or find one worker of a cluster within `seconds` and compare what it sees; AbortedError where none comes."""
    wanted = dataclasses.replace(wanted or Wanted(), workers=1, preload=loaded_by_workers)
    here = look()
    token = f".spinsweep-check-{secrets.token_hex(4)}"
    began = time.monotonic()
    with connect(name, wanted) as cluster:
        yield Finding("scheduler", True, cluster.place)
        while not cluster.threads():
            if time.monotonic() - began > seconds:
                raise AbortedError(
                    f"no worker within {seconds:.0f} s at --cluster {name}; see whether its jobs wait in a queue, and their "
                    "output; --seconds waits longer"
                )
            cluster.tend()
            time.sleep(_LOOK_SECONDS)
        yield Finding("worker", True, f"after {time.monotonic() - began:.1f} s")
        disk = HERE.at(folder).disk
        disk.make_folder(folder)
        path = folder.resolve() / token
        disk.write(path, token.encode())
        answer = path.with_name(f"{token}.answer")
        try:
            asked = time.time()
            task = cluster.submit(look, str(folder.resolve()), token, key=token)
            try:
                there: View = task.result()
            except Exception as error:
                yield Finding(
                    "code",
                    False,
                    f"{type(error).__name__}: {error}; install the same version of spinsweep on the workers",
                )
                return
            yield from _compare(here, there, asked, folder.resolve(), disk.is_file(answer))
        finally:
            for made in (path, answer):
                with contextlib.suppress(FileNotFoundError):
                    disk.remove(made)


def _compare(here: View, there: View, asked: float, folder: Path, answered: bool) -> Iterator[Finding]:
    wrong = there.folder or ("" if answered else "what the worker writes there does not arrive here")
    yield Finding(
        "folder",
        not wrong,
        f"{folder} on {there.host}" + (f": {wrong}; give a folder on a shared file system" if wrong else ""),
    )
    absent = sorted(set(here.models) - set(there.models))
    differ = sorted(name for name in set(here.models) & set(there.models) if here.models[name] != there.models[name])
    yield Finding(
        "model path",
        not absent,
        f"the worker has no {', '.join(absent)}; set SPINSWEEP_MODEL_PATH there (here it is "
        f"{os.environ.get('SPINSWEEP_MODEL_PATH') or 'empty'})"
        if absent
        else f"all {len(here.models)} models are there",
    )
    yield Finding(
        "code",
        not differ,
        f"{', '.join(differ)} differ; spinsweep here is {here.version}, there {there.version}; install the same on both"
        if differ
        else f"the same, {there.version}",
    )
    other = [
        f"{name} {there.packages[name]} (here {v})" for name, v in here.packages.items() if there.packages[name] != v
    ]
    yield Finding(
        "packages", not other, f"{', '.join(other)}; install the same on both" if other else "the same versions"
    )
    late = time.time()
    apart = max(asked - there.clock, there.clock - late, 0.0)
    yield Finding(
        "clock",
        apart < CLOCK_SECONDS,
        f"{apart:.0f} s apart; set the clocks by NTP"
        if apart >= CLOCK_SECONDS
        else f"within {apart + late - asked:.1f} s",
    )
    same = here.cpu == there.cpu
    words = "the same as here" if same else f"{there.cpu}, here {here.cpu}: results agree to tolerance, not bit by bit"
    yield Finding("processor", True, words)
