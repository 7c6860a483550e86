"""Where numbers come from: versions, commit, host, processor."""

from __future__ import annotations

import datetime
import functools
import getpass
import importlib.metadata
import platform
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

PACKAGES = ("numpy", "scipy", "numba", "dask", "distributed", "zarr")


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@functools.cache
def version() -> str:
    """The version of spinsweep; with the commit, and `dirty`, where it runs from a checkout."""
    try:
        text = importlib.metadata.version("spinsweep")
    except importlib.metadata.PackageNotFoundError:
        text = "unknown"
    commit = _git("rev-parse", "--short=12", "HEAD")
    if not commit or not _git("ls-files", Path(__file__).name):
        return text
    return f"{text}+{commit}" + (".dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@functools.cache
def cpu_model() -> str:
    """The processor, as precisely as bit-identity needs it: its name and what LLVM compiles for."""
    import llvmlite.binding

    return f"{_cpu_name()} ({llvmlite.binding.get_host_cpu_name()})"


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment() -> Mapping[str, str]:
    """Everything about this process that may decide bits: versions, Python, host, processor."""
    found = {"spinsweep": version(), "python": platform.python_version(), "host": socket.gethostname()}
    found |= {"cpu": cpu_model(), "user": _user(), "platform": platform.platform()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a password file
        return "unknown"
