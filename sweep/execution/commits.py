"""Committing tiles in groups: what has arrived is made safe together, and one write to the journal commits it all.

A tile by itself would cost a sync of the disk each for its data, its failures and its line in the journal; a group costs
three in all.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from sweep.execution.messages import Receipt
from sweep.execution.open_run import OpenRun
from sweep.execution.progress import Progress
from sweep.folder import files, journal, provenance
from sweep.folder.codes import POINT_FAILED, POINT_WARNED
from sweep.folder.journal import JournalEntry
from sweep.folder.lease import Lease
from sweep.folder.point_errors import FAILED, WARNED, PointError
from sweep.folder.status_view import StatusView

GROUP_SECONDS = 0.25
"""Tiles that arrive within so long are committed together; a crash loses no more of what is finished."""
SHARE = 0.25
"""Greatest share of the driver's time for commits: where a sync takes long, groups are larger."""
LARGEST_GROUP = 2000
KEPT_WARNINGS = 3
"""Warnings of one kind that are recorded per tile; failed points are all recorded."""


class Commits:
    """Takes receipts and commits them. With `syncs`, the workers leave it to the driver to make their data safe."""

    def __init__(self, run: OpenRun, lease: Lease, progress: Progress, syncs: bool) -> None:
        self.run = run
        self.lease = lease
        self.progress = progress
        self.view = StatusView(run.store, run.committed, run.folder.host.clock)
        self._syncs = syncs
        self._journal = journal.Writer(run.folder.journal, run.folder.disk)
        self._waiting: list[tuple[Receipt, int, float]] = []
        self._clock = run.folder.host.clock
        self._next = self._clock.monotonic() + GROUP_SECONDS

    def add(self, receipt: Receipt, done_before: int = 0, cost: float = 0.0) -> None:
        """A tile's data are written; `done_before` of its points were counted as done already, `cost` is what the others
        were predicted to take."""
        self._waiting.append((receipt, done_before, cost))

    @property
    def seconds_left(self) -> float | None:
        """Until what waits is to be committed; None when nothing waits."""
        if not self._waiting:
            return None
        return 0.0 if len(self._waiting) >= LARGEST_GROUP else max(0.0, self._next - self._clock.monotonic())

    def tick(self) -> None:
        """Commit what waits, if it is time to, and keep `status` up."""
        if self.seconds_left == 0.0:
            self.commit()
        self.view.write()

    def finish(self) -> bool:
        """Commit all that waits, and bring `status` up to it; False when the lease is lost."""
        while self._waiting and not self.lease.lost.is_set():
            self.commit()
            if self._waiting:
                self._clock.sleep(GROUP_SECONDS)
        if self.lease.lost.is_set():
            self._waiting.clear()
            return False
        self.view.write_all()
        return True

    def commit(self) -> None:
        """Commit all that waits, if the lease is ours; whatever happens in between, its tiles are just computed again."""
        if not self._waiting or not self._may():
            return
        began = self._clock.monotonic()
        folder, disk = self.run.folder, self.run.folder.disk
        if self._syncs:
            disk.sync_all(folder.data)
        errors = [error for receipt, *_ in self._waiting for error in self._errors(receipt)]
        files.append_records(folder.errors, errors, disk)
        now = provenance.now()
        if not self._may():
            return
        group, self._waiting = self._waiting, []
        if not self._journal.append(_entry(receipt, now) for receipt, *_ in group):
            self.lease.lose_it()
            return
        for receipt, done_before, cost in group:
            self.run.committed.put(receipt.tile, receipt.codes)
            self.view.touch(receipt.tile)
            size = int(self.run.plan.sizes[receipt.tile])
            self.progress.add(size - done_before, receipt.failed(size), receipt.warned(size), cost)
        ended = self._clock.monotonic()
        self._next = ended + max(GROUP_SECONDS, (ended - began) * (1 / SHARE - 1))

    def _may(self) -> bool:
        """Whether the lease is ours; while it is in doubt everything waits."""
        held = self.lease.held()
        if not held:
            self._next = self._clock.monotonic() + GROUP_SECONDS
        return held

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    def give_up(self) -> None:
        """After a failure: forget what waits, and bring `status` up to what is committed if that can be."""
        self._waiting.clear()
        with contextlib.suppress(OSError):
            if self.lease.held():
                self.view.write_all()

    def _errors(self, receipt: Receipt) -> Iterator[PointError]:
        if not receipt.remarks:
            return
        tile = self.run.plan.at(receipt.tile)
        warned: Counter[str] = Counter()
        for remark in receipt.remarks:
            if remark.status == POINT_WARNED:
                warned[remark.kind] += 1
                if warned[remark.kind] > KEPT_WARNINGS:
                    continue
            error = PointError(
                tile=receipt.tile,
                place=remark.place,
                status=FAILED if remark.status == POINT_FAILED else WARNED,
                method=tile.method,
                parameters={name: v[remark.place].item() for name, v in tile.points.items() if v.ndim == 1},
                type=remark.kind,
                message=remark.message,
                traceback=remark.traceback,
            )
            if self.run.recorded.get((error.tile, error.place)) != error:
                yield error


def _entry(receipt: Receipt, now: str) -> JournalEntry:
    return JournalEntry(
        tile=receipt.tile,
        codes=receipt.codes,
        chunks=receipt.chunks,
        seconds=receipt.seconds,
        host=receipt.host,
        pid=receipt.pid,
        cpu=receipt.cpu,
        time=now,
    )
