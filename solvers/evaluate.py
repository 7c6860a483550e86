"""Solve points: validation, method limits, the batch entry, and the isolation of points that raise."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.batch import Batch
from solvers.declarations import Output
from solvers.model import Method, Model
from solvers.outcome import FAILED, OK, WARNED, InvalidInput, Kind, Remark, Results, SolverWarning, remark_of
from solvers.registry import find
from solvers.suggest import did_you_mean


@dataclass(frozen=True)
class Evaluation:
    """Outputs with the points in front, status (P,), and the remarks on points whose status is not 0."""

    outputs: dict[str, NDArray[Any]]
    status: NDArray[np.int64]
    remarks: dict[int, Remark]


def parse_parameters(model: Model, given: Mapping[str, Any], varying: Sequence[str] = ()) -> dict[str, Any]:
    """All parameters of a model in canonical form, defaults filled in, arrays in full shape; without those in `varying`.

    Raises TypeError for an unknown name and ValueError for a value that is not allowed.
    """
    return _parsed(model, given, varying)[0]


def _parsed(model: Model, given: Mapping[str, Any], varying: Sequence[str]) -> tuple[dict[str, Any], dict[str, int]]:
    """What `parse_parameters` returns, and the model's `sizes` there."""
    by_name = model.by_name
    values = dict(model.defaults)
    for name in given:
        if name not in by_name:
            model.parameter(name)  # says which there are
    if given:
        for name, parameter in by_name.items():
            if name in given and name not in varying:
                values[name] = parameter.parse(given[name])
    for name in varying:
        values.pop(name, None)
    sizes = model.sizes(values)
    for p in model.arrays:
        value = values.get(p.name)
        if not isinstance(value, np.ndarray):
            continue
        if value is p.default:
            value = values[p.name] = value.copy()
        free = varying and [d for d in p.dims if isinstance(d, str) and any(v in d for v in varying)]
        if not free:
            values[p.name] = p.check_shape(value, sizes)
            if p.name in sizes:
                sizes[p.name] = values[p.name].size
        elif np.ndim(value):
            raise ValueError(
                f"parameter {p.name}: an array of shape ({', '.join(map(str, p.dims))}) cannot be given while "
                f"{', '.join(v for v in varying if any(v in d for d in free))} varies; fix the one or leave out the other"
            )
    return values, sizes


def make_batch(
    model: Model,
    method: str,
    points: Mapping[str, Any],
    parameters: Mapping[str, Any],
    keep: Sequence[str] | None = None,
) -> Batch:
    """Validate everything about a batch of points and return it; nothing is computed."""
    if points and (both := set(points) & set(parameters)):
        raise ValueError(
            f"{model.id}: {', '.join(sorted(both))} is given both per point and as a fixed parameter; give it once"
        )
    fixed, sizes = _parsed(model, parameters, tuple(points))
    varying: dict[str, NDArray[Any]] = {}
    for name, values in points.items():
        parameter = model.parameter(name)
        if parameter.shape:
            raise ValueError(
                f"parameter {name} of {model.id} sets the shape of an output and is the same for all points; give it as a fixed parameter"
            )
        array = parameter.parse_many(values)
        if parameter.dims and array.ndim == 1:  # one number per point fills its array
            array = np.stack([parameter.check_shape(np.asarray(value), sizes) for value in array])
        varying[name] = np.ascontiguousarray(parameter.check_shape(array, sizes) if parameter.dims else array)
    size = 1
    if varying:
        lengths = {name: len(array) for name, array in varying.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{model.id}: all points need the same number of values; given were {lengths}")
        size = next(iter(lengths.values()))
    wanted = wanted_outputs(model, method, keep)
    return Batch(model.id, method, model.by_name, size, fixed, varying, wanted, model.lengths_of(sizes))


def wanted_outputs(model: Model, method: str, keep: Sequence[str] | None) -> tuple[Output, ...]:
    """The outputs of `method` that `keep` names (None: all); ValueError for a name that is no output of the model."""
    if keep is None:
        return model.outputs_of(method)
    names = [o.name for o in model.outputs]
    for name in keep:
        if name not in names:
            raise ValueError(f"{model.id} has no output {name!r}; it has {', '.join(names)}{did_you_mean(name, names)}")
    return tuple(o for o in model.outputs_of(method) if o.name in keep)


def evaluate(
    model_id: str,
    method: str | None = None,
    *,
    points: Mapping[str, Any],
    parameters: Mapping[str, Any],
    keep: Sequence[str] | None = None,
    isolate: bool = False,
) -> Evaluation:
    """Solve P points in one call.

    A point outside its method's limit has status 2 and a remark with the reason. With `isolate`, an exception (bad
    input included) fails its own point only and is recorded; without, it is raised.
    """
    model = find(model_id)
    chosen = model.method(method)
    batch = make_batch(model, chosen.name, points, parameters, keep)
    inside = _inside_limit(chosen, batch)
    if inside is None:
        outputs, status, remarks = _taken(_run(model, chosen, batch, isolate), batch)
    else:
        outputs, remarks = batch.empty(), {}
        status = np.full(batch.size, FAILED, dtype=np.int64)
        assert chosen.limit is not None
        message = f"{model.id}, method {chosen.name}: needs {chosen.limit.text}"
        for i in np.flatnonzero(~inside).tolist():
            remarks[i] = Remark(kind=Kind.OUTSIDE_LIMIT, message=message)
        index = np.flatnonzero(inside)
        if len(index):
            _store(_run(model, chosen, batch.select(index), isolate), index, outputs, status, remarks)
    _refuse_what_is_not_finite(batch, outputs, status, remarks)
    if np.count_nonzero(status):  # OK is 0
        for i in np.flatnonzero(status != OK).tolist():
            remarks.setdefault(i, Remark(kind=Kind.UNSAID, message=model.status_text[int(status[i])]))
        failed = status == FAILED
        if failed.any():
            for array in outputs.values():
                array[failed] = np.nan
    return Evaluation(outputs, status, remarks)


def _refuse_what_is_not_finite(
    batch: Batch, outputs: Mapping[str, NDArray[Any]], status: NDArray[np.int64], remarks: dict[int, Remark]
) -> None:
    """Fail every point that holds infinity, or NaN in an output that does not say what NaN means."""
    if batch.size == 1 and status[0] == FAILED:
        return
    for output in batch.wanted:
        if _in_range(outputs[output.name], bool(output.nan)):
            continue
        values = outputs[output.name].reshape(batch.size, -1)
        may_be_nan = np.full(batch.size, bool(output.nan)) | ((status == WARNED) & bool(output.nan_if_warned))
        bad = (np.isinf(values) | (np.isnan(values) & ~may_be_nan[:, None])).any(axis=1) & (status != FAILED)
        for i in np.flatnonzero(bad).tolist():
            before = f"; besides: {remarks[i].message}" if i in remarks else ""
            text = f"{output.name} is not finite: a parameter, or what follows from it, is beyond the range of numbers"
            remarks[i] = Remark(kind=Kind.NOT_FINITE, message=text + before)
        status[bad] = FAILED


def _in_range(values: NDArray[Any], may_be_nan: bool) -> bool:
    """Whether there is no infinity, and no NaN that may not be."""
    if values.dtype == np.float64 and values.flags.c_contiguous:
        if values.size == 1:
            value = values.item()
            return math.isfinite(value) or (may_be_nan and math.isnan(value))
        flat = values.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            square = flat.dot(flat)  # begins sooner than a look at every number
        if math.isfinite(square):  # which finite numbers need not have, but others never do
            return True
    return not np.isinf(values).any() if may_be_nan else bool(np.isfinite(values).all())


def _inside_limit(method: Method, batch: Batch) -> NDArray[np.bool_] | None:
    """Which points the method can treat; None: all of them."""
    if method.limit is None:
        return None
    holds = method.limit.holds(batch)
    if batch.size == 1 and bool(holds):
        return None
    inside = np.broadcast_to(np.asarray(holds, dtype=bool), (batch.size,))
    return None if inside.all() else inside


def _taken(results: Results, batch: Batch) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64], dict[int, Remark]]:
    """The results of a whole batch, as they are where they have the declared form; outputs that nobody wants left out."""
    if results.declared:
        return dict(results.outputs), np.asarray(results.status, dtype=np.int64), dict(results.remarks)
    outputs = {}
    for o in batch.wanted:
        found = results.outputs[o.name]
        shape, flags = batch.shape_of(o), found.flags
        if found.shape != shape or found.dtype != o.dtype or not (flags.writeable and flags.c_contiguous):
            found = np.array(np.broadcast_to(found, shape), dtype=o.dtype)
        outputs[o.name] = found
    return outputs, np.array(results.status, dtype=np.int64), dict(results.remarks)


def _store(
    results: Results,
    index: NDArray[Any],
    outputs: dict[str, NDArray[Any]],
    status: NDArray[np.int64],
    remarks: dict[int, Remark],
) -> None:
    status[index] = results.status
    for name, array in outputs.items():
        array[index] = results.outputs[name]
    for i, remark in results.remarks.items():
        remarks[int(index[i])] = remark


def _run(model: Model, method: Method, batch: Batch, isolate: bool) -> Results:
    """The method's function; where it raises, the points one by one, so that only the culprits fail.

    Bad input (an InvalidInput and nothing else) is raised, unless `isolate` is set.
    """
    try:
        with np.errstate(all="ignore"):  # what comes of it is tested for being finite
            _validate(model, batch)
            return method.run(batch)
    except Exception as error:
        if isinstance(error, InvalidInput) and not isolate:
            raise
        if batch.size == 1:
            return Results(batch.empty(), np.full(1, FAILED), {0: remark_of(error)})
    outputs = batch.empty()
    status = np.full(batch.size, FAILED, dtype=np.int64)
    remarks: dict[int, Remark] = {}
    for i in range(batch.size):
        index = np.asarray([i])
        _store(_run(model, method, batch.select(index), isolate), index, outputs, status, remarks)
    return Results(outputs, status, remarks)


def _validate(model: Model, batch: Batch) -> None:
    """Look at every point; at the first alone where nothing that is looked at varies."""
    if model.validate is None:
        return
    if batch.size == 1:
        model.validate(batch.only_point())
        return
    first = _Watched(batch.point(0))
    model.validate(first)
    if any(batch.varies(name) for name in first.read):
        fine = np.zeros(batch.size, dtype=bool) if model.surely_valid is None else model.surely_valid(batch)
        for i in np.flatnonzero(~fine).tolist():
            model.validate(batch.point(i))


class _Watched(Mapping[str, Any]):
    """Parameters that know which of them were read."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)


def solve_many(
    model: str,
    method: str | None = None,
    *,
    points: Mapping[str, Any],
    keep: Sequence[str] | None = None,
    **parameters: Any,
) -> dict[str, NDArray[Any]]:
    """Solve P points of a model in one call, as a worker does with a tile.

    Parameters
    ----------
    model : id such as `"spin_cat.two_ensembles"`; see `models()`.
    method : name of a method; None is the model's default.
    points : parameter name -> values with the points in front, (P,) for a number.
    keep : names of the outputs to compute; None is all of them.
    parameters : the parameters that are the same at every point; those left out have their defaults.

    Returns
    -------
    dict : the outputs of the method (those in `keep`) with a leading dimension `point`, and `status` (P,): 0 ok, 1 a tolerance missed,
        2 failed (outputs NaN). Bit for bit what P calls of `solve` return.

    Raises ValueError (value not allowed, unknown model or method) or TypeError (unknown parameter name).
    """
    if not points:
        raise ValueError("points is empty; give at least one parameter with one value per point, or call solve()")
    evaluation = evaluate(model, method, points=points, parameters=parameters, keep=keep)
    return {**evaluation.outputs, "status": evaluation.status}


def solve(
    model: str, method: str | None = None, *, keep: Sequence[str] | None = None, **parameters: Any
) -> dict[str, NDArray[Any]]:
    """Solve one point of a model with the same kernels as a sweep.

    Parameters
    ----------
    model : id such as `"spin_cat.two_ensembles"`; see `models()`.
    method : name of a method; None is the model's default.
    keep : names of the outputs to compute; None is all of them.
    parameters : the model's parameters by name; those left out have their defaults.

    Returns
    -------
    dict : the outputs of the method (those in `keep`; numbers as 0-d arrays), and `status` (0-d): 0 ok, 1 a stated tolerance was
        missed, 2 failed (outputs NaN). A status that is not 0 is also said as a `SolverWarning`, with its reason.

    Raises ValueError (value not allowed, unknown model or method) or TypeError (unknown parameter name).
    """
    evaluation = evaluate(model, method, points={}, parameters=parameters, keep=keep)
    for remark in evaluation.remarks.values():
        warnings.warn(f"{model}: status {evaluation.status[0]}: {remark.message}", SolverWarning, stacklevel=2)
    found = {name: array[0] if array.ndim > 1 else array.reshape(()) for name, array in evaluation.outputs.items()}
    found["status"] = evaluation.status.reshape(())
    return found
