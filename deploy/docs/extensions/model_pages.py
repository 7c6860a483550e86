"""One page per model, from what it declares: physics, methods with their cost, parameters, outputs, status, checks."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path

from docstrings import escaped, page, sentence
from pages import table

from solvers import SolverWarning, models, solve
from solvers.declarations import Output, Parameter
from solvers.fingerprint import sources_of_everything
from solvers.model import Method, Model
from solvers.physics import physics_of
from sweep.cli.models import said
from sweep.cli.starting import starter

MOST_SECONDS = 5.0
"""A solve that takes longer is not repeated."""


Costs = dict[str, str]


def model_pages(kept: Path) -> dict[str, str]:
    """Pages by name: the list of models, and one page each. `kept` holds the measured costs while no source changes."""
    known = models()
    sources = sources_of_everything()
    found = json.loads(kept.read_text()) if kept.exists() else {}
    if found.get("sources") != sources:
        costs = {f"{name} {m.name}": _cost(model, m) for name, model in known.items() for m in model.methods}
        found = {"sources": sources, "costs": costs}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found, indent=1))
    pages = {f"models/{name}": model_page(model, found["costs"]) for name, model in known.items()}
    return {"models/index": _index(known), **pages}


def _index(known: dict[str, Model]) -> str:
    systems: dict[str, list[Model]] = {}
    for name, model in known.items():
        systems.setdefault(name.partition(".")[0], []).append(model)
    parts = [
        "# Models",
        "Every page is made from the model's own file, so that it says what the program does. Costs were measured when the "
        "pages were made.",
    ]
    for system, members in systems.items():
        paper = physics_of(members[0]).paper
        rows = [(f"[](#{_label(m)})", escaped(m.title), ", ".join(f"`{x.name}`" for x in m.methods)) for m in members]
        parts += [
            f"## {system.replace('_', ' ')}",
            escaped(paper.text()) if paper else "",
            table(("model", "what it computes", "methods"), rows),
        ]
    parts.append("```{toctree}\n:hidden:\n\n" + "\n".join(known) + "\n```")
    return "\n\n".join(parts)


def _label(model: Model) -> str:
    return "model-" + model.id.replace(".", "-").replace("_", "-")


def model_page(model: Model, costs: Costs) -> str:
    """The page of one model."""
    physics = physics_of(model)
    names = frozenset(m.name for m in model.methods)
    parts = [f"({_label(model)})=\n# {model.id}", f"**{escaped(model.title)}**", f"Equations: {escaped(model.source)}."]
    if physics.paper:
        where = f" [doi:{physics.paper.doi}](https://doi.org/{physics.paper.doi})" if physics.paper.doi else ""
        text = physics.paper.text().partition(", doi:")[0]
        parts.append(f"Paper: {escaped(text)}{where}.")
    if model.unit_of_time:
        parts.append(f"Times are in {_unit(model.unit_of_time)}.")
    if physics.system:
        parts += ["## System", page(physics.system, names)]
    parts += ["## Model", page(_without_id(model, physics.model), names)] if physics.model else []
    parts += [
        "## Methods",
        "The first is the default. Cost is the processor time of one point, the example below, on the machine that made this "
        "page: it says which method is cheap, not what your sweep takes (`spinsweep plan` measures that).",
        table(
            ("method", "what it does", "holds for", "source", "cost of a point"),
            [_method(m, costs[f"{model.id} {m.name}"]) for m in model.methods],
        ),
        "## Parameters",
        table(
            ("parameter", "symbol", "meaning", "unit", "default", "allowed"), [_parameter(p) for p in model.parameters]
        ),
        "## Outputs",
        table(
            ("output", "symbol", "meaning", "dimensions", "unit", "methods"), [_output(model, o) for o in model.outputs]
        ),
        "Beside them every point has a `status`: "
        + "; ".join(f"{code}: {escaped(text)}" for code, text in model.status_text.items())
        + ".",
        "## A sweep to begin with",
        f"`spinsweep new {model.id}` writes it:",
        f"```toml\n{starter(model)}```",
    ]
    parts += _checks(model)
    return "\n\n".join(parts) + "\n"


def _without_id(model: Model, text: str) -> str:
    """The docstring, whose first words may be the model's id, which is the title of the page."""
    own = text.removeprefix(f"{model.id}: ")
    return own[:1].upper() + own[1:]


def limits() -> str:
    """Which methods have a limit, of all models."""
    rows = [
        (f"[](#{_label(model)})", f"`{m.name}`", escaped(m.limit.text))
        for model in models().values()
        for m in model.methods
        if m.limit
    ]
    return table(("model", "method", "holds for"), rows) + "\n"


def _method(method: Method, cost: str) -> tuple[str, ...]:
    return (
        f"`{method.name}`" + (" (random)" if method.draws_numbers else ""),
        sentence(method.meaning),
        escaped(method.limit.text) if method.limit else "",
        escaped(method.source),
        cost,
    )


def _cost(model: Model, method: Method) -> str:
    """Processor time of the example, the second time, when everything is compiled."""
    spent = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SolverWarning)
        for attempt in range(2):
            start = time.process_time()
            found = solve(model.id, method.name, **model.example)
            spent = time.process_time() - start
            if attempt == 0 and int(found["status"]) == 2:
                return "beyond its limits there"
            if spent > MOST_SECONDS:
                break
    unit, factor = next(
        (("µs", 1e6), ("ms", 1e3), ("s", 1.0))[k] for k, most in enumerate((1e-3, 1.0, 1e9)) if spent < most
    )
    return f"{float(f'{spent * factor:.2g}'):g} {unit}"


def _parameter(p: Parameter) -> tuple[str, ...]:
    default = "not given" if p.default is None else f"`{said(p.default)}`"
    allowed = p.allowed + ("; sets a shape, so it is no axis" if p.shape else "")
    return f"`{p.name}`", _symbol(p.symbol), sentence(p.meaning), _unit(p.unit), default, escaped(allowed)


def _output(model: Model, o: Output) -> tuple[str, ...]:
    nan = f"; NaN: {o.nan}" if o.nan else ""
    codes = "; " + ", ".join(f"{k} {word}" for k, word in enumerate(o.codes)) if o.codes else ""
    who = ", ".join(f"`{name}`" for name in o.methods) if o.methods else f"all {len(model.methods)}"
    dims = ", ".join(f"`{name}`" for name in o.dims)
    return f"`{o.name}`", _symbol(o.symbol), sentence(o.meaning + codes + nan), dims, _unit(o.unit), who


def _symbol(symbol: str) -> str:
    return f"{{math}}`{symbol}`" if symbol else ""


def _unit(unit: str) -> str:
    return "" if unit == "1" else escaped(unit)


def _checks(model: Model) -> list[str]:
    """How the numbers of every method were checked: references, and numbers with an origin."""
    lines = [
        f"* `{m.name}`: random points against an independent slow solution"
        for m in model.methods
        if m.reference is not None
    ]
    default = model.methods[0].name
    lines += [
        f"* `{check.method or default}`: {', '.join(f'`{name}`' for name in check.expect)} against: {escaped(check.origin)}"
        for check in model.checks
    ]
    if not lines:
        return []
    return [
        "## How its numbers are checked",
        f"`spinsweep check {model.id}` repeats this.",
        "\n".join(dict.fromkeys(lines)),
    ]
