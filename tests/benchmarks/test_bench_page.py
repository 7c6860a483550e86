"""The live page of a run of a million points in ten thousand tiles: its first answers, and those that follow."""

import base64
import time

import numpy as np
from support.written_runs import WrittenRun

import sweep
from sweep.pictures.page.site import Site

RAW = {
    "sweep": {"model": "toy.waves", "method": "quick"},
    "axes": {"a": {"linspace": [0.0, 3.0, 1000]}, "b": {"linspace": [0.0, 1.0, 1000]}},
    "outputs": {"keep": ["height"]},
    "run": {"tile": {"a": 10, "b": 10}},
}


def test_first_look_at_ten_thousand_tiles(benchmark, tmp_path):
    """All that the page asks for until its picture is whole, against xarray reading the same variable; the cells are equal."""
    run = WrittenRun(tmp_path / "run", RAW)
    run.commit_all()
    names = ("seconds", "first", "processor", "again")
    measured = dict.fromkeys(names, 0.0)

    def look():
        site = Site()
        name = site.add(run.folder.path)
        began, cpu = time.perf_counter(), time.process_time()
        site._answer("runs", {})
        while not site._answer("run", {"run": name})[1]()["read"] >= 1.0:
            pass
        words = {"run": name, "output": "height", "x": "a", "y": "b"}
        answer = site._answer("slice", words)[1]()
        measured["first"] = time.perf_counter() - began
        while not answer["complete"]:
            answer = site._answer("slice", words)[1]()
        measured["seconds"], measured["processor"] = time.perf_counter() - began, time.process_time() - cpu
        cpu = time.process_time()
        for question in ("runs", "run", "slice"):
            site._answer(question, words)
        measured["again"] = time.process_time() - cpu
        return answer

    answer = benchmark.pedantic(look, rounds=1)
    cpu = time.process_time()
    whole = sweep.open(run.folder.path)["height"].values
    by_xarray = time.process_time() - cpu
    cells = np.frombuffer(base64.b64decode(answer["values"])).reshape(250, 250)
    places = [np.searchsorted(np.linspace(0.0, top, 1000), answer[d]["values"]) for d, top in (("x", 3.0), ("y", 1.0))]
    np.testing.assert_array_equal(cells, whole[np.ix_(*places)])
    benchmark.extra_info.update(measured, ratio_to_xarray=measured["processor"] / by_xarray)
    print(
        f"\npage of 10^6 points in 10^4 tiles: first picture after {measured['first']:.2f} s, whole after "
        f"{measured['seconds']:.2f} s ({measured['processor']:.2f} s of processor time, {measured['processor'] / by_xarray:.2f} "
        f"of what xarray takes for the variable alone), a later look {1e3 * measured['again']:.0f} ms"
    )
