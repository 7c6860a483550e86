"""The page's addresses, below `sweep/`: its three kinds of files, and its questions about runs as JSON. All of it is reading.

Every address in the page is relative, so that it works through a tunnel and behind whatever prefix a proxy puts before it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from importlib import resources
from typing import Any

from tornado import web

from sweep.errors import SweepError
from sweep.pictures.page.site import Site

FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "controls.js": ("controls.js", "text/javascript; charset=utf-8"),
    "picture.js": ("picture.js", "text/javascript; charset=utf-8"),
    "scales.js": ("scales.js", "text/javascript; charset=utf-8"),
    "palettes.js": ("palettes.js", "text/javascript; charset=utf-8"),
}
"""Address below `sweep/` -> the file in the package, and what it is."""
QUESTIONS = ("runs", "run", "slice", "failures")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_ANY_PREFIX = r"/(?:(?!proxy/).*/)?"
"""What a proxy may leave before our addresses; what Dask's dashboard passes on to workers is not ours."""


class _Handler(web.RequestHandler):
    """Answers GET alone, says what a browser may do with it, and explains errors in one line."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    def initialize(self, site: Site) -> None:
        self.site = site

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cache-Control", "no-cache")

    async def head(self, *words: str) -> None:
        await self.get(*words)  # type: ignore[misc]

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"error": self._reason}))

    def refuse(self, status: int, text: str) -> None:
        """An error in words of ours."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"error": text}))

    def send(self, tag: str, kind: str, text: bytes) -> None:
        """An answer, or the news that the browser has it already."""
        self.set_header("Content-Type", kind)
        self.set_header("Etag", f'"{hashlib.blake2b(tag.encode(), digest_size=12).hexdigest()}"')
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
            return
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", "") and len(text) > 1000:
            self.set_header("Content-Encoding", "gzip")
            text = gzip.compress(text, 1)
        self.finish(text)


class Home(_Handler):
    """`sweep` is `sweep/`, below which all addresses are."""

    async def get(self) -> None:
        self.set_status(302)
        self.set_header("Location", "sweep/")
        self.finish()


class File(_Handler):
    """A file of the page."""

    async def get(self, name: str) -> None:
        file, kind = FILES[name]
        text = resources.files(__package__).joinpath("files", file).read_bytes()
        self.send(hashlib.blake2b(text, digest_size=12).hexdigest(), kind, text)


class Question(_Handler):
    """A question about runs."""

    async def get(self, question: str) -> None:
        words = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        try:
            state, answer = await self.site.ask(question, words)
        except LookupError:
            self.refuse(404, "no such run here")
        except SweepError as error:
            self.refuse(400, error.on_command_line())
        except OSError as error:
            self.refuse(503, error.strerror or str(error))
        else:
            from sweep.pictures.page.answers import finite

            text = json.dumps(finite(answer()), allow_nan=False, separators=(",", ":")).encode()
            self.send(state, "application/json", text)


def routes(site: Site) -> list[tuple[str, type[web.RequestHandler], dict[str, Site]]]:
    """The page's addresses as tornado takes them."""
    files = "|".join(name.replace(".", r"\.") for name in FILES)
    words = {"site": site}
    return [
        (_ANY_PREFIX + "sweep", Home, words),
        (_ANY_PREFIX + f"sweep/({files})", File, words),
        (_ANY_PREFIX + f"sweep/({'|'.join(QUESTIONS)})\\.json", Question, words),
    ]
