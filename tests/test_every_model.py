"""Runs the model suite over every registered model."""

import model_suite
import pytest

from solvers import models

MODELS = {name: model for name, model in models().items() if not name.startswith("toy.")}


@pytest.mark.parametrize("case", model_suite.CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_model(model, case):
    case(model)
