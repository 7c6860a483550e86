"""Parameters drawn over the whole of what a model declares as allowed: moderate ones, and the edges where programs break.

A point starts from the model's own random parameters (or its example), of which some are then replaced by zeros, bounds,
numbers next to excluded bounds, equal numbers, and numbers that are log-uniform over one of three spans of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.declarations import Parameter, extent
from solvers.model import Model

SPANS = ((3.0, 0.55), (12.0, 0.3), (300.0, 0.15))
"""Decades above and below one that the numbers of a point may have, and how often."""
MOST_SITES = 6
"""Largest value of a whole number on which the length of an array depends."""
MOST_COUNT = 40
"""Largest value of other whole numbers, where a point is not to be large on purpose."""
STEPS = (10, 20_000)
"""Step budgets: one that is soon spent, and one that bounds the time of a point."""
LONGEST = 8
"""Largest length of an array whose length is free."""


def fuzz_parameters(model: Model, rng: np.random.Generator) -> dict[str, Any]:
    """One point within the declared bounds; what the model itself may still refuse as non-physical as a whole.

    `max_steps`, where the model has it, bounds the time of the point.
    """
    point = _start(model, rng)
    decades = float(rng.choice([d for d, _ in SPANS], p=[w for _, w in SPANS]))
    changes = min(1 + rng.geometric(0.25), len(model.parameters))
    names = [p.name for p in model.parameters]
    chosen = set(rng.choice(names, size=changes, replace=False).tolist()) - {"max_steps"}
    numbers = _Numbers(rng, decades)
    by_size = sorted(model.parameters, key=lambda p: bool(p.dims))  # lengths before arrays
    tied = {name for p in model.parameters for d in p.dims if isinstance(d, str) for name in names if name in d}
    tied |= {p.name for p in model.parameters if p.shape}
    for p in by_size:
        if p.name not in chosen:
            continue
        if p.kind == "choice":
            point[p.name] = str(rng.choice(p.choices))
        elif p.dims:
            _array(p, point, model, numbers)
        elif p.kind == "integer":
            point[p.name] = numbers.whole(p, MOST_SITES if p.name in tied else None)
            if p.name in tied:  # arrays of the old length go
                for other in model.parameters:
                    if any(isinstance(d, str) and p.name in d for d in other.dims):
                        point.pop(other.name, None)
        else:
            point[p.name] = numbers.real(p)
    if "max_steps" in names:
        point["max_steps"] = STEPS[0] if rng.random() < 0.05 else STEPS[1]
    return point


def near_parameters(model: Model, rng: np.random.Generator) -> dict[str, Any]:
    """A random point of the model's own, of which a few real numbers are replaced: the model's reference can treat it."""
    assert model.random_parameters is not None
    point = dict(model.random_parameters(rng))
    given = [p for p in model.parameters if p.name in point and p.kind == "real" and not p.dims and p.physical]
    numbers = _Numbers(rng, 1.0)
    for p in given:
        if rng.random() < 0.4:
            point[p.name] = numbers.real(p)
    return point


def _start(model: Model, rng: np.random.Generator) -> dict[str, Any]:
    if model.random_parameters is not None and rng.random() < 0.8:
        return dict(model.random_parameters(rng))
    return dict(model.example) if rng.random() < 0.8 else {}


def _array(p: Parameter, point: dict[str, Any], model: Model, numbers: _Numbers) -> None:
    """Replace an array: one number for all of it, a scaled one, or one of entries drawn together."""
    rng = numbers.rng
    current = point.get(p.name)
    if current is not None and not p.never_decreases and rng.random() < 0.5:
        factor = numbers.magnitude() if rng.random() < 0.8 else 0.0
        scaled = np.asarray(current) * factor
        if np.all(np.isfinite(scaled)) and _inside(p, scaled):
            point[p.name] = scaled
        return
    if p.default is None:  # given or not changes what is solved; a wrong one is refused
        point.pop(p.name, None)
        return
    if rng.random() < 0.3 and not p.never_decreases:
        point[p.name] = numbers.real(p)
        return
    sizes = {q.name: int(v) for q in model.parameters if isinstance(v := point.get(q.name, q.default), int)}
    shape = tuple(int(rng.integers(1, LONGEST)) if d == "*" else extent(d, sizes) for d in p.dims)
    if math.prod(shape) > 4096:
        return
    values = numbers.reals(p, shape)
    if p.never_decreases:
        values = np.sort(values)
        if rng.random() < 0.3:
            values[0] = 0.0
    elif len(shape) == 2 and shape[0] == shape[1] and p.kind == "complex":
        values = values + values.T  # Hermitian ones are what models accept
    point[p.name] = values


def _inside(p: Parameter, values: NDArray[Any]) -> bool:
    return p.kind == "complex" or bool(np.all((values >= p.bounds[0]) & (values <= p.bounds[1])))


class _Numbers:
    """Numbers of one point: `decades` above and below one, and now and then one that was there before."""

    def __init__(self, rng: np.random.Generator, decades: float) -> None:
        self.rng = rng
        self.decades = decades
        self._before: list[float] = []

    def magnitude(self) -> float:
        """Log-uniform between 10^-decades and 10^decades."""
        return float(10.0 ** self.rng.uniform(-self.decades, self.decades))

    def real(self, p: Parameter) -> float:
        """A number that `p` allows."""
        low, high = p.bounds if p.kind == "real" else (-math.inf, math.inf)
        lowest = math.nextafter(low, math.inf) if p.open_below else low
        highest = math.nextafter(high, -math.inf) if p.open_above else high
        sign = -1.0 if self.rng.random() < 0.4 else 1.0
        kind = self.rng.random()
        if kind < 0.12:
            value = 0.0
        elif kind < 0.2 and self.decades > 3.0:
            value = float(self.rng.choice([lowest, highest]))
        elif kind < 0.35 and self._before:
            value = float(self.rng.choice(self._before))
        elif kind < 0.5:
            value = sign * float(self.rng.choice([1.0, 0.5, 2.0, math.pi]))
        elif kind < 0.6 and math.isfinite(high - low) and high - low < 1e4:
            value = float(self.rng.uniform(low, high))
        else:
            value = sign * self.magnitude()
        if not lowest <= value <= highest:
            value = -value if lowest <= -value <= highest else min(max(value, lowest), highest)
        if not math.isfinite(value):
            value = math.copysign(self.magnitude(), value)
        self._before.append(value)
        return value

    def reals(self, p: Parameter, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """An array of numbers that `p` allows: all different, or few different ones repeated."""
        if self.rng.random() < 0.4:
            few = [self.real(p) for _ in range(2)]
            return np.asarray(self.rng.choice(few, size=shape), dtype=float)
        return np.array([self.real(p) for _ in range(math.prod(shape))]).reshape(shape)

    def whole(self, p: Parameter, most: int | None) -> int:
        """A whole number that `p` allows, up to `most`; without it sometimes over all of the bounds."""
        low, high = int(max(p.bounds[0], -(2.0**53))), int(min(p.bounds[1], 2.0**53))
        if most is None:
            most = high if self.rng.random() < 0.15 else MOST_COUNT
        top = max(low, min(high, most))
        if self.rng.random() < 0.3:
            return int(self.rng.choice([low, min(low + 1, top)]))
        return int(np.clip(round(math.exp(self.rng.uniform(0.0, math.log(max(top, 1) + 0.5)))), low, top))


def as_text(parameters: Mapping[str, Any]) -> str:
    """The parameters as Python source, to be copied into a call of `solve`."""
    return ", ".join(f"{name}={_value_text(value)}" for name, value in parameters.items())


def _value_text(value: Any) -> str:
    return repr(np.asarray(value).tolist()) if isinstance(value, (np.ndarray, np.generic)) else repr(value)


def simpler(parameters: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Parameter sets with one value less, or with one value simpler, for finding the smallest that still fails."""
    for name in parameters:
        yield {k: v for k, v in parameters.items() if k != name}
    for name, value in parameters.items():
        if isinstance(value, float) and value and math.isfinite(value):
            rounded = math.copysign(float(f"{abs(value):.0e}"), value)
            for other in (1.0, rounded):
                if other != value:
                    yield {**parameters, name: other}
        elif isinstance(value, np.ndarray) and value.dtype.kind in "fc" and np.any(value):
            rounded_array = np.array([float(f"{v:.0e}") for v in value.real.ravel()]).reshape(value.shape)
            if not np.array_equal(rounded_array, value):
                yield {**parameters, name: rounded_array}
            if value.ndim == 1 and value.size > 1:
                yield {**parameters, name: value[-1:]}
