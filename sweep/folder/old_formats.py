"""Runs of formats 1 and 2: their journal has no codes, because a tile was committed by its chunk of `status`."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.folder.codes import PENDING, packed
from sweep.folder.journal import JournalEntry
from sweep.folder.store import Store
from sweep.plan.variables import ELAPSED


def is_old(entry: JournalEntry) -> bool:
    """Whether an entry is as those formats have it."""
    return not entry.codes


def completed(store: Store, entries: Mapping[int, JournalEntry]) -> Mapping[int, JournalEntry]:
    """The entries as they are written now, those of the old formats with what `status` has."""
    return {tile: _completed(store, entry) if is_old(entry) else entry for tile, entry in entries.items()}


def _completed(store: Store, entry: JournalEntry) -> JournalEntry:
    plan = store.plan
    codes = str(PENDING)
    if 0 <= entry.tile < plan.tiles:
        try:
            codes = packed(store.read_status(plan.region(entry.tile)))
        except Exception:  # a damaged chunk is whatever its decoder makes of it; its tile is then not committed
            codes = str(PENDING)
    sizes = tuple((entry.sizes.get(store.chunk_key(v, entry.tile), -1), "") for v in plan.outputs)
    return dataclasses.replace(entry, codes=codes, chunks=sizes, sizes={})


def digest(outputs: Mapping[str, NDArray[Any]]) -> str:
    """Digest of a tile's results, `elapsed_seconds` apart, as those formats have it."""
    hasher = hashlib.blake2b(digest_size=16)
    for name in sorted(outputs):
        if name != ELAPSED:
            hasher.update(name.encode())
            hasher.update(np.ascontiguousarray(outputs[name]).tobytes())
    return hasher.hexdigest()
