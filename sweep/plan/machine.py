"""What of this machine is for us: a container's quotas count, as Dask counts them."""

from __future__ import annotations

import contextlib
from pathlib import Path


def cores() -> int:
    """Cores that this process may use."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def memory() -> int:
    """Bytes of memory that this process may use: of the machine, of its container, of its own limit."""
    import psutil

    limits = [int(psutil.virtual_memory().total)]
    for place in _CONTAINER_MEMORY:
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(Path(place).read_text()))
    with contextlib.suppress(ImportError, OSError):
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_RSS)[1])
    return min(limit for limit in limits if limit > 0)


_CONTAINER_MEMORY = (
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory.high",
)
