"""What lies in deploy/: manifests that Kubernetes and the operator take, an image that can be built from what it copies.

The operator's own schemas are asked here; in `test_kubernetes` a real API server is.
"""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from support.manifests import DEPLOY, MANIFESTS, ROOT, documents, named, pods

from sweep.clusters import kubernetes
from sweep.clusters.cluster import Wanted
from sweep.clusters.kinds import check_name
from sweep.errors import SpecError
from sweep.spec.parsing import parse


@pytest.fixture(scope="module")
def crds():
    """The operator's own definitions: kind -> schema."""
    package = pytest.importorskip(
        "dask_kubernetes", reason="Python package dask-kubernetes is not installed: pip install '.[kubernetes]'"
    )
    pytest.importorskip("jsonschema", reason="Python package jsonschema is not installed: pip install jsonschema")
    folder = Path(package.__file__).parent / "operator" / "deployment" / "helm" / "dask-kubernetes-operator" / "crds"
    found = [yaml.safe_load(path.read_text())["spec"] for path in folder.glob("*.yaml")]
    return {one["names"]["kind"]: one["versions"][0]["schema"]["openAPIV3Schema"] for one in found}


def strays(schema, value, place=""):
    """Fields that a schema does not know, which an API server drops silently."""
    if isinstance(value, dict):
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return
        for key, entry in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if inner is None:
                if place:
                    yield f"{place}.{key}"
            elif isinstance(inner, dict):
                yield from strays(inner, entry, f"{place}.{key}")
    elif isinstance(value, list):
        for k, entry in enumerate(value):
            yield from strays(schema.get("items", {}), entry, f"{place}[{k}]")


def accepted(crds, manifest):
    import jsonschema

    schema = crds[manifest["kind"]]
    jsonschema.validate(manifest, schema)
    assert not list(strays(schema["properties"]["spec"], manifest["spec"], "spec"))


def confined(pod):
    """Not as root, nothing written but to volumes, what it may use is said."""
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        for size in ("requests", "limits"):
            assert {"cpu", "memory"} == set(container["resources"][size])
        assert {"name": "SPINSWEEP_CACHE_DIR", "value": "/tmp/spinsweep:/opt/spinsweep/cache"} in container["env"]
        assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.name)
def test_every_manifest_names_what_it_is_and_confines_its_pods(path):
    for one in documents(path):
        assert one["apiVersion"] and one["kind"] and one["metadata"]["name"]
        for pod in pods(one):
            confined(pod)


def test_manifests_fit_together():
    (job,), (claim,), (config,) = named("DaskJob"), named("PersistentVolumeClaim"), named("ConfigMap")
    assert len(list(pods(job))) == 3
    for pod in pods(job):
        for volume in pod["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
            if "configMap" in volume:
                assert volume["configMap"]["name"] == config["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert parse(tomllib.loads(config["data"]["spec.toml"])).points == 130 * 161
    profile = kubernetes.profile_of(str(DEPLOY / "kubernetes" / "cluster.toml"))
    assert profile.claim == claim["metadata"]["name"]


@pytest.mark.integration
def test_job_is_what_the_operator_takes(crds):
    (job,) = named("DaskJob")
    accepted(crds, job)


@pytest.mark.integration
def test_cluster_of_a_profile_is_what_the_operator_takes(crds):
    profile = kubernetes.profile_of(str(DEPLOY / "kubernetes" / "cluster.toml"))
    spec = kubernetes.cluster_spec(profile, Wanted(workers=3, preload="a.module"))
    accepted(crds, spec)
    worker, scheduler = spec["spec"]["worker"], spec["spec"]["scheduler"]
    assert worker["replicas"] == 3
    for part in (worker, scheduler):
        confined(part["spec"])
        assert part["spec"]["containers"][0]["image"] == profile.image
    assert worker["spec"]["containers"][0]["args"][:4] == ["dask", "worker", "--nthreads", "1"]


def test_profile_with_an_error_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[kubernetes]\nimge = "mine"\n')
    with pytest.raises(SpecError, match=r"no key 'imge'.*did you mean image"):
        check_name(str(path))


def test_compose_file():
    compose = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
    assert set(compose["services"]) == {"scheduler", "worker", "driver"}
    for service in compose["services"].values():
        assert service["user"] == "10001:10001" and service["read_only"]
        assert "runs:/data" in service["volumes"]
    assert compose["services"]["scheduler"]["ports"] == ["127.0.0.1:8787:8787"]
    context = (DEPLOY / "docker" / compose["services"]["driver"]["build"]["context"]).resolve()
    assert context == ROOT


def _copied():
    """What the first stage of the image copies from the checkout."""
    for line in (DEPLOY / "docker" / "Dockerfile").read_text().splitlines():
        if line.startswith("FROM") and "AS build" not in line:
            return
        if line.startswith("COPY"):
            yield from line.split()[1:-1]


@pytest.mark.integration
def test_image_can_be_built_from_what_it_copies(tmp_path):
    """No engine runs here: the build's own step, on its own files, without the rest of the checkout."""
    tracked = subprocess.run(["git", "ls-files", *_copied()], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.split():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes((ROOT / name).read_bytes())
    ignored = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().split()
    assert {f"!{name}" for name in _copied()} <= set(ignored)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    words = [python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path / "wheels", tmp_path / "tree"]
    environment = {"PATH": "/usr/bin:/bin", "SETUPTOOLS_SCM_PRETEND_VERSION": "0", "HOME": str(tmp_path)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "wheels").glob("spinsweep-0.1.0-*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    sources = [
        name for name in tracked.stdout.split() if name.startswith(("solvers/", "sweep/")) and name.endswith(".py")
    ]
    absent = {name.replace("sweep/api/spinsweep", "spinsweep") for name in sources} - set(inside)
    assert not absent
