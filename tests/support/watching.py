"""A slow toy sweep, and looking at a run from outside while it goes on: events are waited for, and never times."""

import os
import subprocess
import tempfile
import time

import psutil

import sweep
from sweep.folder import files

PATIENCE = 300
"""Seconds after which a test that waits is taken to hang; no machine is so busy that it is reached otherwise."""

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


class Portions:
    """Lets so many points of `toy.faulty` begin, and then more: a run on which a test lays hands is going on then, whatever
    the machine is busy with. Points of a pilot, which is at work before there is a run, do not count."""

    def __init__(self, environment, run):
        self._folder = run.with_name(f"{run.name}.portions")
        self._folder.mkdir()
        (self._folder / "begun").touch()
        environment |= {"TOY_PORTIONS": str(self._folder), "TOY_RUN": str(run)}

    def begun(self):
        """Points that have begun, or wait for their turn."""
        return (self._folder / "begun").stat().st_size

    def give(self, points):
        """Let so many more begin, besides those that wait."""
        self.let(self.begun() + points)

    def let(self, number):
        """Let so many begin altogether, those that have begun among them."""
        new = self._folder / "new"
        new.write_text(str(number))
        os.replace(new, self._folder / "given")

    def give_tiles(self, tiles, workers=1, size=20):
        """Let so many more be completed, and no more than one more for each other worker."""
        self.give(tiles * size + (workers - 1) * (size - 1))

    def give_all(self):
        self.give(10**9)


class Process(subprocess.Popen):
    """What it says to the user can be looked at while it is at work."""

    def __init__(self, words, **options):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        super().__init__(words, stdout=subprocess.PIPE, stderr=self._file, text=True, **options)

    def said(self):
        there = os.fstat(self._file.fileno()).st_size
        return os.pread(self._file.fileno(), there, 0).decode(errors="replace")

    def communicate(self, *words, **options):
        out, _ = super().communicate(*words, **options)
        return out, self.said()


def wait_for(look, what="", process=None):
    """The first answer that is not empty; `process` must not end before."""
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        if process is not None and process.poll() is not None:
            if found := look():
                break
            raise AssertionError(f"ended before {what or 'what was waited for'}: {process.communicate()}")
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def lines_of(path):
    """The values of a file of one JSON value per line."""
    return [value for _, value in files.read_lines(path)]


def tiles_in(folder):
    """How many tiles the journal has."""
    return len(lines_of(folder / "meta" / "journal.jsonl"))


def wait_for_tiles(folder, count, process=None):
    """Until `count` tiles are committed, while `process` is at work."""
    wait_for(lambda: tiles_in(folder) >= count, f"{count} tiles", process)


def wait_for_lease(folder, process):
    """Until a driver is at work."""
    wait_for((folder / "meta" / "lease.json").exists, "a lease", process)


def committed_points(folder):
    """By the journal, which `status` in the store follows within a second or so."""
    return sweep.Run(folder).status().done if folder.exists() else 0


def over(process):
    """Whether a process does nothing any more: gone, or a name that its parent, or whoever inherited it, has not asked about."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
