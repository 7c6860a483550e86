"""The reference of spec files, from the code that reads them."""

from __future__ import annotations

import inspect

from docstrings import page
from pages import table

from solvers import find
from sweep.cli.starting import starter
from sweep.folder.codes import FLAGS
from sweep.spec import array_files, designs, formulas
from sweep.spec.axis_forms import FORMS
from sweep.spec.parsing import SECTIONS

SECTION_MEANING = {
    "sweep": "What is computed.",
    "parameters": "Values that are the same at every point: the names are those of the model (its page lists them); "
    "what is left out has the model's default. A number, a choice as a text, an array as a list, in one of the forms "
    'below or as the name of a file, or a formula of other parameters (`eta = "N/32"`).',
    "axes": "One entry per dimension of the results, in the order of the store: the name of a parameter and its values.",
    "zip": "`[zip.NAME]`: parameters that vary together along one dimension NAME. They have equally many values. Random "
    "designs that are written here are drawn together. `[[zip]]` is a group without a name.",
    "outputs": "What is stored.",
    "refine": "A grid of which only those points are computed where results change between neighbours; with this section the run begins "
    "coarse and ends fine. `spinsweep refine RUN` does it afterwards.",
    "run": "How it is computed. Nothing here changes a number, and none of it enters the hash of a run.",
}


def spec_page() -> str:
    """The page."""
    parts = [
        "# Spec files",
        "A sweep is a TOML file. There is no code in it and nothing is evaluated; a key that is unknown is refused with the "
        "nearest one that exists. `spinsweep new MODEL` writes one to begin with, `spinsweep plan FILE` checks it and says "
        "what a run would cost.",
        f"```toml\n{starter(find('spin_cat.boundary'))}```",
    ]
    for section, keys in SECTIONS.items():
        parts += [f"## `[{section}]`", SECTION_MEANING[section]]
        if keys is not None:
            parts.append(table(("key", "meaning"), [(f"`{key}`", text) for key, text in keys.items()]))
    parts += [
        "## Forms of values",
        "An axis takes a list of values or one of these, like `eta = { linspace = [0.0, 1.0, 11] }`; so does an array parameter "
        "in `[parameters]`. A whole-number parameter takes the nearest whole numbers, each once. On the command line `a:b:n` "
        "is linspace, `a:b:n:log` logspace, and `v1,v2,...` a list.",
        table(("form", "takes"), [(f"`{name}`", text) for name, text in FORMS.items()]),
        "## Random designs",
        page(inspect.getdoc(designs) or ""),
        table(("form", "takes"), [(f"`{name}`", text) for name, text in designs.FORMS.items()]),
        "## Formulas",
        page(inspect.getdoc(formulas) or ""),
        "## Arrays from files",
        page(inspect.getdoc(array_files) or ""),
        "## What the store says of every point",
        "`status` has a code per point, with the attributes `flag_values` and `flag_meanings`:",
        table(("code", "meaning"), [(str(code), word.replace("_", " ")) for code, word in FLAGS.items()]),
    ]
    return "\n\n".join(parts) + "\n"
