"""A cluster that is there already and belongs to somebody else: the address of its scheduler, or a scheduler file."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from sweep.clusters import tls
from sweep.clusters.cluster import Cluster, Kind, Wanted, quietly
from sweep.clusters.profiles import SUFFIX
from sweep.errors import AbortedError, SpecError

CONNECT_SECONDS = 30


def _is_address(name: str) -> bool:
    return name.startswith(("tcp://", "tls://"))


def _address(name: str) -> str:
    """The address itself, from a scheduler file where the name is one."""
    if _is_address(name):
        return name
    try:
        return str(json.loads(Path(name).read_text())["address"])
    except FileNotFoundError:
        raise SpecError(
            f"scheduler file {name} does not exist; start one with `dask scheduler --scheduler-file {name}`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpecError(
            f"{name} is not a scheduler file, as `dask scheduler --scheduler-file` writes it ({error})"
        ) from error


def _check(name: str, wanted: Wanted) -> None:
    wanted.certificates.check(_address(name))


def _connect(stack: contextlib.ExitStack, name: str, wanted: Wanted) -> Cluster:
    import distributed

    address = _address(name)
    security = None
    if address.startswith(tls.PREFIX):
        security = wanted.certificates.security(address)
        tls.try_handshake(address, security)
    try:
        client = distributed.Client(address, security=security, set_as_default=False, timeout=CONNECT_SECONDS)
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
    lasting=True,
)
