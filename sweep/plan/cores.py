"""How many cores there are for us."""

from __future__ import annotations


def cores() -> int:
    """Cores that this process may use; a container's quota counts, as Dask counts it."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)
