"""The metadata and coordinates of a run's store: which of their files are damaged, and what they should be.

They follow from the plan alone, so that whatever happens to them they can be made again.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from sweep.errors import RunError
from sweep.folder import layout
from sweep.folder.disk import Disk, LocalDisk
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.folder.zarr_files import ZarrFiles
from sweep.plan.tiling import Plan
from sweep.spec.toml_text import spec_text

_DECIDES = ("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "dimension_names", "fill_value")
"""What must be in an array's metadata as it was written; the rest is for eyes."""


def damaged(folder: RunFolder, record: RunRecord, plan: Plan) -> Mapping[str, bytes]:
    """The damaged files below `data.zarr` by their paths, each with the content that it should have."""
    with tempfile.TemporaryDirectory() as place:
        sound = Path(place) / "data.zarr"
        layout.create(sound, plan, record.code, spec_text(record.spec), shards=record.shards)
        found = {}
        other = 0
        for path in sorted(p for p in sound.rglob("zarr.json") if p.is_file()):
            name = path.relative_to(sound).as_posix()
            same = _same_metadata(_content(folder.disk, folder.data / name), path)
            if not same:
                found[name] = path.read_bytes()
                other += same is not None and path.parent.name in {v.name for v in plan.variables}
        if 2 * other > len(plan.variables):
            raise RunError(
                f"{folder.plan_file} and the arrays of {folder.data} are of different plans: one of them was edited, or is "
                f"another run's; {RunRecord.FIX}"
            )
        for coordinate in layout.coordinates(plan):
            if f"{coordinate.name}/zarr.json" not in found and not _same_values(folder, sound, coordinate.name):
                chunks = (p for p in (sound / coordinate.name).rglob("*") if p.is_file() and p.name != "zarr.json")
                found |= {p.relative_to(sound).as_posix(): p.read_bytes() for p in chunks}
        return found


def _content(disk: Disk, path: Path) -> bytes:
    """Of a file; empty where it cannot be read."""
    try:
        return disk.read(path)
    except OSError:
        return b""


def _same_metadata(content: bytes, sound: Path) -> bool | None:
    """Whether they say the same; None when one cannot be read."""
    try:
        own, good = json.loads(content), json.loads(sound.read_bytes())
        consolidated = own.get("consolidated_metadata", {}).get("metadata", {})
        wanted = good.get("consolidated_metadata", {}).get("metadata", {})
        return _decisive(own) == _decisive(good) and {name: _decisive(node) for name, node in consolidated.items()} == {
            name: _decisive(node) for name, node in wanted.items()
        }
    except (OSError, ValueError, RecursionError, AttributeError):
        return None


def _decisive(node: Any) -> Any:
    return {key: node.get(key) for key in _DECIDES}


def _same_values(folder: RunFolder, sound: Path, name: str) -> bool:
    with contextlib.suppress(Exception):  # a damaged chunk is whatever its decoder makes of it
        places = ((folder.data, folder.disk), (sound, LocalDisk()))
        own, good = (
            zarr.open_array(ZarrFiles(path, disk, read_only=True), path=name, mode="r")[...] for path, disk in places
        )
        return bool(np.array_equal(own, good, equal_nan=np.asarray(good).dtype.kind in "fc"))
    return False
