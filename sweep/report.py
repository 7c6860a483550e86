"""What a sweep will cost, and how far a run is, as facts and as text."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sweep import files
from sweep.clusters import cores
from sweep.folder import RunFolder
from sweep.lease import holder, is_live
from sweep.pilot import run_pilot
from sweep.plan import Plan, check_size, point_bytes, tile_shape
from sweep.progress import duration
from sweep.spec import parse
from sweep.store import FLAGS, POINT_FAILED, POINT_WARNED, Store

_TILE_SECONDS = 0.02
"""What a tile costs by itself."""


def plan_facts(raw: Mapping[str, Any], workers: int | None = None) -> dict[str, Any]:
    """Size and cost of a sweep, from a pilot of a few points."""
    spec = parse(raw)
    check_size(spec)
    workers = workers or cores()
    pilot = run_pilot(raw, spec)
    plan = Plan(spec, tile_shape(spec, pilot, workers))
    core_seconds = pilot.total(spec) + plan.tiles * _TILE_SECONDS
    chunk = math.prod(plan.tile) * point_bytes(spec)[1]
    return {
        "name": spec.name,
        "model": spec.model,
        "methods": list(spec.methods),
        "dimensions": {d.name: d.size for d in spec.dimensions},
        "points": spec.points,
        "tiles": plan.tiles,
        "tile": dict(zip((d.name for d in spec.dimensions), plan.tile, strict=True)),
        "outputs": list(spec.keep),
        "bytes": plan.bytes,
        "tile_bytes": chunk,
        "worker_bytes": pilot.memory + 4 * chunk,
        "pilot_seconds_per_point": pilot.seconds,
        "pilot_compile_seconds": pilot.compiling,
        "core_hours": core_seconds / 3600,
        "workers": workers,
        "wall_seconds": core_seconds / workers,
        "hash": spec.hash(),
    }


def plan_text(facts: Mapping[str, Any]) -> str:
    """The facts of a plan, for reading."""
    grid = " x ".join(f"{name} {size}" for name, size in facts["dimensions"].items())
    tile = " x ".join(str(n) for n in facts["tile"].values())
    seconds = ", ".join(f"{name} {_time(s)}" for name, s in facts["pilot_seconds_per_point"].items())
    return "\n".join(
        [
            f"sweep    {facts['name']}",
            f"model    {facts['model']} ({', '.join(facts['methods'])})",
            f"points   {facts['points']:,} = {grid}",
            f"tiles    {facts['tiles']:,} of {tile} points",
            f"results  {size(facts['bytes'])} before compression: {', '.join(facts['outputs'])}",
            f"memory   about {size(facts['worker_bytes'])} per worker",
            f"pilot    {seconds} per point",
            f"cost     {facts['core_hours']:.3g} core-hours; about {duration(facts['wall_seconds'])} on "
            f"{facts['workers']} workers, start-up apart",
        ]
    )


def status_facts(path: Path) -> dict[str, Any]:
    """How far a run is."""
    folder = RunFolder(path)
    plan = folder.plan()
    status = Store(folder.data, plan).status()
    counts = {name: int(np.count_nonzero(status == code)) for code, name in FLAGS.items()}
    journal = files.read_lines(folder.journal)
    lease = holder(folder.lease)
    return {
        "folder": str(path),
        "name": plan.spec.name,
        "model": plan.spec.model,
        "points": plan.spec.points,
        "done": int(np.count_nonzero(status)),
        "failed": int(np.count_nonzero(status == POINT_FAILED)),
        "warned": int(np.count_nonzero(status == POINT_WARNED)),
        "counts": counts,
        "tiles": plan.tiles,
        "tiles_done": len({entry["tile"] for entry in journal if "tile" in entry}),
        "core_seconds": float(sum(entry.get("seconds", 0.0) for entry in journal)),
        "running": lease is not None and is_live(lease),
        "driver": None if lease is None else {k: lease.get(k) for k in ("host", "pid", "heartbeat")},
        "starts": len(list(folder.runs.glob("*.json"))),
        "hash": folder.record()["hash"],
    }


def status_text(facts: Mapping[str, Any]) -> str:
    """The facts of a run, for reading, with what to type next."""
    if facts["running"]:
        age = time.time() - float(facts["driver"]["heartbeat"])
        state = f"running: process {facts['driver']['pid']} on {facts['driver']['host']}, heartbeat {duration(age)} ago"
    elif facts["done"] < facts["points"]:
        state = f"not running; go on with: spinsweep resume {facts['folder']}"
    else:
        state = "complete"
    share = 100 * facts["done"] / facts["points"]
    return "\n".join(
        [
            f"sweep    {facts['name']} ({facts['model']})",
            f"points   {facts['done']:,} of {facts['points']:,} done ({share:.0f} %), {facts['failed']:,} failed, "
            f"{facts['warned']:,} with a warning",
            f"tiles    {facts['tiles_done']:,} of {facts['tiles']:,}, {duration(facts['core_seconds'])} of computing",
            f"state    {state}",
        ]
    )


def runs_in(folder: Path) -> list[dict[str, Any]]:
    """The runs directly below a folder, or the folder itself if it is one."""
    places = [folder] if RunFolder(folder).exists() else sorted(folder.iterdir()) if folder.is_dir() else []
    return [status_facts(place) for place in places if RunFolder(place).exists()]


def runs_text(found: list[dict[str, Any]], folder: Path) -> str:
    """A line per run."""
    if not found:
        return f"no runs in {folder}"
    width = max(len(facts["folder"]) for facts in found)
    lines = []
    for facts in found:
        state = "running" if facts["running"] else "complete" if facts["done"] == facts["points"] else "stopped"
        failed = f", {facts['failed']:,} failed" if facts["failed"] else ""
        lines.append(
            f"{facts['folder']:{width}}  {state:8}  {facts['done']:,}/{facts['points']:,} points{failed}  "
            f"{facts['model']}: {facts['name']}"
        )
    return "\n".join(lines)


def size(count: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def _time(seconds: float) -> str:
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
