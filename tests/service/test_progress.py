"""What is said while a sweep runs."""

import functools
import io
import re
from pathlib import Path

import pytest
from support.watching import PATIENCE

from sweep.execution import progress as progress_module
from sweep.execution.notebook_bar import TqdmBar
from sweep.execution.progress import Progress
from sweep.quantities import duration, size

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress_module, "time", made)
    return made


def test_no_start_up_in_what_is_left(clock):
    """Half a minute of start-up, then 10 points a second: 90 points are left after the second tile, which is 9 s."""
    counted = Progress(io.StringIO())
    counted.start(110, 0, 0)
    assert counted.line() == "0/110 points (0 %), starting, compiling, 0 failed"
    clock.now += 30
    counted.add(10)
    assert counted.line() == "10/110 points (9 %), 0 failed"  # nobody can know yet
    clock.now += 1
    counted.add(10, failed=2)
    assert counted.line() == "20/110 points (18 %), 10 points/s, 9.0 s left, 2 failed"


def test_rate_is_that_of_the_last_half_minute(clock):
    counted = Progress(io.StringIO())
    counted.start(10_000, 0, 0)
    for _ in range(40):  # slow for 80 s
        clock.now += 2
        counted.add(2)
    for _ in range(40):
        clock.now += 2
        counted.add(20)
    assert "10 points/s" in counted.line()


def test_costly_points_first_do_not_make_it_long(clock):
    """Ten tiles of 100 points, the first five predicted, and found, to take 9 s each and the others 1 s: after three there are
    23 s and 7/10 of the points left. By points alone it would be 63 s."""
    counted = Progress(io.StringIO())
    counted.start(1000, 0, 0, cost=0.9 * 5 + 0.1 * 5)  # in the pilot's seconds, ten times too short
    for _ in range(3):
        clock.now += 9
        counted.add(100, cost=0.9)
    # 5.0 - 2.7 = 2.3 pilot's seconds are left; the pace is 0.1 of them per second.
    assert "23 s left" in counted.line()
    clock.now += 8
    assert "15 s left" in counted.line(), "it counts down while tiles are computed"
    assert counted.line().startswith("300/1,000 points (30 %), 11 points/s")


def test_warnings_are_counted(clock):
    counted = Progress(io.StringIO())
    counted.start(100, 10, 1, warned=2)
    counted.add(10, failed=1, warned=3)
    assert counted.line() == "20/100 points (20 %), 2 failed, 5 with a warning"


class Terminal(io.StringIO):
    """Text that knows where its last line stands."""

    encoding = "utf-8"

    def isatty(self):
        return True

    def screen(self):
        """The last line, as a terminal would have it after all carriage returns, colours apart."""
        line = ""
        for part in re.sub(r"\x1b\[\d+m", "", self.getvalue()).split("\n")[-1].split("\r"):
            line = part + line[len(part) :]
        return line.rstrip()


@pytest.mark.parametrize("columns", [200, 80, 50, 20])
def test_one_line_of_a_terminal(clock, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    counted = Progress(terminal)
    counted.start(1000, 0, 0)
    for _ in range(2):
        clock.now += 1
        counted.add(250, failed=1)
        counted.tick()
        assert len(terminal.screen()) < columns, "it would go on in the next line"
    assert ("━" in terminal.screen()) == (columns >= 80)
    assert "\x1b[31m2 failed\x1b[0m" in terminal.getvalue() or columns < 80
    counted.say("a word")
    assert terminal.getvalue().endswith("\ra word\n")
    assert "\n" not in terminal.getvalue().removesuffix("a word\n")


def test_no_colour_where_it_is_not_wanted(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    terminal.encoding = "ascii"
    counted = Progress(terminal)
    counted.start(10, 5, 1)
    counted.tick()
    assert "\x1b" not in terminal.getvalue() and terminal.getvalue().isascii() and "##.." in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (3e-7, "0.3 µs"),
        (2.5e-5, "25 µs"),
        (0.0747, "75 ms"),
        (0.9951, "1.0 s"),
        (2.49, "2.5 s"),
        (59.7, "60 s"),
        (99.4, "99 s"),
        (99.6, "1 min 40 s"),
        (1234.567, "20 min 35 s"),
        (12_345.67, "3 h 25 min"),
        (1_234_567.89, "14 d 6 h"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (900, "900 B"), (1000, "0.977 kiB"), (5 << 20, "5 MiB"), (3 << 40, "3 TiB")]
)
def test_sizes(count, words):
    assert size(count) == words


def test_the_bar_of_tqdm_has_our_words():
    tqdm = pytest.importorskip("tqdm", reason="tqdm is not installed").tqdm
    said = io.StringIO()
    bar = TqdmBar(functools.partial(tqdm, file=said, mininterval=0))
    bar.show(20, 110, "20/110 points (18 %), 10 points/s, 9.0 s left, 2 failed")
    bar.settle(110, 110, "110/110 points (100 %), 2 failed")
    assert "10 points/s, 9.0 s left" in said.getvalue() and said.getvalue().rstrip().endswith("2 failed")
    assert "100%" in said.getvalue()


@pytest.mark.slow
def test_a_bar_in_a_notebook(tmp_path):
    """What a notebook without tqdm's widgets keeps: one bar, which stands where the run has ended."""
    nbclient = pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
    nbformat = pytest.importorskip("nbformat", reason="the extra `docs` is not installed")
    pytest.importorskip("ipykernel", reason="the extra `docs` is not installed")
    words = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
sys.modules["ipywidgets"] = None
import sweep
made = sweep.Sweep(model="toy.faulty", axes={{"a": [0.0, 1.0, 2.0]}}, parameters={{"kind": "raise", "at": 1.0}}, tile={{"a": 1}})
done = made.run(store="out")
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(words)])
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=PATIENCE, startup_timeout=PATIENCE, resources=resources).execute()
    (bar,) = [o for o in notebook.cells[0].outputs if o.output_type == "display_data"]
    assert '<progress value="3" max="3"' in bar.data["text/html"] and "1 failed" in bar.data["text/html"]
    said = "".join(o.text for o in notebook.cells[0].outputs if o.output_type == "stream")
    assert "points (" not in said and "complete: 3 of 3 points done" in said
