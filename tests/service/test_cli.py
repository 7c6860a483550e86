"""The command line as a user types it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.shell_completion import ShellComplete

import sweep
from sweep import extras
from sweep.cli.program import main
from sweep.folder import layout
from sweep.plan.tiling import Plan
from sweep.spec.axis_forms import axis_values, from_text
from sweep.spec.documents import read
from sweep.spec.parsing import parse
from sweep.spec.toml_text import short_text, spec_text

SPEC = """
[sweep]
name = "toy"
model = "toy.waves"
[axes]
a = { linspace = [0, 3, 12] }
b = { linspace = [0, 1, 10] }
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(SPEC)
    return path


def test_help_names_every_command(cli):
    text = cli("--help")
    for command in ("models", "solve", "new", "plan", "run", "resume", "status", "plot", "phase-diagram"):
        assert command in text
        assert cli(command, "--help").startswith("Usage:")


def test_models(cli):
    assert "toy.waves" in cli("models")
    text = cli("models", "toy.waves")
    for word in ("first parameter", "[Gamma]", "N <= 12", "round, square", "complex amplitude; only exact"):
        assert word in text
    facts = json.loads(cli("models", "toy.waves", "--json"))
    assert [p["name"] for p in facts["parameters"]] == ["a", "b", "N", "shape", "times"]
    assert "did you mean toy.waves?" in cli("models", "toy.wave", status=2)


def test_list_of_models_follows_their_files(cli, tmp_path, monkeypatch):
    """It is read from a file that is kept, as long as no source changes; a broken file is told every time."""
    monkeypatch.setenv("SPINSWEEP_CACHE_DIR", str(tmp_path / "cache"))
    mine = tmp_path / "models"
    cli("new-model", mine / "mine.py")
    words = [sys.executable, "-m", "sweep", "models"]
    environment = {**os.environ, "SPINSWEEP_MODEL_PATH": str(mine)}

    def listed():
        return subprocess.run(words, capture_output=True, text=True, check=True, env=environment)

    first, again = listed(), listed()
    assert "mine." in first.stdout
    assert first.stdout == again.stdout
    kept = json.loads((tmp_path / "cache" / "models.json").read_text())
    assert {name.partition(".")[0] for name in kept["models"]} >= {"mine", "spin_cat", "battery"}
    (mine / "mine.py").write_text((mine / "mine.py").read_text().replace('title="', 'title="Another '))
    assert "Another" in listed().stdout
    (mine / "mine.py").write_text("MODELS = 1\n")
    for _ in range(2):
        broken = listed()
        assert "mine" in broken.stderr
        assert "mine." not in broken.stdout
        assert "spin_cat" in broken.stdout


def test_solve(cli, tmp_path):
    values = json.loads(cli("solve", "toy.waves", "-p", "a=0.5", "-p", "times=0:1:3", "--json"))
    assert values["height"] == pytest.approx(4 + 0.5 * 0.479425538604203)
    assert len(values["wave"]) == 3
    assert "height" in cli("solve", "toy.waves", "--method", "exact", "-p", "shape=square")
    cli("solve", "toy.waves", "--plot", tmp_path / "point.png")
    assert (tmp_path / "point.png").stat().st_size > 5000
    assert "did you mean b?" in cli("solve", "toy.waves", "-p", "bb=1", status=2)
    assert "N <= 12" in cli("solve", "toy.waves", "--method", "exact", "-p", "N=13", status=3)


def test_new_spec_runs_as_it_is(cli, spinsweep, tmp_path):
    cli("new", "toy.waves", "-o", tmp_path / "new.toml")
    assert "--force" in cli("new", "toy.waves", "-o", tmp_path / "new.toml", status=2)
    done = spinsweep("run", "new.toml")
    assert done.returncode == 0, done.stderr
    assert sweep.open(tmp_path / "results" / "new").sizes["b"] == 11  # a number with a unit


def test_plan_writes_nothing(cli, spec, tmp_path):
    text = cli("plan", spec)
    assert "120 = a 12 x b 10" in text
    facts = json.loads(cli("plan", spec, "--json", "--axis", "b=0:1:1000", "--workers", 7))
    assert facts["points"] == 12_000
    assert facts["workers"] == 7
    assert facts["pilot_seconds_per_point"]["quick"] < 1
    assert [p.name for p in tmp_path.iterdir()] == ["spec.toml"]


def test_run_status_plot(cli, spec, spinsweep, tmp_path):
    done = spinsweep("run", "spec.toml", "--set", "N=7", "--axis", "b=0.1,0.2,0.3", "--workers", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("dashboard: http://127.0.0.1:")
    assert lines[-2].startswith("complete: 36 of 36 points done")
    assert lines[-1] == "draw it: spinsweep plot results/spec"
    assert "\r" not in done.stderr  # plain lines in a pipe
    folder = tmp_path / "results" / "spec"
    facts = json.loads(cli("status", folder, "--json"))
    assert (facts["done"], facts["points"], facts["failed"], facts["running"]) == (36, 36, 0, False)
    assert "complete" in cli("status", folder)
    path = cli("plot", folder, "height").strip()
    assert path == str(folder / "plots" / "height.png")
    assert "did you mean height?" in cli("plot", folder, "hight", status=2)
    assert int(sweep.open(folder).N) == 7


def test_errors_are_one_sentence(cli, spec, tmp_path):
    for words in (
        ("run", tmp_path / "none.toml"),
        ("run", spec, "--set", "N=0"),
        ("run", spec, "--axis", "q=0:1:2"),
        ("run", spec, "--axis", "a"),
        ("run", spec, "--cluster", "nowhere"),
        ("resume", tmp_path),
        ("status", tmp_path),
        ("plot", tmp_path, "height"),
        ("solve", "toy.waves", "-p", "a"),
        ("solve", "toy.waves", "-p", "a=1", "-p", "a=2"),
        ("run", spec, "--axis", "b=0:1:2", "--axis", "b=0:1:3"),
        ("models", "toy"),
    ):
        text = cli(*words, status=2)
        assert text.startswith("spinsweep: ")
        assert text.count("\n") == 1, text
    assert [p.name for p in tmp_path.iterdir()] == ["spec.toml"]
    assert "Traceback" in cli("--debug", "status", tmp_path, status=2)


def test_words_that_are_nearly_right_are_answered_with_those_that_are(cli, spec):
    assert "did you mean status?" in cli("statu", status=2)
    assert "given twice" in cli("plan", spec, "--set", "N=1", "--set", "N=2", status=2)
    nearest = cli("models", "spin_cat.two_ensemble", status=2)
    assert "; spin_cat has spin_cat.boundary, " in nearest and nearest.endswith(
        "; did you mean spin_cat.two_ensembles?\n"
    )
    assert "; spin_chain has spin_chain.derivative, spin_chain.dynamics" in cli("new", "spin_chain", status=2)
    assert "; there are battery.cycles" in cli("new", "qqq", status=2)


def test_missing_packages_are_installed_from_where_the_program_is(monkeypatch, tmp_path):
    told = {"dir_info": {"editable": True}, "url": tmp_path.as_uri()}

    class Distribution:
        @staticmethod
        def read_text(name):
            return json.dumps(told) if name == "direct_url.json" else None

    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Distribution)
    assert extras.command("export") == "pip install 'spinsweep[export]'"  # the checkout is gone
    (tmp_path / "pyproject.toml").touch()
    assert extras.command("export") == f"{sys.executable} -m pip install --editable '{tmp_path}[export]'"
    told["url"] = "https://example.org/spinsweep.whl"
    assert extras.command("export") == "pip install 'spinsweep[export]'"


def test_classic_sweep_replaces_another_where_asked(spinsweep, tmp_path):
    few = ("phase-diagram", "--axis", "eta=100,200", "--axis", "delta=0,0.01", "--cluster", "here")
    assert spinsweep(*few).returncode == 0
    refused = spinsweep(*few, "--set", "N=500")
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    assert spinsweep(*few, "--set", "N=500", "--overwrite").returncode == 0
    assert int(sweep.open(tmp_path / "results" / "phase-diagram").N) == 500


def test_classic_sweep_as_a_spec(cli):
    text = cli("phase-diagram", "--spec", "--axis", "delta=0:0.1:5", "--set", "N=1000")
    assert "delta = { linspace = [0, 0.1, 5] }" in text
    assert "N = 1000" in text


def test_help_lists_commands_by_what_a_person_does(cli):
    text = cli("--help")
    for title in ("Find and make", "Run:", "Look", "Keep"):
        assert title in text
    assert not [line for line in text.splitlines()[1:] if line.endswith("...")]  # whole sentences


def test_starter_of_arrays_has_them_in_files(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = cli("new", "spin_network.dynamics", "-o", "net.toml")
    assert "net.toml and net_A.npy are written" in said
    text = (tmp_path / "net.toml").read_text()
    assert max(map(len, text.splitlines())) < 400
    assert "gamma_minus = { values" in text and "times = { linspace" in text
    spec = parse(read(tmp_path / "net.toml"))
    assert spec.parameters["A"].shape == (3, 3, 3, 3)


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        (["solve", "spin_cat.boundary", "-p"], "et", ["eta="]),
        (["solve", "spin_cat.boundary", "--method"], "ex", ["existence"]),
        (["plot", "RUN"], "hei", ["height"]),
        (["plot", "RUN", "height", "--sel"], "", ["a=", "b=", "axis=", "time="]),
        (["run", "SPEC", "--axis"], "sh", ["shape="]),
    ],
)
def test_words_are_completed(words, incomplete, expected, raw, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    layout.create(folder / "data.zarr", Plan(parse(raw), (7, 4)), "code", "spec")
    (tmp_path / "spec.toml").write_text(spec_text(raw))
    words = [{"RUN": str(folder), "SPEC": str(tmp_path / "spec.toml")}.get(word, word) for word in words]
    found = ShellComplete(main, {}, "spinsweep", "_X").get_completions(words, incomplete)
    assert sorted(item.value for item in found) == sorted(expected)


def test_a_reader_that_leaves_is_no_error(spinsweep):
    done = subprocess.run(
        f"{sys.executable} -m sweep models --json | head -c 10", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_evenly_spaced_arrays_are_told_in_short():
    times = np.linspace(0.0, 30.0, 61)
    assert short_text(times) == "0.0:30.0:61"
    np.testing.assert_array_equal(axis_values("x", from_text("x", short_text(times))), times)
    assert short_text(np.asarray([0.0, 1.0, 4.0, 5.0])) == "[0.0, 1.0, 4.0, 5.0]"


def test_counts_stay_whole_numbers_in_a_spec(cli):
    assert "linspace = [5, 650, 130]" in cli("phase-diagram", "--spec")


@pytest.mark.parametrize("columns", [48, 80])
def test_models_are_as_wide_as_the_terminal(columns, monkeypatch):
    """Nothing is lost, no line is too long, equations keep their indentation and comparisons are not torn."""
    from solvers import models as all_models
    from solvers.physics import physics_of
    from sweep.cli.paragraphs import filled, hung

    for name, model in all_models().items():
        text = physics_of(model).text()
        shown = filled(text, columns)
        assert shown.split() == text.split(), name
        assert max(map(len, shown.splitlines()), default=0) <= columns, name
    lines = hung("  exact  ", "at most 12 spins where N <= 12 holds, and none beyond it", 30)
    assert [len(line) - len(line.lstrip()) for line in lines] == [2, *[9] * (len(lines) - 1)]
    assert "N <= 12" in " ".join(line.strip() for line in lines) and not any(line.endswith("<=") for line in lines)
