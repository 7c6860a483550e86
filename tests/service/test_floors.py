"""Each room of the service imports only the rooms below it, nothing imports in a circle, and files stay small."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("spec", "plan", "folder", "clusters", "execution", "results", "pictures", "papers", "cli", "api")
"""From the lowest floor to the highest. The files beside them (errors, records, extras) are below all."""
SOURCES = sorted((ROOT / "sweep").rglob("*.py"))


def module_of(path):
    words = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


MODULES = {module_of(path) for path in SOURCES}


def imported(path):
    """The modules of the service that a file imports, at whatever depth of its code; for types alone does not count."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if name in MODULES or node.module in MODULES:
                    yield name if name in MODULES else node.module


def room_of(module):
    _, *rest = module.split(".")
    return rest[0] if rest and rest[0] in ROOMS else None


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_rooms_keep_to_their_floor(path):
    own = room_of(module_of(path))
    if path.parent == ROOT / "sweep" and path.stem in ("__init__", "__main__"):
        return  # the face of the package: it names what is above
    for name in imported(path):
        other = room_of(name)
        if own is None:
            assert other is None, f"{path.name} is below all rooms and imports {name}"
        elif other is not None and other != own:
            assert ROOMS.index(other) < ROOMS.index(own), f"imports {name} from a floor above"


def test_every_folder_is_a_room_with_a_floor():
    folders = {path.name for path in (ROOT / "sweep").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)


def test_nothing_imports_in_a_circle():
    edges = {module_of(path): set(imported(path)) - {module_of(path), "sweep"} for path in SOURCES}
    done = set()
    while ready := {name for name, others in edges.items() if name not in done and others <= done}:
        done |= ready
    assert not set(edges) - done, "in circles, or above one"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_hold_one_idea(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 420
    assert path.stem not in ("utils", "util", "helpers", "manager", "base", "common", "misc")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_untyped_dictionary_crosses_a_function(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            given = [node.returns, *(a.annotation for a in [*node.args.args, *node.args.kwonlyargs])]
            assert "dict[str, Any]" not in [ast.unparse(a) for a in given if a is not None], node.name


def test_listing_the_commands_loads_nothing_heavy():
    code = "import sys; from sweep.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint([m for m in ('numpy', 'dask', 'zarr', 'xarray', 'numba', 'scipy', 'distributed') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"
