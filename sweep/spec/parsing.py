"""What a TOML file says, validated against the model.

    [sweep]       name, model, method (a list makes the first axis, `solver`), seed
    [parameters]  values that are the same at every point, and formulas of other parameters ("N/32")
    [axes]        one entry per dimension, in the order of the store
    [zip.NAME]    parameters that vary together along one dimension NAME, or are drawn together
    [outputs]     keep = [...]
    [run]         tile, retries, max_failures
    [refine]      depth, outputs, tolerance, axes, interpolate: compute only where results change

Every mistake is a `SpecError` that names the key, what is allowed, what was given and the nearest valid name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from solvers import find
from solvers.evaluate import parse_parameters
from solvers.model import Model
from solvers.suggest import did_you_mean
from sweep.errors import SpecError
from sweep.records import Json
from sweep.spec.array_files import zip_groups
from sweep.spec.axis_forms import array_values
from sweep.spec.derived import derive, is_formula
from sweep.spec.dimensions import check_names, check_shapes, dimensions_of
from sweep.spec.refining import KEYS, refinement_of
from sweep.spec.sweep_spec import METHOD, REFINE, SOLVER, SweepDimension, SweepSpec

SECTIONS: Mapping[str, Mapping[str, str] | None] = {
    "sweep": {
        "name": "a text; names pictures and the run in lists; the model's title where it is left out",
        "model": "the id of the model, the one key that must be given; `spinsweep models` lists them",
        "method": "a method of the model, or a list of methods, which makes the first axis, `solver`; the model's first where it is left out",
        "seed": "a whole number from 0 to 2^53: the seed of random trajectories, of disorder and of random designs; 0 where it is left out",
    },
    "parameters": None,
    "axes": None,
    "zip": None,
    "outputs": {"keep": "a list of outputs to compute and store; all of them where it is left out"},
    "run": {
        "tile": 'points per axis of one task, like `{ eta = 20, delta = 20 }`, an axis left out being one tile long; or "auto", the default',
        "retries": "how often a tile is tried again after a lost worker or an input/output error, from 0 to 100; 2 where it is left out",
        "max_failures": 'the number of failed points, or their share (`"5%"`), beyond which the run ends as aborted; none where it is left out',
    },
    REFINE: KEYS,
}
"""The sections of a spec, and what their keys mean; None where the keys are names of parameters or of dimensions."""


def parse(raw: Json, solver: str = SOLVER) -> SweepSpec:
    """Turn the mapping that a TOML file holds into a validated SweepSpec; `solver` names the dimension of its methods."""
    _known("the spec", raw, tuple(SECTIONS), "section")
    tables: dict[str, Json] = {}
    for section, keys in SECTIONS.items():
        table = zip_groups(raw.get(section, {})) if section == "zip" else raw.get(section, {})
        if not isinstance(table, Mapping):
            raise SpecError(f"[{section}] must be a table, not {table!r}")
        if keys is not None:
            _known(f"[{section}]", table, tuple(keys), "key")
        tables[section] = table
    head = tables["sweep"]
    model = _model(head.get("model"))
    methods, several = _methods(model, head.get(METHOD))
    dimensions = dimensions_of(model, tables["axes"], tables["zip"], _seed(head, tables["parameters"]))
    if several:
        dimensions = (SweepDimension(solver, len(methods), {}, methods), *dimensions)
    if not dimensions:
        raise SpecError(
            "the spec has no axis: add one to [axes] (name = { linspace = [first, last, count] }), or a list of methods; "
            f"for a single point use `spinsweep solve {model.id}`"
        )
    varying = tuple(name for d in dimensions for name in d.columns)
    given, formulas, seed = _fixed(model, tables["parameters"], head, varying)
    constants, derived = derive(model, formulas, given, dimensions)
    given |= constants
    parameters = _spec_error(lambda: parse_parameters(model, given, (*varying, *derived)))
    check_shapes(model, dimensions, parameters)
    keep = _keep(model, methods, tables["outputs"])
    check_names(model, dimensions)
    name = head.get("name", model.title)
    if not isinstance(name, str):
        raise SpecError(f"[sweep] name must be a text, not {name!r}")
    if not name.isprintable():
        raise SpecError(f"[sweep] name must be one line without control characters; given was {name!r:.80}")
    options = tables["run"]
    return SweepSpec(
        name=name,
        model=model.id,
        methods=methods,
        seed=seed,
        dimensions=dimensions,
        parameters=parameters,
        given=given,
        keep=keep,
        raw=raw,
        tile=_tile(options, dimensions),
        retries=_retries(options),
        max_failures=_max_failures(options),
        derived=derived,
        refine=refinement_of(tables[REFINE], model, keep, dimensions),
    )


def _known(where: str, table: Json, allowed: Sequence[str], what: str) -> None:
    for key in table:
        if key not in allowed:
            raise SpecError(
                f"{where} has no {what} {key!r}; allowed are {', '.join(allowed)}{did_you_mean(key, allowed)}"
            )


def _spec_error(call: Any) -> Any:
    """The solvers' own messages name parameter, allowed range and nearest name: pass them on as they are."""
    try:
        return call()
    except (ValueError, TypeError) as error:
        raise SpecError(str(error)) from error


def _model(name: Any) -> Model:
    if not isinstance(name, str):
        raise SpecError('the spec names no model; write model = "..." in [sweep]; `spinsweep models` lists them')
    model: Model = _spec_error(lambda: find(name))
    return model


def _methods(model: Model, given: Any) -> tuple[tuple[str, ...], bool]:
    several = isinstance(given, list)
    names = given if isinstance(given, list) else [given]
    if several and not names:
        raise SpecError(f"[sweep] method is an empty list; {model.id} has {', '.join(m.name for m in model.methods)}")
    for name in names:
        if name is not None and not isinstance(name, str):
            raise SpecError(f"[sweep] method must be a text or a list of texts, not {given!r}")
    methods = tuple(_spec_error(lambda name=name: model.method(name)).name for name in names)
    if len(set(methods)) != len(methods):
        raise SpecError(f"[sweep] method names one method twice: {', '.join(methods)}")
    return methods, several


def _seed(head: Json, parameters: Json) -> int:
    """The seed of random designs."""
    seed = head.get("seed", parameters.get("seed", 0))
    return seed if isinstance(seed, int) else 0  # what is no seed is refused where seeds are read


def _fixed(model: Model, table: Json, head: Json, varying: Sequence[str]) -> tuple[dict[str, Any], dict[str, str], int]:
    """The fixed parameters as the spec gives them, the formulas among them, and the seed."""
    given: dict[str, Any] = {}
    formulas: dict[str, str] = {}
    for name, value in table.items():
        parameter = _spec_error(lambda name=name: model.parameter(name))
        if name in varying:
            raise SpecError(f"parameter {name} is fixed in [parameters] and varied in [axes] or [zip]; leave one")
        if is_formula(parameter, value):
            formulas[name] = value
            continue
        given[name] = array_values(f"[parameters] {name}", value) if parameter.dims else value
    seeds = [where for where, has in (("[sweep]", "seed" in head), ("[parameters]", "seed" in given)) if has]
    seeds += ["[axes]"] if "seed" in varying else []
    if len(seeds) > 1:
        raise SpecError(f"seed is given in {' and '.join(seeds)}; leave one")
    seed = head.get("seed", given.get("seed", 0))
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= 2**53:
        raise SpecError(f"seed must be a whole number from 0 to 2^53; given was {seed!r}")
    if "seed" in head and any(p.name == "seed" for p in model.parameters):
        given["seed"] = seed
    return given, formulas, seed


def _keep(model: Model, methods: Sequence[str], table: Json) -> tuple[str, ...]:
    of_methods = [o.name for o in model.outputs if any(o in model.outputs_of(m) for m in methods)]
    keep = table.get("keep")
    if keep is None:
        return tuple(of_methods)
    if not isinstance(keep, list) or not keep:
        raise SpecError(f"[outputs] keep must be a list of one or more of {', '.join(of_methods)}; given was {keep!r}")
    for name in keep:
        if name not in of_methods:
            known = [o.name for o in model.outputs]
            why = (
                f"no method of this sweep ({', '.join(methods)}) gives it"
                if name in known
                else "there is no such output"
            )
            raise SpecError(
                f"[outputs] keep: {name!r}: {why}; allowed are {', '.join(of_methods)}{did_you_mean(str(name), of_methods)}"
            )
    return tuple(dict.fromkeys(keep))


def _tile(table: Json, dimensions: Sequence[SweepDimension]) -> Mapping[str, int] | None:
    """Points per axis; None leaves the tile to the plan."""
    tile = table.get("tile", "auto")
    if tile == "auto":
        return None
    if not isinstance(tile, Mapping) or any(
        isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in tile.values()
    ):
        raise SpecError(
            f'[run] tile must be "auto" or points per axis, like {{ {dimensions[-1].name} = 20 }}; given was {tile!r}'
        )
    names = [d.name for d in dimensions] + [METHOD for d in dimensions if d.labels]
    _known("[run] tile", tile, names, "axis")
    return dict(tile)


def _retries(table: Json) -> int:
    retries = table.get("retries", 2)
    if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= 100:
        raise SpecError(f"[run] retries must be a whole number from 0 to 100; given was {retries!r}")
    return retries


def _max_failures(table: Json) -> float | int | None:
    given = table.get("max_failures")
    if given is None:
        return None
    if isinstance(given, str) and given.endswith("%"):
        try:
            share = float(given[:-1]) / 100
        except ValueError:
            share = -1.0
        if 0 <= share <= 1:
            return share
    elif isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    raise SpecError(f'[run] max_failures must be a number of points or a share like "5%"; given was {given!r}')
