"""Pilots: what they find, and what a moment of a busy machine does not do to it."""

import itertools
import time

import pytest
from support.toy_specs import faulty
from support.watching import PATIENCE

from sweep.plan import measuring, pilot
from sweep.plan.pilot import Pilot
from sweep.plan.pilots_ahead import PilotsAhead
from sweep.plan.tiling import Plan, tile_shape
from sweep.plan.timings import UNKNOWN_SECONDS, Timings
from sweep.spec.parsing import parse


def timed(raw):
    with Pilot(raw) as sent:
        return sent.result(parse(raw).methods)


def test_timings_of_a_sweep():
    """Of points that take 20 ms at least, and no longer altogether than the pilot was away."""
    began = time.perf_counter()
    found = timed(faulty("none", seconds=0.02))
    away = time.perf_counter() - began
    samples = [seconds for _, seconds in found.samples["only"]]
    assert len(samples) >= 2 and min(samples) >= 0.02 and sum(samples) < away
    assert 0.02 <= found.seconds["only"] < away / len(samples)
    assert found.compiling["only"] > 0
    assert found.memory > 1e6


@pytest.mark.parametrize("kind", ["kill", "gate"])
def test_points_that_are_not_seen_to_end(kind, monkeypatch):
    """At a point that takes the process down, or does not end, a pilot ends as well."""
    monkeypatch.setattr(pilot, "POINT_SECONDS", 1.0)
    monkeypatch.setenv("TOY_GATE", "/nowhere/at/all")
    raw = faulty(kind, at=0.0, a=1, b=1)
    with Pilot(raw) as sent:
        assert sent.result(("only",)).seconds == {"only": UNKNOWN_SECONDS}
        assert sent.companion.call("math:sqrt", 4.0).result(PATIENCE) == 2.0  # a new process, if anybody wants one


def test_pilots_are_sent_ahead_by_two_processes_in_turns():
    """The second of three is away while the first is looked at; one that was closed is replaced; what has no spec has no pilot."""
    raws = {name: faulty("none", a=2, b=1, tile={"a": 1, "b": 1}) for name in "abcd"}
    with PilotsAhead(raws) as ahead:
        with ahead.pilot("a") as first:
            assert first.result(("only",)).samples["only"]
        with ahead.pilot("there already") as none:
            assert none is None
        with ahead.pilot("b") as second:
            assert second.companion is not first.companion
            second.companion.close()
        with ahead.pilot("c") as third:
            assert third.companion is first.companion
            assert third.result(("only",)).samples["only"]
        assert first.companion.closed, "nothing is left for it"
        with ahead.pilot("d") as fourth:
            assert fourth.companion not in (first.companion, second.companion)
            assert fourth.result(("only",)).samples["only"]
        assert fourth.companion.closed
    with PilotsAhead(raws) as ahead:
        sent = list(ahead._sent.values())
    assert len(sent) == 2 and all(pilot.companion.closed for pilot in sent)


def collected(raw):
    """The timings of a pilot in this process."""
    seconds, samples = {}, []
    for finding in measuring.measure(raw):
        seconds.update(finding.seconds)
        samples += [took for _, took in finding.sample.values()]
    return seconds, samples


@pytest.mark.parametrize(("stalled", "for_seconds"), [(0, 4.9), (1, 8.9), (5, 5.47), (17, 8.9), (18, 5.47), (20, 4.9)])
def test_one_outlier_does_not_decide_the_tiles(stalled, for_seconds, monkeypatch):
    """The machine stands still during one measurement, whichever it is: single points come before batches."""
    each, numbers = 1e-4, itertools.count()

    def solve(spec, method, points):
        return each * len(points["a"]) + (for_seconds if next(numbers) == stalled else 0.0)

    monkeypatch.setattr(measuring, "_solve", solve)
    raw = faulty("none", a=1000, b=1000)
    seconds, samples = collected(raw)
    assert seconds["only"] == pytest.approx(each)
    assert max(samples) == pytest.approx(each)
    spec = parse({**raw, "run": {}})
    quiet = tile_shape(spec, Timings({"only": each}), 2)
    found = tile_shape(spec, Timings(seconds, {"only": tuple(((0.5, 0.5), s) for s in samples)}), 2)
    assert Plan(spec, found).tiles == Plan(spec, quiet).tiles


def test_costly_points_are_no_outliers(monkeypatch):
    """What costs more each time it is measured is believed."""
    monkeypatch.setattr(
        measuring, "_solve", lambda spec, method, points: float(sum(0.1 if a > 6 else 1e-3 for a in points["a"]))
    )
    seconds, samples = collected(faulty("none", a=10, b=6))
    assert max(samples) == 0.1
    assert seconds["only"] > 5e-3


def test_signs_of_life_while_a_timing_is_repeated(monkeypatch):
    monkeypatch.setattr(measuring, "_solve", lambda *_: 1.0)
    first = list(itertools.islice(measuring.measure(faulty("none")), 2))
    assert first[1].to_json() == measuring.Finding().to_json()  # between the two measurements of the first point
