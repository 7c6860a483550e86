"""Specs of toy sweeps."""


def faulty(kind, at=3.0, a=10, b=6, tile=None, **parameters):
    """A sweep of points of which those at a = `at` misbehave."""
    return {
        "sweep": {"name": f"faulty {kind}", "model": "toy.faulty"},
        "parameters": {"kind": kind, "at": at, **parameters},
        "axes": {"a": {"linspace": [0.0, a - 1.0, a]}, "b": {"linspace": [0.0, 1.0, b]}},
        "run": {"tile": tile or {"a": 5, "b": b}},
    }
