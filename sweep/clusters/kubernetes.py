"""Kubernetes through the operator of dask-kubernetes: workers are pods, for the time of the run.

A profile is a TOML file with a table [kubernetes] (see deploy/kubernetes). Every pod mounts the volume that holds the run
folders, at the same path as where the driver sees it: the driver runs in a pod too, or on a host that mounts the same.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from sweep.clusters.cluster import Cluster, Kind, Wanted, quietly
from sweep.clusters.profiles import is_profile, read_profile
from sweep.errors import AbortedError, SpecError
from sweep.records import Json, Record

NAME = "kubernetes"
_USER = 10001
"""As in deploy/docker/Dockerfile."""
_END_SECONDS = 10


@dataclass(frozen=True)
class KubernetesProfile(Record):
    """`workers` pods of one thread from an image; `cpu` and `memory` are both requested and the limit of each.

    `claim` is the name of a volume claim that several nodes may mount (ReadWriteMany), `mount` where.
    """

    image: str = "spinsweep:latest"
    namespace: str | None = None
    workers: int = 4
    cpu: str = "1"
    memory: str = "2Gi"
    claim: str = "spinsweep"
    mount: str = "/data"
    name: str = "spinsweep-{user}-{uuid}"
    environment: Mapping[str, str] | None = None


def profile_of(name: str) -> KubernetesProfile:
    """The profile that the name of a cluster means."""
    profile = KubernetesProfile() if name == NAME else read_profile(name, NAME, KubernetesProfile)
    if profile.workers < 1:
        raise SpecError(f"profile {name}, [{NAME}]: workers must be at least 1; given was {profile.workers}")
    return profile


def cluster_spec(profile: KubernetesProfile, wanted: Wanted) -> Json:
    """The DaskCluster: the operator's own, with the volume, and with pods that may do no more than they must."""
    from dask_kubernetes.operator import make_cluster_spec

    size = {"cpu": profile.cpu, "memory": wanted.memory or profile.memory}
    command = ["dask", "worker", "--nthreads", "1", "--memory-limit", "auto"]
    if wanted.preload:
        command += ["--preload", wanted.preload]
    # The root of a pod's file system is read-only; /tmp is where kernels are kept and workers spill.
    environment = {
        "HOME": "/tmp",
        "SPINSWEEP_CACHE_DIR": "/tmp/spinsweep:/opt/spinsweep/cache",
        "DASK_TEMPORARY_DIRECTORY": "/tmp",
    }
    spec: dict[str, Any] = make_cluster_spec(
        name=profile.name,
        image=profile.image,
        n_workers=wanted.workers or profile.workers,
        resources={"requests": size, "limits": size},
        env={**environment, **(profile.environment or {})},
        worker_command=command,
    )
    for part in ("worker", "scheduler"):
        _harden(spec["spec"][part]["spec"], profile)
    return spec


def _harden(pod: MutableMapping[str, Any], profile: KubernetesProfile) -> None:
    """Give a pod the volume and a /tmp of its own, and take away what it does not need."""
    pod["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod["automountServiceAccountToken"] = False
    pod["volumes"] = [
        {"name": "runs", "persistentVolumeClaim": {"claimName": profile.claim}},
        {"name": "tmp", "emptyDir": {}},
    ]
    for container in pod["containers"]:
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        container["volumeMounts"] = [
            {"name": "runs", "mountPath": profile.mount},
            {"name": "tmp", "mountPath": "/tmp"},
        ]


def _check(name: str, wanted: Wanted) -> None:
    wanted.certificates.check(name)
    profile_of(name)
    importlib.import_module("dask_kubernetes")


def _connect(stack: contextlib.ExitStack, name: str, wanted: Wanted) -> Cluster:
    import distributed
    from dask_kubernetes.operator import KubeCluster

    profile = profile_of(name)
    before = set(KubeCluster._instances)
    try:
        cluster = KubeCluster(
            custom_cluster_spec=cluster_spec(profile, wanted), namespace=profile.namespace, quiet=True
        )
    except Exception as error:  # of kr8s, httpx and the operator: no cluster, no rights, no operator, no image
        for half in set(KubeCluster._instances) - before:  # or it is ended as Python ends, with a traceback
            quietly(functools.partial(half.close, timeout=_END_SECONDS))
            KubeCluster._instances.discard(half)
        words = " ".join(str(error).split()) or type(error).__name__
        raise AbortedError(
            f"no Dask cluster in Kubernetes for --cluster {name}: {words}; check `kubectl get daskclusters`, that the "
            "operator of dask-kubernetes is installed, and the image"
        ) from error
    stack.callback(quietly, cluster.close)
    client = distributed.Client(cluster, set_as_default=False)
    stack.callback(quietly, client.close)
    # Pods that wait for a node are waited for, and each is asked whether it sees the run folder.
    return Cluster(client)


KIND = Kind(
    "kubernetes or a profile like deploy/kubernetes/cluster.toml",
    lambda name: name == NAME or is_profile(name, NAME),
    _connect,
    _check,
)
