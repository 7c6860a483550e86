"""Damage of any file of a run: named in one sentence, and made again where that can be; two grids never mix."""

import contextlib
import io
import json
import random
import shutil

import numpy as np
import pytest
from support.bits import assert_same_bits
from support.watching import lines_of

import sweep
from sweep.errors import RunError, SpecError
from sweep.execution import launch
from sweep.folder.run_folder import RunFolder
from sweep.folder.store import Store
from sweep.pictures import plot
from sweep.results.export import export
from sweep.results.status import runs_in
from sweep.results.verify import repair, verify
from sweep.spec.parsing import parse

RAW = {
    "sweep": {"name": "toy", "model": "toy.waves", "method": ["quick", "exact"]},
    "parameters": {"N": 5, "times": [0.0, 1.0]},
    "axes": {"a": {"linspace": [0.0, 3.0, 7]}, "b": {"values": [0.1, 0.2, 0.4, 0.8]}},
    "run": {"tile": {"a": 2, "b": 4}},
}
HERE = launch.Options(cluster="here", quiet=True)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A complete run of eight tiles; tests damage copies of it."""
    folder = tmp_path_factory.mktemp("sound") / "run"
    assert launch.run(parse(RAW), folder, HERE).exit_status == 0
    return folder


@pytest.fixture
def run(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def flip(path, place=-3):
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(bytes(content))


def cut(path, left=5):
    path.write_bytes(path.read_bytes()[:left])


def empty(path):
    path.write_bytes(b"")


def folder_instead(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [flip, cut, empty, folder_instead, lambda path: path.unlink()], ids=range(5))
@pytest.mark.parametrize(
    "name", ["height", *(pytest.param(n, marks=pytest.mark.slow) for n in ("wave", "amplitude", "elapsed_seconds"))]
)
def test_damaged_chunks_are_named_and_computed_again(name, harm, run, sound, cli):
    """Two of eight tiles; the others are checked all the same. Of the seconds no digest is kept: a bit of them may change."""
    store = Store(run.data, run.plan())
    variable = next(v for v in store.plan.variables if v.name == name)
    harmed = (1, 6)
    for index in harmed:
        harm(store.chunk_file(variable, index))
    verdict = verify(run)
    if name == "elapsed_seconds" and harm is flip:
        assert set(verdict.damaged_tiles) <= set(harmed)
    else:
        assert verdict.damaged_tiles == harmed
        for index in harmed:
            assert any(f"tile {index}: its chunk of {name}" in words for words in verdict.problems)
        assert verdict.points > 0  # of the sound tiles
        said = cli("verify", run.path, status=3)
        assert said.count("tile ") == 2
        assert f"spinsweep verify {run.path} --repair" in said
    said = cli("verify", run.path, "--repair")
    assert "8 tiles agree with their digests" in said
    assert_same_bits(sound, run.path)
    assert verify(run).problems == ()


def test_what_reads_a_damaged_chunk_says_what_to_do(run, tmp_path):
    """A picture and an export are no places for the words of a codec."""
    store = Store(run.data, run.plan())
    cut(store.chunk_file(next(v for v in store.plan.variables if v.name == "height"), 1))
    for use in (lambda: plot.draw(run.path, "height"), lambda: export(run.path, tmp_path / "x.csv", ["height"])):
        with pytest.raises(RunError, match="values of height cannot be read: a chunk is damaged"):
            use()
    assert plot.draw(run.path, "wave").exists()


def test_repair_computes_nothing_but_the_damaged_tiles(run):
    store = Store(run.data, run.plan())
    flip(store.chunk_file(store.plan.variables[0], 3))
    before = len(lines_of(run.journal))
    verdict = verify(run)
    assert repair(run, verdict, HERE).exit_status == 0
    tiles = [line["tile"] for line in lines_of(run.journal)[before:]]
    assert tiles == [3, 3]  # taken back, and committed


def every_metadata_file(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.name == "zarr.json")


def _slow(harm):
    return pytest.param(harm, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "harm",
    [
        cut,
        *map(
            _slow,
            [
                empty,
                lambda path: path.unlink(),
                lambda path: path.write_text("[" * 10_000),
                lambda path: path.write_text("null"),
                lambda path: path.write_bytes(b"\xff\xfe"),
                lambda path: path.write_text(
                    path.read_text().replace('"shape": [', '"shape": [9, ').replace("float64", "float32")
                ),
            ],
        ),
    ],
    ids=range(7),
)
def test_damaged_metadata_is_made_again(harm, run, sound, cli):
    """Every zarr.json in turn: reading is one sentence or the truth, and --repair brings all back."""
    names = every_metadata_file(run.data)
    assert len(names) > 8
    for name in names[::5] if harm is cut else names:
        path = run.data / name
        content = path.read_bytes()
        harm(path)
        if path.exists() and path.read_bytes() == content:
            continue  # there was nothing to harm in this way
        verdict = verify(run)
        assert verdict.damaged_files == (name,), name
        with contextlib.suppress(RunError):
            sweep.open(run.path).load()
        for command in (("status",), ("errors",), ("resume", "--quiet"), ("list",)):
            cli(*command[:1], run.path, *command[1:], status=(0, 2))
        assert "8 tiles agree" in cli("verify", run.path, "--repair")
    assert_same_bits(sound, run.path)


def test_damaged_coordinates_are_made_again(run, sound, cli):
    for name in ("a", "b", "solver", "N", "time"):
        for path in [p for p in (run.data / name / "c").rglob("*") if p.is_file()] + [run.data / name / "c"] * (
            name == "N"
        ):
            if path.is_file():
                cut(path, 3)
    assert {name.partition("/")[0] for name in verify(run).damaged_files} == {"a", "b", "solver", "N", "time"}
    assert "8 tiles agree" in cli("verify", run.path, "--repair")
    assert_same_bits(sound, run.path)


EDITS = {
    "axis": lambda plan: plan["spec"]["axes"]["a"].update(linspace=[0.0, 4.0, 7]),
    "more points": lambda plan: plan["spec"]["axes"]["a"].update(linspace=[0.0, 3.0, 8]),
    "parameter": lambda plan: plan["spec"]["parameters"].update(N=6),
    "seed": lambda plan: plan["spec"]["sweep"].update(seed=7),
    "hash": lambda plan: plan.update(hash="0" * 32),
    "tile": lambda plan: plan.update(tile=[1, 1, 4]),
    "tile of nothing": lambda plan: plan.update(tile=[1, 0, 4]),
    "tile of two numbers": lambda plan: plan.update(tile=[1, 2]),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("command", ["resume", "retry", "verify"])
def test_edited_plans_are_refused(command, edit, run, cli):
    store = Store(run.data, run.plan())
    store.chunk_file(store.plan.variables[0], 2).unlink()  # there is something to do
    plan = json.loads(run.plan_file.read_text())
    edit(plan)
    run.plan_file.write_text(json.dumps(plan))
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    said = cli(command, run.path, status=2)
    assert "plan.json" in said
    assert len(said.strip().splitlines()) == 1
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == before


def test_an_edited_copy_of_the_spec_is_said_to_change_nothing(run, cli):
    assert "spec.toml" not in cli("resume", run.path)
    run.spec_file.write_text(run.spec_file.read_text() + "# a remark\n")
    assert "spec.toml" not in cli("resume", run.path)
    run.spec_file.write_text("[sweep]\n")
    assert "spec.toml is not the spec of this run any more, and changes nothing" in cli("resume", run.path)


META = ("plan.json", "journal.jsonl", "errors.jsonl", "lease.json", "spec.toml", "cancel.json")
ODD = [b"", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe\x00", b'{"tile": null}', b'{"host": "h", "pid": null}', b'{"tile": 1e400}',
       b'{"tile": -1, "codes": "1"}', b'{"tile": 99, "codes": "1"}', b'{"tile": 0, "codes": "?!"}', b'{"tile": 0, "codes": "1", "chunks": [[1, "x"]]}',
       b'{"format": 99}', b'{"tile": 0, "place": 1e9, "status": "failed"}']  # fmt: skip


@pytest.mark.parametrize("name", META)
@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_odd_files_of_the_bookkeeping(name, content, run, cli):
    """Whatever is in them: the truth, or one sentence that names the file and the cure, of every command that reads it."""
    path = run.meta / name
    path.write_bytes(content + (b"\n" if name.endswith("l") else b""))
    for command in (("status",), ("errors",), ("list",), ("verify", "--sample", 0), ("resume", "--quiet"), ("cancel",)):
        said = cli(command[0], run.path, *command[1:], status=(0, 2, 3))
        assert "Traceback" not in said
    for line in said.splitlines():
        assert len(line) < 600


def test_random_damage_of_the_bookkeeping(run, sound, cli):
    """A hundred files with some bytes changed."""
    chance = random.Random(7)
    for _ in range(100):
        path = run.meta / chance.choice(["plan.json", "journal.jsonl"])
        content = bytearray((sound / "meta" / path.name).read_bytes())
        for _ in range(chance.randrange(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(bytes(content))
        cli("status", run.path, status=(0, 2))
        cli("list", run.path)
        shutil.copy(sound / "meta" / path.name, path)


def test_list_shows_what_can_be_read(sound, tmp_path, cli):
    for name in ("a", "b", "c", "d"):
        shutil.copytree(sound, tmp_path / "runs" / name)
    (tmp_path / "runs" / "b" / "meta" / "plan.json").write_text("[]")
    plan = json.loads((tmp_path / "runs" / "c" / "meta" / "plan.json").read_text())
    plan["spec"]["sweep"]["model"] = "gone.away"
    (tmp_path / "runs" / "c" / "meta" / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "runs" / "d" / "meta" / "journal.jsonl").write_text("null\n")
    lines = cli("list", tmp_path / "runs").splitlines()
    assert [line.split()[0].rpartition("/")[2] for line in lines] == ["a", "b", "c", "d"]
    assert "complete" in lines[0]
    assert ["cannot be read" in line for line in lines] == [False, True, True, True]
    assert "gone.away" in lines[2]
    facts = json.loads(cli("list", tmp_path / "runs", "--json"))
    assert ["error" in fact for fact in facts] == [False, True, True, True]
    assert len(runs_in(tmp_path / "runs")) == 4


# retry --set


SPENT = {
    "sweep": {"model": "spin_cat.two_ensembles"},
    "parameters": {"max_steps": 3},
    "axes": {"eta": [200.0, 300.0], "delta": [0.05]},
}


def test_retry_with_more_steps(tmp_path, cli):
    """What the sweep with enough steps gives, bit for bit, and recorded where a reader looks."""
    folder = RunFolder(tmp_path / "run")
    assert launch.run(parse(SPENT), folder.path, HERE).failed == 2
    said = cli("retry", folder.path, "--set", "max_steps=100000", "--cluster", "here", "--quiet")
    assert "Traceback" not in said
    enough = {**SPENT, "parameters": {"max_steps": 100_000}}
    launch.run(parse(enough), tmp_path / "enough", HERE)
    one, other = sweep.open(folder.path), sweep.open(tmp_path / "enough")
    assert int((one.status == 1).sum()) == 2
    for name in one.data_vars:
        if name != "elapsed_seconds":
            np.testing.assert_array_equal(one[name], other[name])
    assert folder.record().changes == ({"max_steps": 100_000},)
    assert "retried with max_steps = 100000" in one.attrs["history"]
    starts = sorted(folder.runs.glob("*.json"), key=lambda path: json.loads(path.read_text())["began"])
    assert json.loads(starts[-1].read_text())["changes"] == {"max_steps": 100_000}
    assert folder.record().hash == parse(SPENT).hash()
    assert launch.resume(folder.path, HERE, io.StringIO()).exit_status == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eta": 5.0}, "only say how to compute"),
        ({"N": 5}, "only say how to compute"),
        ({"max_step": 5}, "did you mean max_steps?"),
        ({"max_steps": -1}, "--set max_steps"),
        ({"max_steps": "many"}, "--set max_steps"),
    ],
)
def test_retry_changes_nothing_that_decides(changes, words, tmp_path):
    launch.run(parse(SPENT), tmp_path / "run", HERE)
    with pytest.raises(SpecError) as refused:
        launch.resume(tmp_path / "run", HERE, retry=True, changes=changes)
    assert words in str(refused.value)
    assert RunFolder(tmp_path / "run").record().changes == ()
