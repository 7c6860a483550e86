"""What the page is told about runs: plain JSON values."""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.errors import SweepError, program, resume
from sweep.folder import layout
from sweep.folder.attributes import PHYSICAL, of_output
from sweep.folder.codes import FLAGS
from sweep.folder.layout import Coordinate
from sweep.pictures.arrangement import FEW
from sweep.pictures.colours import codes_of, is_geometric
from sweep.pictures.page.followed import Followed
from sweep.pictures.page.labels import pieces, plain
from sweep.pictures.page.slices import Picture
from sweep.pictures.subject import said
from sweep.pictures.words import NAN_MEANS
from sweep.plan.variables import ELAPSED, STATUS, Variable
from sweep.records import Json
from sweep.results import failures

LARGEST_ERRORS = 32 << 20
"""A larger file of failures is not read for the page; `errors` does."""
MOST_GROUPS = 20
UNREAD = 128
"""Added to the code of a point that is committed and whose value comes with a later answer."""


def brief(run: str, followed: Followed, complete: bool) -> Json:
    """One line about a run."""
    committed, record = followed.committed, followed.record
    driver, running = followed.driver()
    points, done = followed.plan.spec.points, committed.done
    whole = points - done in (0, record.left)  # a refinement may leave points pending for good
    state = "running" if running else "complete" if whole else "stopped" if complete else "reading"
    counts = {name: committed.count(code) for code, name in FLAGS.items()}
    rate, left = followed.rates(driver) if running else (0.0, 0.0)
    return {
        "id": run,
        "name": record.name or followed.folder.path.name,
        "model": followed.plan.spec.model,
        "folder": str(followed.folder.path),
        "state": state,
        "points": points,
        "counts": counts,
        "done": done,
        "read": 1.0 if complete else followed.journal.share,
        "version": followed.version,
        "rate": rate,
        "left": left if done < points else 0.0,
        "driver": f"process {driver.pid} on {driver.host}" if driver is not None and running else "",
    }


def unreadable(run: str, folder: str, error: Exception) -> Json:
    """One line about a run that cannot be read."""
    text = error.on_command_line() if isinstance(error, SweepError) else f"{type(error).__name__}: {error}"
    return {"id": run, "name": folder.rpartition("/")[2], "folder": folder, "state": "unreadable", "error": text}


def summary(run: str, followed: Followed, known: Mapping[str, Coordinate], complete: bool) -> Json:
    """All about a run but its pictures and failures."""
    plan, spec = followed.plan, followed.plan.spec
    path = followed.folder.path
    hints = {"view": f"{program()} view {path}", "errors": f"{program()} errors {path}"}
    found = brief(run, followed, complete)
    if found["state"] == "stopped":
        hints["resume"] = resume(path).command
    physical = {d.along for d in plan.model.dimensions if d.along}
    names = [v.name for v in plan.outputs if v.name not in physical] or [STATUS]
    main = next((name for name in spec.keep if name in names), names[0])
    return {
        **found,
        "methods": list(spec.methods),
        "created": followed.record.created,
        "tiles": plan.tiles,
        "tiles_done": followed.committed.tiles,
        "core_seconds": followed.seconds,
        "outputs": [_output(v) for v in plan.variables if v.name != STATUS],
        "main": main,
        "dimensions": {name: _dimension(known, name, size) for name, size in _sizes(plan.variables).items()},
        "few": FEW,
        "slowest": [
            {
                "seconds": slow.seconds,
                "tile": slow.tile,
                "host": slow.host,
                "points": int(plan.sizes[slow.tile]),
                "where": _where(followed, slow.tile),
            }
            for slow in followed.slowest
        ],
        "hints": hints,
    }


def _sizes(variables: Sequence[Variable]) -> Mapping[str, int]:
    return {name: size for v in variables for name, size in zip(v.dims, v.shape, strict=True)}


def _dimension(known: Mapping[str, Coordinate], name: str, size: int) -> Json:
    coordinate = _coordinate(known, name, size)
    return {
        "text": plain(str(coordinate.attributes.get("long_name", name))),
        "unit": str(coordinate.attributes.get("units", "1")),
        "size": size,
        "number": coordinate.values.dtype.kind in "iuf",
    }


def _output(variable: Variable) -> Json:
    attributes = of_output(variable.output) if variable.output is not None else {"units": "s"}
    name = "computing time of the point" if variable.name == ELAPSED else attributes.get("long_name", variable.name)
    return {
        "name": variable.name,
        "label": pieces(str(name)),
        "unit": attributes.get("units", "1"),
        "dims": list(variable.dims),
        "shape": list(variable.shape),
        "complex": variable.dtype.kind == "c",
        "codes": codes_of(attributes),
        "nan": attributes.get(NAN_MEANS, "no value"),
        "comment": attributes.get("comment", ""),
    }


def _where(followed: Followed, tile: int) -> str:
    """A tile's part of the grid in words."""
    words = []
    for dimension, part in zip(followed.plan.spec.dimensions, followed.plan.region(tile), strict=True):
        first, last = dimension.coordinate[part.start], dimension.coordinate[part.stop - 1]
        words.append(f"{dimension.name} {said(first)}" + (f" to {said(last)}" if part.stop - part.start > 1 else ""))
    return ", ".join(words)


def _coordinate(known: Mapping[str, Coordinate], name: str, size: int) -> Coordinate:
    """The values that stand for a dimension: its physical coordinate where it only counts, else its own."""
    found = known.get(name)
    if found is None:
        return Coordinate(name, (name,), np.arange(size), {"long_name": name, "units": "1"})
    other = known.get(str(found.attributes.get(PHYSICAL, "")))
    if other is not None and other.values.shape == (size,) and other.values.dtype.kind in "if":
        return other
    return found


def axes_of(followed: Followed) -> Mapping[str, Coordinate]:
    """The coordinates of a run by name."""
    return {c.name: c for c in layout.coordinates(followed.plan)}


def axis(known: Mapping[str, Coordinate], name: str, size: int, places: NDArray[np.int64]) -> Json:
    """One dimension at some of its places, and how it is drawn: straight, by factors, or one value beside the other."""
    coordinate = _coordinate(known, name, size)
    values = coordinate.values
    shown = values[places]
    scale = "index"
    if values.dtype.kind in "iuf" and np.isfinite(values).all():
        steps = np.diff(values.astype(float))
        if (steps > 0).all() or (steps < 0).all():
            scale = "log" if is_geometric(values) or is_geometric(values[::-1]) else "linear"
    label = str(coordinate.attributes.get("long_name", coordinate.name))
    return {
        "name": name,
        "label": pieces(label),
        "text": plain(label),
        "unit": str(coordinate.attributes.get("units", "1")),
        "size": size,
        "scale": scale,
        "values": shown.astype(float).tolist() if scale != "index" else [],
        "texts": [said(v) for v in shown.tolist()] if scale == "index" else [],
    }


def picture(found: Picture, known: Mapping[str, Coordinate], complete: bool) -> Json:
    """A picture as it is now; arrays are base64 of little-endian float64 and of bytes, y running fastest."""
    cut, variable = found.cut, found.variable
    sizes = dict(zip(variable.dims, variable.shape, strict=True))
    at = dict(cut.at)
    return {
        "version": found.followed.version,
        "complete": complete,
        "unreadable": found.unreadable,
        "output": cut.output,
        "x": axis(known, cut.x, sizes[cut.x], found.x.places),
        "y": axis(known, cut.y, sizes[cut.y], found.y.places) if found.y is not None else None,
        "cut": [
            {**axis(known, name, sizes[name], np.asarray([at.get(name, 0)], dtype=np.int64)), "place": at.get(name, 0)}
            for name in variable.dims
            if name not in (cut.x, cut.y)
        ],
        "values": _packed(found.values.astype("<f8")),
        "codes": _packed(np.where(found.unread(), found.codes | UNREAD, found.codes)),
        "marks": _packed(found.marks),
    }


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def causes(followed: Followed) -> Json:
    """The failures and warnings of a run by cause, each with the command that repeats one of them."""
    hint = f"{program()} errors {followed.folder.path}"
    size = size_of_errors(followed)
    if size > LARGEST_ERRORS:
        return {"groups": [], "more": f"so many are recorded that only the terminal lists them: {hint}"}
    groups: Sequence[failures.Group] = failures.groups(followed.folder) if size else []
    shown = [dataclasses.replace(group, traceback="").to_json() for group in groups[:MOST_GROUPS]]
    more = f"{len(groups) - MOST_GROUPS} more kinds: {hint}" if len(groups) > MOST_GROUPS else ""
    return {"groups": shown, "more": more}


def size_of_errors(followed: Followed) -> int:
    """Bytes of the file of failures; in a bucket, where nobody can tell without reading it, 1."""
    if followed.folder.in_bucket:
        return 1
    try:
        return followed.folder.errors.stat().st_size
    except FileNotFoundError:
        return 0


def finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: both become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(entry) for key, entry in value.items()}
    return [finite(entry) for entry in value] if isinstance(value, list | tuple) else value
