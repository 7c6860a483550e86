"""A real SLURM of one node on this machine: jobs that are cancelled, that run out of time, that are refused."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import slurm_here
from support.bits import assert_same_bits
from support.bucket_life import bucket, live
from support.watching import PATIENCE, Portions, committed_points, wait_for, wait_for_tiles, write_spec

import sweep

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "slurm"
pytestmark = pytest.mark.integration

PROFILE = """
[slurm]
cores = 1
memory = "1GB"
interface = "lo"
jobs = {jobs}
walltime = "{walltime}"
margin = "{margin}"
stagger = "0s"
prologue = ["export TOY_COUNTER={counter}"]
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    pytest.importorskip("dask_jobqueue", reason="Python package dask-jobqueue is not installed: pip install '.[slurm]'")
    if why := slurm_here.missing():
        pytest.skip(why)
    with slurm_here.slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def on_slurm(slurm, spinsweep, tmp_path):
    """The command line where SLURM's commands work, and a way to write a profile."""
    spinsweep.environment |= slurm

    def profile(jobs=2, walltime="00:10:00", margin="1m"):
        path = tmp_path / "mine.toml"
        path.write_text(PROFILE.format(jobs=jobs, walltime=walltime, margin=margin, counter=tmp_path / "counter"))
        return path

    spinsweep.profile = profile
    spinsweep.points_solved = lambda: (tmp_path / "counter").read_text().splitlines()
    yield spinsweep
    for job in slurm_here.jobs(slurm):
        slurm_here.cancel(slurm, job)


def ended(process):
    _, err = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 0, err
    return err


def test_cancelled_job_is_replaced(on_slurm, slurm, quiet, tmp_path):
    """One of two jobs is cancelled in mid-run; another takes its place, and the bits are those of a local run."""
    write_spec(tmp_path)
    portions = Portions(on_slurm.environment, tmp_path / "far")
    portions.give_tiles(2, workers=2)
    run = on_slurm.start("run", "spec.toml", "--out", "far", "--cluster", on_slurm.profile())
    wait_for_tiles(tmp_path / "far", 2, run)
    before = slurm_here.jobs(slurm)
    assert len(before) == 2
    slurm_here.cancel(slurm, min(before))
    wait_for(lambda: slurm_here.jobs(slurm).keys() - before.keys(), "another job", run)
    portions.give_all()
    words = ended(run)
    assert "SLURM job" in words and "another one is submitted" in words
    wait_for(lambda: not slurm_here.jobs(slurm), "the end of all jobs")
    assert_same_bits(tmp_path / "far", quiet())


def test_run_in_a_bucket(on_slurm, slurm, quiet, tmp_path, monkeypatch):
    """The jobs find the credentials in the environment that SLURM hands on."""
    with bucket(on_slurm, monkeypatch) as address:
        live(on_slurm, quiet, address, tmp_path, "--cluster", str(on_slurm.profile()))
        wait_for(lambda: not slurm_here.jobs(slurm), "the end of all jobs")


def test_workers_leave_before_the_wall_time(on_slurm, slurm, tmp_path):
    """Workers that take tiles for a minute each: jobs come and go, and no tile is begun twice. They have minutes then to finish
    the one that they are at, and there is work for them until they have gone."""
    write_spec(tmp_path)
    portions = Portions(on_slurm.environment, tmp_path / "far")
    profile = on_slurm.profile(walltime="00:05:00", margin="4m")
    words = ("--set", "seconds=0.15", "--axis", "a=0:199:200", "--axis", "b=1.0")
    run = on_slurm.start("run", "spec.toml", *words, "--out", "far", "--cluster", profile)
    wait_for(portions.begun, "a point", run)
    before, given = slurm_here.jobs(slurm), 0
    while before.keys() & slurm_here.jobs(slurm).keys():
        given += 1
        portions.let(given)
        time.sleep(2.0)
    portions.give_all()
    assert "another one is submitted" in ended(run)
    assert len(on_slurm.points_solved()) == len(set(on_slurm.points_solved())) == 200


def test_wall_time_cuts_a_job_off(on_slurm, slurm, quiet, tmp_path):
    """Tiles that do not end, in jobs of one minute without a margin: SLURM ends them in mid-tile; the run goes on with new ones."""
    write_spec(tmp_path)
    portions = Portions(on_slurm.environment, tmp_path / "far")
    portions.give_tiles(2, workers=2)
    profile = on_slurm.profile(walltime="00:01:00", margin="0s")
    run = on_slurm.start("run", "spec.toml", "--out", "far", "--cluster", profile)
    wait_for_tiles(tmp_path / "far", 2, run)
    before = slurm_here.jobs(slurm)
    wait_for(lambda: not before.keys() & slurm_here.jobs(slurm).keys(), "the end of both jobs", run)
    portions.give_all()
    assert "another one is submitted" in ended(run)
    assert len(on_slurm.points_solved()) > 240, "no tile was cut off"
    assert_same_bits(tmp_path / "far", quiet())


def test_refused_jobs_and_a_check_of_one_worker(on_slurm, tmp_path, monkeypatch):
    """What SLURM says of a partition that it does not have is passed on; a profile that is well says so."""
    write_spec(tmp_path)
    profile = on_slurm.profile()
    done = on_slurm("cluster", "check", profile)
    assert done.returncode == 0, done.stdout + done.stderr
    for about in ("worker: after", "folder:", "model path: all", "code: the same", "clock: within"):
        assert f"ok    {about}" in done.stdout
    assert not list((tmp_path / "results").iterdir())
    profile.write_text(profile.read_text() + 'partition = "moon"\n')
    done = on_slurm("run", "spec.toml", "--cluster", profile)
    assert done.returncode == 5
    assert "SLURM refuses the jobs" in done.stderr and "invalid partition" in done.stderr


def test_jobs_that_end_at_once_end_the_run(on_slurm, tmp_path):
    write_spec(tmp_path)
    profile = on_slurm.profile()
    profile.write_text(profile.read_text() + 'python = "/no/such/python"\n')
    done = on_slurm("run", "spec.toml", "--cluster", profile)
    assert done.returncode == 5
    assert "before a worker of theirs connected" in done.stderr and "slurm-logs" in done.stderr


def test_everything_in_one_job(on_slurm, quiet, tmp_path):
    """`srun spinsweep run --cluster slurm-job`: a driver and two workers; the bits of a local run."""
    write_spec(tmp_path)
    words = [sys.executable, "-m", "sweep.cli", "run", "spec.toml", "--set", "seconds=0.05"]
    job = ["srun", "--ntasks=3", "--mem-per-cpu=1000", *words, "--out", "far", "--cluster", "slurm-job"]
    done = subprocess.run(
        job, cwd=tmp_path, env=on_slurm.environment, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("dashboard:") == 1, "one driver"
    assert not list(tmp_path.glob(".spinsweep-*"))
    assert_same_bits(tmp_path / "far", quiet())


def test_job_ends_in_time(on_slurm, tmp_path):
    """A job of one minute stops by itself before its wall time, and the next one goes on where it was: 48 tiles of a second,
    and a quarter of a minute is kept free."""
    write_spec(tmp_path)
    words = [sys.executable, "-m", "sweep.cli", "run", "spec.toml", "--set", "seconds=0.2", "--out", "far"]
    words += ["--axis", "a=0:47:48", "--axis", "b=0:1:5"]
    job = ["srun", "--ntasks=2", "--time=1", "--mem-per-cpu=1000", *words, "--cluster", "slurm-job"]
    done = subprocess.run(
        job, cwd=tmp_path, env=on_slurm.environment, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert "the time of the SLURM job is nearly up" in done.stderr
    assert done.returncode == 4, done.stderr
    done_before = committed_points(tmp_path / "far")
    assert 0 < done_before < 240
    assert on_slurm("resume", "far", "--workers", "2").returncode == 0
    assert committed_points(tmp_path / "far") == 240


@pytest.mark.parametrize("script", ["one_job.sh", "scheduler_file.sh"])
def test_scripts_that_are_shipped(on_slurm, quiet, tmp_path, script):
    """Each by sbatch as it is, but smaller; the bits of a local run."""
    write_spec(tmp_path)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, module in (("spinsweep", "sweep.cli"), ("dask", "dask")):
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        (commands / name).chmod(0o755)
    environment = {**on_slurm.environment, "PATH": f"{commands}:{on_slurm.environment['PATH']}"}
    words = [
        "sbatch",
        "--wait",
        "--ntasks=3",
        "--mem-per-cpu=1000",
        "--output=job.log",
        str(DEPLOY / script),
        "spec.toml",
        "far",
    ]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr + (tmp_path / "job.log").read_text()
    assert_same_bits(tmp_path / "far", quiet())


def test_submitted_run(on_slurm, slurm, tmp_path):
    """The driver is a process of its own, whose jobs compute and end with it."""
    write_spec(tmp_path)
    done = on_slurm("submit", "spec.toml", "--set", "seconds=0.02", "--out", "out", "--cluster", on_slurm.profile())
    assert done.returncode == 0 and "the machine has to stay on" in done.stderr, done.stderr
    wait_for(lambda: sweep.Run(tmp_path / "out").status().state == "complete", "the end of the run")
    wait_for(lambda: not slurm_here.jobs(slurm), "the end of the jobs")
