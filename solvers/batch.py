"""The points a batch entry is given, and the entry for models that solve one point at a time."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.model import FAILED, OK, WARNED, Model, Output, Parameter, Remark, Results


class Batch(Mapping[str, Any]):
    """P points of one model and method: a mapping from parameter names to arrays with the points in front.

    * a number: float64 or int64 (P,), contiguous; a choice: strings (P,)
    * an array: (P, ...), one copy shared by all points where it does not vary
    * a shape parameter: its value, without a point dimension; a parameter that was not given: None
    """

    def __init__(
        self,
        model: Model,
        method: str,
        size: int,
        fixed: Mapping[str, Any],
        varying: Mapping[str, NDArray[Any]],
        wanted: tuple[Output, ...],
    ) -> None:
        self.model = model
        self.method = method
        self.size = size
        self.wanted = wanted
        self._fixed = fixed
        self._varying = varying
        self._names = {o.name for o in wanted}
        self._parameters = {p.name: p for p in model.parameters}

    def __getitem__(self, name: str) -> Any:
        if name in self._varying:
            return self._varying[name]
        value = self._fixed[name]
        parameter = self._parameters[name]
        if value is None or parameter.shape:
            return value
        if isinstance(value, np.ndarray):
            return np.broadcast_to(value, (self.size, *value.shape))
        return np.full(self.size, value)

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

    def point(self, index: int) -> dict[str, Any]:
        """All parameters of one point as plain values: float, int, complex, str, array or None."""
        values = dict(self._fixed)
        for name, array in self._varying.items():
            values[name] = array[index] if array.ndim > 1 else array[index].item()
        return values

    def select(self, index: NDArray[Any]) -> Batch:
        """The batch of some of the points."""
        varying = {name: array[index] for name, array in self._varying.items()}
        return Batch(self.model, self.method, len(index), self._fixed, varying, self.wanted)

    def empty(self) -> dict[str, NDArray[Any]]:
        """NaN-filled arrays (P, ...) for every wanted output."""
        lengths = self.model.lengths(self._fixed)
        return {o.name: np.full((self.size, *(lengths[d] for d in o.dims)), np.nan, dtype=o.dtype) for o in self.wanted}

    def random_keys(self) -> NDArray[np.uint64]:
        """One 64-bit key (P,) per point for the counter-based generator, from seed, model and physical parameters only.

        Times, tolerances, trajectories and the method do not enter, so that more trajectories extend a sample and
        another time grid does not change it.
        """
        physical = [p for p in self.model.parameters if p.physical or p.name == "seed"]
        shared = {p.name: _canonical(p, self._fixed[p.name]) for p in physical if p.name not in self._varying}
        keys = np.empty(self.size, dtype=np.uint64)
        for i in range(self.size):
            text = [self.model.id]
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


def pointwise(
    solve_one: Callable[..., Mapping[str, Any]], stochastic: tuple[str, ...] = ()
) -> Callable[[Batch], Results]:
    """Make a batch entry from `solve_one(method, parameters, wants) -> outputs` for models whose points are costly.

    With methods named in `stochastic` it is `solve_one(method, parameters, wants, key)`: `key` is the point's 64-bit
    number for random streams, 0 for methods that draw none.

    `outputs` may also hold `status` (0, 1 or 2) and `remark` (a `Remark`). An exception fails its own point only;
    ValueError and TypeError (bad input) are for `solvers.evaluate` to report or record.
    """

    def run(batch: Batch) -> Results:
        outputs = batch.empty()
        status = np.zeros(batch.size, dtype=np.int64)
        remarks: dict[int, Remark] = {}
        keys = batch.random_keys() if batch.method in stochastic else np.zeros(batch.size, dtype=np.uint64)
        for i in range(batch.size):
            extra = (int(keys[i]),) if stochastic else ()
            try:
                found = dict(solve_one(batch.method, batch.point(i), batch.wants, *extra))
            except (ValueError, TypeError):
                raise
            except Exception as error:
                status[i] = FAILED
                remarks[i] = remark_of(error)
                continue
            status[i] = found.get("status", OK)
            if status[i] in (WARNED, FAILED) and found.get("remark") is not None:
                remarks[i] = found["remark"]
            for name, array in outputs.items():
                array[i] = found[name]
        return Results(outputs, status, remarks)

    return run


def remark_of(error: BaseException) -> Remark:
    """The record of an exception."""
    return Remark(
        kind=type(error).__name__,
        message=str(error) or type(error).__name__,
        traceback="".join(traceback.format_exception(error)),
    )
