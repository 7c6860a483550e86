"""A scheduler that wants certificates: who has them sweeps, who has not is told so within seconds."""

import shutil

import pytest
from support.authority import authority
from support.bits import assert_same_bits
from support.bucket_life import bucket, live
from support.dask_processes import start_dask
from support.watching import PATIENCE, write_spec

pytestmark = pytest.mark.integration


@pytest.fixture
def signed(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("Debian package openssl is not installed: apt-get install openssl")
    return authority(tmp_path / "signed")


@pytest.fixture
def stored(spinsweep, monkeypatch):
    """A bucket, which the workers know as well."""
    with bucket(spinsweep, monkeypatch) as address:
        yield address


@pytest.fixture
def secured(spinsweep, tmp_path, signed):
    """A scheduler and a worker that trust one authority; gives (address, scheduler file)."""
    words = [f"--tls-{name}={path}" for name, path in zip(("ca-file", "cert", "key"), signed, strict=True)]
    started, address, file = start_dask(spinsweep, tmp_path, words)
    assert address.startswith("tls://")
    yield address, file
    for process in reversed(started):
        process.terminate()
        process.wait(timeout=PATIENCE)


def options(authority, certificate, key):
    return "--tls-ca", authority, "--tls-cert", certificate, "--tls-key", key


def test_sweep_with_certificates_and_without(secured, signed, spinsweep, quiet, tmp_path):
    write_spec(tmp_path)
    address, file = secured
    done = spinsweep("run", "spec.toml", "--out", "far", "--cluster", address, *options(*signed))
    assert done.returncode == 0, done.stderr
    assert_same_bits(tmp_path / "far", quiet())
    assert spinsweep("cluster", "check", file, *options(*signed)).returncode == 0

    own, other = signed, authority(tmp_path / "other")
    for given, words, status in (
        ((), "needs --tls-ca and --tls-cert", 2),
        (options(*other), "is not of the authority given", 5),
        (options(own[0], *other[1:]), "refuses this client", 5),
        (options(own[0], own[1], other[2]), "the key that of the certificate", 2),
        (options(own[0], tmp_path / "none.pem", own[2]), "none.pem: no such file", 2),
    ):
        done = spinsweep("run", "spec.toml", "--out", "refused", "--cluster", address, *given)
        assert done.returncode == status, done.stderr
        assert words in done.stderr
        assert "within 30 s" not in done.stderr, "found out by Dask's own timeout"
        assert not (tmp_path / "refused").exists()


def test_certificates_from_the_configuration_of_dask(secured, signed, spinsweep, tmp_path):
    write_spec(tmp_path)
    names = ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
    for name, path in zip(names, signed, strict=True):
        spinsweep.environment[f"DASK_DISTRIBUTED__COMM__TLS__{name}"] = str(path)
    done = spinsweep("run", "spec.toml", "--out", "far", "--cluster", secured[1])
    assert done.returncode == 0, done.stderr
    done = spinsweep("run", "spec.toml", "--out", "other", "--cluster", "local", "--tls-ca", signed[0])
    assert done.returncode == 2 and "--tls-ca need a scheduler's address that begins with tls://" in done.stderr


def test_run_in_a_bucket(stored, secured, signed, spinsweep, quiet, tmp_path):
    live(spinsweep, quiet, stored, tmp_path, "--cluster", secured[0], *options(*signed))
