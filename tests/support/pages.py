"""The live page on a server of a test's own."""

import asyncio
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from types import SimpleNamespace

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from support.watching import PATIENCE
from sweep.pictures.page.handlers import routes
from sweep.pictures.page.site import Site


@contextmanager
def served(*paths, before=(), site=None):
    """The page of runs on a server in a thread, after other addresses: where it is."""
    site = site or Site()
    for path in reversed(paths):
        site.add(path)
    loop = asyncio.new_event_loop()
    sockets = bind_sockets(0, "127.0.0.1")

    async def start():
        HTTPServer(Application([*before, *routes(site)])).add_sockets(sockets)

    def go():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for one in sockets:
            one.close()


def ask(address, method="GET", **headers):
    """An answer: status, headers, body, and the address it came from in the end."""
    request = urllib.request.Request(
        address, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read(), address=answer.url)
    except urllib.error.HTTPError as error:
        return SimpleNamespace(status=error.code, headers=error.headers, body=error.read(), address=error.url)
