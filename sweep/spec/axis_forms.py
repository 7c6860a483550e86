"""The forms in which values of an axis or an array can be written, in TOML and on the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.records import Json
from sweep.spec.array_files import load, names_file

FORMS = {
    "values": "a list of values; the same as the list alone",
    "linspace": "[first, last, count]: equally spaced, both ends included",
    "logspace": "[first, last, count]: a constant ratio, both ends included; the end points themselves, not their exponents",
    "arange": "[first, stop, step]: from first by step; stop itself is left out",
}
"""The forms of an axis, and what they take."""
LARGEST = 10_000_000
"""More values than this on one axis are a slip of the pen."""


def finite_number(where: str, form: str, value: Any) -> float:
    """A finite number in a form of values; SpecError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise SpecError(f"{where}: {form} needs finite numbers; given was {value!r}")
    return float(value)


def _three(where: str, form: str, given: Any, meaning: str) -> list[Any]:
    if not isinstance(given, list) or len(given) != 3:
        raise SpecError(f"{where}: {form} needs [{meaning}]; given was {given!r}")
    return given


def counted(where: str, form: str, value: Any) -> int:
    """A count in a form of values: a whole number from 1 to LARGEST; SpecError for anything else."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not np.isfinite(value)
        or value != int(value)
        or not 1 <= value <= LARGEST
    ):
        raise SpecError(f"{where}: the count of {form} must be a whole number from 1 to {LARGEST}; given was {value!r}")
    return int(value)


def axis_values(where: str, form: Any, kind: str = "real") -> NDArray[Any] | list[Any]:
    """Values of an axis: a list, or one of { values, linspace, logspace, arange }.

    `linspace` and `logspace` take [first, last, count]: the end points themselves, not their exponents; `arange` takes
    [first, stop, step] and leaves out `stop`, as NumPy does. Whole-number parameters take the nearest whole numbers of
    a `linspace` or `logspace`, each once.
    """
    if isinstance(form, list):
        form = {"values": form}
    if not isinstance(form, Mapping):
        raise SpecError(
            f"{where}: write a list or one of {', '.join(FORMS)}, like {{ linspace = [0.0, 1.0, 11] }}; given was {form!r}"
        )
    for key in form:
        if key not in FORMS:
            raise SpecError(f"{where} has no form {key!r}; allowed are {', '.join(FORMS)}{did_you_mean(key, FORMS)}")
    if len(form) != 1:
        raise SpecError(f"{where} needs exactly one of {', '.join(FORMS)}; given were {', '.join(form) or 'none'}")
    name, given = next(iter(form.items()))
    if name == "values":
        if not isinstance(given, list) or not given:
            raise SpecError(f"{where}: values needs a list of at least one value; given was {given!r}")
        return given
    if name == "arange":
        first, stop, step = (finite_number(where, name, v) for v in _three(where, name, given, "first, stop, step"))
        if step == 0 or (stop - first) / step <= 0:
            raise SpecError(f"{where}: arange from {first:g} to {stop:g} by {step:g} has no values")
        if (stop - first) / step > LARGEST:
            raise SpecError(f"{where}: arange from {first:g} to {stop:g} by {step:g} has more than {LARGEST} values")
        return np.arange(first, stop, step)
    first_, last_, count_ = _three(where, name, given, "first, last, count")
    first, last = finite_number(where, name, first_), finite_number(where, name, last_)
    count = counted(where, name, count_)
    if name == "logspace":
        if first <= 0 or last <= 0:
            raise SpecError(
                f"{where}: logspace takes the end points themselves, both > 0 (1e-4, not -4); given was {given!r}"
            )
        values = np.geomspace(first, last, count)
    else:
        values = np.linspace(first, last, count)
    return list(dict.fromkeys(np.round(values).tolist())) if kind == "integer" else values


def complex_values(where: str, value: Json) -> NDArray[np.complex128]:
    """The array of { re = [...], im = [...] }, two arrays of one shape."""
    try:
        real, imaginary = (np.asarray(value[part], dtype=np.float64) for part in ("re", "im"))
        if real.shape != imaginary.shape:
            raise ValueError(f"shapes {real.shape} and {imaginary.shape}")
    except (TypeError, ValueError) as error:
        raise SpecError(f"{where}: re and im need to be arrays of numbers, of one shape ({error})") from error
    return np.asarray(real + 1j * imaginary)


def array_values(where: str, value: Any) -> Any:
    """An array parameter: a list, an axis form, { re = ..., im = ... } for complex entries, or an array file."""
    if names_file(value):
        return load(where, value)
    if isinstance(value, Mapping):
        if set(value) == {"re", "im"}:
            return complex_values(where, value)
        return axis_values(where, value)
    return value


def from_text(where: str, text: str) -> Any:
    """A value on the command line: a TOML value, a bare word or address, or an axis form (see `axis_from_text`)."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        pass
    except RecursionError:
        raise SpecError(f"{where}: the brackets are nested too deeply") from None
    if (":" in text or "," in text) and "://" not in text:
        return axis_from_text(where, text)
    return text.strip()


def axis_from_text(where: str, text: str) -> Json:
    """An axis on the command line: `a:b:n`, `a:b:n:log` or `v1,v2,...`, as the form a spec file would have."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 1:
        return {"values": [from_text(where, part) if part.strip() else "" for part in text.split(",")]}
    if len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise SpecError(f"{where}: write first:last:count, first:last:count:log or v1,v2,...; given was {text!r}")
    try:
        first, last, count = (_as_written(part) for part in parts[:3])
    except ValueError:
        raise SpecError(f"{where}: first, last and count must be numbers; given was {text!r}") from None
    return {"logspace" if len(parts) == 4 else "linspace": [first, last, count]}


def _as_written(text: str) -> int | float:
    """A number as it is written: 130 stays a whole number in a spec."""
    try:
        return int(text)
    except ValueError:
        return float(text)
