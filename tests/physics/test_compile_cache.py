"""The compile cache: kept between processes, never stale, and no business of the user's own functions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import solvers
from solvers.numerics import machine_code

CALLEE = """from solvers.numerics.compile import kernel


@kernel
def callee(x):
    return FACTOR * x
"""
CALLER = """from solvers.numerics.compile import entry
from solvers.numerics.probe_callee import callee


@entry
def caller(x):
    return callee(x) + 1.0
"""
USER = """import numba


@numba.njit(cache=True)
def mine(x):
    return x + 2.0
"""
SCRIPT = """import warnings
warnings.simplefilter("error")
from solvers.numerics.probe_caller import caller
import user_module
print(caller(3.0), user_module.mine(3.0))
print(sum(caller.stats.cache_hits.values()), sum(caller.stats.cache_misses.values()))
print(sum(user_module.mine.stats.cache_hits.values()), sum(user_module.mine.stats.cache_misses.values()))
print(user_module.mine.stats.cache_path)
"""


class Copy:
    """A copy of the package with two more modules, and a user's own module beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        source = Path(solvers.__file__).parent
        shutil.copytree(source, folder / "solvers", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "solvers/numerics/probe_caller.py").write_text(CALLER)
        (folder / "user_module.py").write_text(USER)

    def run(self, factor: float) -> list[str]:
        (self.folder / "solvers/numerics/probe_callee.py").write_text(CALLEE.replace("FACTOR", str(factor)))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
        environment |= {"SPINSWEEP_CACHE_DIR": str(self.folder / "cache"), "PYTHONPATH": str(self.folder)}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("package"))


EDITED = """import os, sys, warnings
from pathlib import Path
warnings.simplefilter("error")
from solvers.numerics.probe_caller import caller
source = Path("solvers/numerics/probe_callee.py")
source.write_text(source.read_text().replace("20.0", "30.0"))
print(caller(3.0))
"""


def test_what_was_edited_while_a_process_ran_is_not_kept_as_its_code(copy: Copy) -> None:
    (copy.folder / "solvers/numerics/probe_callee.py").write_text(CALLEE.replace("FACTOR", "20.0"))
    environment = os.environ | {"SPINSWEEP_CACHE_DIR": str(copy.folder / "cache"), "PYTHONPATH": str(copy.folder)}
    command = [sys.executable, "-c", EDITED]
    done = subprocess.run(command, cwd=copy.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["61.0"], "what was imported"
    assert copy.run(30.0)[0] == "91.0 5.0", "what is written there now"


def test_cache_between_processes(copy: Copy) -> None:
    values, ours, users, where = copy.run(2.0)
    assert values == "7.0 5.0"
    assert ours == "0 1", "the first process compiles"
    assert where == str(copy.folder / "__pycache__"), "a user's function is kept where Numba puts it"

    values, ours, users, _ = copy.run(2.0)
    assert values == "7.0 5.0"
    assert ours == "1 0", "the second process loads"
    assert users == "1 0", "so does the user's own function"

    values, ours, users, _ = copy.run(10.0)
    assert values == "31.0 5.0", "an edited callee in another file is seen"
    assert ours == "0 1"
    assert users == "1 0", "and the user's function is not compiled again for it"

    values, ours, _, _ = copy.run(2.0)
    assert values == "7.0 5.0"
    assert ours == "1 0", "going back to the old sources finds their machine code again"


BOTH = """import sys
from solvers.numerics.probe_caller import caller
print(*(repr(caller(kind(7.0))) for kind in {"float": [float], "int": [int], "both": [float, int]}[sys.argv[1]]))
print(sum(caller.stats.cache_misses.values()))
"""


def test_two_processes_that_add_argument_types_at_a_time(copy: Copy, tmp_path: Path) -> None:
    """Numba's index of one function would let the later of two writers put its code under the other's types."""
    (copy.folder / "solvers/numerics/probe_callee.py").write_text(CALLEE.replace("FACTOR", "2"))
    environment = os.environ | {"SPINSWEEP_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(copy.folder)}

    def start(which: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BOTH, which]
        return subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=subprocess.PIPE, text=True)

    processes = [start(which) for which in ("float", "int", "float", "int")]
    said = [process.communicate()[0].splitlines()[0] for process in processes]
    assert said == ["15.0"] * 4, "x + 1.0 is a float for both"
    assert start("both").communicate()[0].splitlines()[1] == "0", "both are found"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2, "one file per argument types, nothing partial left"


def test_only_folders_of_ours_are_removed_when_they_are_old(tmp_path: Path) -> None:
    old = ["0123456789abcdef", "68021a887bddb4d09c851368", "thesis", "0123456789abcdeg"]
    for name in old:
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0))
    command = [sys.executable, "-c", "from solvers.numerics.machine_code import cache_directory; cache_directory()"]
    subprocess.run(command, env=os.environ | {"SPINSWEEP_CACHE_DIR": str(tmp_path)}, check=True)
    assert {name for name in old if (tmp_path / name).exists()} == {"thesis", "0123456789abcdeg"}


def test_what_is_damaged_counts_as_absent(tmp_path: Path) -> None:
    """Cut short, empty, changed in one byte, or under the name of another: the next folder serves, or none."""
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for folder in (own, shipped):
        machine_code.write(folder, "key", folder.name)
    machine_code.write(own, "other", "not asked for")
    mine, other = (own / _name(tmp_path / "names", key) for key in ("key", "other"))
    whole = mine.read_bytes()
    assert list(machine_code.read((own, shipped), "key")) == ["own", "shipped"]
    for content in (whole[:-1], b"", whole[:-1] + bytes([whole[-1] ^ 1]), other.read_bytes()):
        mine.write_bytes(content)
        assert list(machine_code.read((own, shipped), "key")) == ["shipped"]
    mine.unlink()
    assert list(machine_code.read((own,), "key")) == []


def _name(folder: Path, key: str) -> str:
    """The name of the file that writing under a key makes."""
    machine_code.write(folder, key, None)
    (file,) = folder.iterdir()
    file.unlink()
    return file.name


def test_code_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(machine_code.CacheNotWritten, match="every process compiles it again"):
        machine_code.write(tmp_path / "file" / "folder", "key", 1)
