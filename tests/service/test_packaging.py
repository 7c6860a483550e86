"""What is handed out: a complete source distribution, and a wheel that runs away from the tree it was built in."""

import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from sweep.extras import EXTRA_OF
from sweep.results.export import NEEDS

ROOT = Path(__file__).resolve().parents[2]


def test_extras_are_those_of_the_project():
    """Every package that a message sends a user to an extra for is in that extra."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for package, extra in EXTRA_OF.items():
        assert any(line.startswith(package.replace("_", "-")) for line in extras[extra]), package
    assert {package for packages in NEEDS.values() for package in packages} <= set(EXTRA_OF)


def run(*words, cwd, **options):
    done = subprocess.run([str(w) for w in words], cwd=cwd, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.integration
def test_source_distribution_is_complete_and_its_wheel_runs_elsewhere(tmp_path):
    """Built from the tracked files in an environment of its own; the dependencies are those of this one."""
    tracked = run("git", "ls-files", cwd=ROOT).split()
    tree, venv = tmp_path / "tree", tmp_path / "venv"
    run("git", "clone", "-q", ROOT, tree, cwd=tmp_path)
    for name in tracked:  # as they are now
        (tree / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "venv", venv, cwd=tmp_path)
    python = venv / "bin" / "python"
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    run(python, "-m", "pip", "install", "-q", *build, "wheel", cwd=tmp_path)
    code = f"import setuptools.build_meta as b; print(b.build_sdist({str(tmp_path)!r}))"
    archive = tmp_path / run(python, "-c", code, cwd=tree).split()[-1]
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
        packed.extractall(tmp_path / "unpacked", filter="data")
    assert set(tracked) <= names
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", unpacked, cwd=tmp_path)
    installed = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    (installed / "zz_dependencies.pth").write_text("\n".join(p for p in sys.path if p.endswith("-packages")) + "\n")
    code = "import spinsweep, sweep, solvers; print(spinsweep.__file__, sweep.__file__, solvers.__file__)"
    assert run(python, "-I", "-c", code, cwd=tmp_path).count(str(installed)) == 3
    assert not (installed / "sweep" / "api" / "spinsweep").exists()
    spec = unpacked / "examples" / "quickstart.toml"
    axes = ["--axis", "eta=100,200", "--axis", "delta=0:0.08:3"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SPINSWEEP_CACHE_DIR": str(tmp_path / "cache")}
    run(venv / "bin" / "spinsweep", "run", spec, "--out", "quick", *axes, cwd=tmp_path, env=environment)
    code = "import spinsweep; print(int((spinsweep.open('quick').status == 1).sum()))"
    assert run(python, "-I", "-c", code, cwd=tmp_path).strip() == "6"
