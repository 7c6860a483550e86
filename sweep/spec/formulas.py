"""Derived parameters: `eta = "N/32"`, arithmetic of other parameters, written as a text in a spec.

Numbers, names of parameters, `pi`, `+ - * / **`, parentheses, `sqrt`, `exp` and `log`: a parser of its own, so that a spec
holds no code. `**` binds tighter than a sign, and to the right: `-a**b**c` is -(a^(b^c)).
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.errors import SpecError

LONGEST, DEEPEST = 1000, 50
"""Characters and nested parentheses of a formula; more is no formula of a person."""
FUNCTIONS: Mapping[str, Callable[[float], float]] = {"sqrt": math.sqrt, "exp": math.exp, "log": math.log}
_WORD = re.compile(
    r"\s*(?:(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|[-+*/()]))"
)
_WHAT = "allowed are numbers, names of parameters, pi, + - * / ** ( ) sqrt exp log"

Values = Mapping[str, NDArray[np.float64]]
_Node = Callable[[Values], NDArray[np.float64]]


@dataclass(frozen=True)
class Formula:
    """A parsed formula: its text as it was read, and the names of the parameters in it, sorted."""

    text: str
    names: tuple[str, ...]
    _value: _Node

    def __call__(self, values: Values) -> NDArray[np.float64]:
        """The value at arrays that broadcast against one another; not finite where the arithmetic fails."""
        with np.errstate(all="ignore"):
            return np.asarray(self._value(values), dtype=np.float64)


def parse_formula(where: str, text: str) -> Formula:
    """Read a formula; SpecError names the place (`where`), the character that is wrong, and what is allowed."""
    parser = _Parser(where, text)
    value = parser.sum(0)
    parser.end()
    return Formula(" ".join(parser.words), tuple(sorted(parser.names)), value)


class _Parser:
    """Recursive descent: sum > product > signed > power > atom."""

    def __init__(self, where: str, text: str) -> None:
        self.where, self.text = where, text
        self.names: set[str] = set()
        if len(text) > LONGEST:
            raise SpecError(f"{where}: a formula has at most {LONGEST} characters; this one has {len(text):,}")
        self.words, self.places = self._words()
        self.at = 0

    def _words(self) -> tuple[list[str], list[int]]:
        words, places, place = [], [], 0
        end = len(self.text.rstrip())
        while place < end:
            found = _WORD.match(self.text, place)
            if found is None:
                raise self._wrong(place, f"{self.text[place:].lstrip()[0]!r} has no meaning in a formula")
            words.append(found.group().strip())
            places.append(found.end() - len(words[-1]))
            place = found.end()
        return words, places

    def _wrong(self, place: int, why: str) -> SpecError:
        return SpecError(f"{self.where} = {self.text!r}: {why}, at character {place + 1}; {_WHAT}")

    def _next(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def _unexpected(self) -> SpecError:
        if self.at < len(self.words):
            return self._wrong(self.places[self.at], f"{self.words[self.at]!r} is not expected here")
        return self._wrong(len(self.text), "the formula breaks off")

    def end(self) -> None:
        if self.at < len(self.words):
            raise self._unexpected()

    def _take(self, *wanted: str) -> str | None:
        if self._next() in wanted:
            self.at += 1
            return self.words[self.at - 1]
        return None

    def sum(self, depth: int) -> _Node:
        left = self.product(depth)
        while sign := self._take("+", "-"):
            left = _binary(operator.add if sign == "+" else operator.sub, left, self.product(depth))
        return left

    def product(self, depth: int) -> _Node:
        left = self.signed(depth)
        while sign := self._take("*", "/"):
            left = _binary(operator.mul if sign == "*" else operator.truediv, left, self.signed(depth))
        return left

    def signed(self, depth: int) -> _Node:
        if depth > DEEPEST:
            raise self._wrong(len(self.text), f"more than {DEEPEST} nested parentheses or signs")
        if sign := self._take("+", "-"):
            inner = self.signed(depth + 1)
            return inner if sign == "+" else (lambda values: -inner(values))
        return self.power(depth)

    def power(self, depth: int) -> _Node:
        base = self.atom(depth)
        if not self._take("**"):
            return base
        exponent = self.signed(depth + 1)
        return lambda values: _each(_power, base(values), exponent(values))

    def atom(self, depth: int) -> _Node:
        word = self._next()
        if self._take("("):
            inner = self.sum(depth + 1)
            if not self._take(")"):
                raise self._unexpected()
            return inner
        if word and (word[0].isdigit() or word[0] == "."):
            self.at += 1
            number = np.float64(word.replace("_", ""))
            return lambda values: np.asarray(number)
        if not word or not (word[0].isalpha() or word[0] == "_"):
            raise self._unexpected()
        self.at += 1
        if self._take("("):
            if word not in FUNCTIONS:
                raise self._wrong(self.places[self.at - 2], f"there is no function {word!r}")
            argument, function = self.sum(depth + 1), FUNCTIONS[word]
            if not self._take(")"):
                raise self._unexpected()
            return lambda values: _each(function, argument(values))
        if word == "pi":
            return lambda values: np.asarray(np.pi)
        self.names.add(word)
        return lambda values: values[word]


def _binary(operation: Callable[[Any, Any], Any], left: _Node, right: _Node) -> _Node:
    return lambda values: operation(left(values), right(values))


def _power(base: float, exponent: float) -> float:
    return math.pow(base, exponent)


def _each(function: Callable[..., float], *arguments: NDArray[np.float64]) -> NDArray[np.float64]:
    """A function of numbers on every element, one by one.

    NumPy's own loops may give another last bit for another place in memory or another processor; a parameter may not.
    """

    def safe(*numbers: float) -> float:
        try:
            return function(*numbers)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    found = np.broadcast_arrays(*arguments)
    flat = [safe(*numbers) for numbers in zip(*(a.ravel().tolist() for a in found), strict=True)]
    return np.asarray(flat, dtype=np.float64).reshape(found[0].shape)
