"""Where machine code is kept on disk, and how it is written and read by many processes at a time.

Below a folder of `solvers.cache_place` there is one folder per Numba, Python and CPU; in it one per source file, named by
a hash of that file and of all that it imports; in it one file per function and argument types. Numba's own cache keeps
an index per function and numbers the files, so that two processes that add argument types at the same moment can leave
the code of one under the types of the other. Here a file's name is a digest of all that its code was made from, its
content begins with a digest of the rest and repeats what it was made from, and it appears whole by being renamed. What
is torn, cut short or not what its name says counts as absent, on a shared file system too.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import platform
import re
import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import numba
from numba.core.registry import cpu_target

from solvers.cache_place import cache_root, cache_roots
from solvers.fingerprint import files_of, relative, sources_of_file

_UNUSED_DAYS = 30
_IMPORTED = time.time()
"""Sources that were written later are not what this process holds in memory."""
DIGEST_BYTES = 32
_OF_A_MACHINE = re.compile(r"[0-9a-f]{16}|[0-9a-f]{24}")
_OF_A_SOURCE = re.compile(r"[\w.]+(-[0-9a-f]{16})?")
"""Names of folders that were made here, by older versions too; what is called otherwise is never removed."""


class CacheNotWritten(UserWarning):
    """Machine code could not be kept; the next process compiles it again."""


@functools.cache
def _machine() -> str:
    """Names the Numba, the Python and the CPU that code is made by and for.

    The CPU is what Numba compiles for: this machine's, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say.
    """
    key = [numba.__version__, platform.python_version(), *cpu_target.target_context.codegen().magic_tuple()]
    return hashlib.blake2b("\n".join(key).encode(), digest_size=8).hexdigest()


@functools.cache
def cache_directory() -> Path:
    """The folder for these versions and this CPU that is written; made if absent.

    Where it cannot be made (a read-only home), a folder below the system's temporary one serves instead.
    """
    temporary = Path(tempfile.gettempdir()) / f"spinsweep-{os.getuid() if hasattr(os, 'getuid') else 0}"
    for root in (cache_root(), temporary):
        folder = root / _machine()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                continue
            os.utime(folder)
        except OSError:
            continue
        _remove_unused(root, _OF_A_MACHINE)
        _remove_unused(folder, _OF_A_SOURCE)
        return folder
    raise OSError(
        f"no compile cache folder can be made at {cache_root()}; set SPINSWEEP_CACHE_DIR to a folder that can be written"
    )


@functools.cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="spinsweep-edited-")


@functools.cache
def folders_of(file: Path) -> tuple[Path, ...]:
    """Where the machine code of one source file lies: the folder that is written, then those that are only read.

    Where a source was edited after this process read it, machine code made from what was read would be kept under the name
    of what is written there now: then there is one folder, this process's own, and it goes with it.
    """
    if max(source.stat().st_mtime for source in files_of(file)) > _IMPORTED:
        return (Path(_own_folder().name),)
    module = ".".join(relative(file).with_suffix("").parts)
    name = f"{module}-{sources_of_file(file)[:16]}"
    written = cache_directory() / name
    if written.is_dir():
        with contextlib.suppress(OSError):  # another process removed it just now
            os.utime(written)
    return (written, *(root / _machine() / name for root in cache_roots()[1:]))


def _remove_unused(root: Path, ours: re.Pattern[str]) -> None:
    limit = time.time() - _UNUSED_DAYS * 86400
    for folder in root.iterdir():
        try:
            if ours.fullmatch(folder.name) and folder.is_dir() and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:  # another process removed it first
            continue


def read(folders: tuple[Path, ...], key: str) -> Iterator[object]:
    """What is kept under a key, from each folder that has it whole; what is damaged is passed over."""
    for folder in folders:
        try:
            content = (folder / _file_name(key)).read_bytes()
        except OSError:  # absent, or replaced under our hands on a network's file system
            continue
        digest, rest = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.blake2b(rest, digest_size=DIGEST_BYTES).digest() != digest:
            continue
        made_from, data = pickle.loads(rest)
        if made_from == key:
            yield data


def write(folder: Path, key: str, data: object) -> None:
    """Keep `data` under a key: a file that appears whole. Where it cannot be written there is a `CacheNotWritten`."""
    rest = pickle.dumps((key, data), protocol=pickle.HIGHEST_PROTOCOL)
    final = folder / _file_name(key)
    partial = final.with_suffix(f".{uuid.uuid4().hex}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(hashlib.blake2b(rest, digest_size=DIGEST_BYTES).digest() + rest)
        partial.replace(final)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        text = f"machine code is not kept in {folder}: {error.strerror or error}; every process compiles it again"
        warnings.warn(text, CacheNotWritten, stacklevel=2)


def _file_name(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest() + ".nbc"
