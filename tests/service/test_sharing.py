"""Two sweeps on one scheduler, and what can be seen of a sweep in Dask's own pages."""

import pytest
from distributed.utils import key_split
from support.dask_processes import start_dask
from support.watching import committed_points, wait_for_tiles, write_spec

from sweep.execution.driver import _name


@pytest.mark.slow
def test_two_sweeps_on_one_worker_both_progress(spinsweep, tmp_path):
    """The second is not made to wait for the end of the first, nor the first for that of the second."""
    started, address, _ = start_dask(spinsweep, tmp_path)
    try:
        write_spec(tmp_path)
        words = ("run", "spec.toml", "--set", "seconds=0.05", "--cluster", address, "--out")
        first = spinsweep.start(*words, "first")
        wait_for_tiles(tmp_path / "first", 1, first)
        second = spinsweep.start(*words, "second")
        wait_for_tiles(tmp_path / "second", 2, second)
        assert first.poll() is None and committed_points(tmp_path / "first") < 240, "the second waited for the first"
        before = committed_points(tmp_path / "first")
        first.communicate(timeout=180)
        assert first.returncode == 0 and before < 240
        assert committed_points(tmp_path / "second") < 240, "the first waited for the second"
        second.communicate(timeout=180)
        assert second.returncode == 0
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)


def test_tiles_carry_the_names_of_sweep_and_method():
    """As Dask's dashboard shows them, which is the part of a key that its `key_split` leaves."""
    key = (_name("spin-cat: synchronisation, fig. 4", "mean_field", "0a1b2c3d4e"), 3, 0, 20, 0, 1)
    assert key_split(key) == "spin_cat_synchronisation_fig_4_mean_field"


@pytest.mark.slow
def test_performance_report(spinsweep, tmp_path):
    write_spec(tmp_path)
    done = spinsweep("run", "spec.toml", "--out", "run", "--workers", "1", "--report", "--set", "name=my sweep")
    assert done.returncode == 0, done.stderr
    page = tmp_path / "run" / "meta" / "report.html"
    assert f"performance report: {page.relative_to(tmp_path)}" in done.stderr
    assert "my_sweep_" in page.read_text()
