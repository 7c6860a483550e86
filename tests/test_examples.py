"""The examples and the README are true: every spec is valid, small ones run, every command that is named exists."""

import ast
import contextlib
import io
import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import sweep
from sweep.cli.program import main
from sweep.execution import launch
from sweep.plan.variables import check_size
from sweep.spec.documents import read, with_overrides
from sweep.spec.parsing import parse

ROOT = Path(__file__).resolve().parents[1]
SPECS = sorted((ROOT / "examples").glob("*.toml"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_spec_is_valid(path):
    spec = parse(read(path))
    check_size(spec)
    assert spec.name != ""
    assert f"examples/{path.name}" in path.read_text() or "spinsweep run" not in path.read_text()


def code_of(path):
    """The code of a notebook, cell by cell."""
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_describes_valid_sweeps(path):
    """Every sweep of a notebook is valid, and every cell was run, in order and without an error."""
    made = []
    names = {"np": np}
    for code in code_of(path):
        for call in ast.walk(ast.parse(code)):
            if isinstance(call, ast.Assign) and isinstance(call.value, ast.Dict | ast.List | ast.Tuple):
                with contextlib.suppress(NameError):
                    exec(compile(ast.Module([call], []), str(path), "exec"), names)
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "sweep.Sweep":
                made.append(eval(ast.unparse(call), {**names, "sweep": sweep}))
    assert len(made) >= 3
    for one in made:
        one.spec()
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output["output_type"] == "error" for cell in cells for output in cell["outputs"])


def commands_in(text):
    """The words after `spinsweep` (or after local.sh) on command lines."""
    lines = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    found = re.findall(r"(?:spinsweep|local\.sh) ([a-z][a-z-]*)", "\n".join(lines))
    return set(found) - {"test"}


def test_readme_names_commands_that_exist():
    commands = commands_in((ROOT / "README.md").read_text())
    assert {"run", "resume", "plot"} <= commands
    assert commands <= set(main.list_commands(None))


def test_readme_names_files_that_exist():
    text = (ROOT / "README.md").read_text()
    for name in re.findall(r"(?:examples|deploy|solvers)/[\w./-]+\w", text):
        assert (ROOT / name).exists(), name


def test_figure_4_of_the_spin_cat_paper(cluster, tmp_path):
    """A coarse Fig. 4 through the whole product, and the script that draws its boundaries with the paper's numbers."""
    raw = with_overrides(
        read(ROOT / "examples" / "spin_cat_fig4.toml"),
        axes={"eta": {"linspace": [5.0, 650.0, 40]}, "delta": {"linspace": [0.0, 0.08, 41]}},
    )
    launch.run(parse(raw), tmp_path / "run", stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    data = sweep.open(tmp_path / "run").load()
    script = runpy.run_path(str(ROOT / "examples" / "spin_cat_fig4.py"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        script["main"](tmp_path / "run", tmp_path / "fig4.png")
    assert (tmp_path / "fig4.png").stat().st_size > 20_000
    top = re.search(r"delta = ([\d.]+) Gamma2 at eta = ([\d.]+) N", out.getvalue())
    b = re.search(r"b = ([\d.]+) N \(paper", out.getvalue())
    assert float(top[1]) == pytest.approx(0.0697, abs=5e-4)
    assert float(top[2]) == pytest.approx(0.030, abs=2e-3)
    assert float(b[1]) == pytest.approx(2.22, abs=0.02)
    edge = script["ellipse"](data.eta.values, int(data.N), 1 / 32, 1.0)
    locked = data.locked.values == 1
    assert np.all(locked[data.eta.values < 620, 0])  # without detuning everything below N/16 locks
    assert not locked[edge == 0][:, 1:].any()  # beyond it nothing but delta = 0, whose phase never moves


def test_real_kernels_have_the_same_bits_in_any_tile_and_order(cluster, tmp_path):
    """The lanes of `two_ensembles` hold other neighbours in every tiling; no point may notice."""
    axes = {"eta": {"linspace": [20.0, 640.0, 17]}, "delta": {"linspace": [0.0, 0.075, 13]}}
    tilings = ({}, {"eta": 1, "delta": 1}, {"eta": 5, "delta": 4})
    found = []
    for number, tile in enumerate(tilings):
        names = list(axes) if number < 2 else list(reversed(axes))
        raw = {"sweep": {"model": "spin_cat.two_ensembles"}, "axes": {name: axes[name] for name in names}}
        raw["run"] = {"tile": tile} if tile else {}
        folder = tmp_path / str(number)
        launch.run(parse(raw), folder, stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
        found.append(sweep.open(folder).load().transpose("eta", "delta", ...))
    for other in found[1:]:
        for name in set(other.data_vars) - {"elapsed_seconds"}:
            same = (
                np.ascontiguousarray(found[0][name].values).tobytes()
                == np.ascontiguousarray(other[name].values).tobytes()
            )
            assert same, name


def drawn(cluster, tmp_path, name, axes=None, **parameters):
    """Run a spec with other axes and parameters through the whole product, draw it by its script; what that printed."""
    raw = with_overrides(read(ROOT / "examples" / f"{name}.toml"), axes=axes or {})
    raw["parameters"] = {**raw["parameters"], **parameters}
    launch.run(parse(raw), tmp_path / "run", stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    script = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        script["main"](tmp_path / "run", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 20_000
    return out.getvalue()


def test_figure_1_of_the_spin_cat_paper(cluster, tmp_path):
    said = drawn(cluster, tmp_path, "spin_cat_fig1")
    for text, expected in re.findall(r": ([\d.]+) at t = .*times ([\d.]+)\)", said):
        assert float(text) == pytest.approx(float(expected), abs=1e-4)
    assert said.count("closed form") == 3


def test_figure_2_of_the_spin_cat_paper(cluster, tmp_path):
    """Four realisations only: .998 and .995 without detunings, and the order of the curves with."""
    axes = {"realisation": {"arange": [0, 4, 1]}}
    said = drawn(cluster, tmp_path, "spin_cat_fig2", axes, N=6, times=[0.0, 100.0, 200.0])
    values = {(p, float(d)): float(v) for p, d, v in re.findall(r"(\w+), delta = ([\d.]+): ([\d.]+) \+-", said)}
    assert values["even", 0.001] > values["odd", 0.001] > values["even", 0.01] > values["odd", 0.01]
    assert "(paper: 0.998)" in said


def test_figure_3_of_the_spin_cat_paper(cluster, tmp_path):
    said = drawn(cluster, tmp_path, "spin_cat_fig3", {"eta": {"linspace": [1.0, 14.0, 27]}})
    found = [float(v) for v in re.findall(r"left at eta = ([\d.]+)", said)]
    assert found == pytest.approx([12.6, 11.2, 10.5, 9.9, 9.5], abs=0.12)
    assert "plateau 5.2944, rate -9.09e-05" in said


def test_disorder_average_of_spin_cats(cluster, tmp_path):
    axes = {"realisation": {"arange": [0, 8, 1]}, "delta": {"logspace": [0.001, 0.1, 5]}, "eta": {"values": [0.1, 0.8]}}
    said = drawn(cluster, tmp_path, "spin_cat_disorder", axes, N=4)
    assert said.count("half is left") == 2
    assert float(re.search(r"largest standard error: ([\d.]+)", said)[1]) > 0
