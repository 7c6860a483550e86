"""The list of models, kept between calls: to import all models takes a second, to read a small file does not."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from solvers.cache_place import cache_root
from solvers.fingerprint import sources_of_everything
from sweep.errors import SweepError
from sweep.folder import files
from sweep.records import Record


@dataclass(frozen=True)
class Entry(Record):
    """What the list says about a model."""

    title: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue(Record):
    """The models by id, as the sources of that hash declare them."""

    sources: str
    models: Mapping[str, Entry]


def catalogue() -> Mapping[str, Entry]:
    """The models by id: from the file that is kept, or, where sources have changed since, from the models themselves."""
    path = cache_root() / "models.json"
    sources = sources_of_everything()
    with contextlib.suppress(OSError, ValueError, SweepError):
        kept = Catalogue.from_json(files.read_json(path), path)
        if kept.sources == sources:
            return kept.models
    from solvers import models

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = {
            name: Entry(model.title, tuple(method.name for method in model.methods)) for name, model in models().items()
        }
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if not caught:  # a file that was left out is told every time
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_record(path, Catalogue(sources, found))
    return found
