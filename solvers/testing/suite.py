"""Runs all checks over one model: a registered one, or one in a file of a user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from solvers.model import Model
from solvers.registry import add_file, find, models_of
from solvers.testing.accounts import Report, total
from solvers.testing.checks import EVERY_CHECK
from solvers.testing.subject import Subject


def check(model: Model | str, *, points: int = 6, seed: int = 20, cases: Sequence[Mapping[str, Any]] = ()) -> Report:
    """Check everything that can be checked about a model, and account for it method by method.

    Parameters
    ----------
    model : a registered model or its id.
    points : how many random points are compared with references and with themselves.
    seed : of the random points.
    cases : reference cases (see `solvers.testing.cases`); those of other models are passed over.

    Returns
    -------
    Report : `passed`, `accounts`, `failures`; printed, it is a table.
    """
    known = find(model) if isinstance(model, str) else model
    subject = Subject(known, points, seed, cases)
    report = Report(known)
    for one in EVERY_CHECK:
        try:
            report.accounts.extend(total(one(subject)))
        except AssertionError as error:
            report.failures.append((one.__name__, str(error).strip()))
        except Exception as error:
            report.failures.append((one.__name__, f"{type(error).__name__}: {error}"))
    return report


def models_in(name_or_file: str) -> list[Model]:
    """The models that a model id, or the path of a model file, stands for.

    Raises ValueError where there is no such model, or where the file is broken, with what is wrong and where.
    """
    if not (name_or_file.endswith(".py") or "/" in name_or_file or "\\" in name_or_file):
        return [find(name_or_file)]
    path = Path(name_or_file)
    found = list(models_of(add_file(path)).values())
    if not found:
        raise ValueError(f"{path} declares no models; it needs MODELS = (Model(id='{path.stem}.NAME', ...),)")
    return found
