"""Fuzzing: points over all of a model's declared bounds, in a process of its own with a limit of processor time per point.

A point passes when it is refused as bad input, or solved with outputs as declared, or fails (status 2) with a reason and
NaN. It does not when anything is raised or a solver fails by an exception that it did not foresee, the process dies, a warning of Python's leaks, NaN or infinity appears undeclared,
a bound is violated, or the model's own reference disagrees. A point that takes longer than the limit is counted apart.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from solvers.evaluate import evaluate, parse_parameters
from solvers.model import Model
from solvers.outcome import FAILED, OK, InvalidInput, Kind, Remark
from solvers.registry import find
from solvers.testing.declared import assert_as_declared
from solvers.testing.fuzz_points import as_text, fuzz_parameters, near_parameters, simpler

MEMORY = 4 * 2**30
"""Bytes of address space that a fuzzing process may take."""
COMPILING = 10.0
"""Times the limit that is given once per method for compiling what a point is the first to need."""
FORESEEN = frozenset({*Kind, MemoryError.__name__}) - {Kind.WRONG_OUTPUT, Kind.UNSAID}
"""How a point may fail: not by an exception that no solver thought of."""
REDUCTIONS = 200
"""Trials to make a failing point smaller."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A point that did not pass: what went wrong, and the smallest parameters found that show it."""

    model: str
    method: str
    what: str
    parameters: Mapping[str, Any]
    index: int

    def __str__(self) -> str:
        return f"solve({self.model!r}, {self.method!r}, {as_text(self.parameters)})\n    {self.what}"


@dataclass
class FuzzReport:
    """How the points of one model ended, by method, and the faults."""

    model: str
    seed: int
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    slow: list[Fault] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.model}, seed {self.seed}"]
        for method in dict.fromkeys(m for m, _ in self.ended):
            counts = ", ".join(f"{n} {what}" for (m, what), n in sorted(self.ended.items()) if m == method)
            lines.append(f"  {method}: {counts}")
        lines += [f"SLOW  {fault}" for fault in self.slow] + [f"FAULT {fault}" for fault in self.faults]
        return "\n".join(lines)


def point_of(model: Model, seed: int, index: int) -> tuple[str, dict[str, Any]]:
    """The method and the parameters of the fuzzing point of that number."""
    method = model.methods[index % len(model.methods)].name
    rng = np.random.default_rng([seed, index])
    return method, near_parameters(model, rng) if _compared(model, index) else fuzz_parameters(model, rng)


def _compared(model: Model, index: int) -> bool:
    """Whether the point of that number is one that the reference can treat: one of four, for every method."""
    return index // len(model.methods) % 4 == 3 and model.random_parameters is not None


def try_point(model: Model, method: str, parameters: Mapping[str, Any], compare: bool = False) -> str:
    """Solve a point and say how it ended: refused, ok, warned or failed; AssertionError for a fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            found = evaluate(model.id, method, points={}, parameters=parameters)
        except InvalidInput:
            return "refused"
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise AssertionError(
                f"raised {type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
            ) from error
    if any("Warning" in r.kind for r in found.remarks.values()):
        raise AssertionError(f"a warning leaks: {found.remarks[0].message}")
    outputs = {name: array[0] if array.ndim > 1 else array.reshape(()) for name, array in found.outputs.items()}
    outputs["status"] = found.status.reshape(())
    parsed = parse_parameters(model, parameters)
    reason = found.remarks[0].message if found.remarks else ""
    assert_as_declared(model, method, outputs, model.lengths(parsed), reason)
    status = int(outputs["status"])
    if status == FAILED and found.remarks[0].kind not in FORESEEN:
        raise AssertionError(f"failed by {found.remarks[0].kind}: {found.remarks[0].message}{_place(found.remarks[0])}")
    if status == OK and compare and _agrees_with_reference(model, method, parsed, outputs):
        return "ok, compared"
    return ("ok", "warned", f"failed: {found.remarks[0].kind if found.remarks else ''}")[status]


def _place(remark: Remark) -> str:
    """Where an exception that no solver foresaw was raised."""
    lines = [line.strip() for line in remark.traceback.splitlines() if line.strip().startswith("File ")]
    return f" ({lines[-1]})" if lines else ""


def _agrees_with_reference(model: Model, method: str, parsed: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
    """AssertionError where the reference says otherwise; False where there is none, or it cannot treat the point."""
    chosen = model.method(method)
    if chosen.reference is None or chosen.draws_numbers:
        return False
    try:
        expected = chosen.reference(parsed)
    except Exception:
        return False
    rtol, atol = chosen.reference_tolerance or model.reference_tolerance
    for name, value in (expected or {}).items():
        np.testing.assert_allclose(outputs[name], value, rtol=rtol, atol=atol, err_msg=f"{name} against the reference")
    return bool(expected)


def fuzz(model: Model, *, points: int, seed: int = 0, seconds: float = 10.0, first: int = 0) -> FuzzReport:
    """Try `points` points of a model, those numbered from `first`, and return how they ended.

    Parameters
    ----------
    points : how many; their methods take turns.
    seed : of the points; the point of a number and a seed is always the same.
    seconds : processor time that one point may take.
    """
    report = FuzzReport(model.id, seed)
    at, warmed = first, set()
    while at < first + points:
        records, code, errors = _run(model, seed, at, first + points, seconds)
        for index, what, ended in records:
            method, parameters = point_of(model, seed, index)
            if what == "fault":
                report.faults.append(
                    Fault(model=model.id, method=method, what=ended[0], parameters=ended[1], index=index)
                )
            report.ended[method, "fault" if what == "fault" else ended] += 1
        at = records[-1][0] + 1 if records else at
        if not code:
            break
        if code > 0 and not records and at == first:
            raise RuntimeError(f"fuzzing {model.id} did not start:\n{errors}")
        method, parameters = point_of(model, seed, at)
        late = code == -signal.SIGPROF
        if late and method not in warmed:  # a kernel may have been compiled: once more, when it is there
            warmed.add(method)
            _run(model, seed, at, at + 1, COMPILING * seconds)
            continue
        what = f"more than {seconds:g} s" if late else f"the process died: {code}\n{errors[-600:]}"
        killed = Fault(model=model.id, method=method, what=what, parameters=parameters, index=at)
        (report.slow if late else report.faults).append(killed)
        report.ended[method, "slow" if late else "fault"] += 1
        at += 1
    return report


def _run(model: Model, seed: int, first: int, end: int, seconds: float) -> tuple[list[tuple[int, str, Any]], int, str]:
    """Points in a process of their own: what is known of each, how the process ended, and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ended"
        command = [sys.executable, "-m", __name__, model.id, *map(str, (seed, first, end, seconds)), str(out)]
        done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
        return _read(out), done.returncode, done.stderr


def _read(out: Path) -> list[tuple[int, str, Any]]:
    records = []
    if out.exists():
        with out.open("rb") as stream:
            while True:
                try:
                    records.append(pickle.load(stream))
                except (EOFError, pickle.UnpicklingError):
                    break
    return records


def _smallest(model: Model, method: str, parameters: dict[str, Any], what: str) -> dict[str, Any]:
    """Parameters with as little as possible given that still go wrong in the same way."""
    left = REDUCTIONS
    again = True
    while again and left > 0:
        again = False
        for candidate in simpler(parameters):
            left -= 1
            try:
                try_point(model, method, candidate, compare=what.startswith("\nNot equal"))
            except AssertionError as error:
                if str(error)[:20] == what[:20]:
                    parameters, again = candidate, True
                    break
            except Exception:
                continue
            if left <= 0:
                break
    return parameters


def _child(model_id: str, seed: int, first: int, end: int, seconds: float, out: Path) -> None:
    """Solve points, one after the other; the timer's signal ends the process, whatever runs."""
    import resource

    model = find(model_id)
    for method in model.methods:  # compiled before the clock runs
        try:
            try_point(model, method.name, model.example)
        except AssertionError:
            continue
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with out.open("ab", buffering=0) as stream:
        for index in range(first, end):
            method_name, parameters = point_of(model, seed, index)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            ended: Any
            try:
                what, ended = "ended", try_point(model, method_name, parameters, compare=_compared(model, index))
            except AssertionError as error:
                signal.setitimer(signal.ITIMER_PROF, 20 * seconds)
                what, ended = "fault", (str(error), _smallest(model, method_name, parameters, str(error)))
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            stream.write(pickle.dumps((index, what, ended)))


if __name__ == "__main__":
    _name, _seed, _first, _end, _seconds, _out = sys.argv[1:]
    _child(_name, int(_seed), int(_first), int(_end), float(_seconds), Path(_out))
