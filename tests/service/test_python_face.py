"""What people import: `spinsweep`. Sweeps from Python return complete runs, and raise when a run is not."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from support.toy_specs import faulty
from support.watching import wait_for_tiles

import sweep
from sweep.folder import cancelling
from sweep.folder.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def spinsweep_module(monkeypatch):
    """The package as an installation has it, from the folder that is installed under its name."""
    monkeypatch.syspath_prepend(str(ROOT / "sweep" / "api"))
    import spinsweep

    yield spinsweep
    sys.modules.pop("spinsweep", None)


def test_names_of_the_face(spinsweep_module):
    for name in spinsweep_module.__all__:
        assert getattr(spinsweep_module, name) is not None
        assert name in dir(spinsweep_module)
    assert spinsweep_module.Sweep is sweep.Sweep
    assert spinsweep_module.open is sweep.open
    assert float(spinsweep_module.solve("toy.waves", a=0.5)["height"]) == pytest.approx(4 + 0.5 * np.sin(0.5))
    assert "toy.waves" in spinsweep_module.models()
    with pytest.raises(AttributeError, match="no attribute 'sovle'"):
        spinsweep_module.sovle  # noqa: B018


@pytest.mark.parametrize("module", ["sweep", "sweep.cli", "spinsweep"])
def test_packages_run_as_the_command(module):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sweep" / "api")])}
    words = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.startswith("Usage: spinsweep")


def described(raw, **changes):
    """A spec's mapping as the Python object."""
    return sweep.Sweep(
        model=raw["sweep"]["model"],
        axes=raw["axes"],
        parameters=raw["parameters"],
        tile=raw["run"]["tile"],
        **changes,
    )


def test_complete_run_is_returned_with_its_failed_points(cluster, tmp_path):
    data = described(faulty("raise", seconds=0.0)).run(cluster.client, tmp_path / "run", quiet=True)
    assert int((data.status == 2).sum()) == 6
    assert int((data.status == 1).sum()) == 54


def test_aborted_run_is_raised_and_speaks_python(cluster, tmp_path, capsys):
    sweeping = described(faulty("raise", tile={"a": 1, "b": 6}, seconds=0.0), max_failures=2)
    with pytest.raises(sweep.AbortedError, match="more than max_failures allows") as error:
        sweeping.run(cluster.client, tmp_path / "run")
    assert "run(store=" in str(error.value)
    assert "--" not in str(error.value)
    assert "spinsweep resume" in error.value.on_command_line()
    said = capsys.readouterr().err
    assert "run(store=" in said
    assert "spinsweep resume" not in said


def test_stopped_run_is_raised_and_the_same_call_goes_on(cluster, tmp_path):
    sweeping = described(faulty("none", tile={"a": 1, "b": 1}, seconds=0.1))  # far more tiles than are given at once
    folder = RunFolder(tmp_path / "run")

    def stop():
        wait_for_tiles(folder.path, 1)
        cancelling.ask(folder.path, now=False)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(sweep.StoppedError, match="stopped on request"):
        sweeping.run(cluster.client, folder.path, quiet=True)
    stopper.join()
    assert 0 < sweep.Run(folder.path).status().done < 60
    assert int((sweeping.run(cluster.client, folder.path, quiet=True).status == 1).sum()) == 60


def test_refusals_name_arguments(cluster, tmp_path):
    sweeping = described(faulty("none", seconds=0.0))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(sweep.RunError, match=r"run\(store=...\)") as error:
        sweeping.run(cluster.client, tmp_path / "mine")
    assert "--out" not in str(error.value)
    assert "--out" in error.value.on_command_line()


def test_run_shows_itself_in_a_notebook(cluster, tmp_path):
    described(faulty("raise", seconds=0.0), name="a < b").run(cluster.client, tmp_path / "run", quiet=True)
    run = sweep.Run(tmp_path / "run")
    assert len(repr(run)) < 200
    assert repr(run).endswith("toy.faulty, 60 of 60 points)")
    table = run._repr_html_()
    for words in ("<table>", "a &lt; b", "toy.faulty", "60 of 60 done, 6 failed", "complete", "a 10 × b 6"):
        assert words in table
