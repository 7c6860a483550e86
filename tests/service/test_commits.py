"""The commit path: groups, one sync for all of them, `status` as a view of the journal, and tile sizes by what is there."""

import contextlib
import io
import math

import numpy as np
import pytest
from support.bits import assert_same_bits
from support.toy_specs import faulty
from support.virtual_workers import VirtualCluster

import sweep
from sweep.execution import commits, creation, launch
from sweep.execution.driver import bundle_of, window_of
from sweep.execution.open_run import TileToDo
from sweep.execution.progress import Progress
from sweep.execution.recovery import recover, tiles_to_do
from sweep.folder import codes, files, journal
from sweep.folder.codes import DONE, PENDING, POINT_FAILED, POINT_WARNED
from sweep.folder.committed import Committed
from sweep.folder.disk import LocalDisk
from sweep.folder.host import Host
from sweep.folder.run_folder import RunFolder
from sweep.folder.status_view import StatusView
from sweep.plan import tiling
from sweep.plan.tiling import Plan, tile_shape
from sweep.plan.timings import Timings
from sweep.spec.parsing import parse


def quiet():
    return Progress(io.StringIO())


class CountingDisk(LocalDisk):
    """Counts what is synced, and with what kind of file."""

    def __init__(self):
        self.all = 0
        self.journal_syncs = 0
        self.synced = []

    def sync(self, path):
        self.synced.append(path)
        super().sync(path)

    def sync_all(self, path):
        self.all += 1
        super().sync_all(path)

    def appender(self, path):
        end = super().appender(path)
        sync = end.sync

        def counted():
            self.journal_syncs += 1
            sync()

        end.sync = counted
        return end


@pytest.fixture
def made(tmp_path):
    """A run of 200 tiles that no cluster has worked on, on a disk that counts."""
    raw = {
        "sweep": {"model": "toy.faulty"},
        "axes": {"a": {"linspace": [0, 1, 20]}, "b": {"linspace": [0, 1, 50]}},
        "run": {"tile": {"a": 1, "b": 5}},
    }
    folder = RunFolder(tmp_path / "out", Host(disk=CountingDisk()))
    creation.create(folder, parse(raw), Timings({"only": 10.0}), 2, quiet())
    return folder


def resume(folder, cluster):
    return launch.resume(folder.path, stream=io.StringIO(), cluster=contextlib.nullcontext(cluster))


def test_tiles_are_committed_in_groups_and_synced_together(made, monkeypatch):
    plan = made.plan()
    monkeypatch.setattr(launch, "RunFolder", lambda path, host: made)
    monkeypatch.setattr(commits, "LARGEST_GROUP", 50)
    made.disk.all, made.disk.synced = 0, []
    assert resume(made, VirtualCluster(made, plan, threads=24)).done == 1000
    # Each group costs one sync of all data and one of the journal; no chunk is synced by itself.
    assert 2 <= made.disk.all <= 8
    assert made.disk.journal_syncs == made.disk.all
    assert not [path for path in made.disk.synced if path.is_relative_to(made.data)]
    lines = list(journal.read(made.journal))
    assert sorted(entry.tile for entry in lines) == list(range(200))
    assert {(entry.codes, len(entry.chunks)) for entry in lines} == {("1", 1)}
    assert bool((sweep.open(made.path).status == DONE).all())


def test_worker_elsewhere_syncs_what_it_writes(made):
    from sweep.execution.messages import Job
    from sweep.execution.worker import solve_tiles

    record = made.record()
    here = made.disk.shared_with(made.data)
    assert here
    for synced, expected in ((here, 0), ("", 2), ("another", 2)):
        disk = CountingDisk()
        job = Job(str(made.path), record.id, record.code, synced)
        (receipt,) = solve_tiles(job, ((3, ""),), Host(disk=disk))
        assert receipt.codes == "1"
        assert len([path for path in disk.synced if path.is_file()]) == expected


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "flipped"])
def test_status_is_made_again_from_the_journal(made, damage):
    plan = made.plan()
    resume(made, VirtualCluster(made, plan))
    (path,) = [p for p in (made.data / "status" / "c").rglob("*") if p.is_file()]
    data = path.read_bytes()
    match damage:
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(data[:5])
        case "flipped":
            path.write_bytes(data[:-3] + bytes([data[-3] ^ 255]) + data[-2:])
    result = resume(made, None)
    assert result.done == 1000
    assert bool((sweep.open(made.path).status == DONE).all())


def test_resume_computes_what_the_journal_has_not(made):
    """Whatever `status` says, a tile without a line is computed again, and one with a line is not."""
    plan = made.plan()
    resume(made, VirtualCluster(made, plan))
    lines = made.journal.read_bytes().splitlines(keepends=True)
    made.journal.write_bytes(b"".join(lines[:-3]) + lines[-3][:40])  # three tiles less, one of them torn
    cluster = VirtualCluster(made, plan)
    solved = []
    cluster.solve = lambda tile, solve=cluster.solve: solved.append(tile) or solve(tile)
    assert resume(made, cluster).done == 1000
    assert len(solved) == 3


def test_journal_that_names_tiles_that_are_not_there_is_told(made):
    journal.append(made.journal, [journal.JournalEntry(200, "1", ((1, "x"),))])
    with pytest.raises(sweep.RunError, match="there is no tile 200, the run has 200; remove the line"):
        recover(made, made.plan(), quiet())
    made.journal.write_text('{"tile": 1, "codes": "7"}\n')
    with pytest.raises(sweep.RunError, match="tile 1: there is no code 7; remove the line"):
        recover(made, made.plan(), quiet())
    made.journal.write_text('{"tile": 1, "codes": "AAAA"}\n')
    with pytest.raises(sweep.RunError, match="tile 1: 'AAAA' holds no codes"):
        Committed.read(made, made.plan())


def test_driver_that_has_lost_the_run_commits_into_nothing(tmp_path):
    """Who takes over puts a copy in the journal's place; a line that comes late, from whoever had it open, has no name."""
    path = tmp_path / "journal.jsonl"
    first = journal.Writer(path)
    assert first.append([journal.JournalEntry(1, "1")])
    (tmp_path / ".journal.jsonl.0123.partial").write_text("a copy that a kill broke off")
    journal.fence(path)
    second = journal.Writer(path)
    assert not first.append([journal.JournalEntry(2, "1")])
    assert second.append([journal.JournalEntry(3, "1")])
    assert set(journal.latest(path)) == {1, 3}
    assert [p.name for p in tmp_path.iterdir()] == ["journal.jsonl"]
    first.close()
    second.close()


def test_codes_come_back_and_whole_tiles_take_one_digit():
    rng = np.random.default_rng(0)
    for shape in ((1,), (7, 3), (2, 5, 4)):
        values = rng.integers(0, 5, size=shape).astype(np.uint8)
        text = codes.packed(values)
        np.testing.assert_array_equal(codes.unpacked(text, shape), values)
        np.testing.assert_array_equal(codes.counts(text, values.size), np.bincount(values.ravel(), minlength=5))
    assert codes.packed(np.full((100, 100), POINT_FAILED, np.uint8)) == "2"


@pytest.mark.parametrize("tile", [(3, 2), (7, 5), (1, 1), (5, 4)])
@pytest.mark.parametrize("chunk", [(7, 5), (2, 3), (1, 5), (4, 1)])
def test_view_shows_what_is_committed_whatever_the_chunks(tmp_path, tile, chunk):
    """Against the plain way: every tile's codes put into one array."""
    raw = {"sweep": {"model": "toy.faulty"}, "axes": {"a": {"linspace": [0, 1, 7]}, "b": {"linspace": [0, 1, 5]}}}
    plan = Plan(parse(raw), tile)
    store = Chunked(plan.spec.shape, chunk)
    committed = Committed(plan)
    rng = np.random.default_rng(1)
    view = StatusView(store, committed, Host().clock)
    expected = np.zeros(plan.spec.shape, np.uint8)
    for index in rng.permutation(plan.tiles)[: max(1, plan.tiles - 1)]:
        shape = plan.shape_of(int(index))
        values = rng.integers(1, 4, size=shape).astype(np.uint8) if rng.random() < 0.5 else np.ones(shape, np.uint8)
        committed.put(int(index), codes.packed(values))
        view.touch(int(index))
        expected[plan.region(int(index))] = values
        np.testing.assert_array_equal(committed.codes(int(index)), values)
        view.write_all()
        np.testing.assert_array_equal(store.array, expected)
    assert (committed.done, committed.failed) == (
        np.count_nonzero(expected),
        np.count_nonzero(expected == POINT_FAILED),
    )
    assert committed.warned == np.count_nonzero(expected == POINT_WARNED)
    assert committed.at((6, 4)) == expected[6, 4]
    assert view.rebuild() == 0
    store.array[0, 0] = 4
    assert view.rebuild() == 1
    np.testing.assert_array_equal(store.array, expected)


class Chunked:
    """`status` of a store, as an array."""

    def __init__(self, shape, chunks):
        self.array = np.zeros(shape, np.uint8)
        self.status_chunks = chunks

    def write_status(self, region, values):
        self.array[region] = values

    def read_status(self, region):
        return self.array[region]


def test_view_is_written_seldom_and_in_parts(tmp_path):
    """At most once a second, and for a tenth of the time: with 100 chunks of 50 ms each no step takes longer than that."""

    class Slow:
        now = 0.0

        def monotonic(self):
            return self.now

    raw = {"sweep": {"model": "toy.faulty"}, "axes": {"a": {"linspace": [0, 1, 100]}}}
    plan = Plan(parse(raw), (1,))
    clock, store, committed = Slow(), Chunked((100,), (1,)), Committed(plan)
    view = StatusView(store, committed, clock)
    written = []

    def write(region, values):
        written.append(region)
        clock.now += 0.05

    store.write_status = write
    for tile in range(100):
        committed.put(tile, "1")
        view.touch(tile)
    view.write()
    assert not written  # not yet
    clock.now += 1.0
    view.write()
    assert 1 <= len(written) <= 4  # a tenth of a second, and the chunk that goes beyond
    view.write()
    assert len(written) <= 4
    view.write_all()
    assert len(written) == 100


def test_points_to_retry_are_those_that_failed(made):
    committed = Committed(made.plan())
    committed.put(0, "1")
    committed.put(1, "2")
    committed.put(2, codes.packed(np.asarray([1, 2, 3, 1, 1], np.uint8)))
    todo = tiles_to_do(committed, Timings({"only": 1.0}))
    assert [tile.index for tile in todo] == list(range(3, 200))
    todo = tiles_to_do(committed, Timings({"only": 1.0}), retry=True)
    assert [(tile.index, tile.done) for tile in todo[:3]] == [(1, 0), (2, 4), (3, 0)]


def test_quick_tiles_travel_in_bundles():
    def tiles(count, cost):
        return [TileToDo(k, 10, 0, cost) for k in range(count)]

    assert bundle_of(tiles(2000, 1e-4), 2) == 16
    assert bundle_of(tiles(2000, 0.02), 2) == 5
    assert bundle_of(tiles(2000, 1.0), 2) == 1
    assert bundle_of(tiles(30, 1e-4), 2) == 1  # so few are shared out evenly
    assert bundle_of([*tiles(2000, 1e-4), TileToDo(0, 10, 0, 60.0)], 2) == 1  # one may be slow, all are alone
    assert window_of(2, 16) == 96


@pytest.mark.parametrize("kind", ["raise", "kill"])
def test_bundles_have_the_fate_of_single_tiles(cluster, spinsweep, tmp_path, kind):
    """Points that fail or take their worker down, in tiles that travel together: bits and failures of tiles that do not."""
    raw = faulty(kind, at=7.0, a=40, b=2, tile={"a": 1, "b": 1}, seconds=0.0)
    raw["run"]["retries"] = 0
    shared = contextlib.nullcontext(cluster)
    for name, cost in (("bundles", 1e-5), ("alone", 10.0)):
        folder = RunFolder(tmp_path / name)
        creation.create(folder, parse(raw), Timings({"only": cost}), 2, quiet())
        result = launch.resume(folder.path, stream=io.StringIO(), cluster=shared)
        assert (result.done, result.failed) == (80, 2)
    assert_same_bits(tmp_path / "bundles", tmp_path / "alone")


def test_tiles_are_longer_where_there_are_many_workers_or_much_work():
    def spec(points, inner=10):
        axes = {"a": {"linspace": [0.0, 1.0, points // inner]}, "b": {"linspace": [0.0, 1.0, inner]}}
        return parse({"sweep": {"model": "toy.faulty"}, "axes": axes})

    def seconds(points, each, workers):
        timings = Timings({"only": each})
        return math.prod(tile_shape(spec(points), timings, workers)) * each

    assert seconds(10_000_000, 0.01, 100) == pytest.approx(tiling.TILE_SECONDS, rel=0.01)
    assert seconds(100_000_000, 0.1, 10_000) == pytest.approx(40.0, rel=0.01)  # 4 ms for every worker
    assert seconds(50_000_000, 1.0, 8) == pytest.approx(25.0, rel=0.2)  # two million tiles and no more
    assert seconds(1000, 0.1, 8) == pytest.approx(1000 * 0.1 / 64, rel=0.4)  # little work: all workers have some
    large = spec(2_000_000_000, 1000)
    assert math.ceil(large.points / math.prod(tile_shape(large, Timings({"only": 1e-9}), 2))) <= tiling.MOST_TILES


def test_status_of_many_points_lies_in_few_files():
    axes = {"a": {"linspace": [0.0, 1.0, 100_000]}, "b": {"linspace": [0.0, 1.0, 10_000]}}
    plan = Plan(parse({"sweep": {"model": "toy.faulty"}, "axes": axes}), (1, 10_000))
    status = next(v for v in plan.variables if v.name == "status")
    chunks = math.prod(math.ceil(n / k) for n, k in zip(status.shape, status.chunks, strict=True))
    assert chunks == 1000
    assert math.prod(status.chunks) <= 1_000_000


def test_lines_that_are_no_json_are_passed_over(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a": 1}\n\x00\x00\x00\n{"b": \xff}\n[1, 2\n{"c": 3}\n')
    assert [value for _, value in files.read_lines(path)] == [{"a": 1}, {"c": 3}]


def test_uncommitted_codes_are_pending(tmp_path):
    plan = Plan(parse({"sweep": {"model": "toy.faulty"}, "axes": {"a": {"linspace": [0, 1, 10]}}}), (4,))
    committed = Committed(plan)
    assert committed.codes(2).tolist() == [PENDING, PENDING]
    assert (committed.done, committed.tiles, committed.count(PENDING)) == (0, 0, 10)
