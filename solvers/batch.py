"""The points that a method is given: many as a batch, one by one, and the entry for methods that solve one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.declarations import Output, Parameter
from solvers.outcome import FAILED, OK, WARNED, InvalidInput, Kind, PointFailed, Remark, Results, remark_of


class Point(dict[str, Any]):
    """One point: its parameters by name as plain values (float, int, complex, str, array, None where not given).

    `key` is its 64-bit number for random streams, the same for the same seed, model and physical parameters.
    """

    def __init__(self, values: Mapping[str, Any], wanted: Iterable[str] = (), key: int = 0) -> None:
        super().__init__(values)
        self.key = key
        self._wanted = frozenset(wanted)

    def wants(self, *names: str) -> bool:
        """Whether any of these outputs is to be computed; what nobody keeps need not be."""
        return not self._wanted.isdisjoint(names)


class Batch(Mapping[str, Any]):
    """P points of one model and method: a mapping from parameter names to arrays with the points in front.

    * a number: float64 or int64 (P,), contiguous; a choice: strings (P,)
    * an array: (P, ...), one copy shared by all points where it does not vary
    * a shape parameter: its value, without a point dimension; a parameter that was not given: None
    """

    def __init__(
        self,
        model: str,
        method: str,
        parameters: Mapping[str, Parameter],
        size: int,
        fixed: Mapping[str, Any],
        varying: Mapping[str, NDArray[Any]],
        wanted: tuple[Output, ...],
        lengths: Mapping[str, int],
    ) -> None:
        self.model = model
        self.method = method
        self.size = size
        self.wanted = wanted
        self.lengths = lengths
        self._fixed = fixed
        self._varying = varying
        self._names = frozenset(o.name for o in wanted)
        self._parameters = parameters

    def __getitem__(self, name: str) -> Any:
        if name in self._varying:
            return self._varying[name]
        value = self._fixed[name]
        parameter = self._parameters[name]
        if value is None or parameter.shape:
            return value
        if isinstance(value, np.ndarray):
            return np.broadcast_to(value, (self.size, *value.shape))
        return np.full(self.size, value) if self.size > 1 else np.array([value])

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def wants(self, *names: str) -> bool:
        """Whether any of these outputs is to be computed; what nobody keeps need not be."""
        return any(name in self._names for name in names)

    def varies(self, name: str) -> bool:
        """Whether a parameter may differ from point to point."""
        return name in self._varying

    def point(self, index: int, key: int = 0) -> Point:
        """One point; `key` is its number for random streams."""
        values = Point(self._fixed, self._names, key)
        for name, array in self._varying.items():
            values[name] = array[index] if array.ndim > 1 else array[index].item()
        return values

    def only_point(self) -> Mapping[str, Any]:
        """The parameters of a batch of one point, to be looked at."""
        return self.point(0) if self._varying else self._fixed

    def select(self, index: NDArray[Any]) -> Batch:
        """The batch of some of the points."""
        varying = {name: array[index] for name, array in self._varying.items()}
        own = self._fixed, varying, self.wanted, self.lengths
        return Batch(self.model, self.method, self._parameters, len(index), *own)

    def empty(self) -> dict[str, NDArray[Any]]:
        """NaN-filled arrays (P, ...) for every wanted output."""
        arrays = {o.name: np.empty(self.shape_of(o), dtype=o.dtype) for o in self.wanted}
        for array in arrays.values():
            array.fill(np.nan)
        return arrays

    def shape_of(self, output: Output) -> tuple[int, ...]:
        """Shape (P, ...) of an output."""
        return (self.size, *[self.lengths[d] for d in output.dims]) if output.dims else (self.size,)

    def random_keys(self) -> NDArray[np.uint64]:
        """One 64-bit key (P,) per point for the counter-based generator, from seed, model and physical parameters only.

        Times, tolerances, trajectories and the method do not enter, so that more trajectories extend a sample and
        another time grid does not change it.
        """
        physical = [p for p in self._parameters.values() if p.physical or p.name == "seed"]
        shared = {p.name: _canonical(p, self._fixed[p.name]) for p in physical if p.name not in self._varying}
        keys = np.empty(self.size, dtype=np.uint64)
        for i in range(self.size):
            text = [self.model]
            for p in physical:
                own = shared[p.name] if p.name in shared else _canonical(p, self._varying[p.name][i])
                text.append(f"{p.name}={own}")
            digest = hashlib.blake2b("\n".join(text).encode(), digest_size=8).digest()
            keys[i] = int.from_bytes(digest, "little")
        return keys


def _canonical(parameter: Parameter, value: Any) -> str:
    """A text that is equal only for equal values, whatever type carries them."""
    if value is None:
        return "none"
    if parameter.kind == "choice":
        return str(value)
    array = np.asarray(value)
    if parameter.kind == "complex":
        array = np.stack([array.real, array.imag])
    return ",".join((v + 0.0).hex() for v in array.astype(float).ravel().tolist()) + f"{array.shape}"


def point_by_point(solve: Callable[[Point], Mapping[str, Any]], draws_numbers: bool, batch: Batch) -> Results:
    """Solve the points of a batch one after the other with `solve(point) -> outputs`.

    `outputs` holds at least the wanted ones (none is needed where it says that the point failed), and may hold `status`
    (0, 1 or 2) and `remark` (a `Remark`). An exception
    fails its own point only; InvalidInput is for `solvers.evaluate` to report or record.
    """
    if batch.size == 1:
        return _alone(solve, draws_numbers, batch)
    outputs = batch.empty()
    status = np.zeros(batch.size, dtype=np.int64)
    remarks: dict[int, Remark] = {}
    keys = batch.random_keys().tolist() if draws_numbers else [0] * batch.size
    for i in range(batch.size):
        try:
            found = solve(batch.point(i, keys[i]))
            if found.get("status", OK) != FAILED:  # of a failed point nothing is kept
                for name, array in outputs.items():
                    array[i] = _fitting(name, found, array.shape[1:])
        except InvalidInput:
            raise
        except Exception as error:
            status[i] = FAILED
            remarks[i] = remark_of(error)
            continue
        status[i] = found.get("status", OK)
        if status[i] in (WARNED, FAILED) and found.get("remark") is not None:
            remarks[i] = found["remark"]
    return Results(outputs, status, remarks)


def _alone(solve: Callable[[Point], Mapping[str, Any]], draws_numbers: bool, batch: Batch) -> Results:
    """What `point_by_point` makes of a single point, without the arrays of many: the call is all that a cheap one costs."""
    try:
        found = solve(batch.point(0, batch.random_keys().item() if draws_numbers else 0))
        status = found.get("status", OK)
        if status == FAILED:
            outputs = batch.empty()
        else:
            outputs = {}
            for o in batch.wanted:
                value = _fitting(o.name, found, batch.shape_of(o)[1:])
                outputs[o.name] = np.array(value, dtype=o.dtype)[None]
    except InvalidInput:
        raise
    except Exception as error:
        return Results(batch.empty(), np.array([FAILED]), {0: remark_of(error)})
    remark = found.get("remark") if status in (WARNED, FAILED) else None
    return Results(outputs, np.array([status]), {} if remark is None else {0: remark}, declared=True)


def in_bulk(
    bulk: Callable[[Batch], tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]],
    solve: Callable[[Point], Mapping[str, Any]],
    batch: Batch,
) -> Results:
    """Solve the points that `bulk` takes side by side, the others one after the other."""
    found, done = bulk(batch)
    if done.all():
        return Results({o.name: found[o.name] for o in batch.wanted}, np.full(batch.size, OK))
    rest = np.flatnonzero(~done)
    others = point_by_point(solve, False, batch if len(rest) == batch.size else batch.select(rest))
    if not done.any():
        return others
    outputs = batch.empty()
    for name, array in outputs.items():
        array[done] = found[name][done]
        array[rest] = others.outputs[name]
    status = np.full(batch.size, OK)
    status[rest] = others.status
    return Results(outputs, status, {int(rest[i]): remark for i, remark in others.remarks.items()})


def in_portions(
    bulk: Callable[[Batch], tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]], most: int, batch: Batch
) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """What `bulk` makes of a batch, `most` points at a time, so that memory stays bounded."""
    if batch.size <= most:
        return bulk(batch)
    outputs, done = batch.empty(), np.zeros(batch.size, dtype=bool)
    for first in range(0, batch.size, most):
        part = slice(first, min(first + most, batch.size))
        found, done[part] = bulk(batch.select(np.arange(part.start, part.stop)))
        for name, array in outputs.items():
            array[part] = found[name]
    return outputs, done


def _fitting(name: str, found: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """The output of that name; PointFailed where a method does not return it, or in another shape than declared."""
    if name not in found:
        raise PointFailed(Kind.WRONG_OUTPUT, f"the method returns {', '.join(found) or 'nothing'}; missing is {name}")
    value = found[name]
    given = value.shape if isinstance(value, np.ndarray) else () if isinstance(value, float) else np.shape(value)
    if given != shape:
        raise PointFailed(Kind.WRONG_OUTPUT, f"{name} has the shape {given}; declared is {shape}")
    return value
