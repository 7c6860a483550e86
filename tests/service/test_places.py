"""Where a run may be put: links, empty folders, mount points, the current folder, long names; what kills leave behind; and
running folders that are moved or copied."""

import contextlib
import io
import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.bits import assert_same_bits
from support.no_pilot import NoPilot
from support.toy_specs import faulty
from support.watching import PATIENCE, Portions, committed_points, wait_for_tiles, write_spec

from sweep.errors import RunError, SpecError
from sweep.execution import creation, launch
from sweep.execution.progress import Progress
from sweep.folder import placing
from sweep.folder.disk import LocalDisk
from sweep.folder.host import HERE, Host
from sweep.folder.lease import Lease, holder
from sweep.folder.run_folder import RunFolder
from sweep.plan.timings import Timings
from sweep.results.status import runs_in, status_of
from sweep.spec.parsing import parse

PILOT = NoPilot(1e-6)


@pytest.fixture
def run(raw, cluster):
    """Run the toy sweep into a place, on the shared cluster and without a pilot."""

    def go(out, **options):
        said = io.StringIO()
        chosen = {"cluster": contextlib.nullcontext(cluster), "pilot": PILOT}
        return launch.run(parse(raw), out, launch.Options(**options), said, **chosen), said.getvalue()

    return go


@pytest.fixture
def sound(run, tmp_path_factory):
    """The toy sweep, undisturbed."""
    out = tmp_path_factory.mktemp("sound") / "out"
    run(out)
    return out


def test_link_to_an_empty_folder(run, sound, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "out").symlink_to("far")
    assert run(tmp_path / "out")[0].exit_status == 0
    assert (tmp_path / "out").is_symlink()
    assert_same_bits(sound, tmp_path / "far")


def test_link_that_leads_to_nothing_yet(run, sound, tmp_path):
    (tmp_path / "out").symlink_to("deep/far")
    assert run(tmp_path / "out")[0].exit_status == 0
    assert (tmp_path / "out").is_symlink()
    assert_same_bits(sound, tmp_path / "deep" / "far")


def test_link_to_a_run(run, sound, tmp_path):
    run(tmp_path / "far")
    (tmp_path / "out").symlink_to("far")
    result, said = run(tmp_path / "out")
    assert result.exit_status == 0 and "complete: 28 of 28" in said


def test_links_in_a_circle_are_refused(run, tmp_path):
    (tmp_path / "out").symlink_to("out")
    with pytest.raises(RunError, match="cannot be a run folder"):
        run(tmp_path / "out")


def test_empty_folder_stays_the_folder_that_it_is(run, sound, tmp_path):
    """Somebody's shell may be in it, it may have rights of its own."""
    out = tmp_path / "out"
    out.mkdir(mode=0o750)
    before = out.stat()
    assert run(out)[0].exit_status == 0
    assert (out.stat().st_ino, out.stat().st_mode) == (before.st_ino, before.st_mode)
    assert sorted(p.name for p in out.iterdir()) == ["data.zarr", "meta"]
    assert_same_bits(sound, out)


def test_current_folder(run, sound, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    result, said = run(Path("."))
    assert result.exit_status == 0 and os.path.samefile(".", tmp_path / "out"), said
    assert_same_bits(sound, tmp_path / "out")
    with pytest.raises(RunError, match="is, or holds, the current folder"):
        run(Path("."), overwrite=True)


def test_file_system_that_is_empty_but_for_its_own(run, sound, tmp_path):
    (tmp_path / "out" / "lost+found").mkdir(parents=True)
    assert run(tmp_path / "out")[0].exit_status == 0
    assert_same_bits(sound, tmp_path / "out")


@pytest.mark.integration
def test_mount_point(run, sound, tmp_path):
    """It cannot be renamed, and nothing can be renamed onto it."""
    out = tmp_path / "out"
    out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", str(out)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a file system needs more rights than there are here")
    try:
        assert run(out)[0].exit_status == 0
        assert_same_bits(sound, out)
    finally:
        subprocess.run(["umount", str(out)], check=True)


@pytest.mark.parametrize("bytes_of_name", [250, 255])
def test_long_names(run, sound, tmp_path, bytes_of_name):
    name = "ü" * (bytes_of_name // 2) + "x" * (bytes_of_name % 2)
    assert run(tmp_path / name)[0].exit_status == 0
    assert_same_bits(sound, tmp_path / name)
    _, said = run(tmp_path / name, overwrite=True)  # its name in .trash is longer than the file system allows
    assert "the run that was here is now" in said


@pytest.mark.parametrize("name", ["x" * 256, "a\0b"])
def test_names_that_cannot_be(run, tmp_path, name):
    with pytest.raises(RunError, match="cannot be a run folder") as refused:
        run(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_file_in_the_way(run, tmp_path):
    (tmp_path / "out").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="no run of spinsweep"):
        run(tmp_path / "out")
    with pytest.raises(RunError):
        run(tmp_path / "file" / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("name", ["one\ntwo", "bell\x07", "\x1b[31mred", "tab\t", "line\u2028"])
def test_control_characters_in_a_name(raw, name):
    raw["sweep"]["name"] = name
    with pytest.raises(SpecError, match="without control characters") as refused:
        parse(raw)
    assert str(refused.value).isprintable()


# Kills while the folder is made


class Killed(BaseException):
    pass


class DyingDisk(LocalDisk):
    """The disk of a process that is killed at its `last`-th change, before or in the middle of it; nothing is cleaned up."""

    def __init__(self, last):
        self.left = last

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name not in (
            "write",
            "append",
            "rename",
            "link",
            "remove",
            "remove_tree",
            "make_folder",
            "sync",
            "sync_all",
        ):
            return found

        def change(path, *more):
            self.left -= 1
            if self.left < 0:
                raise Killed
            if self.left == 0 and name == "write":
                found(path, more[0][: len(more[0]) // 2])
                raise Killed
            return found(path, *more)

        return change


def killed_at(step, out, raw):
    """Whether making the run was cut short at this step."""
    host = Host(disk=DyingDisk(step), pid=lambda: 2**22 + 1, process_start=lambda pid: 1.0)
    try:
        creation.create(RunFolder(out, host), parse(raw), Timings({"quick": 1e-6}), 1, Progress(io.StringIO()))
    except Killed:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True], ids=["absent", "empty"])
def test_killed_at_every_step_of_creation(there, raw, run, sound, tmp_path, monkeypatch):
    """Whatever is left, the next start works, says what it did about it, and leaves nothing else behind.

    At every step the place is looked at, and the run made again; at some, and wherever it was complete, computed as well.
    """
    said_what = 0
    for step in itertools.count(1):
        out = tmp_path / str(step) / "out"
        out.parent.mkdir()
        if there:
            out.mkdir()
        if not killed_at(step, out, raw):
            break
        heard = []
        folder = RunFolder(out)
        creation.check_place(folder)
        assert all(not hasattr(found, "error") for found in runs_in(out.parent))
        left = {p.name for p in out.parent.iterdir()} - {"out"} or (out.is_dir() and any(out.iterdir()))
        if step % 20 == 0 or folder.exists():
            result, words = run(out)
            heard.append(words)
            assert result.exit_status == 0
            assert_same_bits(sound, out)
        else:
            placing.clear_up(folder, heard.append)
            if not folder.exists():
                creation.create(folder, parse(raw), Timings({"quick": 1e-6}), 1, Progress(io.StringIO()))
            assert folder.plan().spec.points == 28
        assert [p.name for p in out.parent.iterdir()] == ["out"], step
        assert sorted(p.name for p in out.iterdir()) == ["data.zarr", "meta"], step
        told = any("interrupted" in text or "had left behind" in text for text in heard)
        assert told or not left or folder.exists(), step
        said_what += told
        shutil.rmtree(out.parent)
    assert step > 25 and said_what > 10


def test_start_that_is_under_way_elsewhere_is_left_alone(raw, tmp_path):
    """Of a process that lives: beside the place, and in it."""
    beside = tmp_path / placing._name_beside(HERE)
    (beside / "meta").mkdir(parents=True)
    foreign = tmp_path / ".spinsweep-new-00000000-1-1-token"
    foreign.mkdir()
    placing.clear_up(RunFolder(tmp_path / "out"), lambda text: pytest.fail(text))
    assert beside.exists() and foreign.exists()
    folder = RunFolder(tmp_path / "within")
    folder.meta.mkdir(parents=True)
    with Lease(folder.lease), pytest.raises(RunError, match="another driver is working on"):
        placing.clear_up(folder, lambda text: None)
    with (
        Lease(folder.lease),
        pytest.raises(RunError, match="is not a run yet: its start was interrupted, or is under way"),
    ):
        folder.record()


def test_creation_that_fails_leaves_an_empty_folder_empty(raw, tmp_path):
    class FullDisk(LocalDisk):
        def write(self, path, data):
            if path.name.startswith(".zarr.json"):
                raise OSError(28, "No space left on device", str(path))
            super().write(path, data)

    (tmp_path / "out").mkdir()
    for out in (tmp_path / "out", tmp_path / "new"):
        with pytest.raises(OSError, match="No space left"):
            creation.create(
                RunFolder(out, Host(disk=FullDisk())), parse(raw), Timings({"quick": 1e-6}), 1, Progress(io.StringIO())
            )
    assert [p.name for p in tmp_path.rglob("*")] == ["out"]


# Running folders that are moved or copied


def test_copy_of_a_running_folder_does_not_run(run, tmp_path):
    run(tmp_path / "out")
    folder = RunFolder(tmp_path / "out")
    with Lease(folder.lease):
        shutil.copytree(tmp_path / "out", tmp_path / "copy")
        os.rename(tmp_path / "out", tmp_path / "moved")  # the same folder: its driver has not noticed yet
        assert status_of(tmp_path / "moved").running
        assert not status_of(tmp_path / "copy").running
        copy = RunFolder(tmp_path / "copy")
        assert holder(copy.lease).copied
        with Lease(copy.lease) as own:
            assert own.taken_over and own.copied
        os.rename(tmp_path / "moved", tmp_path / "out")


def test_copy_of_a_running_folder_is_resumed_as_what_it_is(raw, tmp_path):
    said = io.StringIO()
    out = tmp_path / "out"
    creation.create(RunFolder(out), parse(raw), Timings({"quick": 1e-6}), 1, Progress(io.StringIO()))
    with Lease(RunFolder(out).lease):
        shutil.copytree(out, tmp_path / "copy")
        result = launch.resume(tmp_path / "copy", launch.Options(cluster="here"), said)
    assert result.exit_status == 0
    assert "this is a copy of a run that process" in said.getvalue()


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_lease_of_a_folder_that_is_gone_is_lost(how, tmp_path):
    folder = RunFolder(tmp_path / "out")
    folder.meta.mkdir(parents=True)
    with Lease(folder.lease) as lease:
        assert lease.held()
        if how == "moved":
            os.rename(tmp_path / "out", tmp_path / "elsewhere")
        else:
            shutil.rmtree(tmp_path / "out")
        assert not lease.held()
    assert lease.why.startswith(f"{tmp_path / 'out'} is not there any more: it was moved or removed")


def test_running_folder_that_is_moved(tmp_path):
    """The driver says so and ends; nothing grows in the old place; the run goes on where it is now."""
    out, moved = tmp_path / "out", tmp_path / "moved"
    raw = faulty("none", seconds=0.02, a=60, b=1, tile={"a": 1})

    class Moving(Progress):
        def add(self, points, *counts):
            super().add(points, *counts)
            if self.done > 5 and out.exists():
                os.rename(out, moved)

    real, launch.Progress = launch.Progress, Moving
    said = io.StringIO()
    try:
        result = launch.run(parse(raw), out, launch.Options(cluster="here"), said)
    finally:
        launch.Progress = real
    assert result.exit_status == 5
    assert "it was moved or removed; a run that was moved goes on where it is now" in said.getvalue()
    assert "resume" not in said.getvalue().splitlines()[-1]
    assert not out.exists()
    assert 5 < committed_points(moved) < 60
    assert launch.resume(moved, launch.Options(cluster="here"), io.StringIO()).exit_status == 0


@pytest.mark.faults
def test_running_folder_that_is_moved_under_workers(spinsweep, quiet, tmp_path):
    write_spec(tmp_path)
    portions = Portions(spinsweep.environment, tmp_path / "out")
    portions.give_tiles(2, workers=2)
    process = spinsweep.start("run", "spec.toml", "--out", "out", "--workers", "2")
    wait_for_tiles(tmp_path / "out", 2, process)
    os.rename(tmp_path / "out", tmp_path / "moved")
    portions.give_all()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 5, err
    assert "it was moved or removed" in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
    done = spinsweep("resume", "moved", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert_same_bits(quiet(), tmp_path / "moved")


@pytest.mark.faults
def test_starts_that_are_killed_early(spinsweep, tmp_path):
    """kill -9 at whatever moment of a start, again and again: the next one works."""
    write_spec(tmp_path)
    (tmp_path / "out").mkdir()
    Portions(spinsweep.environment, tmp_path / "out")  # of which none is given: no start comes to an end
    for wait in (0.3, 0.5, 0.6, 0.7, 0.8):
        process = spinsweep.start("run", "spec.toml", "--out", "out", "--cluster", "here")
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=wait)
        spinsweep.kill_all()
    del spinsweep.environment["TOY_PORTIONS"]
    done = spinsweep("run", "spec.toml", "--out", "out", "--cluster", "here")
    assert done.returncode == 0, done.stderr
