"""A cluster that is there already and belongs to somebody else: the address of its scheduler, or a scheduler file."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from sweep.clusters import tls
from sweep.clusters.cluster import Cluster, Kind, Wanted, quietly
from sweep.clusters.greeting import greet, host_and_port
from sweep.clusters.profiles import SUFFIX
from sweep.errors import AbortedError, SpecError
from sweep.spec.plain_files import check_plain

CONNECT_SECONDS = 30
_LARGEST_FILE = 1 << 20
_PREFIXES = ("tcp://", tls.PREFIX)


def _is_address(name: str) -> bool:
    return name.startswith(_PREFIXES)


def address_of(name: str) -> str:
    """The address itself, from a scheduler file where the name is one; SpecError where it is none."""
    if _is_address(name):
        host_and_port(name, "--cluster")
        return name
    try:
        check_plain(Path(name), "scheduler file", _LARGEST_FILE)
        found = json.loads(Path(name).read_text())["address"]
    except FileNotFoundError:
        raise SpecError(
            f"scheduler file {name} does not exist; start one with `dask scheduler --scheduler-file {name}`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, SpecError):
            raise
        words = f"{error} is missing" if isinstance(error, KeyError) else error
        raise SpecError(
            f"{name} is not a scheduler file, as `dask scheduler --scheduler-file` writes it ({words})"
        ) from error
    if not isinstance(found, str) or not _is_address(found):
        raise SpecError(
            f"scheduler file {name}: address must begin with {' or '.join(_PREFIXES)}; given was {found!r}; "
            "`dask scheduler --scheduler-file` writes such a file"
        )
    host_and_port(found, f"scheduler file {name}")
    return found


def _check(name: str, wanted: Wanted) -> None:
    address = address_of(name)
    wanted.certificates.check(address)
    if address.startswith(tls.PREFIX):
        wanted.certificates.security(address)


def _connect(stack: contextlib.ExitStack, name: str, wanted: Wanted) -> Cluster:
    import distributed

    address = address_of(name)
    security = wanted.certificates.security(address) if address.startswith(tls.PREFIX) else None
    greet(address, security)
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
    lambda name: _is_address(name) or name.endswith(".json") or (os.path.isfile(name) and not name.endswith(SUFFIX)),
    _connect,
    _check,
    lasting=True,
)
