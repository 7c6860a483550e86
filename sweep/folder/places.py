"""Where runs lie: a folder, or a place in a bucket, `s3://bucket/name`."""

from __future__ import annotations

import re
from pathlib import Path, PosixPath

from sweep.errors import RunError, SpecError

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<slashes>/+)(?P<rest>.*)", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


class BucketPath(PosixPath):
    """The address of an object, or of what begins like it, as a path: `/`, `name`, `parent` and the like work.

    There is no such file: whatever asks the operating system for it gets a RunError.
    """

    @property
    def bucket(self) -> str:
        return self.parts[1]

    @property
    def key(self) -> str:
        """The name of the object in its bucket."""
        return "/".join(self.parts[2:])

    def __str__(self) -> str:
        return "s3://" + "/".join(self.parts[1:])

    def __fspath__(self) -> str:
        raise RunError(f"{self} is in a bucket; this needs a folder of a file system")

    def resolve(self, strict: bool = False) -> BucketPath:
        return self

    def absolute(self) -> BucketPath:
        return self


def place(given: str | Path) -> Path:
    """The path of a folder, or the one in a bucket that an address names; SpecError for addresses of other kinds.

    >>> place("s3://bucket/run").name
    'run'
    """
    if isinstance(given, BucketPath):
        return given
    found = _ADDRESS.fullmatch(str(given))
    if found is None or (found["scheme"] != "s3" and found["slashes"] != "//"):
        return Path(given)
    if found["scheme"] != "s3":
        raise SpecError(f"{found['scheme']}:// cannot hold a run; give a folder or s3://BUCKET/NAME")
    bucket, _, _ = found["rest"].partition("/")
    if "@" in bucket or ":" in bucket:
        raise SpecError("an address has no credentials in it: give s3://BUCKET/NAME and AWS_... variables or a profile")
    path = BucketPath("s3:", *found["rest"].split("/"))
    if not _BUCKET.fullmatch(bucket) or ".." in path.parts:
        raise SpecError(f"an address in a bucket is like s3://BUCKET/NAME; given was {str(given)!r}")
    return path


def in_bucket(path: Path) -> bool:
    """Whether a path is the address of something in a bucket."""
    return isinstance(path, BucketPath)
