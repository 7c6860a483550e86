"""Colours and their scales: which palette suits the values, and where it begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweep.errors import SpecError
from sweep.pictures.style import Style

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, Normalize

CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C8C8C")
"""Colours of curves, told apart by colour-blind eyes too, all dark enough on white (after Okabe and Ito, without yellow)."""
DASHES = ("-", "--", "-.", ":")
"""Later curves are broken, so that one that lies on another hides nothing."""
PENDING_COLOUR, FAILED_COLOUR = "#d9d9d9", "#000000"
ROUND_OFF = 1e-12
"""Differences below this, relative to the size of a quantity, are no structure."""
_DARK_END = 0.85
"""Where the palette of ordered curves ends, before it is yellow."""


@dataclass(frozen=True)
class Colours:
    """A palette and its scale."""

    cmap: Colormap
    norm: Normalize


def ordered(count: int) -> list[Any]:
    """Colours of `count` curves in an order."""
    import matplotlib

    return list(matplotlib.colormaps["viridis"](np.linspace(0.0, _DARK_END, count)))


def ordered_map() -> Colormap:
    """The palette of `ordered`, for a colour bar."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(ordered(256))


def scale_of(attributes: Any) -> float:
    """The size of a quantity by its declared bounds; 0 where it has none."""
    low, high = attributes.get("valid_min"), attributes.get("valid_max")
    return max(abs(float(low)), abs(float(high))) if low is not None and high is not None else 0.0


def constant(values: NDArray[Any], scale: float) -> float | None:
    """The value of an array that is one number but for round-off; None for any other."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    return 0.5 * (low + high) if high - low <= ROUND_OFF * max(abs(low), abs(high), scale) else None


def limits(values: NDArray[Any], scale: float) -> tuple[float, float]:
    """Smallest and largest value; around a constant, room for it."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    level = constant(values, scale)
    if level is not None:
        room = 0.05 * max(abs(level), scale) or 0.05
        return level - room, level + room
    return float(finite.min()), float(finite.max())


def colours_for(values: NDArray[Any], attributes: Any, style: Style) -> Colours:
    """Palette and scale of a map: centred at 0 for signed values, circular for a phase, else from smallest to largest."""
    import matplotlib
    from matplotlib.colors import LogNorm, Normalize

    low, high = limits(values, scale_of(attributes))
    cyclic = style.part == "phase" and attributes.get("units") == "rad"
    signed = (
        low < 0 < high and constant(values, scale_of(attributes)) is None and min(-low, high) > 1e-3 * max(-low, high)
    )
    name = style.cmap or ("twilight" if cyclic else "RdBu_r" if signed and not style.log else "viridis")
    try:
        cmap = matplotlib.colormaps[name]
    except KeyError:
        raise SpecError(
            f"--cmap {name} is no palette of Matplotlib's; viridis, cividis, RdBu_r and twilight are some"
        ) from None
    if cyclic:
        low, high = -np.pi, np.pi
    elif signed and not style.log:
        low, high = -max(-low, high), max(-low, high)
    low, high = (low if style.vmin is None else style.vmin), (high if style.vmax is None else style.vmax)
    if not low < high:
        raise SpecError(f"--vmin {low:g} and --vmax {high:g} leave no range")
    if style.log and high > 0:
        positive = values[np.isfinite(values) & (values > high * ROUND_OFF)]
        least = style.vmin if style.vmin else float(positive.min()) if positive.size else high / 10
        return Colours(cmap, LogNorm(min(max(least, high * ROUND_OFF), 0.5 * high), high))
    return Colours(cmap, Normalize(low, high))


def codes_of(attributes: Any) -> dict[int, str]:
    """The values of a code and their meanings; empty for an ordinary quantity."""
    values, words = attributes.get("flag_values"), str(attributes.get("flag_meanings", "")).split()
    if values is None or not words:
        return {}
    return {int(value): word.replace("_", " ") for value, word in zip(values, words, strict=False)}


def is_geometric(values: NDArray[Any]) -> bool:
    """Whether values of an axis were spaced by a factor, which a logarithmic axis shows evenly."""
    if values.size < 3 or values.dtype.kind not in "iuf" or np.any(values <= 0):
        return False
    steps, ratios = np.diff(values), np.diff(np.log(values.astype(float)))
    even = np.ptp(steps) <= 0.02 * np.abs(steps).max()
    return bool(not even and np.ptp(ratios) <= 0.05 * np.abs(ratios).max()) or bool(
        not even and np.all(steps > 0) and values[-1] / values[0] >= 100 and _nearer_geometric(values)
    )


def _nearer_geometric(values: NDArray[Any]) -> bool:
    """Whether the values lie nearer to a geometric than to an arithmetic sequence (whole numbers of a logspace do)."""
    straight = np.linspace(0.0, 1.0, values.size)
    arithmetic = (values - values[0]) / (values[-1] - values[0])
    geometric = np.log(values / values[0]) / np.log(values[-1] / values[0])
    return bool(np.abs(geometric - straight).max() < np.abs(arithmetic - straight).max())
