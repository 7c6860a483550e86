"""Model files of one's own: the template passes the suite, what is wrong with a file is one sentence, others stay usable."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import textwrap
import warnings

import pytest
from click.testing import CliRunner

import solvers
import solvers.model
from solvers import registry
from solvers.registry import BrokenModelFile, ModelFileWarning, add_file, models_of
from solvers.testing import check, models_in, template
from sweep.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for model files, forgotten again afterwards."""
    monkeypatch.setenv("SPINSWEEP_MODEL_PATH", os.environ["SPINSWEEP_MODEL_PATH"])
    path = registry._FOLDER.__path__
    before, loaded = list(path), set(sys.modules)
    yield tmp_path
    path[:] = before
    for name in set(sys.modules) - loaded:
        if name.startswith("solvers.models."):
            del sys.modules[name]
    registry.systems.cache_clear()
    registry.models_of.cache_clear()


def test_the_template_passes_the_suite_with_every_output_compared(folder):
    file = folder / "my_spin.py"
    file.write_text(template("my_spin"))
    (model,) = models_in(str(file))
    report = check(model)
    assert report.passed, report
    assert model.id == "my_spin.dynamics"
    assert report.not_compared("exact") == []
    assert any(a.against == "its independent reference" and a.points == 6 for a in report.accounts)
    assert len(template("my_spin").splitlines()) <= 70


def test_the_example_for_authors_passes_the_suite(folder):
    text = inspect.getdoc(solvers.model)
    start, end = text.index('    "decay.ensemble'), text.index("\n* **solve or batch")
    example = textwrap.dedent(text[start:end])
    (folder / "decay.py").write_text(example)
    (model,) = models_in(str(folder / "decay.py"))
    report = check(model, points=0)
    assert report.passed, report
    assert 35 <= len([line for line in example.splitlines() if line]) <= 45
    found = solvers.solve_many("decay.ensemble", points={"gamma": [1.0, 2e6 / 2e3]}, times=[0.0, 1.0])
    assert found["status"].tolist() == [0, 1]
    assert found["site_excited"].shape == (2, 2)


def test_a_model_shows_itself_in_a_notebook():
    model = solvers.find("toy.waves")
    assert repr(model) == "Model('toy.waves': Waves; methods quick, exact)"
    page = model._repr_html_()
    for words in (
        "Methods",
        "N &lt;= 12",
        "Parameters",
        "a number &gt;= 0",
        "1/Gamma",
        "Outputs",
        "time, axis",
        "all 2",
    ):
        assert words in page.replace("a finite number", "a number"), words
    assert page.count("<tr>") == 3 + len(model.methods) + len(model.parameters) + len(model.outputs)
    for known in solvers.models().values():
        assert len(repr(known)) < 300
        assert "object at 0x" not in known._repr_html_()


def test_commands_write_and_check_a_model_file_in_a_process_of_their_own(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "SPINSWEEP_MODEL_PATH"}

    def run(*arguments):
        command = [sys.executable, "-c", "from sweep.cli import main; main()", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert run("new-model", "my_spin.py").returncode == 0
    done = run("check", "my_spin.py", "--fuzz", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its independent reference" in done.stdout
    assert "passed" in done.stdout
    assert "exact: " in done.stdout  # the account of the fuzzed points
    assert run("new-model", "my_spin.py").returncode == 2

    text = (tmp_path / "my_spin.py").read_text().replace("-gamma / 2, -Delta, 0, 0", "-gamma / 3, -Delta, 0, 0")
    (tmp_path / "my_spin.py").write_text(text)
    done = run("check", "my_spin.py")
    assert done.returncode == 1
    assert "FAILED reference_agrees" in done.stdout


def test_kernels_of_a_file_anywhere_are_compiled_and_kept(folder, monkeypatch):
    monkeypatch.setenv("SPINSWEEP_CACHE_DIR", str(folder / "cache"))
    text = template("with_kernel").replace(
        "import numpy as np\n", "import numpy as np\nfrom solvers.numerics.compile import entry\n", 1
    )
    text = text.replace("def solve(point)", "@entry\ndef half(x):\n    return x / 2\n\n\ndef solve(point)", 1)
    text = text.replace('point["gamma"]\n', '2 * half(point["gamma"])\n', 1)
    (folder / "with_kernel.py").write_text(text)
    code = (
        "from solvers.testing import *; m = models_in('with_kernel.py')[0]; import solvers; solvers.solve(m.id);"
        "from solvers.models.with_kernel import half; print(sum(half.stats.cache_hits.values()))"
    )
    for expected in ("0", "1"):
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:\n", "line 1: invalid syntax"),
        ("import numpy\n1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("import no_such_module\n", "line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("MODELS = 3\n", "MODELS must be a tuple of Model"),
        (template("other"), "model id other.dynamics must begin with broken."),
        (
            template("broken").replace('times([0.0, 0.5, 1.0], "1/gamma_0")', "times([0.0, 0.5])"),
            "missing 1 required positional argument: 'unit'",
        ),
        (template("broken").replace("(TIME, AXIS)", "(TIME,)"), "undeclared dimensions ['axis']"),
        (
            template("broken").replace("bounds=(0, 1e6)", "bounds=(2.0, 1e6)"),
            "parameter gamma (decay rate): out of bounds",
        ),
    ],
    ids=["syntax", "raises", "import", "no-tuple", "other-id", "unit", "dimensions", "default"],
)
def test_a_broken_file_is_one_sentence_and_the_other_models_stay_usable(folder, text, says):
    (folder / "broken.py").write_text(text)
    add_file(folder / "broken.py")
    with pytest.raises(BrokenModelFile) as caught:
        models_of("broken")
    assert says in str(caught.value)
    assert str(folder / "broken.py") in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.warns(ModelFileWarning, match=r"left out: .*broken\.py"):
        known = solvers.models()
    assert "spin_cat.boundary" in known and "toy.waves" in known
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert solvers.solve("toy.waves", "exact")["height"] == pytest.approx(4.0 + 1 + 0.5 * 0.8414709848)
    done = CliRunner().invoke(main, ["check", str(folder / "broken.py")])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    done = CliRunner().invoke(main, ["models"])
    assert done.exit_code == 0
    assert done.stderr.count(f"spinsweep: left out: {folder / 'broken.py'}: ") == len(done.stderr.splitlines()) == 1


def test_names_that_cannot_be_a_system_are_refused(folder):
    for name, says in (("my-spin.py", "rename it, to my_spin.py"), ("battery.py", "there is a system battery already")):
        (folder / name).write_text(template("x"))
        with pytest.raises(ValueError, match=says):
            add_file(folder / name)
    with pytest.raises(ValueError, match="there is no such model file"):
        add_file(folder / "nowhere.py")
    with pytest.raises(ValueError, match="cannot be the name"):
        template("my-spin")


def test_a_model_is_found_without_reading_the_rest_of_its_system():
    """To import it all would take a good part of the time of a small sweep; what is found is what the whole list has."""
    code = (
        "import sys; from solvers.registry import find, models, module_of\n"
        "model = find('spin_cat.two_ensembles')\n"
        "print(module_of(model), 'solvers.models.spin_cat.lindblad' in sys.modules)\n"
        "print(all(find(name) is each for name, each in models().items()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("solvers.models.spin_cat.two_ensembles False")
    assert done.stdout.splitlines()[1] == "True"
