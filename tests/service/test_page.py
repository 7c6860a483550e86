"""The live page: what it is told about runs that fill, and that it can only look."""

import base64
import json
import os
import re
import signal
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from support.pages import ask, served
from support.watching import PATIENCE
from support.written_runs import WrittenRun

from solvers import find, models
from sweep.clusters.page import announce
from sweep.errors import SpecError
from sweep.folder import journal
from sweep.folder.attributes import axis_name
from sweep.pictures.page.answers import UNREAD
from sweep.pictures.page.followed import Followed, Pace
from sweep.pictures.page.labels import pieces, plain
from sweep.pictures.page.site import Site
from sweep.pictures.page.slices import Cut, Picture, picked
from sweep.plan.variables import STATUS

FOREVER = 1e9
WAVES = {
    "sweep": {"name": "<img src=x onerror=alert(1)>", "model": "toy.waves", "method": ["quick", "exact"]},
    "parameters": {"N": 5, "times": [0.0, 0.5, 1.0, 2.0]},
    "axes": {"a": {"linspace": [0.0, 3.0, 13]}, "b": {"logspace": [0.01, 1.0, 7]}},
    "run": {"tile": {"a": 4, "b": 3}},
}
"""A grid of three dimensions, outputs with two more of their own, complex ones, tiles that the edges cut."""


@pytest.fixture
def run(tmp_path):
    return WrittenRun(tmp_path / "run", WAVES)


def filled(followed, cut):
    assert followed.update(FOREVER)
    picture = Picture(followed, cut)
    assert picture.update(FOREVER)
    return picture


def expected(run, cut):
    """The same picture straight from the arrays."""
    variable = cut.variable(run.plan)
    whole = run.codes if cut.output == STATUS else run.values[cut.output]
    codes = run.codes.reshape(run.codes.shape + (1,) * (len(variable.dims) - run.codes.ndim))
    codes = np.broadcast_to(codes, variable.shape)
    index = []
    for name, size in zip(variable.dims, variable.shape, strict=True):
        cells = {cut.x: cut.columns, cut.y: cut.rows}.get(name)
        index.append([dict(cut.at).get(name, 0)] if cells is None else picked(size, cells))
    order = [variable.dims.index(name) for name in (cut.x, cut.y) if name]
    found = []
    for array in (whole, codes):
        part = np.moveaxis(array[np.ix_(*index)], order, range(len(order)))
        found.append(part.reshape(part.shape[0], -1))
    return found


CUTS = [
    Cut("height", "a", "b"),
    Cut("height", "b", "a", at=(("solver", 1),)),
    Cut("height", "solver", "a", at=(("b", 4),)),
    Cut("height", "a", at=(("b", 6), ("solver", 1))),
    Cut("wave", "time", "a", at=(("axis", 2), ("b", 5))),
    Cut("wave", "b", "time", at=(("a", 12),)),
    Cut("wave", "axis", "time", at=(("a", 7), ("b", 2))),
    Cut("wave", "time", at=(("a", 7), ("b", 2), ("axis", 1))),
    Cut("elapsed_seconds", "a", "b", columns=5, rows=2),
    Cut("height", "b", "a", columns=3, rows=6),
    Cut("wave", "time", "b", columns=2, rows=3),
    Cut("status", "a", "b", columns=6, rows=7),
]


@pytest.mark.parametrize("cut", CUTS, ids=lambda c: f"{c.output}-{c.x}-{c.y}-{c.columns}x{c.rows}")
def test_picture_has_the_values_of_the_store(run, cut):
    run.commit_all()
    picture = filled(Followed(run.folder.path), cut)
    values, codes = expected(run, cut)
    np.testing.assert_array_equal(picture.codes, codes)
    if cut.output != STATUS:
        np.testing.assert_array_equal(picture.values, values)
    assert not picture.marks.any()


@pytest.mark.parametrize("part", ["abs", "real", "imag", "phase"])
def test_parts_of_complex_values(run, part):
    run.commit_all()
    function = {"abs": np.abs, "real": np.real, "imag": np.imag, "phase": np.angle}[part]
    cut = Cut("amplitude", "a", "b", at=(("solver", 1),), part=part)
    np.testing.assert_array_equal(filled(Followed(run.folder.path), cut).values, function(expected(run, cut)[0]))


def test_picture_that_follows_equals_one_made_at_the_end(run):
    """Whatever the order of commits, with failures, mixed tiles, tiles computed again, and looks in between."""
    followed = Followed(run.folder.path)
    cuts = [
        Cut("height", "a", "b"),
        Cut("wave", "time", "a", at=(("b", 3),)),
        Cut("height", "b", "a", columns=2, rows=5),
    ]
    followed.update(FOREVER)
    pictures = [Picture(followed, cut) for cut in cuts]
    rng = np.random.default_rng(3)
    for step in range(3 * run.plan.tiles):
        tile = int(rng.integers(run.plan.tiles))
        run.commit(tile, rng.integers(1, 4, size=run.plan.shape_of(tile) if step % 2 else None))
        if step % 5 == 0:
            followed.update(FOREVER)
            for picture in pictures:
                picture.update(FOREVER)
    followed.update(FOREVER)
    for picture, cut in zip(pictures, cuts, strict=True):
        assert picture.update(FOREVER)
        fresh = filled(Followed(run.folder.path), cut)
        values, codes = expected(run, cut)
        np.testing.assert_array_equal(picture.codes, codes)
        np.testing.assert_array_equal(picture.codes, fresh.codes)
        np.testing.assert_array_equal(picture.marks, fresh.marks)
        done = codes != 0
        np.testing.assert_array_equal(picture.values[done], values[done])
        assert np.isnan(picture.values[~done]).all()
    assert {
        name: followed.committed.count(code) for code, name in enumerate(("pending", "done", "failed", "warned"))
    } == {name: int((run.codes == code).sum()) for code, name in enumerate(("pending", "done", "failed", "warned"))}


def test_failures_between_the_drawn_points_are_marked(run):
    """13 values of a in 4 cells: the failed point a[7] is in the third of them, which shows another one."""
    run.commit_all()
    tile = int(np.ravel_multi_index((0, 1, 0), run.plan.grid))
    codes = np.ones(run.plan.shape_of(tile), dtype=np.uint8)
    codes[0, 3, 1] = 2  # a[7], b[1]
    run.commit(tile, codes)
    cut = Cut("height", "a", "b", columns=4, rows=7)
    assert 7 not in picked(13, 4)
    picture = filled(Followed(run.folder.path), cut)
    assert np.argwhere(picture.marks).tolist() == [[7 * 4 // 13, 1]]
    assert not (picture.codes == 2).any()
    run.commit(tile)
    picture.followed.update(FOREVER)
    assert picture.update(FOREVER)
    assert not picture.marks.any(), "computed again, with success"


def test_little_time_leaves_the_rest_for_the_next_answer(run):
    run.commit_all()
    site = Site()
    name = site.add(run.folder.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweep.pictures.page.site.READ_SECONDS", 0.0)
        words = {"run": name, "output": "height", "x": "a", "y": "b"}
        answers = []
        while not answers or not answers[-1]["complete"]:
            answers.append(site._answer("slice", words)[1]())
            assert len(answers) < 50
    codes = np.frombuffer(base64.b64decode(answers[-1]["codes"]), dtype=np.uint8)
    assert not (codes & UNREAD).any()
    values = np.frombuffer(base64.b64decode(answers[-1]["values"])).reshape(13, 7)
    np.testing.assert_array_equal(values, run.values["height"][0])


def test_another_journal_in_its_place_is_read_anew(run):
    run.commit(0)
    followed = Followed(run.folder.path)
    followed.update(FOREVER)
    run.commit(1)
    journal.fence(run.folder.journal)
    with run.folder.journal.open("ab") as stream:
        stream.write(b'{"tile":2,"codes":"1"')  # no end yet
    followed.update(FOREVER)
    assert followed.committed.tiles == 2
    assert followed.seconds == 1.0
    with run.folder.journal.open("ab") as stream:
        stream.write(b',"chunks":[],"seconds":1.0}\n{"tile"\n\n')
    followed.update(FOREVER)
    assert (followed.committed.tiles, followed.seconds) == (3, 2.0)


def test_damaged_and_missing_chunks_leave_their_cells_empty(run):
    run.commit_all()
    variable = next(v for v in run.plan.variables if v.name == "height")
    run.store.chunk_file(variable, 0).unlink()
    run.store.chunk_file(variable, 1).write_bytes(b"nonsense")
    picture = filled(Followed(run.folder.path), Cut("height", "a", "b"))
    assert picture.unreadable == 2
    assert np.isnan(picture.values[:4, :6]).all()
    assert np.isfinite(picture.values[4:]).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"output": "hight", "x": "a"}, "did you mean height"),
        ({"output": "height", "x": "time"}, "no dimension 'time'"),
        ({"output": "height", "x": "a", "y": "a"}, "two dimensions"),
        ({"output": "height", "x": "a", "at.b": "7"}, "place 7"),
        ({"output": "height", "x": "a", "at.b": "-1"}, "place -1"),
        ({"output": "height", "x": "a", "at.b": "one"}, "whole number"),
        ({"output": "height", "x": "a", "columns": "1000", "rows": "1000"}, "100,000 cells"),
        ({"output": "height", "x": "a", "part": "half"}, "part must be"),
        ({"x": "a"}, "needs output"),
    ],
)
def test_questions_that_cannot_be_answered_say_why(run, words, said):
    site = Site()
    with pytest.raises(SpecError, match=re.escape(said)):
        site._answer("slice", {"run": site.add(run.folder.path), **words})


def test_summary_says_what_is_there(run):
    for tile, seconds in enumerate((1.0, 9.0, 4.0)):
        run.commit(tile, seconds=seconds)
    run.commit(3, 2)
    run.fail(3, 0, "no result at a = 1")
    run.fail(3, 1, "no result at a = 2")
    site = Site()
    name = site.add(run.folder.path)
    found = site._answer("run", {"run": name})[1]()
    assert (found["name"], found["state"], found["model"]) == (WAVES["sweep"]["name"], "stopped", "toy.waves")
    assert found["counts"]["failed"] == run.plan.sizes[3]
    assert found["done"] == int(run.plan.sizes[:4].sum())
    assert [slow["seconds"] for slow in found["slowest"]] == [9.0, 4.0, 1.0, 0.5]
    assert found["slowest"][0]["where"] == "solver quick, a 0 to 0.75, b 0.1 to 0.464159"
    assert found["main"] == "height"
    assert "spinsweep resume" in found["hints"]["resume"]
    (group,) = site._answer("failures", {"run": name})[1]()["groups"]
    assert (group["count"], group["type"]) == (2, "ArithmeticError")
    assert group["command"].startswith("spinsweep solve toy.waves --method quick")


def test_rate_is_that_of_the_last_minute_of_this_driver():
    pace = Pace()
    for second in range(200):
        pace.add(1000.0 + second, 10 if second < 100 else 30, 1.0)
    pace.newest = time.monotonic()
    points, cost = pace.rates(0.0)
    assert points == pytest.approx(30, rel=0.02)
    assert cost == pytest.approx(1.0, rel=0.02)
    assert len(pace.marks) < 70
    assert pace.rates(1199.0) == (0.0, 0.0), "one mark says nothing"
    pace.newest -= 60.0
    assert pace.rates(0.0)[0] < 20, "it has come to rest"


def test_labels_of_all_models_are_drawn_without_latex():
    for model in map(find, models()):
        for thing in (*model.parameters, *model.outputs, *model.dimensions):
            text = plain(axis_name(thing))
            assert not set(text) & set("\\${}"), text
    assert pieces(r"mean $\langle S_x^2\rangle/S$") == (("mean ⟨S", 0), ("x", -1), ("2", 1), ("⟩/S", 0))
    assert plain(r"$\gamma_\mathrm{minus}$") == "γ_minus"
    assert plain(r"derivative $\dot{\vec{s}}_i$") == "derivative s\u0307\u20d7_i"
    for odd in ("$", "$\\", "$_", "$^{", "$}{{", "$" + "{" * 5000, r"$\vec$", r"$\vec\vec\vec$", "a$b"):
        plain(odd)


def test_palettes_are_those_of_plot():
    matplotlib = pytest.importorskip("matplotlib")
    from importlib import resources

    text = resources.files("sweep.pictures.page").joinpath("files", "palettes.js").read_text()
    for key, name in (("viridis", "viridis"), ("signed", "RdBu_r"), ("phase", "twilight")):
        stops = re.findall(r"\b[0-9a-f]{6}\b", re.search(rf"{key}:(.*?),\n", text, re.DOTALL)[1])
        ours = np.array([[int(s[k : k + 2], 16) for k in (0, 2, 4)] for s in stops])
        drawn = np.stack([np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, len(ours)), c) for c in ours.T], axis=1)
        theirs = 255 * matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3]
        assert np.abs(drawn - theirs).max() < 6, name


# The server


def test_the_server_only_answers_and_writes_nothing(run):
    run.commit_all()
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(run.folder.path.rglob("*"))}
    with served(run.folder.path) as address:
        home = ask(f"{address}/sweep")
        assert home.address == f"{address}/sweep/"
        (row,) = json.loads(ask(f"{address}/sweep/runs.json").body)["runs"]
        questions = [f"{q}.json?run={row['id']}&output=wave&x=a&y=b" for q in ("run", "slice", "failures")]
        for path in ("", "page.js", "page.css", "runs.json", *questions):
            answer = ask(f"{address}/sweep/{path}")
            assert answer.status == 200, answer.body
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in answer.headers
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
                assert ask(f"{address}/sweep/{path}", method=method).status == 405
            again = ask(f"{address}/sweep/{path}", If_None_Match=answer.headers["Etag"])
            assert again.status == 304, path
            assert ask(f"{address}/sweep/{path}", Accept_Encoding="gzip").status == 200
            assert ask(f"{address}/user/me/proxy/8787/sweep/{path}").body == answer.body
        assert ask(f"{address}/sweep/run.json?run=nobody").status == 404
        assert ask(f"{address}/sweep/..%2f..%2fpyproject.toml").status == 404
        wrong = ask(f"{address}/sweep/slice.json?run={row['id']}&output=<b>&x=a")
        assert wrong.status == 400
        assert wrong.headers["Content-Type"] == "application/json"
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(run.folder.path.rglob("*"))} == before


def test_addresses_in_the_page_are_relative_and_nothing_is_fetched_from_elsewhere():
    from importlib import resources

    for file in resources.files("sweep.pictures.page").joinpath("files").iterdir():
        text = file.read_text()
        assert not re.search(r"""(src|href|from|import|fetch\(|url\()\s*=?\s*["'`(]?\s*(https?:)?//?[a-z]""", text), (
            file.name
        )
        assert "http" not in text, file.name
        for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert sink not in text, file.name


def test_one_run_that_cannot_be_read_does_not_hide_the_others(run, tmp_path):
    other = WrittenRun(tmp_path / "other", WAVES)
    other.folder.plan_file.write_text("{}")
    with served(other.folder.path, run.folder.path, tmp_path / "nowhere") as address:
        bad, good, gone = json.loads(ask(f"{address}/sweep/runs.json").body)["runs"]
        assert (bad["state"], good["state"], gone["state"]) == ("unreadable", "stopped", "unreadable")
        assert "not a run folder" in gone["error"]
        assert ask(f"{address}/sweep/run.json?run={bad['id']}").status == 400


def test_announced_runs_are_on_the_dashboard_of_the_cluster(cluster, run, tmp_path):
    run.commit_all()
    said = announce(cluster, run.folder.path)
    assert said == f"page: {cluster.dashboard.removesuffix('status')}sweep/"
    announce(cluster, run.folder.path)
    rows = json.loads(ask(f"{said.removeprefix('page: ')}runs.json").body)["runs"]
    assert [row["folder"] for row in rows].count(str(run.folder.path)) == 1
    assert ask(cluster.dashboard.replace("status", "health")).status == 200, "the dashboard's own addresses stay"


def test_scheduler_that_cannot_show_a_page_fails_no_run(run):
    def refuses(*_):
        raise ModuleNotFoundError("No module named 'sweep'")

    client = SimpleNamespace(run_on_scheduler=refuses)
    said = announce(SimpleNamespace(client=client, dashboard="http://elsewhere/status"), run.folder.path)
    assert said.startswith("no page on this scheduler (ModuleNotFoundError: No module named 'sweep')")
    assert said.endswith(f"spinsweep view {run.folder.path}")


def test_view_serves_a_run_until_it_is_interrupted(run, spinsweep, cli):
    run.commit(0)
    assert "not a run folder" in cli("view", run.folder.meta, status=2)
    process = spinsweep.start("view", run.folder.path, "--port", "0")
    address = process.stdout.readline().split()[1]
    assert address.startswith("http://127.0.0.1:")
    assert "ssh -N -L" in process.stdout.readline()
    (row,) = json.loads(ask(f"{address}runs.json").body)["runs"]
    assert row["done"] == run.plan.sizes[0]
    port = int(address.rsplit(":", 1)[1].split("/")[0])
    bound = [c.laddr.ip for c in psutil.Process(process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert bound == ["127.0.0.1"]
    assert f"--port {port} is in use" in cli("view", run.folder.path, "--port", port, status=2)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert not err


@pytest.mark.slow
def test_polling_does_not_grow_memory(tmp_path):
    """A run that fills by 1,500 tiles while two pictures of it are looked at a thousand times."""
    raw = {
        "sweep": {"model": "toy.waves", "method": "quick"},
        "axes": {"a": {"linspace": [0.0, 3.0, 1000]}, "b": {"linspace": [0.0, 1.0, 1000]}},
        "outputs": {"keep": ["height"]},
        "run": {"tile": {"a": 20, "b": 20}},
    }
    run = WrittenRun(tmp_path / "run", raw)
    run.commit_all(1000)
    site = Site()
    name = site.add(run.folder.path)
    process = psutil.Process()

    def look():
        for question in ("runs", "run", "failures"):
            site._answer(question, {"run": name})[1]()
        for x, y in (("a", "b"), ("b", "a")):
            site._answer("slice", {"run": name, "output": "height", "x": x, "y": y})[1]()

    for _ in range(50):
        look()
    before = process.memory_info().rss
    tile = 1000
    for _ in range(500):
        for _ in range(3):
            run.commit(tile)
            tile += 1
        look()
    grown = (process.memory_info().rss - before) / 2**20
    assert tile == 2500
    assert site._known[name].followed.committed.tiles == 2500
    assert grown < 12, f"{grown:.1f} MiB"
