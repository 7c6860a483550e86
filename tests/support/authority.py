"""Certificates of an authority of one's own, by openssl."""

import subprocess


def _openssl(folder, *words):
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def authority(folder):
    """(authority, certificate, key): an authority and a certificate that it has signed, for 127.0.0.1."""
    folder.mkdir()
    new = ("-newkey", "rsa:2048", "-nodes")
    _openssl(
        folder, "req", "-x509", *new, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority"
    )
    _openssl(folder, "req", *new, "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=127.0.0.1")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    _openssl(folder, "x509", "-req", "-in", "own.csr", "-out", "own.pem", *signing)
    return folder / "ca.pem", folder / "own.pem", folder / "own.key"
