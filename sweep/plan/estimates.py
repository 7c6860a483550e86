"""What a sweep will be and cost, as a record and as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sweep.plan.machine import cores
from sweep.plan.pilot import Pilot
from sweep.plan.refinement import Lattice
from sweep.plan.tiling import OVERHEAD_SECONDS, Plan, tile_shape
from sweep.plan.variables import check_size, point_bytes
from sweep.quantities import duration, number, size
from sweep.records import Record
from sweep.spec.sweep_spec import SweepSpec


@dataclass(frozen=True)
class Estimate(Record):
    """Size and cost of a sweep, from a pilot of a few points; of one with `[refine]` at most, from `start_points` on."""

    name: str
    model: str
    methods: tuple[str, ...]
    dimensions: Mapping[str, int]
    points: int
    tiles: int
    tile: Mapping[str, int]
    outputs: tuple[str, ...]
    bytes: int
    tile_bytes: int
    worker_bytes: int
    pilot_seconds_per_point: Mapping[str, float]
    pilot_compile_seconds: Mapping[str, float]
    core_hours: float
    workers: int
    wall_seconds: float
    hash: str
    start_points: int = 0

    def text(self) -> str:
        """For reading."""
        grid = " x ".join(f"{name} {count}" for name, count in self.dimensions.items())
        tile = " x ".join(str(n) for n in self.tile.values())
        refined = [f"refined  from {self.start_points:,} points on, where results change; all that follows is the most"]
        seconds = ", ".join(f"{name} {duration(s)}" for name, s in self.pilot_seconds_per_point.items())
        return "\n".join(
            [
                f"sweep    {self.name}",
                f"model    {self.model} ({', '.join(self.methods)})",
                f"points   {self.points:,} = {grid}",
                *(refined if self.start_points else []),
                f"tiles    {self.tiles:,} of {tile} points",
                f"results  {size(self.bytes)} before compression: {', '.join(self.outputs)}",
                f"memory   about {size(self.worker_bytes)} per worker",
                f"pilot    {seconds} per point",
                f"cost     {self._cost()}; about {duration(self.wall_seconds)} on "
                f"{number(self.workers, 'worker')}, start-up apart",
            ]
        )

    def _cost(self) -> str:
        """The work of one core: hours where there are some."""
        if self.core_hours < 0.1:
            return f"{duration(3600 * self.core_hours)} of one core"
        return f"{self.core_hours:.3g} core-hours"


def estimate(spec: SweepSpec, workers: int | None = None) -> Estimate:
    """Time a few points of a sweep and say what it will be; nothing is written."""
    check_size(spec)
    workers = workers or cores()
    with Pilot(spec.raw) as pilot:
        timings = pilot.result(spec.methods)
    plan = Plan(spec, tile_shape(spec, timings, workers))
    core_seconds = timings.of_one_core(spec.points) + plan.tiles * OVERHEAD_SECONDS
    chunk = math.prod(plan.tile) * point_bytes(spec)[1]
    return Estimate(
        name=spec.name,
        model=spec.model,
        methods=spec.methods,
        dimensions={d.name: d.size for d in spec.dimensions},
        points=spec.points,
        tiles=plan.tiles,
        tile=dict(zip((d.name for d in spec.dimensions), plan.tile, strict=True)),
        outputs=spec.keep,
        bytes=plan.bytes,
        tile_bytes=chunk,
        worker_bytes=timings.memory + 4 * chunk,
        pilot_seconds_per_point=timings.seconds,
        pilot_compile_seconds=timings.compiling,
        core_hours=core_seconds / 3600,
        workers=workers,
        wall_seconds=core_seconds / workers,
        hash=spec.hash(),
        start_points=0 if spec.refine is None else Lattice.of(spec).start_points,
    )
