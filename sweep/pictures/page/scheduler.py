"""The page on the server of a Dask scheduler's dashboard; runs in the scheduler's process."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sweep.folder.places import place
from sweep.pictures.page.handlers import routes
from sweep.pictures.page.site import Site

_SITES: WeakKeyDictionary[Any, Site] = WeakKeyDictionary()


def show(scheduler: Any, folder: str) -> None:
    """Show a run on the page of a scheduler; the first makes the page."""
    if scheduler not in _SITES:
        site = Site()
        scheduler.http_application.add_handlers(r".*$", routes(site))
        _SITES[scheduler] = site
    _SITES[scheduler].add(place(folder))
