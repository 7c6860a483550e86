"""Everything runs with the toy models in reach, single-threaded BLAS, no display and a terminal of 80 columns, whoever's that is."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).resolve().parent
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["SPINSWEEP_MODEL_PATH"] = str(TESTS / "toy_models")
os.environ["MPLBACKEND"] = "agg"
os.environ["COLUMNS"] = "80"
for name in ("FORCE_COLOR", "NO_COLOR", "LINES"):
    os.environ.pop(name, None)
os.environ.setdefault("PYTHONPATH", str(TESTS.parent))
settings.register_profile("however slow the machine is", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("however slow the machine is")


@pytest.fixture(scope="session")
def cluster():
    """One local cluster of two workers for all tests that need no cluster of their own."""
    from sweep.execution.launch import Options

    with Options(workers=2).connect() as connected:
        yield connected
