"""What tests compare runs by: every array byte for byte, `elapsed_seconds` apart."""

import numpy as np

import sweep


def arrays_of(folder):
    """Name -> (dims, bytes) of every array of a run, `elapsed_seconds` apart."""
    data = sweep.open(folder)
    return {
        str(name): (array.dims, array.values.tobytes())
        for name, array in data.variables.items()
        if name != "elapsed_seconds" and array.dtype.kind in "iufc"
    }


def assert_same_bits(one, other):
    first, second = arrays_of(one), arrays_of(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value == second[name], f"{name} differs"


def assert_same_bits_by_coordinate(one, other):
    """The same bits at the same point, whatever the order of the axes."""
    first, second = sweep.open(one), sweep.open(other)
    for name in first.data_vars:
        if name != "elapsed_seconds":
            left = first[name]
            right = second[name].transpose(*left.dims)
            assert left.values.tobytes() == np.ascontiguousarray(right.values).tobytes(), name
