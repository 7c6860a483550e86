"""Hours of trajectories are refused before the first, with their price; a target for the error may still end them sooner."""

import numpy as np
import pytest

from solvers import FAILED, OK, evaluate, models
from solvers.engines.sampling_price import LONGEST, trajectories_to_draw
from solvers.outcome import Kind, PointFailed

SAMPLED = (
    ("collective_spin.dynamics", "twoqs", "trajectories", {}),
    ("collective_spin.optimal_squeezing", "twoqs", "trajectories", {}),
    ("collective_spin.steady_state", "twoqs", "trajectories", {}),
    ("spin_chain.dynamics", "twoqs", "trajectories", {"N": 4}),
    ("spin_chain.steady_state", "twoqs", "trajectories", {"N": 4, "max_distance": 1, "t_relax": 2.0, "t_average": 1.0}),
    ("spin_lattice.dynamics", "twa", "trajectories", {"N": 4}),
    ("spin_lattice.dynamics", "quantum_jumps", "trajectories", {"N": 4}),
    ("battery.release", "twa", "trajectories", {"N": 4}),
    ("spin_cat.lindblad", "quantum_jumps", "trajectories", {"N": 4, "times": [0.0, 1.0]}),
    ("spin_cat.free_evolution", "sampled", "realisations", {"N": 4, "delta": 1.0}),
)


@pytest.mark.parametrize(("model", "method", "count", "parameters"), SAMPLED)
def test_hours_of_samples_are_refused_with_their_price(model, method, count, parameters):
    given = {**models()[model].example, **parameters, count: 2**40}
    found = evaluate(model, method, points={}, parameters=given)
    assert found.status[0] == FAILED
    assert found.remarks[0].kind == Kind.TOO_MUCH_WORK
    assert "hours" in found.remarks[0].message and "take" in found.remarks[0].message


@pytest.mark.parametrize("count", [1, 1000])
def test_what_is_paid_for_is_drawn(count):
    assert trajectories_to_draw(count, LONGEST / 1000) == count


def test_what_is_not_paid_for_is_refused():
    with pytest.raises(PointFailed, match=r"1e\+03 trajectories of about 20 s each take 5.6 hours"):
        trajectories_to_draw(1000, LONGEST / 500)
    assert trajectories_to_draw(1000, LONGEST / 500, paid=2.0) == 1000


def test_a_target_needs_as_many_as_the_square_of_the_error_says():
    # 64 with an error of 0.1: one of 0.01 needs 6400 of them
    def draw(payable):
        return trajectories_to_draw(
            10**9, LONGEST / payable, target_error=0.01, first_look=64, error_of=lambda count: 0.8 / np.sqrt(count)
        )

    assert draw(6500.0) == 6500
    with pytest.raises(PointFailed, match=r"a target_error of 0.01 needs about 6.4e\+03"):
        draw(6300.0)


def test_a_target_that_is_soon_reached_ends_any_number_of_trajectories():
    given = {"N": 4, "delta": 1.0, "times": [0.0, 0.2], "target_error": 0.02}
    many = evaluate("spin_cat.free_evolution", "sampled", points={}, parameters={**given, "realisations": 2**40})
    few = evaluate("spin_cat.free_evolution", "sampled", points={}, parameters={**given, "realisations": 5000})
    assert many.status[0] == few.status[0] == OK
    np.testing.assert_array_equal(many.outputs["fidelity_even"], few.outputs["fidelity_even"])
    assert 0.0 < many.outputs["fidelity_even_sem"].max() <= 0.02


def test_a_target_beyond_hours_is_refused_after_the_first_look():
    given = {"S": 2.0, "g": 1.0, "times": [0.0, 0.5], "target_error": 1e-8, "trajectories": 2**40, "step": 0.05}
    found = evaluate("collective_spin.dynamics", "twoqs", points={}, parameters=given)
    assert found.remarks[0].kind == Kind.TOO_MUCH_WORK
    assert "a target_error of 1e-08 needs" in found.remarks[0].message
