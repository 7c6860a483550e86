"""RunFolder: the files of one run. `data.zarr` is what readers open; `meta/` is the bookkeeping beside it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweep.errors import AGAIN, GIVE_A_RUN, RunError, SpecError
from sweep.folder import files
from sweep.folder.disk import Disk
from sweep.folder.host import HERE, Host
from sweep.folder.places import in_bucket
from sweep.folder.run_record import SOLVER_IN, RunRecord
from sweep.plan.tiling import Plan
from sweep.spec.array_files import files_of, resolved
from sweep.spec.parsing import parse


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run folder `<out>`, and the host that it is seen from; in a bucket, with that for its disk."""

    path: Path
    host: Host = field(default=HERE, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", self.host.at(self.path))

    @property
    def in_bucket(self) -> bool:
        return in_bucket(self.path)

    @property
    def disk(self) -> Disk:
        return self.host.disk

    @property
    def data(self) -> Path:
        return self.path / "data.zarr"

    @property
    def meta(self) -> Path:
        return self.path / "meta"

    @property
    def plan_file(self) -> Path:
        return self.meta / "plan.json"

    @property
    def spec_file(self) -> Path:
        return self.meta / "spec.toml"

    @property
    def lease(self) -> Path:
        return self.meta / "lease.json"

    @property
    def errors(self) -> Path:
        return self.meta / "errors.jsonl"

    @property
    def journal(self) -> Path:
        return self.meta / "journal.jsonl"

    @property
    def runs(self) -> Path:
        return self.meta / "runs"

    def exists(self) -> bool:
        """Whether a run is here."""
        return self.disk.is_file(self.plan_file)

    def record(self) -> RunRecord:
        """The content of plan.json; RunError when there is no run, or one that cannot be read."""
        try:
            found = files.read_json(self.plan_file, self.disk)
        except (FileNotFoundError, NotADirectoryError):
            if self.disk.is_file(self.lease):
                raise RunError(
                    f"{self.path} is not a run yet: its start was interrupted, or is under way", AGAIN
                ) from None
            raise RunError(f"{self.path} is not a run folder (no meta/plan.json)", GIVE_A_RUN) from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{self.plan_file} cannot be read: {error}; {RunRecord.FIX}") from error
        if isinstance(found, Mapping) and found.get("format") not in SOLVER_IN:
            environment = found.get("environment")
            made_by = environment.get("spinsweep") if isinstance(environment, Mapping) else None
            raise RunError(
                f"{self.path} has format {found.get('format')!r}, this spinsweep reads {', '.join(map(str, SOLVER_IN))}; "
                f"use the version that made it: {made_by or 'unknown'}"
            )
        return RunRecord.from_json(found, self.plan_file)

    def plan(self, record: RunRecord | None = None) -> Plan:
        """The plan of the run, as it was created."""
        record = record or self.record()
        try:
            spec = parse(resolved(record.spec, self._arrays_of(record)), SOLVER_IN[record.format])
        except SpecError as error:
            raise RunError(f"the run's spec is refused by this version of spinsweep: {error}") from error
        sizes = list(zip(record.tile, spec.shape, strict=False))
        if len(record.tile) != len(spec.shape) or not all(1 <= length <= size for length, size in sizes):
            raise RunError(
                f"{self.plan_file}: tile must have 1 to the size of every dimension, {list(spec.shape)}; given was "
                f"{list(record.tile)}; {RunRecord.FIX}"
            )
        return Plan(spec, record.tile)

    def _arrays_of(self, record: RunRecord) -> Path:
        """The folder that the array files of the run's spec are named from; those in a bucket are brought here."""
        if not self.in_bucket:
            return self.meta
        return _fetched(self, record.id, tuple(files_of(record.spec)))

    def keep_name(self) -> None:
        """Make the name of the folder outlive a power cut, and those of the folders above that may have been made for it."""
        for place in self.path.absolute().parents:
            with contextlib.suppress(OSError):  # what is above may not be ours to open
                self.disk.sync(place)


@functools.lru_cache(maxsize=16)
def _fetched(folder: RunFolder, run_id: str, names: tuple[str, ...]) -> Path:
    """Copies of files of `meta` in a folder that goes with this process."""
    place = tempfile.TemporaryDirectory(prefix="spinsweep-")
    atexit.register(place.cleanup)
    for name in names:
        copy = Path(place.name, name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(folder.disk.read(folder.meta / name))
    return Path(place.name)
