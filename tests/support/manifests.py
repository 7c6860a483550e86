"""What lies in deploy/kubernetes."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def named(kind):
    return [one for path in MANIFESTS for one in documents(path) if one["kind"] == kind]


def pods(value):
    """Every pod's specification inside a manifest."""
    if isinstance(value, dict):
        if "containers" in value:
            yield value
        else:
            for entry in value.values():
                yield from pods(entry)
