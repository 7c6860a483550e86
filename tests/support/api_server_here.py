"""A Kubernetes API server on this machine, on ports of loopback, with an etcd of its own. It has no nodes: pods stay pending."""

import contextlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from support.slurm_here import free_ports
from support.watching import PATIENCE, wait_for

BUILT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spinsweep-tests" / "kube-apiserver"
"""Where .ci/kube_apiserver.sh puts what it builds."""


def missing():
    """Why this machine cannot have one; empty where it can."""
    if shutil.which("etcd") is None:
        return "Debian package etcd-server is not installed: apt-get install etcd-server"
    if not BUILT.exists():
        return f"kube-apiserver is in no package and not at {BUILT}: bash .ci/kube_apiserver.sh builds it from Debian's sources"
    if shutil.which("openssl") is None:
        return "Debian package openssl is not installed: apt-get install openssl"
    return ""


class ApiServer:
    """Answers requests as (status, answer)."""

    def __init__(self, address, token):
        self.address, self.token = address, token
        self._trust = ssl._create_unverified_context()  # it makes its certificate itself as it starts

    def ask(self, method, path, given=None, kind="application/json"):
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if given is None else json.dumps(given).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        )
        try:
            with urllib.request.urlopen(request, context=self._trust, timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def apply(self, manifest, dry=False, plural=None):
        """As `kubectl apply --server-side`; returns the status and what the server holds then, or says."""
        group, _, version = manifest["apiVersion"].rpartition("/")
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        where = "" if manifest["kind"] == "CustomResourceDefinition" else "/namespaces/default"
        plural = plural or manifest["kind"].lower() + "s"
        words = f"fieldManager=tests&force=true{'&dryRun=All' if dry else ''}"
        path = f"{root}{where}/{plural}/{manifest['metadata']['name']}?{words}"
        status, text = self.ask("PATCH", path, manifest, "application/apply-patch+yaml")
        return status, json.loads(text)

    def wait_for(self, path, fits):
        """The answer to a question, once it fits."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            status, text = self.ask("GET", path)
            if status == 200 and fits(json.loads(text)):
                return json.loads(text)
            time.sleep(0.2)
        raise AssertionError(f"{path} is {status} {text[:2000]!r}")

    def configuration(self):
        """What a client's KUBECONFIG says."""
        user, cluster = {"token": self.token}, {"server": self.address, "insecure-skip-tls-verify": True}
        context = {"cluster": "here", "user": "tests", "namespace": "default"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "tests", "user": user}],
            "contexts": [{"name": "here", "context": context}],
            "current-context": "here",
        }


@contextlib.contextmanager
def api_server(folder):
    """Start it; its files are in `folder`."""
    ports = free_ports(3)
    etcd, peers = (f"http://127.0.0.1:{port}" for port in ports[:2])
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},tests,1,"system:masters"\n')
    key = folder / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    store = ["etcd", "--data-dir", folder / "etcd", "--listen-client-urls", etcd, "--advertise-client-urls", etcd]
    store += ["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers]
    store += ["--initial-cluster", f"default={peers}"]
    server = [BUILT, "--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--secure-port", str(ports[2])]
    server += ["--insecure-port", "0", "--cert-dir", folder / "certificates", "--authorization-mode", "RBAC"]
    server += ["--token-auth-file", folder / "tokens.csv", "--service-cluster-ip-range", "10.0.0.0/24"]
    server += ["--service-account-issuer", "https://tests", "--service-account-key-file", key]
    server += ["--service-account-signing-key-file", key, "--disable-admission-plugins", "ServiceAccount"]
    started = []
    try:
        for words in (store, server):
            with open(folder / f"{Path(words[0]).name}.log", "wb") as log:
                started.append(subprocess.Popen(words, stdout=log, stderr=log, cwd=folder))
        found = ApiServer(f"https://127.0.0.1:{ports[2]}", token)

        def ready():
            assert all(process.poll() is None for process in started), (folder / "kube-apiserver.log").read_text()[
                -3000:
            ]
            with contextlib.suppress(OSError):
                return found.ask("GET", "/readyz")[0] == 200

        wait_for(ready, "an API server")
        yield found
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=PATIENCE)
