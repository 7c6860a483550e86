"""Which extra brings a package that is not installed by default."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

EXTRA_OF = {
    "matplotlib": "plot",
    "h5netcdf": "export",
    "h5py": "export",
    "pandas": "export",
    "pyarrow": "export",
    "dask_jobqueue": "slurm",
    "dask_kubernetes": "kubernetes",
    "obstore": "s3",
    "boto3": "s3-profiles",
}


def missing(error: ModuleNotFoundError) -> str:
    """One sentence about a package that an extra would bring; any other error is raised again."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRA_OF:
        raise error
    return f"this needs {package}, which is not installed: {command(EXTRA_OF[package])}"


def command(extra: str) -> str:
    """What installs an extra into the environment at hand, from the checkout where spinsweep was installed from one."""
    try:
        said = importlib.metadata.distribution("spinsweep").read_text("direct_url.json")
        origin = json.loads(said) if said else {}
    except (importlib.metadata.PackageNotFoundError, ValueError):
        origin = {}
    place = urlparse(str(origin.get("url", "")))
    if place.scheme != "file" or not (Path(unquote(place.path)) / "pyproject.toml").is_file():
        return f"pip install 'spinsweep[{extra}]'"
    editable = "--editable " if origin.get("dir_info", {}).get("editable") else ""
    return f"{sys.executable} -m pip install {editable}'{unquote(place.path)}[{extra}]'"
