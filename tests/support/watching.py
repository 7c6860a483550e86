"""A slow toy sweep, and looking at a run from outside while it goes on."""

import time

import sweep
from sweep.folder import files

SPEC = """
[sweep]
model = "toy.faulty"
[parameters]
seconds = 0.01
kind = "{kind}"
at = {at}
[axes]
a = {{ linspace = [0, 11, 12] }}
b = {{ linspace = [0, 1, 20] }}
[run]
tile = {{ a = {tile}, b = 20 }}
"""


def write_spec(folder, kind="none", at=-1.0, tile=1):
    (folder / "spec.toml").write_text(SPEC.format(kind=kind, at=at, tile=tile))


def lines_of(path):
    """The values of a file of one JSON value per line."""
    return [value for _, value in files.read_lines(path)]


def wait_for_tiles(folder, count, process, seconds=60):
    """Until `count` tiles are committed, or the run has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if len(lines_of(folder / "meta" / "journal.jsonl")) >= count:
            return
        time.sleep(0.02)
    assert process.poll() is not None, "no tile was committed in time"


def wait_for_lease(folder, process, seconds=60):
    """Until a driver is at work, or the run has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None and not (folder / "meta" / "lease.json").exists():
        time.sleep(0.02)


def committed_points(folder):
    """By the journal, which `status` in the store follows within a second or so."""
    return sweep.Run(folder).status().done if folder.exists() else 0
