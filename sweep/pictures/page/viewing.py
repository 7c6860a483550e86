"""`spinsweep view`: the page of runs by a server of our own, on loopback, for as long as it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from sweep.errors import SpecError
from sweep.folder.run_folder import RunFolder
from sweep.pictures.page.handlers import Home, routes
from sweep.pictures.page.site import Site

PORT = 8790
HOST = "127.0.0.1"


def view(folders: Sequence[Path], port: int | None, say: Callable[[str], None]) -> None:
    """Serve the page of runs until Ctrl-C. SpecError where there is no run, or the port is in use."""
    site = Site()
    for folder in reversed(folders):
        RunFolder(folder).record()
        site.add(folder.absolute())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(site, port, say))


async def _serve(site: Site, port: int | None, say: Callable[[str], None]) -> None:
    server = HTTPServer(web.Application([*routes(site), (r"/", Home, {"site": site})]))
    server.add_sockets(_sockets(port))
    found = next(iter(server._sockets.values())).getsockname()[1]
    await site.ask("runs", {})  # what is slow about a first look is done before anybody looks
    say(f"page: http://{HOST}:{found}/sweep/    Ctrl-C ends it; no run is touched")
    say(f"from another machine: ssh -N -L {found}:{HOST}:{found} {socket.gethostname()}, then the same address")
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, end.set)
    await end.wait()
    server.stop()
    await server.close_all_connections()


def _sockets(port: int | None) -> list[socket.socket]:
    """Bound on loopback: the port asked for, or the usual one, or any."""
    try:
        return bind_sockets(PORT if port is None else port, HOST)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        if port is not None:
            raise SpecError(f"--port {port} is in use; give another one, or 0 for any") from None
        return bind_sockets(0, HOST)
