"""The examples and the README are true: every spec is valid, small ones run, every command that is named exists."""

import ast
import contextlib
import csv
import io
import json
import os
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from support.watching import PATIENCE

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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_for_readers(path):
    """It names no module but those a user would import, and holds no outputs: the site and the test below execute it."""
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    code = "\n".join("".join(cell["source"]) for cell in cells)
    plain = "\n".join(line for line in code.splitlines() if not line.startswith("!"))
    imported = {
        alias.name
        for node in ast.parse(plain).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module)])
    }
    assert imported <= {
        "matplotlib.pyplot",
        "numpy",
        "os",
        "pathlib",
        "spinsweep",
        "sys",
        "tempfile",
        "warnings",
        "xarray",
    }
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    """From top to bottom, in a folder of its own, and leaves nothing in the tree."""
    nbclient = pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
    pytest.importorskip("ipykernel", reason="the extra `docs` is not installed")
    import nbformat

    places = [str(ROOT), str(ROOT / "sweep" / "api"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))
    before = sorted(p for p in (ROOT / "examples").rglob("*"))
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=3000, startup_timeout=PATIENCE, resources=resources).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert not re.search("Traceback|command not found|No module named|spinsweep: ", output.get("text", ""))
    assert sorted(p for p in (ROOT / "examples").rglob("*")) == before


def commands_in(text):
    """The words after `spinsweep` (or after local.sh) on command lines."""
    lines = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    found = re.findall(r"(?:spinsweep|local\.sh) ([a-z][a-z-]*)", "\n".join(lines))
    return set(found) - {"test", "docs"}


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


def drawn(cluster, tmp_path, name, axes=None, script=None, **parameters):
    """Run a spec with other axes and parameters through the whole product, draw it by its (or another) script; what that printed."""
    raw = with_overrides(read(ROOT / "examples" / f"{name}.toml"), axes=axes or {})
    raw["parameters"] = {**raw["parameters"], **parameters}
    launch.run(parse(raw), tmp_path / "run", stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    program = runpy.run_path(str(ROOT / "examples" / f"{script or name}.py"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        program["main"](tmp_path / "run", tmp_path / "picture.png")
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


DIFFERENCE = r": largest difference from exact ([+-][\d.]+) S \+- ([\d.]+)"


def phase_space(cluster, tmp_path, figure, axes=None, **parameters):
    return drawn(cluster, tmp_path, f"phase_space_{figure}", axes, "phase_space_figures", **parameters)


def test_figures_1_to_3_of_the_phase_space_paper(cluster, tmp_path):
    """The differences are those the specs document: 10 % of S at S = 10, nothing for dephasing, large ones at Omega = 2."""
    said = phase_space(cluster, tmp_path / "1", "fig1", trajectories=300)
    assert float(re.search(r"S = 10: exact <S_z> = 0 at t = ([\d.]+)", said)[1]) == pytest.approx(1.692, abs=0.003)
    found = [(float(d), float(e)) for d, e in re.findall(DIFFERENCE, said)]
    assert len(found) == 6
    assert all(abs(d) < 0.09 + 4 * e for d, e in found[:3]) and all(abs(d) < 0.02 + 4 * e for d, e in found[3:])
    said = phase_space(cluster, tmp_path / "2", "fig2", trajectories=300)
    assert all(abs(float(d)) < 4.5 * float(e) for d, e in re.findall(DIFFERENCE, said))
    axes = {"S": {"values": [10.0]}, "Omega": {"values": [2.0, 5.0]}}
    said = phase_space(cluster, tmp_path / "3", "fig3", axes, trajectories=300)
    found = [abs(float(d)) for d, e in re.findall(DIFFERENCE, said)]
    assert max(found[3:]) < max(found[:3]) < 0.45


def test_figure_4_of_the_phase_space_paper(cluster, tmp_path):
    """Only random directions have S_x^2 right beyond the transition; all starts do before it."""
    said = phase_space(cluster, tmp_path, "fig4", {"Omega": {"values": [0.8, 1.0, 1.5, 2.0, 3.0]}}, trajectories=300)
    number = r"([+-]?[\d.]+)"
    line = rf"Omega = {number} Gamma, (\w+): S_y {number}, S_z {number}, S_x\^2, S_y\^2, S_z\^2 {number}, {number}, {number}"
    found = {(float(row[0]), row[1]): [float(v) for v in row[2:]] for row in re.findall(line, said)}
    assert len(found) == 20
    assert found[0.8, "exact"] == pytest.approx([0.8, -0.6, 0.0, 0.64, 0.36], abs=2e-3)
    for start in ("down", "isotropic", "ramp"):
        assert found[0.8, start] == pytest.approx(found[0.8, "exact"], abs=0.06)
    assert found[2.0, "isotropic"][2] == pytest.approx(found[2.0, "exact"][2], abs=0.05)
    assert max(found[2.0, "down"][2], found[2.0, "ramp"][2]) < 0.1


def test_figures_5_and_6_of_the_phase_space_paper(cluster, tmp_path):
    """Wigner has the minima; P has none, and corrected Q falls below zero."""
    minimum = r"(\w+) = (\w+(?:\.\d)?), \w+ = ([\d.]+): least xi\^2 ([\d.]+) .* trajectories (-?[\d.]+) \+- ([\d.]+)"
    said = phase_space(cluster, tmp_path / "5", "fig5", {"Gamma": {"values": [0.0, 0.125]}}, trajectories=600)
    found = {(row[1], float(row[2])): [float(v) for v in row[3:]] for row in re.findall(minimum, said)}
    assert found["wigner", 0.0][0] == pytest.approx(0.038, abs=1e-3)
    assert found["wigner", 0.0][1] == pytest.approx(0.038, abs=0.02)
    assert found["wigner", 0.125][1] == pytest.approx(0.293, abs=0.06)
    assert found["P", 0.125][1] == pytest.approx(1.0, abs=0.01)
    assert found["Q", 0.125][1] < -0.3
    assert "xi^2 = 0.0968 (paper, S = 100: about 0.1)" in said
    axes = {"S": {"values": [10.0]}, "Gamma": {"values": [0.0, 0.125, 0.5]}}
    said = phase_space(cluster, tmp_path / "5b", "fig5b", axes, trajectories=600)
    pairs = re.findall(r"xi_opt ([\d.]+), trajectories ([\d.]+)", said)
    assert [float(true) for true, _ in pairs] == pytest.approx([0.445, 0.590, 0.750], abs=1e-3)
    assert [float(one) for _, one in pairs] == pytest.approx([0.445, 0.590, 0.750], abs=0.05)
    axes = {"S": {"values": [10.0]}, "Gamma_phi": {"values": [0.0, 1.0]}}
    said = phase_space(cluster, tmp_path / "6", "fig6", axes, trajectories=600)
    found = [[float(v) for v in row[3:]] for row in re.findall(minimum, said)]
    assert [row[0] for row in found] == pytest.approx([0.198, 0.857], abs=3e-3)
    assert [row[1] for row in found] == pytest.approx([0.198, 0.857], abs=0.15)


def test_figure_7_of_the_phase_space_paper(cluster, tmp_path):
    axes = {"J_y": {"values": [-0.6, -0.49, -0.45, -0.3, -0.1]}}
    said = phase_space(cluster, tmp_path, "fig7", axes, trajectories=3, t_average=60.0)
    rows = re.findall(r"J_y = (-[\d.]+) Gamma, (\w+): Holstein-Primakoff ([\d.]+), trajectories ([\d.]+)", said)
    theory = {(float(J), name): float(value) for J, name, value, _ in rows}
    found = {(float(J), name): float(value) for J, name, _, value in rows}
    assert theory[-0.3, "excitations"] == pytest.approx(0.350, abs=1e-3)
    assert theory[-0.49, "correlation_length"] == pytest.approx(7.02, abs=0.01)
    assert found[-0.3, "excitations"] == pytest.approx(0.350, abs=0.04)
    assert found[-0.45, "Sxx_over_S"] == pytest.approx(2.99, abs=0.6)
    assert float(re.search(r"<S_z> = (-[\d.]+) S", said)[1]) == pytest.approx(-0.63, abs=0.06)
    assert "down to J_y = -0.49 Gamma, physical -1.96 (paper: -0.5 Gamma)" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("atlas_lattice", {"N": [2, 4], "h_x": [1.0], "gamma_minus": [0.5, 2.0]}),
        ("atlas_collective", {"N": [4], "h_x": [0.5], "gamma_minus": [0.0, 0.5]}),
        ("atlas_release", {"N": [2, 10], "tau_s": [0.1], "window": [1e-3]}),
        ("atlas_cycle", {"N": [4], "tau_s": [0.1], "tau_d": [0.1, 1.0]}),
        ("atlas_magnet", {"V_x": [0.5], "Gamma": [0.1, 1.0]}),
        ("atlas_spin", {"S": [2.0], "Omega": [1.0], "variant": ["positive_diffusion", "conserving"]}),
        ("atlas_chain", {"S": [0.5, 1.0], "J_y": [-1.6], "Gamma": [1.0], "variant": ["conserving"]}),
        ("atlas_rest", {"S": [0.5, 1.0], "J_y": [-1.0], "J_z": [0.0]}),
        ("atlas_cat", {"N": [2, 4], "eta": [0.3], "delta": [0.1]}),
        ("atlas_emitters", {"Gamma": [10.0, 100.0], "tau_s": [0.1, 0.4], "gamma": [1.0]}),
    ],
)
def test_error_atlas_is_what_the_product_computes(cluster, tmp_path, name, axes):
    """Some of its points again: the committed table has their errors, of random methods too."""
    script = runpy.run_path(str(ROOT / "examples" / "error_atlas.py"))
    for spec in script["specs"](name):
        raw = with_overrides(
            read(ROOT / "examples" / f"{spec}.toml"), axes={axis: {"values": values} for axis, values in axes.items()}
        )
        launch.run(parse(raw), tmp_path / spec, stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    found = {row[:3]: row[3] for row in script["rows"](*script["errors"](tmp_path, name))}
    with (ROOT / "examples" / "atlas.csv").open() as file:
        kept = {(row["sweep"], row["method"], row["point"]): row["error"] for row in csv.DictReader(file)}
    assert len(found) >= 4
    for key, error in found.items():
        assert float(error) == pytest.approx(float(kept[key]), rel=0.02, abs=1e-6), key
