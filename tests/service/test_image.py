"""The image of deploy/docker where no engine runs: its Dockerfile, instruction by instruction, in a Debian root folder.

The kernels are not compiled ahead here (`spinsweep warm`), and the stage for other processors is left out.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sweep

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
pytestmark = pytest.mark.integration
PYTHON_OF_DEBIAN = {(3, 11): "bookworm", (3, 13): "trixie"}
"""The base image has the Python of one of Debian's releases; wheels that this Python fetches fit it then."""


def missing():
    """Why this machine cannot have one; empty where it can."""
    if shutil.which("debootstrap") is None:
        return "Debian package debootstrap is not installed: apt-get install debootstrap"
    if os.geteuid() != 0:
        return "debootstrap and chroot need root"
    if sys.version_info[:2] not in PYTHON_OF_DEBIAN:
        return f"no release of Debian has Python {sys.version_info[0]}.{sys.version_info[1]}"
    return ""


def instructions():
    """(word, rest) of the stages that make the image, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    lines = [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line and not line.startswith("#")]
    found, stage = [], ""
    for word, rest in lines:
        if word == "FROM":
            stage = rest.partition(" AS ")[2]
        if stage != "portable":
            found.append((word, rest))
    return found


def test_dockerfile_uses_what_is_tried_here():
    words = {word for word, _ in instructions()}
    assert words == {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "HEALTHCHECK", "CMD"}
    bases = {rest.split()[0] for word, rest in instructions() if word == "FROM"}
    (base,) = bases - {"base"}
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", base)


class Image:
    """A root folder in which instructions are carried out; both stages share it, so that what one copies from the other is
    there already."""

    def __init__(self, root):
        self.root = root
        self.folder = "/"
        self.user = []
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "/wheels",
        }

    def run(self, *command, timeout=3600):
        words = ["chroot", *self.user, str(self.root), "sh", "-c", f'cd {self.folder} && exec "$@"', "sh", *command]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{command}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def carry_out(self, word, rest):
        match word:
            case "WORKDIR":
                self.folder = rest
                (self.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY" if not rest.startswith("--from"):
                *names, to = rest.split()
                place = self.root / self.folder.lstrip("/") / to
                for name in names:
                    if (ROOT / name).is_dir():
                        shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
                    else:
                        shutil.copy(ROOT / name, place)
            case "RUN" if "spinsweep warm" not in rest:
                self.run("sh", "-c", rest)
            case "ENV":
                for one in shlex.split(rest):
                    name, _, value = one.partition("=")
                    self.environment[name] = value.replace("$PATH", self.environment["PATH"])
            case "USER":
                self.user = [f"--userspec={rest}"]


def test_image_built_and_used_in_a_root_folder(tmp_path):
    if why := missing():
        pytest.skip(why)
    root = tmp_path / "root"
    release = PYTHON_OF_DEBIAN[sys.version_info[:2]]
    words = ["debootstrap", "--variant=minbase", "--include=python3,python3-venv", release, str(root)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode:
        pytest.skip(f"Debian cannot be fetched: {done.stdout[-300:]}")
    wheels = [sys.executable, "-m", "pip", "download", "-q", "-d", str(root / "wheels"), "--only-binary", ":all:"]
    done = subprocess.run(
        [*wheels, "pip", "setuptools>=77", "setuptools-scm>=8", *_required()],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the required packages cannot be fetched: {done.stderr[-300:]}")
    (root / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")
    image = Image(root)
    (root / "dev" / "shm").mkdir(exist_ok=True)
    (root / "dev" / "shm").chmod(0o1777)  # an engine mounts a memory of its own there
    subprocess.run(["mount", "-t", "proc", "proc", str(root / "proc")], check=True)
    try:
        for word, rest in instructions():
            image.carry_out(word, rest)
        (check,) = (rest for word, rest in instructions() if word == "HEALTHCHECK")
        assert image.run(*re.findall(r'"([^"]*)"', check.partition("CMD")[2])).startswith("spinsweep")
        shutil.copy(ROOT / "examples" / "quickstart.toml", root / "tmp")
        image.run("spinsweep", "run", "/tmp/quickstart.toml", "--out", "/data/quickstart", "--workers", "1")
        image.run("spinsweep", "plot", "/data/quickstart")
    finally:
        subprocess.run(["umount", str(root / "proc")], check=True)
    assert (root / "data" / "quickstart").stat().st_uid == 10001
    data = sweep.open(root / "data" / "quickstart")
    assert bool(data.status.isin([1, 3]).all())
    assert list((root / "data" / "quickstart" / "plots").glob("*.png"))


def _required():
    """What the image installs, as pyproject.toml has it."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (line,) = (rest for word, rest in instructions() if word == "RUN" and "pip install" in rest)
    extras = re.search(r"'\.\[([\w,]+)\]'", line)[1].split(",")
    return [*project["dependencies"], *(p for extra in extras for p in project["optional-dependencies"][extra])]
