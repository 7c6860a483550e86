"""What is said while a sweep runs."""

import io

import pytest

from sweep.execution import progress as progress_module
from sweep.execution.progress import Progress
from sweep.quantities import duration, size


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
