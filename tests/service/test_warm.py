"""`spinsweep warm`, and a cache that was made once and is only read."""

import json
import os
import re
import stat
import subprocess
import sys

import pytest

from solvers.testing import template

WORK = """
import json, sys
import solvers
from solvers.numerics import machine_code
from solvers.numerics.compile import counts

found = solvers.solve("collective_spin.steady_state", "twoqs", S=5.0, Omega=0.5, Gamma=1.0, trajectories=4, t_relax=1.0)
print(json.dumps([counts.compiled, counts.found, float(next(iter(found.values())).ravel()[0]).hex()]))
"""


def spinsweep(cache, *words):
    environment = os.environ | {"SPINSWEEP_CACHE_DIR": str(cache)}
    return subprocess.run(
        [sys.executable, "-m", "sweep", *words], env=environment, capture_output=True, text=True, check=False
    )


def work(*caches):
    environment = os.environ | {"SPINSWEEP_CACHE_DIR": os.pathsep.join(map(str, caches))}
    done = subprocess.run([sys.executable, "-c", WORK], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A cache that `warm` made, without the right to write."""
    cache = tmp_path_factory.mktemp("warm") / "shipped"
    done = spinsweep(cache, "warm", "collective_spin.steady_state", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 methods: ") and str(cache) in done.stdout
    assert "4/4 methods, " in done.stderr
    folders = [cache, *(path for path in cache.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    yield cache
    for folder in folders:
        folder.chmod(stat.S_IRWXU)


@pytest.mark.slow
def test_what_was_shipped_is_read_and_never_written(shipped, tmp_path):
    before = files(shipped)
    assert before
    compiled, found, _ = work(tmp_path / "own", shipped)
    assert (compiled, found > 0) == (0, True)
    assert not files(tmp_path / "own"), "nothing is copied"
    assert files(shipped) == before


def test_a_model_that_is_not_there(tmp_path):
    done = spinsweep(tmp_path, "warm", "spin_cat.lindblatt")
    assert done.returncode == 2 and "spin_cat.lindblad" in done.stderr


def test_an_example_that_fails_is_named(tmp_path, monkeypatch):
    text = template("broken_spin").replace("def solve(point):", "def solve(point):\n    raise OSError('no such dial')")
    (tmp_path / "broken_spin.py").write_text(text)
    monkeypatch.setenv("SPINSWEEP_MODEL_PATH", str(tmp_path))
    (name,) = re.findall(r'id="(broken_spin[.]\w+)"', text)
    done = spinsweep(tmp_path / "cache", "warm", name, "--quiet")
    assert done.returncode == 3
    assert (done.stdout, done.stderr) == ("", f"{name} exact: the example fails: OSError: no such dial\n")
