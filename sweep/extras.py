"""Which extra brings a package that is not installed by default."""

from __future__ import annotations

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
    return f"this needs {package}, which is not installed: pip install 'spinsweep[{EXTRA_OF[package]}]'"
