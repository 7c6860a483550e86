"""The attributes of a store's arrays: short names and units as an axis of a picture shows them, the meaning of codes and NaN."""

from __future__ import annotations

import math
import re

from solvers.declarations import Dimension, Output, Parameter
from sweep.records import Json

PHYSICAL = "physical_coordinate"
"""Attribute of a dimension that only counts: the array whose values stand for it on an axis."""

_GREEK = {
    "Gamma": "Γ", "gamma": "γ", "Omega": "Ω", "omega": "ω", "kappa": "κ", "eta": "η", "hbar": "ħ", "delta": "δ",
}  # fmt: skip
_LETTER = re.compile(rf"\b({'|'.join(_GREEK)})(?:_?(\d+|[a-z]{{1,2}}))?\b")
_LOWERED = str.maketrans("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_POWER = re.compile(r"\*\*(-?\d+)|\^(-?\d+)")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_CUT = re.compile(r"[;,:(=]")
_MEAN_OF = re.compile(r" <\w+>")
_EXPRESSION = re.compile(r"[<>|^\[_]")


def unit_text(unit: str) -> str:
    """A unit in the notation of papers: `1/Gamma2` as 1/Γ₂, `1/time**2` as 1/time²."""

    def letter(match: re.Match[str]) -> str:
        index = (match[2] or "").translate(_LOWERED)
        return _GREEK[match[1]] + (f"_{index}" if index.isascii() and index else index)

    return _POWER.sub(lambda m: (m[1] or m[2]).translate(_RAISED), _LETTER.sub(letter, unit)).replace("*", "·")


def axis_name(thing: Parameter | Output | Dimension) -> str:
    """A short name with the symbol in LaTeX: the declared label, else the beginning of the meaning, if that is words."""
    text = thing.label or _short(thing.meaning or thing.name)
    if thing.symbol and not thing.label and (text == thing.symbol or _EXPRESSION.search(text)):
        return f"${thing.symbol}$"
    return f"{text} ${thing.symbol}$" if thing.symbol else text


def _short(meaning: str) -> str:
    text = _MEAN_OF.sub("", _CUT.split(meaning)[0]).strip()
    return "standard error" if text.startswith("standard error of ") else text or meaning


def of_parameter(parameter: Parameter) -> Json:
    """Attributes of a parameter as a coordinate."""
    return _named(parameter)


def of_dimension(dimension: Dimension, unit: str) -> Json:
    """Attributes of a dimension of outputs."""
    attributes = {**_named(dimension), "units": unit_text(unit)}
    return {**attributes, PHYSICAL: dimension.along} if dimension.along else attributes


def of_output(output: Output) -> Json:
    """Attributes of an output: bounds as the CF conventions have them, what codes and NaN mean."""
    attributes = {**_named(output), "ancillary_variables": "status"}
    low, high = output.bounds
    if math.isfinite(low):
        attributes["valid_min"] = low
    if math.isfinite(high):
        attributes["valid_max"] = high
    if output.codes:
        attributes["flag_values"] = list(range(len(output.codes)))
        attributes["flag_meanings"] = " ".join(code.replace(" ", "_") for code in output.codes)
    if output.nan or output.nan_if_warned:
        attributes["nan_means"] = output.nan or output.nan_if_warned
    return attributes


def _named(thing: Parameter | Output | Dimension) -> Json:
    attributes = {"units": unit_text(thing.unit), "long_name": axis_name(thing), "symbol": thing.symbol}
    return attributes | ({"comment": thing.meaning} if thing.meaning else {})
