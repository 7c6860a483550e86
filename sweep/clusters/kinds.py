"""Finds the kinds of clusters: every file of this folder that has a `KIND`. A new kind is one new file."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import pkgutil
from collections.abc import Iterator, Mapping

import sweep.clusters
from solvers.suggest import did_you_mean
from sweep.clusters.cluster import Cluster, Kind, Wanted
from sweep.errors import SpecError

LOCAL = "local"
_SETTINGS = {
    # We retry and split by ourselves (sweep.execution.scheduling), so a task whose worker died comes back at once.
    "distributed.scheduler.allowed-failures": 0,
    # A worker holds only the tile it works on: when it dies no waiting tile is blamed.
    "distributed.scheduler.worker-saturation": 1.0,
    # At the default 15 s a local cluster can lose its last worker for good and hang.
    "distributed.deploy.lost-worker-timeout": "120s",
}


_LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio", "bokeh")
"""What they log about workers and schedulers that are gone, the driver says in a sentence."""


@functools.cache
def kinds() -> Mapping[str, Kind]:
    """The kinds by the name of their file."""
    found = {}
    for info in pkgutil.iter_modules(sweep.clusters.__path__, "sweep.clusters."):
        if info.name != __name__:
            module = importlib.import_module(info.name)
            if hasattr(module, "KIND"):
                found[info.name.rpartition(".")[2]] = module.KIND
    return found


def check_name(name: str, wanted: Wanted | None = None) -> Kind:
    """The kind of cluster that `name` means; SpecError when it means none, or one that cannot be used."""
    for kind in kinds().values():
        if kind.accepts(name):
            kind.check(name, wanted or Wanted())
            return kind
    allowed = sorted((kind.written for kind in kinds().values()), key=len)
    words = [word for word, kind in kinds().items() if kind.accepts(word)]
    raise SpecError(f"--cluster {name!r} is unknown; allowed are {', '.join(allowed)}{did_you_mean(name, words)}")


def enter(name: str | None, preload: str) -> None:
    """To be called before anything else is done (see `Kind`); where the process becomes a worker, it loads `preload`."""
    if name is not None:
        for kind in kinds().values():
            if kind.accepts(name):
                kind.enter(Wanted(preload=preload))
                return


@contextlib.contextmanager
def connect(name: str = LOCAL, wanted: Wanted | None = None) -> Iterator[Cluster]:
    """A connection to a cluster for the time of a `with` block; `wanted` matters for one that is made for it."""
    import dask
    import distributed  # noqa: F401  # its defaults must be there before ours: what is set inside the block goes at its end

    wanted = wanted or Wanted()
    kind = check_name(name, wanted)
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        for logger in map(logging.getLogger, _LOGGERS):
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL + 1)
        yield kind.connect(stack, name, wanted)
