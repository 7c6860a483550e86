"""Files that a user names: read whole when they are plain files of a sensible size, refused in a sentence when they are not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sweep.errors import SpecError
from sweep.quantities import size

LARGEST_TEXT = 64 << 20
"""A spec larger than this is no spec."""


def check_plain(path: Path, what: str, most: int) -> os.stat_result:
    """SpecError unless `path` is a file that can be read whole: a pipe or a device would keep everybody waiting."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # a zero byte in a name is a ValueError
        raise SpecError(f"{what} {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(path)
    if not stat.S_ISREG(found.st_mode):
        raise SpecError(f"{what} {path} is a pipe or a device; give a plain file")
    if found.st_size > most:
        raise SpecError(f"{what} {path} has {size(found.st_size)}, more than the {size(most)} that are read")
    return found
