"""Every model says its equations, conventions and source where users look."""

import re

import pytest

from solvers import find, models
from solvers.papers import PAPERS
from solvers.physics import physics_of

OURS = sorted(name for name in models() if not name.startswith("toy."))


@pytest.mark.parametrize("model_id", OURS)
def test_physics_of_a_model_is_written_down(model_id):
    physics = physics_of(find(model_id))
    assert physics.paper in PAPERS.values()
    assert physics.model
    assert len(physics.system) > 200
    equations = [line for line in physics.text().splitlines() if re.match(r" {4}.*[=D]", line)]
    assert equations
    assert "Files:" not in physics.system


@pytest.mark.parametrize("model_id", OURS)
def test_pages_name_what_a_user_can_use(model_id):
    """Words in backticks are a model, a method, a parameter, an output or a choice of this package, no file of it."""
    known = set(models())
    for model in map(find, OURS):
        if model.id.split(".")[0] == model_id.split(".")[0]:
            things = [*model.methods, *model.parameters, *model.outputs, *model.dimensions]
            known |= {thing.name for thing in things} | {word for p in model.parameters for word in p.choices}
    used = set(re.findall(r"`([A-Za-z_.0-9]+)`", physics_of(find(model_id)).text()))
    assert used <= known, used - known


def test_conventions_of_operators_are_stated():
    """h_x = 1 turns a spin by 2t in one model and by t in another: each says which."""
    for system, words in {
        "spin_network": "angle\n2t",
        "spin_lattice": "angle 2t",
        "heisenberg": "angle t",
        "spin_cat": "angle delta t",
        "collective_spin": "TWICE the usual",
        "spin_chain": "TWICE the usual",
        "battery": "D[L] rho = L rho L^+",
    }.items():
        name = next(name for name in OURS if name.startswith(f"{system}."))
        assert words in physics_of(find(name)).system, system


def test_papers_can_be_cited():
    for paper in PAPERS.values():
        assert re.search(r"\b(19|20)\d\d\b", paper.text())
        assert not paper.doi or re.fullmatch(r"10\.\d{4,5}/\S+", paper.doi)


def test_a_model_in_a_file_of_its_own_shows_its_docstring():
    assert physics_of(find("toy.waves")).model.startswith("Models for testing")
