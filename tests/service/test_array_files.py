"""Arrays that a spec names by a file: relative to it, copied into the run, hashed by content, never pickled."""

import contextlib
import io
import shlex

import numpy as np
import pytest
from click.testing import CliRunner
from support.no_pilot import NoPilot

import sweep
from sweep.cli.program import main
from sweep.errors import SpecError
from sweep.execution import launch
from sweep.folder import journal
from sweep.folder.run_folder import RunFolder
from sweep.spec.documents import read
from sweep.spec.parsing import parse

SPEC = '[sweep]\nmodel = "toy.weighted"\n[parameters]\nweights = "{}"\n[axes]\na = [1.0, 2.0, 3.0]\n'


@pytest.fixture
def spec(tmp_path):
    def write(name):
        path = tmp_path / "specs" / "spec.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(SPEC.format(name))
        return path

    return write


def run(path, out, cluster):
    return launch.run(parse(read(path)), out, None, io.StringIO(), contextlib.nullcontext(cluster), NoPilot())


def test_file_is_relative_to_the_spec_and_copied(spec, cluster, tmp_path, monkeypatch):
    path = spec("data/w.npy")
    (path.parent / "data").mkdir()
    np.save(path.parent / "data" / "w.npy", np.asarray([1.0, 2.0, 5.0]))
    assert run(path, tmp_path / "out", cluster).exit_status == 0
    np.testing.assert_allclose(sweep.open(tmp_path / "out")["mean"], np.asarray([1.0, 2.0, 3.0]) / 8)
    (path.parent / "data" / "w.npy").unlink()
    moved = tmp_path / "elsewhere"
    (tmp_path / "out").rename(moved)
    monkeypatch.chdir(tmp_path)
    journal.take_back(RunFolder(moved).journal, [0])
    result = launch.resume(moved, stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    assert result.exit_status == 0
    np.testing.assert_allclose(sweep.open(moved)["mean"], np.asarray([1.0, 2.0, 3.0]) / 8)


def test_content_decides_the_hash_not_the_name(spec, tmp_path):
    path = spec("w.npy")
    np.save(path.parent / "w.npy", np.asarray([1.0, 2.0, 5.0]))
    first = parse(read(path)).hash()
    np.savez(path.parent / "w.npz", x=np.asarray([1.0, 2.0, 5.0]), y=np.zeros(3))
    assert parse(read(spec("w.npz:x"))).hash() == first
    assert parse({**read(path), "parameters": {"weights": [1.0, 2.0, 5.0]}}).hash() == first
    np.save(path.parent / "w.npy", np.asarray([1.0, 2.0, 6.0]))
    assert parse(read(spec("w.npy"))).hash() != first


def test_failed_point_is_repeated_with_the_runs_own_copy(spec, cluster, tmp_path):
    path = spec("w.npy")
    np.save(path.parent / "w.npy", np.zeros(3))
    assert run(path, tmp_path / "out", cluster).exit_status == 3
    (path.parent / "w.npy").unlink()
    (group,) = sweep.Run(tmp_path / "out").errors()
    done = CliRunner().invoke(main, shlex.split(group.command)[1:])
    assert done.exit_code == 3
    assert "weights of zero" in done.output


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (lambda p: None, "none.npy", "does not exist"),
        (lambda p: (p / "w.npy").write_text("not numbers"), "w.npy", "no .npy or .npz file"),
        (lambda p: np.save(p / "w.npy", np.asarray([{}, {}, {}]), allow_pickle=True), "w.npy", "file of numbers"),
        (lambda p: np.savez(p / "w.npz", x=np.zeros(3), y=np.zeros(3)), "w.npz", "one of x, y"),
        (lambda p: np.savez(p / "w.npz", weights=np.zeros(3)), "w.npz:wieghts", "did you mean weights?"),
        (lambda p: np.save(p / "w.npy", np.zeros(4)), "w.npy", r"shape (4,) is given where (3,) is expected"),
        (lambda p: np.save(p / "w.npy", np.asarray([1.0, np.nan, 1.0])), "w.npy", "not finite"),
    ],
)
def test_files_that_are_no_arrays_are_refused(spec, make, name, words):
    path = spec(name)
    make(path.parent)
    with pytest.raises(SpecError) as caught:
        parse(read(path))
    assert words in str(caught.value)
