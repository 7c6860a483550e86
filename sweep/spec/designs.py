"""Random designs: the values of parameters that are drawn together along one zipped dimension.

`{ sobol = [lo, hi, n] }` fills the box of all such parameters of a group evenly (a Sobol sequence, shifted digitally by the
seed); `{ uniform = [lo, hi, n] }` draws independent values. A fourth entry, `"log"`, draws the logarithm. The same seed,
group and parameter give the same values on every machine: SciPy's unscrambled sequence and NumPy's raw Philox bits are both
fixed by their definitions.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.errors import SpecError
from sweep.spec.axis_forms import counted, finite_number

FORMS = {
    "sobol": '[low, high, count]: fills the box of all such parameters of the dimension evenly; a fourth entry "log" draws the logarithm',
    "uniform": '[low, high, count]: independent values; a fourth entry "log" draws the logarithm',
}
"""The designs, and what they take."""
_BITS = 30


def is_design(form: Any) -> bool:
    """Whether a form of values is a random design."""
    return isinstance(form, Mapping) and any(name in form for name in FORMS)


def drawn(where: str, group: str, seed: int, forms: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """The values of every design of one group: parameter name -> (n,), between lo and hi, ends excluded.

    SpecError for a design that is not `[lo, hi, n]` or `[lo, hi, n, "log"]`.
    """
    boxes = {name: _box(f"{where} {name}", form) for name, form in forms.items()}
    names = sorted(name for name, (kind, *_) in boxes.items() if kind == "sobol")
    counts = {boxes[name][3] for name in names}
    if len(counts) > 1:
        raise SpecError(
            f"{where}: all sobol designs need the same count, because they fill one box; given were "
            f"{ {name: boxes[name][3] for name in names} }"
        )
    even = _sobol(next(iter(counts)), [_key(seed, group, name) for name in names]) if names else np.empty((0, 0))
    found = {}
    for name, (kind, low, high, count, logarithmic) in boxes.items():
        share = even[:, names.index(name)] if kind == "sobol" else _uniform(count, _key(seed, group, name))
        if logarithmic:
            ratio = high / low
            found[name] = np.asarray([low * math.pow(ratio, u) for u in share.tolist()])
        else:
            found[name] = low + (high - low) * share
    return found


def _box(where: str, form: Mapping[str, Any]) -> tuple[str, float, float, int, bool]:
    if len(form) != 1:
        raise SpecError(f"{where} needs exactly one form; given were {', '.join(form)}")
    kind, given = next(iter(form.items()))
    if not isinstance(given, list) or len(given) not in (3, 4) or (len(given) == 4 and given[3] != "log"):
        raise SpecError(f'{where}: {kind} needs [lo, hi, count] or [lo, hi, count, "log"]; given was {given!r}')
    low, high = finite_number(where, kind, given[0]), finite_number(where, kind, given[1])
    count = counted(where, kind, given[2])
    if not low < high or (len(given) == 4 and low <= 0):
        raise SpecError(f"{where}: {kind} needs lo < hi{', both > 0' if len(given) == 4 else ''}; given was {given!r}")
    return kind, low, high, count, len(given) == 4


def _key(seed: int, group: str, name: str) -> int:
    text = "\0".join([str(seed), group, name])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def _uniform(count: int, key: int) -> NDArray[np.float64]:
    """Numbers strictly between 0 and 1 (count,)."""
    bits = np.random.Philox(key=key).random_raw(count) >> np.uint64(12)
    return (bits.astype(np.float64) + 0.5) * 2.0**-52


def _sobol(count: int, keys: list[int]) -> NDArray[np.float64]:
    """`count` points of a digitally shifted Sobol sequence in (0, 1), one column per key."""
    from scipy.stats import qmc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # balance asks for a power of two; any count is allowed here
        plain = qmc.Sobol(len(keys), scramble=False, bits=_BITS).random(count)
    shifts = np.asarray([key % (1 << _BITS) for key in keys], dtype=np.uint64)
    numbers = np.round(plain * (1 << _BITS)).astype(np.uint64) ^ shifts
    return (numbers.astype(np.float64) + 0.5) / (1 << _BITS)
