"""Benchmarks run when asked for (`pytest -m bench`): each computes what a peer does as well, which takes its time."""

import importlib.util
from pathlib import Path

import pytest
from comparison import Table

HERE = Path(__file__).parent
_TABLE = Table()


def pytest_addoption(parser):
    parser.addoption("--page", type=Path, help="Write the table as a page of the documentation.")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.bench)


@pytest.fixture
def table():
    """Where a benchmark puts its row."""
    return _TABLE


def pytest_terminal_summary(terminalreporter, config):
    if _TABLE.rows:
        if importlib.util.find_spec("dynamiqs") is None:
            terminalreporter.write_line(
                "NOT COMPARED WITH dynamiqs: it is not installed (pip install dynamiqs)", red=True
            )
        terminalreporter.write_line("")
        terminalreporter.write_line(_TABLE.machine.text())
        terminalreporter.write_line(_TABLE.text())
        if page := config.getoption("--page", default=None):
            page.write_text(_TABLE.page(page.read_text() if page.is_file() else ""))
