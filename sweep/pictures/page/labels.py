"""Labels with a formula in LaTeX as pieces that a browser can draw: plain text, and what is raised or lowered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

Piece = tuple[str, int]
"""A text, and its level: 0 on the line, 1 raised, -1 lowered."""

_LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ",
    "Psi": "Ψ", "Omega": "Ω", "hbar": "ħ", "ell": "ℓ", "infty": "∞", "partial": "∂", "nabla": "∇", "dagger": "†",
    "langle": "⟨", "rangle": "⟩", "uparrow": "↑", "downarrow": "↓", "rightarrow": "→", "to": "→", "leftarrow": "←",
    "oint": "∮", "int": "∫", "sum": "∑", "prod": "∏", "sqrt": "√", "times": "×", "cdot": "·", "pm": "±", "mp": "∓",
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "approx": "≈", "sim": "∼", "propto": "∝", "otimes": "⊗",
    "perp": "⊥", "parallel": "∥", "prime": "′", "star": "⋆", "ast": "∗", "|": "‖", ",": "\u2009", ";": " ", ":": " ", "!": "",
    " ": " ", "{": "{", "}": "}", "%": "%", "quad": " ", "left": "", "right": "",
}  # fmt: skip
_ACCENTS = {
    "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308", "bar": "\u0304", "overline": "\u0305", "hat": "\u0302",
    "tilde": "\u0303",
}  # fmt: skip
_SCRIPT = {"L": "ℒ", "H": "ℋ", "D": "𝒟", "F": "ℱ", "E": "ℰ", "B": "ℬ", "I": "ℐ", "M": "ℳ", "R": "ℛ"}
_TOKEN = re.compile(r"\\([A-Za-z]+|.)|([{}^_])|(.)", re.DOTALL)
_DEEPEST = 20


def pieces(label: str) -> tuple[Piece, ...]:
    """A label as pieces.

    >>> pieces(r"field $h_x$")
    (('field h', 0), ('x', -1))
    """
    found: list[Piece] = []
    for number, part in enumerate(label.split("$")):
        found += _formula(part) if number % 2 else [(part, 0)]
    joined: list[Piece] = []
    for text, level in found:
        if joined and joined[-1][1] == level:
            joined[-1] = (joined[-1][0] + text, level)
        elif text:
            joined.append((text, level))
    return tuple(joined)


def plain(label: str) -> str:
    """A label as one line of text.

    >>> plain(r"spread $\\zeta$")
    'spread ζ'
    """
    return "".join(f"_{text}" if level < 0 else f"^{text}" if level > 0 else text for text, level in pieces(label))


def _formula(text: str) -> Sequence[Piece]:
    tokens = [match.groups() for match in _TOKEN.finditer(text)]
    return list(_pieces(tokens, 0, 0))


def _pieces(tokens: list[tuple[str | None, ...]], level: int, depth: int) -> Iterator[Piece]:
    """The pieces of tokens, which are consumed up to the brace that closes them."""
    while tokens:
        command, mark, letter = tokens.pop(0)
        if mark == "}":
            return
        if mark == "{":
            yield from _nested(tokens, level, depth)
        elif mark in ("^", "_"):
            yield from _argument(tokens, (level or (1 if mark == "^" else -1)), depth)
        elif command in _ACCENTS:
            yield from ((_accented(t, _ACCENTS[command]), own) for t, own in _argument(tokens, level, depth))
        elif command == "mathcal":
            yield from ((_SCRIPT.get(t, t), own) for t, own in _argument(tokens, level, depth))
        elif command is not None:
            name = _LETTERS.get(command, "" if command.startswith(("math", "text", "oper")) else f"{command}\u2009")
            yield name, level
        elif letter is not None and not letter.isspace():
            yield letter if letter != "-" else "−", level


def _nested(tokens: list[tuple[str | None, ...]], level: int, depth: int) -> Iterator[Piece]:
    if depth < _DEEPEST:
        yield from _pieces(tokens, level, depth + 1)


def _argument(tokens: list[tuple[str | None, ...]], level: int, depth: int) -> Sequence[Piece]:
    """What follows a command: a group in braces, a command with its own argument, or one letter."""
    if not tokens or depth >= _DEEPEST:
        return []
    if tokens[0][1] == "{":
        tokens.pop(0)
        return list(_nested(tokens, level, depth))
    command = tokens[0][0]
    if command is not None and (command in _ACCENTS or command.startswith(("math", "text", "oper"))):
        tokens.pop(0)
        inner = _argument(tokens, level, depth + 1)
        return [(_accented(t, _ACCENTS[command]) if command in _ACCENTS else t, own) for t, own in inner]
    return list(_pieces([tokens.pop(0)], level, depth))


def _accented(text: str, accent: str) -> str:
    plain_letters = (not letter.isspace() and not unicodedata.combining(letter) for letter in text)
    return "".join(letter + accent if bare else letter for letter, bare in zip(text, plain_letters, strict=True))
