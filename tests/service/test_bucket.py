"""Runs in a bucket of a local S3 server: their whole life, two drivers at once, and a store that is busy, slow and silent."""

import base64
import io
import json
import logging
import pickle
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import bucket_here
from support.bits import assert_same_bits
from support.dask_processes import start_dask
from support.toy_specs import faulty
from support.watching import PATIENCE, wait_for, write_spec

import sweep
from sweep.errors import RunError, SpecError
from sweep.execution import launch
from sweep.folder import journal, segments, submission
from sweep.folder.bucket import BucketDisk, disk_of
from sweep.folder.journal import JournalEntry
from sweep.folder.lease import TAKEN_OVER, Lease
from sweep.folder.places import BucketPath, in_bucket, place
from sweep.folder.run_folder import RunFolder
from sweep.pictures.page.site import Site
from sweep.results.verify import verify
from sweep.spec.parsing import parse

pytest.importorskip("obstore", reason="Python package obstore is not installed: pip install '.[s3]'")
pytest.importorskip("moto", reason="Python package moto is not installed: pip install 'moto[server]'")
HERE = launch.Options(cluster="here")


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with bucket_here.s3_server() as address:
        yield address


@pytest.fixture
def proxy(server, monkeypatch):
    """Between this process and the server; faultless until it is told otherwise."""
    with bucket_here.Proxy(server) as between:
        bucket_here.set_environment(monkeypatch, between.address)
        yield between


@pytest.fixture
def root(proxy, request):
    """A place in the bucket for one test."""
    return f"s3://{bucket_here.BUCKET}/{request.node.name.replace('[', '-').replace(']', '')}"


@pytest.fixture
def remote(spinsweep, proxy):
    """The command line with the bucket in its environment."""
    spinsweep.environment |= bucket_here.environment(proxy.address)
    return spinsweep


def run(raw, out, options=HERE):
    said = io.StringIO()
    return launch.run(parse(raw), place(out), options, said), said.getvalue()


def listings(proxy):
    return [path for _, path in proxy.asked if "list-type" in path]


def objects(server, out, below=""):
    """Key after that of the run -> content."""
    prefix = place(out).key + "/"
    return {key.removeprefix(prefix): v for key, v in bucket_here.contents(server, prefix + below).items()}


def lines(server, out):
    """The journal's."""
    return b"".join(content for _, content in sorted(objects(server, out, "meta/journal.jsonl").items())).splitlines()


def tiles_of(server, out):
    """The tiles in the journal, in its order."""
    return [json.loads(line)["tile"] for line in lines(server, out) if not line.startswith(b"#")]


# Addresses


def test_addresses_are_paths():
    path = place("s3://bucket/some/run")
    assert str(path / "meta" / "plan.json") == "s3://bucket/some/run/meta/plan.json"
    assert (path.bucket, path.key, path.name) == ("bucket", "some/run", "run")
    assert str(path.parent) == "s3://bucket/some" and path.resolve() == path.absolute() == path
    assert place(Path("s3://bucket/some/run")) == path, "pathlib swallows a slash"
    assert pickle.loads(pickle.dumps(path)) == path and in_bucket(path.with_name("other"))
    assert place("results/a") == Path("results/a") and not in_bucket(place("c:/x"))
    with pytest.raises(RunError, match="in a bucket; this needs a folder of a file system"):
        open(path / "x")  # noqa: SIM115


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("s3://KEY:SECRET@bucket/run", "has no credentials in it"),
        ("gs://bucket/run", "gs:// cannot hold a run"),
        ("s3://Bucket_/run", "s3://BUCKET/NAME; given was"),
        ("s3://bucket/../run", "s3://BUCKET/NAME; given was"),
    ],
)
def test_addresses_that_are_refused(given, words):
    with pytest.raises(SpecError, match=words) as caught:
        place(given)
    assert "SECRET" not in str(caught.value)


# Files that grow, and the lease


def test_two_writers_of_a_journal(root, proxy):
    """The number is taken for one of them, who is told so; nothing of the other's arrives."""
    path = place(root) / "journal.jsonl"
    first, second = (journal.Writer(path, BucketDisk(path.bucket)) for _ in range(2))
    assert first.append([JournalEntry(0, codes="1")])
    assert not second.append([JournalEntry(1, codes="1")]) and not second.append([JournalEntry(2, codes="1")])
    assert first.append([JournalEntry(3, codes="1")])
    disk = disk_of(path.bucket)
    assert sorted(journal.latest(path, disk)) == [0, 3]
    journal.fence(path, BucketDisk(path.bucket))
    assert not first.append([JournalEntry(4, codes="1")])
    assert sorted(journal.latest(path, disk)) == [0, 3]
    assert not listings(proxy)


@pytest.mark.parametrize("fault", ["silent", "lost", "busy"])
def test_append_whose_answer_is_lost_is_no_other_writer(root, proxy, fault):
    path = place(root) / "journal.jsonl"
    writer = journal.Writer(path, disk_of(path.bucket))
    proxy.fault = lambda method, where, number: fault if method == "PUT" and len(proxy.befell) < 2 else ""
    assert writer.append([JournalEntry(0, codes="1")]) and writer.append([JournalEntry(1, codes="1")])
    assert proxy.befell == [fault] * 2
    assert sorted(journal.latest(path, disk_of(path.bucket))) == [0, 1]


def test_long_journal_is_read_in_few_requests(root, proxy, monkeypatch):
    monkeypatch.setattr(segments, "BLOCK", 8)
    path = place(root) / "journal.jsonl"
    writer = journal.Writer(path, disk_of(path.bucket))
    for tile in range(100):
        assert writer.append([JournalEntry(tile, codes="1")])
    before = len(proxy.asked)
    assert list(journal.latest(path, BucketDisk(path.bucket))) == list(range(100))
    assert len(proxy.asked) - before < 50
    late = BucketDisk(path.bucket)
    late.append(path, b'{"tile": 100, "codes": "1"}\n')
    assert not writer.append([JournalEntry(101, codes="1")])
    assert list(journal.latest(path, late)) == list(range(101))


def test_lease_that_was_replaced_while_we_looked(root, monkeypatch):
    """Between the look and the renewal another driver puts its own there: the condition of the writing tells."""
    folder = RunFolder(place(root))
    with Lease(folder.lease, host=folder.host) as lease, Lease(folder.lease, break_it=True, host=folder.host) as other:
        assert other.held() and other.taken_over
        monkeypatch.setattr("sweep.folder.lease.holder", lambda *_: lease._content())  # what it saw before
        version = folder.disk.version(folder.lease)
        monkeypatch.setattr(type(folder.disk), "version", lambda *_: '"older"')
        lease._beat()
        assert lease.lost.is_set() and lease.why == TAKEN_OVER
        monkeypatch.undo()
        assert folder.disk.version(folder.lease) == version and other.held()


# Whole runs


def test_life_of_a_run(root, proxy, server, cli, tmp_path, monkeypatch):
    """Created, stopped, resumed, looked at, damaged, repaired: the bits of a run on a disk; the bucket is listed by `list` alone."""
    monkeypatch.chdir(tmp_path)
    raw = faulty("raise")
    assert run(raw, tmp_path / "near")[0].exit_status == 3
    result, said = run(raw, root)
    assert result.exit_status == 3 and root in said
    assert_same_bits(root, tmp_path / "near")
    assert run(raw, root)[0].done == 60, "a complete run is continued: nothing to do"
    assert "points   60 of 60 done (100 %), 6 failed" in cli("status", root)
    assert "6 points" in cli("errors", root)
    assert cli("plot", root).strip() == f"plots/{place(root).name}/sum.png" and Path("plots").is_dir()
    cli("export", root, "out.nc")
    assert "no driver is working on" in cli("cancel", root, status=2)
    store = place(root) / "data.zarr"
    disk_of(store.bucket).write(store / "sum/c/0/0", b"damage")
    disk_of(store.bucket).remove(store / "sum/zarr.json")
    verdict = verify(RunFolder(place(root)))
    assert verdict.damaged_files == ("sum/zarr.json",)
    cli("verify", root, "--repair")
    assert_same_bits(root, tmp_path / "near")
    assert not listings(proxy)
    assert f"{root}  complete  60/60 points, 6 failed" in cli("list", Path(root).parent)
    assert "is in a bucket, where a run cannot be moved" in refused(run, raw, root, launch.Options(overwrite=True))
    raw["axes"]["a"] = {"linspace": [0.0, 10.0, 11]}
    assert "is in a bucket, where a run cannot be extended" in refused(run, raw, root)
    for key, content in objects(server, root).items():
        assert bucket_here.SECRET.encode() not in content and bucket_here.IDENTITY.encode() not in content, key


def refused(call, *given):
    with pytest.raises(RunError) as caught:
        call(*given)
    return str(caught.value)


def test_refined_run(root, tmp_path):
    raw = {
        "sweep": {"model": "toy.disc"},
        "axes": {name: {"linspace": [0.0, 1.0, 9]} for name in ("a", "b")},
        "refine": {"depth": 2, "outputs": ["inside"]},
    }
    assert run(raw, root)[0].exit_status == run(raw, tmp_path / "near")[0].exit_status == 0
    assert_same_bits(root, tmp_path / "near")


def test_copy_whose_journal_is_joined_is_a_run_folder(root, server, tmp_path):
    """As deploy/docs/clusters.md says."""
    run(faulty("raise"), root)
    for key, content in objects(server, root).items():
        path = tmp_path / "copy" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name in ("journal.jsonl", "errors.jsonl"):
        words = f"cd {tmp_path}/copy/meta && cat {name}/0* > joined && rm -r {name} && mv joined {name}"
        subprocess.run(["sh", "-c", words], check=True)
    assert_same_bits(tmp_path / "copy", root)
    found = sweep.Run(tmp_path / "copy")
    assert found.status().failed == 6 and found.errors()[0].count == 6
    assert not verify(found.folder).problems


@pytest.mark.slow
def test_check_of_a_cluster_tries_the_bucket(remote, root):
    """A worker reads what is written here, and the other way round."""
    done = remote("cluster", "check", "local", "--out", root)
    assert done.returncode == 0 and f"ok    folder: {root} on" in done.stdout, done.stdout + done.stderr


def test_from_python(root, tmp_path):
    grid = {"a": [0.0, 1.0, 2.0], "b": [0.1, 0.2]}
    data = sweep.Sweep(model="toy.waves", axes=grid, parameters={"times": [0.0, 1.0]}).run(store=root, quiet=True)
    assert int((data.status == 1).sum()) == 6
    found = sweep.Run(root)
    assert found.status().state == "complete" and found.point(a=1.0, b=0.2).solve()
    assert_same_bits(f"{root}/data.zarr", root)


def test_array_files_are_kept_in_the_bucket(root, tmp_path):
    np.save(tmp_path / "times.npy", np.linspace(0.0, 2.0, 5))
    raw = {
        "sweep": {"model": "toy.waves"},
        "parameters": {"times": str(tmp_path / "times.npy")},
        "axes": {"a": [0.0, 1.0], "b": [0.1, 0.2]},
    }
    assert run(raw, root)[0].exit_status == 0
    (tmp_path / "times.npy").unlink()
    assert sweep.Run(root).plan.spec.parameters["times"].shape == (5,)


def test_failure_is_repeated_from_the_bucket(root, tmp_path, cli):
    """The command that `errors` gives names arrays that lie there."""
    np.save(tmp_path / "weights.npy", np.array([[1.0, 0, 0], [0, 0, 0], [0, 2.0, 0]]))
    raw = {"sweep": {"model": "toy.weighted"}, "axes": {"weights": str(tmp_path / "weights.npy")}}
    assert run(raw, root)[0].exit_status == 3
    (group,) = sweep.Run(root).errors()
    words = shlex.split(group.command)
    assert words[-1].startswith(f"weights={root}/meta/arrays/") and words[-1].endswith(".npy[1]")
    assert "nan" in cli(*words[1:], status=3)
    other = [*words[1:-1], words[-1].replace("[1]", "[2]")]
    assert cli(*other).startswith("mean")
    with pytest.raises(AssertionError, match=r"cannot be read: there is no such object"):
        cli(*words[1:-1], words[-1].replace("/arrays/", "/nowhere/"))


@pytest.mark.slow
def test_store_that_is_busy_slow_and_silent(root, proxy, tmp_path, monkeypatch):
    """Of every ten requests one is refused, one dropped before and one after it was heard, one delayed."""
    monkeypatch.setattr("sweep.folder.objects.FIRST_SECONDS", PATIENCE)
    monkeypatch.setattr("sweep.folder.objects.PATIENCE_SECONDS", PATIENCE)
    raw = faulty("raise", a=10, tile={"a": 1, "b": 6})
    assert run(raw, tmp_path / "near")[0].exit_status == 3
    faults = {1: "busy", 3: "lost", 5: "silent", 7: 0.05}
    proxy.fault = lambda method, path, number: faults.get(number % 10, "")
    result, _ = run(raw, root)
    proxy.fault = lambda *_: ""
    assert result.exit_status == 3 and {"busy", "lost", "silent", 0.05} <= set(proxy.befell)
    assert_same_bits(root, tmp_path / "near")
    assert not verify(RunFolder(place(root))).problems


@pytest.mark.slow
def test_store_that_ends_in_mid_run(root, proxy, server, tmp_path, monkeypatch):
    """The run ends, says why and how to go on; what was committed stays."""
    monkeypatch.setattr("sweep.folder.objects.PATIENCE_SECONDS", 0.5)
    raw = faulty("none", tile={"a": 1, "b": 6}, seconds=0.02)
    monkeypatch.setattr("sweep.execution.commits.SHARE", 1.0)
    monkeypatch.setattr("sweep.execution.commits.GROUP_SECONDS", 0.0)
    proxy.fault = lambda method, path, number: "busy" if "0000000002" in path else ""
    result, said = run(raw, root)
    assert result.exit_status == 5 and "the object store answers 503 Service Unavailable (SlowDown)" in said
    proxy.fault = lambda *_: ""
    committed = sweep.Run(root).status().done
    assert 0 < committed < 60
    solved = len(lines(server, root))
    assert launch.resume(place(root), HERE, io.StringIO()).exit_status == 0
    tiles = tiles_of(server, root)
    assert len(tiles) == len(set(tiles)) == 10 and solved == committed // 6


# Being refused


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bucket": "no-such-bucket-here"}, "there is no such bucket"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "the object store does not answer"),
    ],
)
def test_what_cannot_be_reached(root, monkeypatch, change, words):
    monkeypatch.setattr("sweep.folder.objects.FIRST_SECONDS", 0.2)
    out = root.replace(bucket_here.BUCKET, change.pop("bucket", bucket_here.BUCKET))
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    text = refused(run, faulty("none"), out)
    assert words in text and out in text and bucket_here.IDENTITY not in text


def test_refused_credentials_are_not_repeated(root, proxy):
    """A store names the identity in its answer; our words do not."""
    proxy.answers = (
        403,
        f"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{bucket_here.IDENTITY}</AWSAccessKeyId></Error>",
    )
    text = refused(run, faulty("none"), root)
    assert "the credentials are refused (InvalidAccessKeyId)" in text and bucket_here.IDENTITY not in text


def test_store_without_conditions_is_refused(root, proxy):
    proxy.drop_headers = ("if-none-match",)
    assert "does not keep to conditions of writing" in refused(run, faulty("none"), root)
    assert not [path for _, path in proxy.asked if "plan.json" in path and "PUT" in path]


def test_credentials_of_a_profile(root, server, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = one\naws_secret_access_key = two\n")
    (tmp_path / "config").write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = http://{server}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert run(faulty("none"), root)[0].exit_status == 0
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server}")
    assert pickle.dumps(disk_of("bucket-x")).count(b"AWS") == 0


def test_credentials_that_a_profile_gets_elsewhere(root, server, tmp_path, monkeypatch):
    """By a program here; roles and SSO are boto3's in the same way."""
    pytest.importorskip("boto3", reason="Python package boto3 is not installed: pip install boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name)
    helper = tmp_path / "helper.sh"
    keys = {"Version": 1, "AccessKeyId": "one", "SecretAccessKey": bucket_here.SECRET}
    helper.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\necho '{json.dumps(keys)}'\n")
    helper.chmod(0o755)
    entries = f"region = us-east-1\nendpoint_url = http://{server}\ncredential_process = {helper}\n"
    (tmp_path / "config").write_text(f"[profile lab]\n{entries}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert run(faulty("none"), root)[0].exit_status == 0
    assert (tmp_path / "asked").exists()
    helper.write_text(f"#!/bin/sh\necho {bucket_here.SECRET} >&2\nexit 1\n")
    monkeypatch.setenv("AWS_SECOND", "so that the store is opened anew")
    words = refused(run, faulty("none"), root)
    assert "profile 'lab' gives no credentials by its credential_process" in words and bucket_here.SECRET not in words
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setenv("AWS_SECOND", "and again")
    assert "boto3 is needed: " in (told := refused(run, faulty("none"), root))
    assert "[s3-profiles]'" in told


# Processes that die


@pytest.fixture
def waiting(remote, server, root, tmp_path):
    """A run on two workers of which the last tile waits at a gate: its process, once so many tiles are committed; the gate."""
    write_spec(tmp_path, "gate", at=11.0)
    gate = tmp_path / "gate"
    remote.environment["TOY_GATE"] = str(gate)

    def start(count):
        process = remote.start("run", "spec.toml", "--out", root, "--workers", "2")
        wait_for(lambda: len(lines(server, root)) >= count, f"{count} tiles", process)
        return process

    return start, gate


@pytest.mark.faults
def test_killed_and_resumed(remote, root, server, waiting, quiet):
    """kill -9 in mid-run with two workers; a second driver is refused before; resumed, the bits are those of a disk."""
    start, gate = waiting
    first = start(2)
    done = remote("resume", root)
    assert done.returncode == 2 and "another driver is working on" in done.stderr
    first.kill()
    first.communicate()
    before = set(tiles_of(server, root))
    assert 2 <= len(before) < 12
    gate.touch()
    done = remote("resume", root, "--workers", "2")
    assert done.returncode == 0 and "taking over from" in done.stderr, done.stderr
    tiles = tiles_of(server, root)
    assert sorted(tiles) == list(range(12)), "what was committed is not computed again"
    assert_same_bits(root, quiet("gate", 11.0))


@pytest.mark.faults
def test_driver_that_sleeps_and_is_replaced(remote, root, server, waiting):
    """A driver stands still in mid-run and another takes over; when it wakes up it commits nothing more."""
    start, gate = waiting
    first = start(1)
    first.send_signal(signal.SIGSTOP)
    gate.touch()
    second = remote("resume", root, "--break-lease", "--workers", "1")
    assert second.returncode == 0, second.stderr
    complete = lines(server, root)
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 5 and TAKEN_OVER in err
    assert lines(server, root) == complete
    assert remote("verify", root).returncode == 0


@pytest.mark.faults
def test_cancelled_from_elsewhere(remote, root, server, waiting):
    start, gate = waiting
    first = start(1)
    assert remote("cancel", root).returncode == 0
    wait_for(lambda: "stopping: " in first.said(), "a driver that stops", first)
    gate.touch()
    _, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 4 and f"resume {root}" in err
    assert "meta/lease.json" not in objects(server, root) and "meta/cancel.json" not in objects(server, root)


def test_bucket_paths_of_reading_are_lazy(root):
    """Opening asks for metadata alone; a chunk is read when its values are used."""
    run(faulty("none"), root)
    disk = disk_of(bucket_here.BUCKET)
    assert isinstance(place(root), BucketPath)
    asked = []
    real = type(disk).read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(disk), "read", lambda self, path: asked.append(path.name) or real(self, path))
        data = sweep.open(root)
        before = len(asked)
        assert float(data["sum"][0, 0]) == 0.0
        assert len(asked) == before + 1


def test_page_of_a_run_in_a_bucket(root, monkeypatch):
    run(faulty("raise"), root)
    monkeypatch.setattr("sweep.folder.tail.BUCKET_SECONDS", 0.0)
    site = Site()
    name = site.add(place(root))
    found = site._answer("run", {"run": name})[1]()
    assert (found["folder"], found["state"], found["done"], found["counts"]["failed"]) == (root, "complete", 60, 6)
    data = sweep.open(root)
    answer = site._answer("slice", {"run": name, "output": "sum", "x": "a", "y": "b"})[1]()
    values = np.frombuffer(base64.b64decode(answer["values"])).reshape(10, 6)
    np.testing.assert_array_equal(values, data["sum"].values)
    (group,) = site._answer("failures", {"run": name})[1]()["groups"]
    assert (group["count"], group["type"]) == (6, "ArithmeticError")
    resumed = launch.resume(place(root), HERE, io.StringIO(), retry=True)
    assert resumed.failed == 6
    site._answer("run", {"run": name})
    assert site._known[name].followed.versions.max() == 2, "the tiles that were computed again are seen"


@pytest.mark.slow
@pytest.mark.parametrize("on", ["a cluster", "this machine"])
def test_submitted_run(remote, root, tmp_path, on):
    """Its driver goes on by itself, and is withdrawn from in the end."""
    write_spec(tmp_path)
    started, address, _ = start_dask(remote, tmp_path) if on == "a cluster" else ([], "local", None)
    try:
        where = ("--cluster", address, *(() if started else ("--workers", "1")))
        done = remote("submit", "spec.toml", "--set", "seconds=0.001", "--out", root, *where)
        assert done.returncode == 0 and f"status {root} --watch" in done.stderr, done.stderr
        wait_for(lambda: sweep.Run(root).status().state == "complete", "the end of the run")
        wait_for(lambda: submission.read(sweep.Run(root).folder) is None, "a submission that is withdrawn")
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=PATIENCE)
