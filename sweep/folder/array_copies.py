"""Array files in a bucket, as `spinsweep errors` names them: `s3://bucket/run/meta/arrays/A.npy[3]`."""

from __future__ import annotations

import atexit
import functools
import re
import tempfile
from pathlib import Path
from typing import Any

from sweep.errors import SpecError
from sweep.folder.host import HERE
from sweep.folder.places import place

_FILE = re.compile(r"(?P<file>s3://.*?\.np[yz])(?P<rest>.*)", re.DOTALL)


def near(value: Any) -> Any:
    """The name of an array file, that of a copy on this machine where it lies in a bucket; whatever else as it is."""
    found = _FILE.fullmatch(value) if isinstance(value, str) else None
    return value if found is None else f"{_copy(found['file'])}{found['rest']}"


@functools.lru_cache(maxsize=16)
def _copy(address: str) -> Path:
    """Goes with this process. SpecError where there is nothing."""
    path = place(address)
    folder = tempfile.TemporaryDirectory(prefix="spinsweep-")
    atexit.register(folder.cleanup)
    copy = Path(folder.name, path.name)
    try:
        copy.write_bytes(HERE.at(path).disk.read(path))
    except OSError as error:
        raise SpecError(f"the array file {address} cannot be read: {error.strerror or error}") from None
    return copy
