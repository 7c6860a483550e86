"""Everything runs with the toy models in reach, single-threaded BLAS and no display."""

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["SPINSWEEP_MODEL_PATH"] = str(TESTS / "toy_models")
os.environ["MPLBACKEND"] = "agg"
os.environ.setdefault("PYTHONPATH", str(TESTS.parent))


@pytest.fixture(scope="session")
def cluster():
    """One local cluster of two workers for all tests that need no cluster of their own."""
    from sweep.execution.launch import Options

    with Options(workers=2).connect() as connected:
        yield connected
