"""A client that the caller has already: whether a sweep can run on it."""

from __future__ import annotations

from typing import Any

from sweep.clusters.cluster import Cluster
from sweep.errors import SpecError


def given(client: Any) -> Cluster:
    """The cluster of a client that somebody else made and goes on using; SpecError where it cannot be waited for."""
    from distributed import Client

    if not isinstance(client, Client):
        raise SpecError(
            f"client must be a distributed.Client, which Client(cluster) or Client(address) makes; given was a "
            f"{type(client).__name__}"
        )
    if client.asynchronous:
        raise SpecError(
            "the client is asynchronous, and a sweep waits for what it computes: give one that was made without "
            "asynchronous=True and outside of a coroutine"
        )
    if client.status != "running":
        raise SpecError(
            f"the client is {client.status}: give one that is connected, Client(cluster) or Client(address)"
        )
    return Cluster(client)
