"""Specs of toy sweeps, and `spinsweep` as a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.watching import PATIENCE, Process, write_spec

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def raw():
    """A small valid spec, fresh for every test."""
    return {
        "sweep": {"name": "toy", "model": "toy.waves", "method": "quick"},
        "parameters": {"N": 5, "times": [0.0, 1.0]},
        "axes": {"a": {"linspace": [0.0, 3.0, 7]}, "b": {"values": [0.1, 0.2, 0.4, 0.8]}},
    }


class Spinsweep:
    """Runs the command line in a process group of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = dict(os.environ)
        self.started = []

    def start(self, *words):
        process = Process(
            [sys.executable, "-m", "sweep.cli", *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def kill_all(self):
        """Leave nothing behind, however the test ended."""
        for process in self.started:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def __call__(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(words, process.returncode, out, err)


@pytest.fixture
def spinsweep(tmp_path):
    runner = Spinsweep(tmp_path)
    yield runner
    runner.kill_all()


@pytest.fixture(scope="session")
def quiet(tmp_path_factory):
    """The folder of an undisturbed run of what `write_spec` writes, by one process; made once for all tests."""
    made = {}

    def folder(kind="none", at=-1.0):
        if (kind, at) not in made:
            runner = Spinsweep(tmp_path_factory.mktemp("quiet"))
            write_spec(runner.folder, kind, at)
            runner.environment["TOY_GATE"] = str(runner.folder)  # is open
            done = runner("run", "spec.toml", "--out", "quiet", "--set", "seconds=0", "--cluster", "here")
            assert done.returncode == (3 if kind == "raise" else 0), done.stderr
            made[kind, at] = runner.folder / "quiet"
        return made[kind, at]

    return folder


@pytest.fixture
def cli():
    """Run a command in this process; for those that start no cluster."""
    from click.testing import CliRunner

    from sweep.cli import main

    def call(*words, status=0):
        done = CliRunner().invoke(main, [str(w) for w in words])
        assert done.exit_code in (status if isinstance(status, tuple) else (status,)), (done.output, done.exception)
        return done.output

    return call
