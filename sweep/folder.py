"""RunFolder: the files of one run. `data.zarr` is what readers open; `meta/` is the bookkeeping beside it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep import files
from sweep.array_files import resolved
from sweep.errors import RunError, SpecError
from sweep.plan import Plan
from sweep.spec import parse

FORMAT = 1
"""Version of the layout of a run folder."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run folder `<out>`."""

    path: Path

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
        return self.plan_file.is_file()

    def occupied(self) -> bool:
        """Whether something that is no run of ours is here."""
        if not self.path.exists():
            return False
        return not self.exists() and (not self.path.is_dir() or any(self.path.iterdir()))

    def record(self) -> dict[str, Any]:
        """The content of plan.json: id, raw spec, tile, hashes, versions."""
        try:
            record: dict[str, Any] = files.read_json(self.plan_file)
        except FileNotFoundError:
            raise RunError(
                f"{self.path} is not a run folder (no meta/plan.json); give the folder that `spinsweep run` made"
            ) from None
        except (OSError, json.JSONDecodeError) as error:
            raise RunError(f"{self.plan_file} cannot be read: {error}") from error
        if record.get("format") != FORMAT:
            raise RunError(
                f"{self.path} has format {record.get('format')!r}, this spinsweep writes and reads {FORMAT}; "
                f"use the version that made it: {record.get('environment', {}).get('spinsweep', 'unknown')}"
            )
        return record

    def plan(self) -> Plan:
        """The plan of the run, as it was created."""
        return self.plan_of(self.record())

    def plan_of(self, record: dict[str, Any]) -> Plan:
        """Rebuild the plan from the content of plan.json."""
        try:
            spec = parse(resolved(record["spec"], self.meta))
        except SpecError as error:
            raise RunError(f"the run's spec is refused by this version of spinsweep: {error}") from error
        return Plan(spec, tuple(record["tile"]))

    def create(self, fill: Callable[[RunFolder], None]) -> None:
        """Make the folder in one step: `fill` writes it beside its place, then it is renamed in."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = RunFolder(self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}"))
        try:
            beside.meta.mkdir(parents=True)
            beside.runs.mkdir()
            fill(beside)
            try:
                os.rename(beside.path, self.path)
            except OSError as error:
                raise RunError(
                    f"{self.path} appeared while this run was being created ({error.strerror}); start it again to continue that one"
                ) from error
        except BaseException:
            shutil.rmtree(beside.path, ignore_errors=True)
            raise
        files.sync_folder(self.path.parent)
