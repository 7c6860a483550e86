"""Workers of somebody else: none yet, some that cannot serve, some that come late; and clients that cannot be used."""

import asyncio
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from distributed import Client, LocalCluster
from support.bits import assert_same_bits
from support.toy_specs import faulty
from support.watching import PATIENCE, Portions, wait_for, wait_for_tiles

import sweep
from sweep.clusters.given import given
from sweep.errors import AbortedError, SpecError
from sweep.execution import crew as crew_module
from sweep.execution import driver as driver_module
from sweep.execution import launch
from sweep.execution.crew import Crew
from sweep.execution.messages import CannotServe, Job
from sweep.spec.parsing import parse


@contextlib.contextmanager
def scheduler(workers=0, **options):
    """A scheduler in this process, with so many workers in it."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            protocol="tcp://",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
            host="127.0.0.1",
            **options,
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        yield made, client


@contextlib.contextmanager
def worker_elsewhere(address, folder, **environment):
    """A worker process with an environment of its own."""
    words = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
        "--no-nanny",
    ]
    words += ["--local-directory", str(folder / "scratch")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    process = subprocess.Popen(words, env={**os.environ, **environment}, **quiet)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run(raw, out, client, said=None):
    said = said or io.StringIO()
    return launch.run(parse(raw), out, stream=said, cluster=contextlib.nullcontext(given(client))), said


@pytest.fixture
def quick_looks(monkeypatch):
    monkeypatch.setattr(driver_module, "_LOOK_SECONDS", 0.1)


def test_adaptive_cluster_at_no_worker_is_given_work_and_waited_for(raw, cluster, tmp_path):
    """It starts workers when there is work, and not before."""
    raw["run"] = {"tile": {"a": 1, "b": 4}}
    with scheduler() as (made, client):
        made.adapt(minimum=0, maximum=2, interval="50ms")
        result, said = run(raw, tmp_path / "adaptive", client)
    assert result.exit_status == 0
    assert f"waiting for workers of {made.scheduler_address}; the cluster has none yet" in said.getvalue()
    launch.run(parse(raw), tmp_path / "own", stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))
    assert_same_bits(tmp_path / "own", tmp_path / "adaptive")


def test_worker_that_cannot_serve_is_left_out_and_named(raw, tmp_path, quick_looks):
    """One lacks the model; the other one does everything."""
    raw["run"] = {"tile": {"a": 1, "b": 1}}
    with scheduler(1) as (made, client), worker_elsewhere(made.scheduler_address, tmp_path, SPINSWEEP_MODEL_PATH=""):
        client.wait_for_workers(2, timeout=PATIENCE)
        result, said = run(raw, tmp_path / "out", client)
    assert (result.exit_status, result.failed) == (0, 0), said.getvalue()
    assert "left out, because it cannot serve this run: tcp://127.0.0.1:" in said.getvalue()
    assert "toy.waves" in said.getvalue()


@pytest.mark.slow
def test_worker_that_joins_late_is_asked_as_well(tmp_path, quick_looks, monkeypatch):
    """What it took before it was asked goes to the others, and counts for no failure of the tiles."""
    raw = faulty("none", seconds=0.05, a=12, b=4, tile={"a": 1, "b": 4})
    raw["run"]["retries"] = 0
    environment, said = {}, io.StringIO()
    portions = Portions(environment, tmp_path / "out")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    portions.give_tiles(1, size=4)
    with scheduler(1) as (made, client), contextlib.ExitStack() as stack:

        def join():
            """When one tile of twelve is done; the others are not before it has been left out."""
            try:
                wait_for_tiles(tmp_path / "out", 1)
                stack.enter_context(worker_elsewhere(made.scheduler_address, tmp_path, SPINSWEEP_MODEL_PATH=""))
                wait_for(lambda: "left out" in said.getvalue(), "a worker that is left out")
            finally:
                portions.give_all()

        joining = threading.Thread(target=join)
        joining.start()
        result, _ = run(raw, tmp_path / "out", client, said)
        joining.join()
    assert (result.exit_status, result.failed) == (0, 0), said.getvalue()
    assert "left out" in said.getvalue()


def test_run_ends_where_nobody_can_serve(raw, tmp_path):
    with scheduler() as (made, client), worker_elsewhere(made.scheduler_address, tmp_path, SPINSWEEP_MODEL_PATH=""):
        client.wait_for_workers(1, timeout=PATIENCE)
        result, said = run(raw, tmp_path / "out", client)
    assert result.exit_status == 5
    assert "none of the 1 workers of tcp://127.0.0.1:" in result.sentence()
    assert "same spinsweep" in result.sentence() and "\n" not in result.sentence()
    assert "Traceback" not in said.getvalue()


# Who is in the crew


class Town:
    """Workers by name, and what each answers when it is asked."""

    place = "tcp://town:8786"

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def workers(self):
        return dict.fromkeys(self.answers, 2)

    def ask(self, worker, call, job, heard):
        self.asked.append(worker)
        if self.answers[worker] is not None:
            heard(worker, self.answers[worker])


def crew_of(town):
    said = []
    return Crew(town, Job("/runs/out", "id", "code"), said.append), said


def test_crew_is_whoever_can_serve():
    town = Town(a="host", b=CannotServe("no folder", "b"), c=ModuleNotFoundError("No module named 'sweep'"), d=None)
    crew, said = crew_of(town)
    crew.look(0.0)
    crew.look(0.1)
    assert town.asked == ["a", "b", "c", "d"]
    assert crew.unknown and crew.threads == 2 and not crew.hopeless
    assert list(crew.choice) == ["a", "d"]  # who has not answered may be given work
    assert len(said) == 2 and "b: no folder" in said[0] and "c: ModuleNotFoundError: No module named 'sweep'" in said[1]


def test_crew_without_anybody_left_out_is_open_to_all():
    crew, _ = crew_of(Town(a="host", b="host"))
    crew.look(0.0)
    crew.look(0.1)
    assert crew.choice is None and not crew.unknown and crew.threads == 4


def test_crew_asks_again_after_a_while():
    """A file system that was not mounted may be by then."""
    town = Town(a="host", b=CannotServe("no folder", "b"))
    crew, said = crew_of(town)
    for now in (0.0, 0.1, 30.0):
        crew.look(now)
    assert town.asked == ["a", "b"]
    town.answers["b"] = "host"
    for now in (crew_module.AGAIN_SECONDS + 1, crew_module.AGAIN_SECONDS + 2):
        crew.look(now)
    assert crew.choice is None and crew.threads == 4
    assert said[-1] == "b can serve this run now"


def test_crew_of_none_is_hopeless_only_when_all_have_answered():
    town = Town(a=CannotServe("no folder", "a"), b=None)
    crew, _ = crew_of(town)
    crew.look(0.0)
    crew.look(0.1)
    assert crew.hopeless == ""
    town.answers["b"] = TimeoutError()
    del town.answers["b"]  # it has gone
    crew.look(0.2)
    assert "none of the 1 workers of tcp://town:8786 can serve this run: no folder" in crew.hopeless
    town.answers.clear()
    crew.look(0.3)
    assert crew.hopeless == ""  # nobody is there: somebody may come


def test_many_workers_with_one_reason_are_one_line():
    crew, said = crew_of(Town(**{f"w{k}": CannotServe("no folder") for k in range(50)}))
    crew.look(0.0)
    crew.look(0.1)
    (line,) = said
    assert "w0, w1, w2 and 47 more: no folder" in line


# Clients


def test_clients_that_cannot_be_used_are_refused_in_a_sentence(tmp_path):
    toy = sweep.Sweep(model="toy.waves", axes={"a": [0.1, 0.2]})
    with scheduler() as (made, client):

        async def inside():
            async with Client(made.scheduler_address, asynchronous=True, set_as_default=False) as other:
                with pytest.raises(SpecError, match="the client is asynchronous, and a sweep waits"):
                    toy.run(client=other, store=tmp_path / "out")

        asyncio.run(inside())
        client.close()
        with pytest.raises(SpecError, match="the client is closed: give one that is connected"):
            toy.run(client=client, store=tmp_path / "out")
        with pytest.raises(SpecError, match=r"must be a distributed.Client.*given was a LocalCluster"):
            toy.run(client=made, store=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Addresses and scheduler files


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tcp://127.0.0.1", "a host, a colon and a port"),
        ("tcp://127.0.0.1:x", "a host, a colon and a port"),
        ("tcp://127.0.0.1:99999", "a host, a colon and a port"),
        ("tcp://:8786", "a host, a colon and a port"),
        ("tcp://", "a host, a colon and a port"),
        ("tcp://::1:8786", "a host, a colon and a port"),
        ("tls://127.0.0.1:9", "needs --tls-ca and --tls-cert"),
    ],
)
def test_addresses_that_are_none(name, words, cli, tmp_path):
    (tmp_path / "spec.toml").write_text('[sweep]\nmodel = "toy.waves"\n[axes]\na = [0.1, 0.2]\n')
    said = cli("run", tmp_path / "spec.toml", "--out", tmp_path / "out", "--cluster", name, status=2)
    assert words in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{}", "'address' is missing"),
        (b"[1", "is not a scheduler file"),
        (b"[]", "is not a scheduler file"),
        (b'{"address": 5}', "address must begin with tcp:// or tls://; given was 5"),
        (b'{"address": "inproc://1/2"}', "address must begin with tcp:// or tls://"),
        (b'{"address": "tcp://10.0.0.1"}', "a host, a colon and a port"),
        (b"\xff\xfe\x00", "is not a scheduler file"),
        (b"[" * 100_000, "is not a scheduler file"),
        (None, "is a pipe or a device"),
    ],
    ids=range(9),
)
def test_scheduler_files_that_are_none(content, words, cli, tmp_path):
    (tmp_path / "spec.toml").write_text('[sweep]\nmodel = "toy.waves"\n[axes]\na = [0.1, 0.2]\n')
    file = tmp_path / "scheduler.json"
    if content is None:
        os.mkfifo(file)
    else:
        file.write_bytes(content)
    said = cli("run", tmp_path / "spec.toml", "--out", tmp_path / "out", "--cluster", file, status=2)
    assert words in said and said.count("\n") == 1


def test_what_answers_and_is_no_scheduler(tmp_path, monkeypatch):
    from sweep.clusters import greeting

    monkeypatch.setattr(greeting, "_GREET_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(AbortedError, match="nobody answers as a scheduler does"):
            greeting.greet(address)
        silent.accept()[0].close()
        monkeypatch.setattr(greeting, "_GREET_SECONDS", PATIENCE)
        threading.Thread(target=lambda: silent.accept()[0].close(), daemon=True).start()
        with pytest.raises(AbortedError, match="is no Dask scheduler, or one of TLS"):
            greeting.greet(address)
    with pytest.raises(AbortedError, match=r"no scheduler answers at tcp://nowhere.invalid:8786"):
        greeting.greet("tcp://nowhere.invalid:8786")


def test_scheduler_file_with_a_sound_address_is_read(tmp_path):
    from sweep.clusters.address import address_of

    (tmp_path / "s.json").write_text(json.dumps({"address": "tcp://[::1]:8786"}))
    assert address_of(str(tmp_path / "s.json")) == "tcp://[::1]:8786"
