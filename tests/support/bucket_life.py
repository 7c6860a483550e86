"""The life of a run in a bucket on whatever cluster: killed in its midst, resumed, verified, of the bits of a disk."""

import contextlib
import json
import logging

import pytest

from support import bucket_here
from support.bits import assert_same_bits
from support.watching import wait_for, write_spec
from sweep.folder.places import place


def committed(address, prefix):
    """The tiles in the journal of a run."""
    found = bucket_here.contents(address, f"{prefix}/meta/journal.jsonl")
    return [json.loads(line)["tile"] for c in found.values() for line in c.splitlines() if not line.startswith(b"#")]


@contextlib.contextmanager
def bucket(spinsweep, monkeypatch):
    """A server for the command line and for this process; its address."""
    pytest.importorskip("obstore", reason="Python package obstore is not installed: pip install '.[s3]'")
    pytest.importorskip("moto", reason="Python package moto is not installed: pip install 'moto[server]'")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with bucket_here.s3_server() as address:
        bucket_here.set_environment(monkeypatch, address)
        spinsweep.environment |= bucket_here.environment(address)
        yield address


def live(spinsweep, quiet, address, folder, *where):
    """`where` are words that name the cluster; `quiet` gives a run to compare with."""
    from sweep.folder.bucket import disk_of

    write_spec(folder)
    out = f"s3://{bucket_here.BUCKET}/{folder.name}"
    first = spinsweep.start("run", "spec.toml", "--set", "seconds=0.1", "--out", out, *where)
    disk, journal = disk_of(bucket_here.BUCKET), place(out) / "meta" / "journal.jsonl"
    wait_for(lambda: disk.is_file(journal), "a tile", first)
    first.kill()
    _, said = first.communicate()
    before = committed(address, folder.name)
    assert 1 <= len(before) < 12, said
    done = spinsweep("resume", out, *where)
    assert done.returncode == 0 and "taking over from" in done.stderr, done.stderr
    after = committed(address, folder.name)
    assert sorted(after) == list(range(12)) and after[: len(before)] == before, "nothing is computed again"
    assert spinsweep("verify", out).returncode == 0
    assert_same_bits(out, quiet())
