"""A cluster that is there already and belongs to somebody else: the address of its scheduler, or a scheduler file."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from sweep.clusters.cluster import Cluster, Kind, Wanted, quietly
from sweep.clusters.profiles import SUFFIX
from sweep.errors import AbortedError, SpecError

CONNECT_SECONDS = 30


def _is_address(name: str) -> bool:
    return name.startswith(("tcp://", "tls://"))


def _check(name: str) -> None:
    if not _is_address(name) and not Path(name).is_file():
        raise SpecError(
            f"scheduler file {name} does not exist; start one with `dask scheduler --scheduler-file {name}`"
        )


def _connect(stack: contextlib.ExitStack, name: str, wanted: Wanted) -> Cluster:
    import distributed

    where: Mapping[str, str] = {"address": name} if _is_address(name) else {"scheduler_file": name}
    try:
        client = distributed.Client(**where, set_as_default=False, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise AbortedError(
            f"no scheduler answers at {name} within {CONNECT_SECONDS} s ({error}); check the address and that it is running"
        ) from error
    stack.callback(quietly, client.close)
    return Cluster(client)


KIND = Kind(
    "an address (tcp://host:8786, tls://...) or the path of a scheduler file",
    lambda name: _is_address(name) or name.endswith(".json") or (Path(name).is_file() and not name.endswith(SUFFIX)),
    _connect,
    _check,
)
