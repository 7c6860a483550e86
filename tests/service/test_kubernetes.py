"""The manifests before a real API server, and Dask's operator at work on them there. Nothing runs: there are no nodes."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import api_server_here
from support.manifests import DEPLOY, MANIFESTS, documents, named, pods
from support.watching import PATIENCE

from sweep.clusters import kubernetes
from sweep.clusters.cluster import Wanted

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """With the operator's own resources known to it."""
    package = pytest.importorskip(
        "dask_kubernetes", reason="Python package dask-kubernetes is not installed: pip install '.[kubernetes]'"
    )
    if why := api_server_here.missing():
        pytest.skip(why)
    crds = Path(package.__file__).parent / "operator" / "deployment" / "helm" / "dask-kubernetes-operator" / "crds"
    with api_server_here.api_server(tmp_path_factory.mktemp("kubernetes")) as found:
        for path in crds.glob("*.yaml"):
            (one,) = documents(path)
            status, said = found.apply(one)
            assert status == 201, said
        found.wait_for("/apis/kubernetes.dask.org/v1", lambda known: len(known["resources"]) >= 4)
        yield found


def dropped(given, held, place=""):
    """Fields of a manifest that the server does not hold as they were given."""
    if isinstance(given, dict) and isinstance(held, dict):
        for key, value in given.items():
            yield from dropped(value, held.get(key), f"{place}.{key}")
    elif isinstance(given, list) and isinstance(held, list) and len(given) == len(held):
        for k, pair in enumerate(zip(given, held, strict=True)):
            yield from dropped(*pair, f"{place}[{k}]")
    elif given != held and (given or held):  # what is 0 or empty is left out
        yield f"{place}: {given!r} is {held!r}"


def test_server_takes_every_manifest_whole(server):
    for path in MANIFESTS:
        for one in documents(path):
            status, held = server.apply(one, dry=True)
            assert status == 201, (path.name, held)
            assert not list(dropped(one, held)), path.name


def pods_of_ours():
    (job,) = named("DaskJob")
    profile = kubernetes.profile_of(str(DEPLOY / "kubernetes" / "cluster.toml"))
    return [*pods(job), *pods(kubernetes.cluster_spec(profile, Wanted(workers=3, preload="a.module")))]


def as_pod(specification):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": specification}


def test_server_takes_the_pods_in_them(server):
    """What a resource of Dask's has for a pod is only looked into where a pod is made of it."""
    found = pods_of_ours()
    assert len(found) == 5
    for pod in found:
        status, held = server.apply(as_pod(pod), dry=True)
        assert status == 201, held
        assert not list(dropped(pod, held["spec"]))


def change(manifest, place, value):
    """A copy of a manifest with another value somewhere."""
    found = copy.deepcopy(manifest)
    *above, last = place
    inner = found
    for key in above:
        inner = inner[key]
    inner[last] = value
    return found


def test_what_it_refuses(server):
    """So that its approval says something."""
    (job,), (claim,) = named("DaskJob"), named("PersistentVolumeClaim")
    pod = as_pod(pods_of_ours()[0])
    container = ("spec", "containers", 0)
    for manifest, words in (
        (change(job, ("spec", "cluster", "spec", "worker", "replicas"), "eight"), "worker.replicas"),
        (change(claim, ("spec", "accessModes"), []), "at least 1 access mode is required"),
        (
            change(pod, (*container, "volumeMounts", 0, "name"), "elsewhere"),
            'volumeMounts[0].name: Not found: "elsewhere"',
        ),
        (
            change(pod, (*container, "resources", "limits", "memory"), "1Gi"),
            "must be less than or equal to memory limit",
        ),
        (change(pod, ("spec", "securityContext", "runAsUser"), -1), "runAsUser"),
    ):
        status, said = server.apply(manifest, dry=True)
        assert status >= 400 and words in said["message"], (words, said)


def test_operator_makes_of_them_what_a_cluster_runs(server, tmp_path):
    """Dask's own operator makes a cluster of the job; the server takes what it makes: with our images, volumes and confinement."""
    pytest.importorskip("kopf", reason="Python package kopf is not installed: pip install '.[kubernetes]'")
    configuration = tmp_path / "kubeconfig"
    configuration.write_text(yaml.safe_dump(server.configuration()))
    words = [sys.executable, "-m", "kopf", "run", "-m", "dask_kubernetes.operator.controller", "--namespace", "default"]
    with open(tmp_path / "operator.log", "wb") as log:
        operator = subprocess.Popen(
            [*words, "--verbose"],
            env={**os.environ, "KUBECONFIG": str(configuration), "HOME": str(tmp_path)},
            stdout=log,
            stderr=log,
        )
    try:
        for path in MANIFESTS:
            for one in documents(path):
                status, held = server.apply(one)
                assert status == 201, held
        try:
            made = server.wait_for(
                "/apis/apps/v1/namespaces/default/deployments", lambda there: len(there["items"]) == 9
            )
            runner = server.wait_for("/api/v1/namespaces/default/pods", lambda there: there["items"])
            server.wait_for("/api/v1/namespaces/default/services/spinsweep-scheduler", lambda there: True)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(tmp_path / 'operator.log').read_text()[-5000:]}") from None
    finally:
        operator.terminate()
        operator.wait(timeout=PATIENCE)
    (job,) = named("DaskJob")
    ours = {pod["containers"][0]["name"]: pod for pod in pods(job)}
    templates = [one["spec"]["template"] for one in made["items"]] + runner["items"]
    parts = [one["metadata"]["labels"]["dask.org/component"] for one in templates]
    assert sorted(parts) == ["job-runner", "scheduler", *8 * ["worker"]]
    for part, one in zip(parts, templates, strict=True):
        given, (container,) = ours["job" if part == "job-runner" else part], one["spec"]["containers"]
        assert one["spec"]["securityContext"] == given["securityContext"]
        for key in ("image", "args", "securityContext", "resources", "volumeMounts"):
            assert container[key] == given["containers"][0][key], (part, key)
        assert server.apply(as_pod({**one["spec"], "nodeName": ""}), dry=True)[0] == 201
