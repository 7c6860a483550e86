"""Each floor imports only the floors below it, and the solvers need NumPy, SciPy and Numba alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {"numpy", "scipy", "numba", "llvmlite", "solvers"}
FLOORS = {"numerics": 0, "engines": 1, "references": 2, "models": 3}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def sources(package):
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources("solvers"), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_solvers_keep_to_their_floor(path):
    parts = path.relative_to(ROOT / "solvers").with_suffix("").parts
    floor = FLOORS.get(parts[0])
    for name in imported(path):
        first, *rest = name.split(".")
        assert first in ALLOWED or first in sys.stdlib_module_names, f"imports {name}"
        if first != "solvers" or not rest or rest[0] not in FLOORS or floor is None:
            continue
        assert FLOORS[rest[0]] <= floor, f"imports {name} from a floor above"
        if parts[0] == rest[0] == "models" and len(rest) > 1:
            assert rest[1] == parts[1], f"imports another system's model: {name}"


def test_importing_the_solvers_loads_nothing_of_the_service():
    code = "import sys, solvers; solvers.models(); print([m for m in ('dask', 'distributed', 'zarr', 'click', 'xarray', 'sweep') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_one_system_is_solved_without_importing_the_others():
    code = "import sys, solvers; solvers.find('toy.waves'); print([m for m in sys.modules if m.startswith('solvers.models.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "['solvers.models.toy']"


@pytest.mark.parametrize("path", [*sources("solvers"), *sources("sweep")], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_hold_one_idea(path):
    assert len(path.read_text().splitlines()) <= 520
    assert path.stem not in ("utils", "util", "helpers", "manager", "base", "common", "misc")
