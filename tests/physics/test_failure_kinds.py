"""Why points fail is said in one vocabulary, so that `errors` groups equal causes of all models."""

import ast
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from solvers import evaluate
from solvers.numerics import outcome as codes
from solvers.outcome import KIND_OF_CODE, Kind, PointFailed, Remark, remark_of

SOLVERS = Path(__file__).resolve().parents[2] / "solvers"
# What makes a remark, and the place of its kind among the positional arguments.
MAKERS = {"Remark": None, "PointFailed": 0, "failed": 0}


def kinds_said(tree):
    """The expressions that stand for a kind wherever a remark is made."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in MAKERS:
            continue
        yield from (k.value for k in node.keywords if k.arg == "kind")
        if MAKERS[name] is not None and len(node.args) > MAKERS[name]:
            yield node.args[MAKERS[name]]


def words_in(expression):
    """Texts written out in an expression, those of other expressions inside it (an attribute's, a key's) included."""
    return [n.value for n in ast.walk(expression) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


@pytest.mark.parametrize("path", sorted(SOLVERS.rglob("*.py")), ids=lambda p: p.relative_to(SOLVERS).as_posix())
def test_no_file_has_words_of_its_own(path):
    for expression in kinds_said(ast.parse(path.read_text())):
        assert not words_in(expression), f"line {expression.lineno}: take a member of Kind"


def test_words_of_its_own_would_be_noticed():
    tree = ast.parse(
        "raise PointFailed('Oops', 'no')\nRemark(kind=A if b else 'B', message='')\nx.failed(Kind.A, 'no')"
    )
    assert [words_in(e) for e in kinds_said(tree)] == [["Oops"], ["B"], []]


def test_every_kind_is_used_and_explained():
    text = "\n".join(path.read_text() for path in SOLVERS.rglob("*.py"))
    for kind in Kind:
        assert f"Kind.{kind.name}" in text, f"{kind} is said nowhere"
        assert len(kind.meaning.split()) > 3
    assert len({kind.meaning for kind in Kind}) == len(Kind)


def test_every_integration_that_goes_wrong_has_a_kind():
    assert set(KIND_OF_CODE) == {codes.MAX_STEPS, codes.NOT_FINITE, codes.STEP_TOO_SMALL}
    assert set(KIND_OF_CODE) <= set(codes.OUTCOME_TEXT)


def test_a_kind_is_a_text_everywhere():
    """In a file, through a pickle to another process, and in a message."""
    remark = remark_of(PointFailed(Kind.DIVERGED, "too large"))
    assert remark == Remark(kind="Diverged", message="too large")
    assert json.loads(json.dumps(remark.kind)) == "Diverged"
    assert f"{pickle.loads(pickle.dumps(Kind.DIVERGED))}" == "Diverged"
    assert pickle.loads(pickle.dumps(Kind.DIVERGED)).meaning == Kind.DIVERGED.meaning


@pytest.mark.parametrize(
    ("model", "method", "parameters"),
    [
        ("battery.release", "cumulant", {"Gamma": 10.0}),
        ("spin_cat.two_ensembles", "mean_field", {}),
        ("landau_lifshitz.trajectory", "generalized", {"B_x": 1.0}),
        ("landau_lifshitz.hysteresis", "continuation", {"V_z": 1.0, "t_max": 20.0}),
        ("collective_spin.dynamics", "mean_field", {"Omega": 1.0}),
    ],
)
def test_models_group_alike(model, method, parameters):
    """One step suffices nowhere, and everywhere it is the same that is said."""
    found = evaluate(model, method, points={"max_steps": [1]}, parameters=parameters)
    assert found.status.tolist() == [2]
    assert found.remarks[0].kind == Kind.STEP_BUDGET_SPENT
    assert "max_steps" in found.remarks[0].message


def test_what_linear_algebra_cannot_do_is_lost_in_rounding():
    try:
        np.linalg.inv(np.zeros((2, 2)))
    except np.linalg.LinAlgError as error:
        remark = remark_of(error)
    assert remark.kind == Kind.LOST_IN_ROUNDING
    assert "Singular matrix; take less extreme" in remark.message
    assert "inv" in remark.traceback
