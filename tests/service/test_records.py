"""What a run keeps in files is checked when it is read: one sentence with file, field and cure for anything malformed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from sweep.errors import RunError
from sweep.execution.messages import PointRemark, Receipt
from sweep.folder import files, journal
from sweep.folder.journal import JournalEntry
from sweep.folder.lease import Holder, holder
from sweep.folder.point_errors import PointError
from sweep.folder.run_folder import RunFolder
from sweep.folder.run_record import RunRecord
from sweep.plan.timings import Timings
from sweep.records import Record
from sweep.results.status import DriverStatus, RunStatus

RECORDS = [
    JournalEntry(3, "1", ((12, "ab"), (9, "cd")), 0.25, "here", 17, "a processor", "2026-01-01T00:00:00+00:00"),
    PointError(1, 2, "failed", "exact", {"a": 1.0, "shape": "round"}, "ArithmeticError", "no", "Traceback"),
    Holder("here", 17, 12.5, 13.0, "token"),
    RunRecord(
        "id", "name", (2, 3), "h", "c", {"axes": {"a": [1]}}, pilot=Timings({"exact": 0.1}, {"exact": (((0.5,), 0.1),)})
    ),
    Receipt(1, "codes", ((1, "a"),), 0.5, "here", 17, "cpu", (PointRemark(0, 2, "Kind", "why"),)),
    RunStatus("f", "n", "m", 4, 2, 1, 0, {"done": 1}, 2, 1, 0.5, True, DriverStatus("here", 1, 2.0), 1, "h"),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_records_come_back_as_they_were(record):
    text = json.dumps(record.to_json())
    assert type(record).from_json(json.loads(text), "somewhere") == record


def refusal(kind, value):
    """The sentence with which a value is refused, or None when it is read."""
    try:
        kind.from_json(value, "file.json")
    except RunError as error:
        return str(error)
    return None


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_every_field_of_another_type_is_refused(record):
    kind = type(record)
    for name, good in record.to_json().items():
        others = [value for value in ("text", 1.5, True, [1, "x"], {"x": []}) if type(value) is not type(good)]
        told = [refusal(kind, {**record.to_json(), name: value}) for value in others]
        wrong = [sentence for sentence in told if sentence is not None]
        assert len(wrong) >= len(others) - 1, name
        for sentence in wrong:
            assert sentence.startswith(f"file.json: {name}")
            assert "must be" in sentence
            assert sentence.endswith(kind.FIX)


def test_places_inside_a_field_are_named():
    @dataclass(frozen=True)
    class Nested(Record):
        rows: tuple[tuple[str, float], ...] = ()
        table: Mapping[str, int] = field(default_factory=dict)

    for value, words in (
        ({"rows": [["a", 1.0], ["b", "c"]]}, r"file: rows\[1\]\[1\] must be a number; given was 'c'"),
        ({"rows": [["a"]]}, r"rows\[0\] must be a list of 2"),
        ({"table": {"x": 1.5}}, r"table.x must be a whole number; given was 1.5"),
        ([1], "file: must be a JSON object"),
    ):
        with pytest.raises(RunError, match=words):
            Nested.from_json(value, "file")


def test_missing_fields_are_told_and_unknown_ones_passed_over():
    with pytest.raises(RunError, match="x: tile must be a whole number; given was nothing; remove the line"):
        JournalEntry.from_json({"codes": "1"}, "x")
    entry = JournalEntry.from_json({"tile": 1, "codes": "1", "chunks": [], "colour": "blue"}, "x")
    assert entry == JournalEntry(1, "1")


def test_torn_line_is_dropped_and_a_foreign_one_told(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal.append(path, [JournalEntry(1, "1"), JournalEntry(2, "1")])
    journal.take_back(path, [2])
    with open(path, "a") as stream:
        stream.write('{"tile": 2, "cod')  # a crash
    journal.append(path, [JournalEntry(3, "1")])
    assert set(journal.latest(path)) == {1, 3}
    with open(path, "a") as stream:
        stream.write('{"tile": 4}\n')
    with pytest.raises(RunError, match=r"journal.jsonl, line 6: codes must be a text; given was nothing; remove"):
        list(journal.read(path))
    path.write_text(path.read_text().replace('{"tile": 4}\n', ""))
    with open(path, "a") as stream:
        stream.write('{"note": "edited by hand"}\n')
    with pytest.raises(
        RunError, match=r"journal.jsonl, line 6: tile must be a whole number; given was nothing; remove"
    ):
        list(journal.read(path))


def test_files_of_a_run_that_were_damaged(tmp_path):
    folder = RunFolder(tmp_path)
    folder.meta.mkdir()
    for text, words in (
        ("{", "cannot be read"),
        ("[]", "must be a JSON object"),
        ('{"format": 2}', "id must be a text"),
    ):
        folder.plan_file.write_text(text)
        with pytest.raises(RunError, match=words) as error:
            folder.record()
        assert "restore it from a copy" in str(error.value)
    folder.lease.write_text("")  # a power cut
    assert holder(folder.lease) is None
    folder.lease.write_text('{"host": 1}')
    with pytest.raises(RunError, match=r"lease.json: host must be a text; given was 1; remove the file"):
        holder(folder.lease)
    assert files.read_json(folder.lease) == {"host": 1}
