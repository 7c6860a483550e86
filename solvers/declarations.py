"""What a model declares about itself, as frozen data: parameters, dimensions, outputs, limits of methods, checks."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from solvers.outcome import InvalidInput
from solvers.suggest import did_you_mean

ValueKind = Literal["real", "integer", "complex", "choice"]
_EXTENT = re.compile(r"^(?:(?P<factor>\d+)(?P<power>\*\*|\*))?(?P<name>[A-Za-z_]\w*)(?:\+(?P<plus>\d+))?$")

_EXACT = 2**53
"""Whole numbers below are floats without rounding."""


@functools.lru_cache(maxsize=4096)
def _match(expression: str) -> re.Match[str] | None:
    return _EXTENT.match(expression)


def extent(expression: str | int, sizes: Mapping[str, int]) -> int:
    """Evaluate the length of an array dimension: `3`, `N`, `3*N`, `2**N`, `max_distance+1` or `2*cycles*samples`."""
    if isinstance(expression, int):
        return expression
    if (named := sizes.get(expression)) is not None:
        return named
    if expression.isdigit():
        return int(expression)
    if expression.count("*") > 1 and "**" not in expression:
        return math.prod(extent(part, sizes) for part in expression.split("*"))
    match = _match(expression)
    if match is None or match["name"] not in sizes:
        raise ValueError(
            f"extent {expression!r} is none of: a number, NAME, k*NAME, k**NAME, NAME+k, a product; names: {sorted(sizes)}"
        )
    size = sizes[match["name"]]
    if match["power"] == "**":
        size = int(match["factor"]) ** size
    elif match["power"] == "*":
        size = int(match["factor"]) * size
    return size + int(match["plus"] or 0)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a model.

    `dims` is empty for a number; for an array it holds one extent per dimension (see `extent`; `"*"` is any length),
    and a single number given for an array fills it. `default=None` means "not given" (only for arrays and for
    parameters that replace one another). `shape` marks what sets an output's shape: fixed for a whole sweep.
    `physical=False` marks what only says how, or how long, to compute (tolerances, times, trajectories, seed): such
    parameters do not enter the random streams. `open_below` and `open_above` exclude the bound itself. `label` is the
    text of an axis, where the beginning of `meaning` (up to the first `; , : (`) is not a good one.
    """

    name: str
    meaning: str
    default: Any
    unit: str = "1"
    symbol: str = ""
    kind: ValueKind = "real"
    bounds: tuple[float, float] = (-math.inf, math.inf)
    open_below: bool = False
    open_above: bool = False
    choices: tuple[str, ...] = ()
    dims: tuple[str | int, ...] = ()
    never_decreases: bool = False
    shape: bool = False
    physical: bool = True
    label: str = ""

    def __post_init__(self) -> None:
        if self.kind == "choice" and (not self.choices or self.default not in self.choices):
            raise ValueError(f"parameter {self.name}: a choice needs choices, and a default among them")
        if self.default is not None:
            object.__setattr__(self, "default", self.parse(self.default))

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        noun = {"real": "a finite number", "integer": "a whole number", "complex": "a finite complex number"}[self.kind]
        low, high = self.bounds
        limits = []
        if low > -math.inf:
            limits.append(f"{'>' if self.open_below else '>='} {low:g}")
        if high < math.inf:
            limits.append(f"{'<' if self.open_above else '<='} {high:g}")
        text = " ".join([noun, " and ".join(limits)]).strip()
        if self.dims:
            text = f"an array ({', '.join(map(str, self.dims))}), each entry {text}"
            text += ", never decreasing" if self.never_decreases else ""
        return text

    def _refuse(self, value: object, why: str = "") -> InvalidInput:
        given = " ".join(np.array2string(value, threshold=6).split()) if isinstance(value, np.ndarray) else repr(value)
        hint = did_you_mean(value, self.choices) if isinstance(value, str) and self.choices else ""
        return InvalidInput(
            f"parameter {self.name}{f' ({self.meaning})' if self.meaning else ''}: {why or 'not allowed'}; "
            f"allowed is {self.allowed}; given was {given if len(given) < 120 else given[:117] + '...'}{hint}"
        )

    def parse(self, value: Any) -> Any:
        """Return `value` in canonical form (float, int, complex, str or array), or raise a ValueError that says what is allowed."""
        if value is None:
            if self.default is None:
                return None
            raise self._refuse(value, "a value is missing")
        if self.kind == "choice":
            if not isinstance(value, str) or value not in self.choices:
                raise self._refuse(value, "unknown choice")
            return str(value)
        if (plain := self._plain(value)) is not None:
            return plain
        array = self._numbers(value)
        if not self.dims:
            if array.ndim:
                raise self._refuse(value, f"one number is expected, not an array of shape {array.shape}")
            self._check_range(array, value)
            return array.item()
        if array.ndim not in (0, len(self.dims)):
            raise self._refuse(value, f"{len(self.dims)} dimensions are expected, not {array.ndim}")
        self._check_range(array, value)
        return array

    def _plain(self, value: Any) -> float | int | None:
        """What `parse` makes of one of Python's own numbers where that is quickly seen to be allowed, else None."""
        if self.dims or (type(value) is not float and type(value) is not int):
            return None
        low, high = self.bounds
        if not (low < value < high and -_EXACT < value < _EXACT):  # bounds themselves, NaN, infinity: looked at closely
            return None
        if self.kind == "real":
            return float(value)
        if self.kind == "integer" and type(value) is int:
            return value
        return None

    def parse_many(self, values: Any) -> NDArray[Any]:
        """Like `parse` for P values: (P,) for one number each, which for an array parameter fills it, or (P, ...) for arrays.

        The values are checked in one sweep over them.
        """
        if self.kind == "choice":
            array = np.asarray(values)
            if array.ndim != 1:
                raise self._refuse(values, "one choice per point is expected")
            for value in np.unique(array).tolist():
                self.parse(value)
            return array.astype(str)
        array = self._numbers(values)
        if array.ndim not in (1, 1 + len(self.dims)):
            raise self._refuse(
                values, f"an array with the points in front, {1 + len(self.dims)} dimensions in all, is expected"
            )
        self._check_range(array, values)
        return array

    def _numbers(self, value: Any) -> NDArray[Any]:
        """Convert to an array of this parameter's type; booleans, strings and ragged lists are no numbers."""
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise self._refuse(value, "the rows have different lengths") from error
        if array.dtype.kind not in "iufc":
            raise self._refuse(value, "not a number")
        if array.dtype.kind == "c" and self.kind != "complex":
            raise self._refuse(value, "complex, but a real number is expected")
        if self.kind == "integer":
            if not np.all(np.isfinite(array)) or np.any(array != np.round(array)) or np.any(np.abs(array) >= 2.0**62):
                raise self._refuse(value, "not a whole number")
            return array.astype(np.int64)
        return array.astype(np.complex128 if self.kind == "complex" else np.float64)

    def _check_range(self, array: NDArray[Any], given: Any) -> None:
        low, high = self.bounds
        if (
            array.size
            and self.kind != "complex"
            and not self.never_decreases
            and low < array.min()
            and array.max() < high
        ):
            return  # the usual case, seen by two looks; with a NaN there is no smallest one
        if not np.all(np.isfinite(array)):
            raise self._refuse(given, "not finite")
        if self.kind == "complex":
            return
        bad = (array <= low) if self.open_below else (array < low)
        bad |= (array >= high) if self.open_above else (array > high)
        if np.any(bad):
            raise self._refuse(array[bad].flat[0].item(), "out of bounds")
        if self.never_decreases and array.ndim == 1 and np.any(np.diff(array) < 0):
            raise self._refuse(given, "decreases")

    def check_shape(self, array: NDArray[Any], sizes: Mapping[str, int]) -> NDArray[Any]:
        """Fill a single number to the declared shape; raise ValueError when a given array has another one.

        Leading dimensions beyond the declared ones (the points of a batch) are left alone.
        """
        lead = array.ndim - len(self.dims)
        if array.ndim == 0:
            return np.full(tuple(1 if d == "*" else extent(d, sizes) for d in self.dims), array)
        for k, dim in enumerate(self.dims):
            if dim != "*" and array.shape[lead + k] != extent(dim, sizes):
                want = tuple("any" if d == "*" else extent(d, sizes) for d in self.dims)
                raise self._refuse(array, f"shape {array.shape[lead:]} is given where {want} is expected")
        return array


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A named dimension of outputs and the coordinate along it.

    `size` is a number, an extent over shape parameters, or the name of an array shape parameter (such as `times`),
    whose values are then the coordinate. `labels` name the entries (x, y, z); else they count from `start`. `along` names
    the output that holds the physical coordinate of a dimension that only counts (the field of a step); `label` see
    `Parameter`.
    """

    name: str
    size: str | int
    labels: tuple[str, ...] = ()
    start: int = 0
    unit: str = "1"
    symbol: str = ""
    meaning: str = ""
    along: str = ""
    label: str = ""


TIME = Dimension(name="time", size="times", symbol="t", meaning="time")
AXIS = Dimension(name="axis", size=3, labels=("x", "y", "z"), meaning="spin axis")
AXIS2 = Dimension(
    name="axis2", size=3, labels=("x", "y", "z"), meaning="spin axis of the second operator", label="second spin axis"
)
SITE = Dimension(name="site", size="N", meaning="site")
SITE2 = Dimension(name="site2", size="N", meaning="second site")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a method can treat: `text` says it (`N <= 12`), `holds` tells it for arrays or numbers of parameters."""

    text: str
    holds: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, kw_only=True)
class Output:
    """One result of a model: real float64, or complex128 with `kind="complex"`, over `dims`.

    `methods` names the methods that give it (empty: all of them). `bounds` hold for every finite value. `nan` says what
    NaN means in a point that did not fail ("not locked"); empty where NaN cannot be; `nan_if_warned` the same for points
    of status 1 alone ("the step budget was spent before"). `sensitivity` says how many times the
    integration tolerance the value may move by nature (the time at which a slow decay crosses a level: many times).
    `codes` names the values 0, 1, ... of an output that is a code; `label` see `Parameter`.
    """

    name: str
    meaning: str
    dims: tuple[str, ...] = ()
    unit: str = "1"
    symbol: str = ""
    kind: Literal["real", "complex"] = "real"
    bounds: tuple[float, float] = (-math.inf, math.inf)
    methods: tuple[str, ...] = ()
    nan: str = ""
    nan_if_warned: str = ""
    sensitivity: float = 1.0
    codes: tuple[str, ...] = ()
    label: str = ""

    @functools.cached_property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.complex128 if self.kind == "complex" else np.float64)


@dataclass(frozen=True, kw_only=True)
class Starter:
    """What the first sweep of a model varies, where a range of just any parameter would show little.

    `axes` are written as a spec has them, in its order (`{"tau_d": {"logspace": [0.004, 1.0, 41]}}`); `parameters` stand in
    for those of the example, and `methods` for the first one.
    """

    axes: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Check:
    """Parameters, the values expected there, and where these come from (a number without an origin is no check).

    `expect` maps an output to its value, or to a tuple (index, value) with an index tuple into the output.
    """

    parameters: Mapping[str, Any]
    expect: Mapping[str, Any]
    origin: str
    method: str | None = None
    atol: float = 0.0
    rtol: float = 0.0
