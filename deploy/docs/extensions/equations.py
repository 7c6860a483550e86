"""Equations as docstrings have them, in plain text, as mathtext.

The models write an equation once, as it is read in a terminal: `d rho/dt = sum_i gamma D[sigma_i-] rho`. `mathtext`
turns such a line into what Matplotlib (and so the documentation) typesets. It knows the notation of these docstrings and no
physics: names of Greek letters, `_` and `^`, `<...>` for expectation values, `+-`, `sqrt(...)`, ` x ` for the vector product,
`^+` for the adjoint, and words, which stay words.
"""

from __future__ import annotations

import re

GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "eta",
    "theta",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "pi",
    "rho",
    "sigma",
    "tau",
    "phi",
    "chi",
    "psi",
    "omega",
    "zeta",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Phi",
    "Psi",
    "Omega",
]
FUNCTIONS = ("cos", "sin", "tan", "exp", "log", "min", "max", "arccos", "arctan")
WORDS = {"infinity": r"\infty ", "hbar": r"\hbar ", "eps": r"\epsilon ", "Re": r"\mathrm{Re}\,", "Im": r"\mathrm{Im}\,"}
LARGE = {"sum": r"\sum", "prod": r"\prod", "integral": r"\int"}
ADJOINTS = ("L", "A", "a", "c")
"""Operators whose `^+` is the adjoint; of a spin it is the raising operator."""

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?|\.\d+)"
    r"|(?P<name>[A-Za-z]+\d*'?)"
    r"|(?P<sign><=|>=|!=|->|\+-|-\+|.)"
)
_SIGNS = {
    "<=": r"\leq ",
    ">=": r"\geq ",
    "!=": r"\neq ",
    "->": r"\rightarrow ",
    "+-": r"\pm ",
    "-+": r"\mp ",
    "*": r"{*}",
    "%": r"\%",
    "#": r"\#",
    "&": r"\&",
    "$": r"\$",
    "~": r"\sim ",
}
_TAG = re.compile(r"\s{3,}((?:\(\d+\)|Eqs?\. \(\d+\)(?:-\(\d+\))?)?\s?(?:corrected|printed)?)$")


def mathtext(line: str) -> str:
    """One line of an equation as mathtext, without dollar signs."""
    return _Reader(line.strip()).all()


def split_tag(line: str) -> tuple[str, str]:
    """A line without, and the number of the equation (or "corrected") that stands at its end."""
    found = _TAG.search(line)
    return (line[: found.start()], found[1].strip()) if found and found[1] else (line.rstrip(), "")


class _Reader:
    """Reads a line from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def all(self) -> str:
        parts = []
        while self.place < len(self.text):
            parts.append(self.one())
        return "".join(parts)

    def ahead(self, text: str) -> bool:
        return self.text.startswith(text, self.place)

    def one(self) -> str:
        """The next token, with its subscripts and powers."""
        found = _TOKEN.match(self.text, self.place)
        assert found is not None
        before = self.text[: self.place].rstrip()
        spaced = self.place == 0 or self.text[self.place - 1].isspace()
        self.place = found.end()
        text = found[0]
        if found["space"]:
            return self.space(text)
        if found["number"]:
            return text + self.marks("")
        if found["name"]:
            return self.name(text, before, spaced)
        if text in "_^":
            return self.mark(text, "")
        if text == "<":
            close = self.text.find(">", self.place)
            if close > 0 and not self.text[self.place].isspace():
                return r"\langle "
            return "<"
        if text == ">":
            return r"\rangle " + self.marks("") if "<" in before else ">"
        if text == "{":
            return r"\{"
        if text == "}":
            return r"\}"
        if text in ")]|":
            return text + self.marks("")
        if text == ".":
            after = self.text[self.place : self.place + 1]
            joins = before[-1:].isalnum() and (after.isalpha() or after == " ") and not spaced
            return r"\cdot " if (joins and after.isalpha()) or (spaced and after == " ") else "."
        return _SIGNS.get(text, text)

    def space(self, text: str) -> str:
        before, after = self.text[: self.place - len(text)], self.text[self.place :]
        if len(text) > 1:
            return r"\quad "
        last, first = re.search(r"[A-Za-z]+$", before), re.match(r"[A-Za-z]+", after)
        worded = any(found and len(found[0]) >= 3 and found[0] not in GREEK for found in (last, first))
        return r"\ " if (worded and after[0] not in "=+-/<>") or before.endswith((",", ";", ":")) else r"\,"

    def name(self, text: str, before: str, spaced: bool) -> str:
        prime = "'" if text.endswith("'") else ""
        core = text.removesuffix("'")
        after = self.text[self.place :]
        if text in ("x", "o") and spaced and re.search(r"[\w)\]}]$", before) and re.match(r" [\w(\[-]", after):
            return r"\times " if text == "x" else r"\circ "
        if core == "sqrt":
            return self.root()
        if core in LARGE:
            sign = LARGE[core]
            marks = self.marks(core)
            return sign + marks + " "
        if core == "D" and after.startswith("["):
            return r"\mathcal{D}"
        if core in FUNCTIONS:
            return "\\" + core + self.marks("") + " "
        if re.fullmatch(r"h", core) and after.startswith(".c."):
            self.place += 3
            return r"\mathrm{h.c.}"
        return self.letters(core) + prime + self.marks(core)

    def letters(self, core: str) -> str:
        """A name without marks: a Greek letter (with a number below), a symbol, or a word."""
        if core in WORDS:
            return WORDS[core]
        letter = re.fullmatch(rf"(d?)({'|'.join(GREEK)})(\d*)", core)
        if letter:
            return letter[1] + "\\" + letter[2] + (f"_{{{letter[3]}}}" if letter[3] else " ")
        symbol = re.fullmatch(r"(d?[A-Za-z])(\d+)", core)
        if symbol:
            return f"{symbol[1]}_{{{symbol[2]}}}"
        if len(core) >= 3 or core in ("of", "in", "if", "on", "as", "or"):
            return rf"\mathrm{{{core}}}"
        return core

    def root(self) -> str:
        self.place += self.ahead(" ")
        if self.ahead("("):
            return rf"\sqrt{{{_Reader(self.bracketed('(', ')')).all()}}}"
        found = re.compile(r"\w+").match(self.text, self.place)
        assert found is not None
        self.place = found.end()
        return rf"\sqrt{{{_Reader(found[0]).all()}}}"

    def bracketed(self, opening: str, closing: str) -> str:
        """What stands in the brackets that open here."""
        depth, start = 0, self.place + 1
        for k in range(self.place, len(self.text)):
            depth += (self.text[k] == opening) - (self.text[k] == closing)
            if depth == 0:
                self.place = k + 1
                return self.text[start:k]
        raise ValueError(f"{self.text!r}: {opening} is not closed")

    def marks(self, base: str) -> str:
        """Subscripts and powers that follow a name; a sign right behind it, as in `sigma_i-`, is a power."""
        below, above = "", ""
        while self.place < len(self.text) and self.text[self.place] in "_^":
            kind = self.text[self.place]
            self.place += 1
            content = self.content(base)
            if kind == "_" and above and below:  # of the power itself, as in integral_0^t_end
                above += rf"_{{{content}}}"
            elif kind == "_":
                below += content
            else:
                above += content
        sign = re.compile(r"[+-](?=[\s\],)}>]|$)(?! [\w(<[])").match(self.text, self.place)
        tight = re.compile(r"[+-](?=[\])}>,]| [A-Za-z]\w*_|\s*$)").match(self.text, self.place)
        if base and below and (sign or tight):
            above += self.text[self.place]
            self.place += 1
        return (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")

    def mark(self, kind: str, base: str) -> str:
        return f"{kind}{{{self.content(base)}}}"

    def content(self, base: str) -> str:
        """What stands behind `_` or `^`."""
        if self.ahead("{"):
            return _Reader(self.bracketed("{", "}")).all()
        if self.ahead("("):
            inside = self.bracketed("(", ")")
            return _Reader(inside).all() if re.fullmatch(r"[\d/+\-N]+", inside) else f"({_Reader(inside).all()})"
        if self.ahead("<"):
            return r"\langle " + _Reader(self.bracketed("<", ">")).all() + r"\rangle "
        found = re.compile(r"\+-|-\+|[+-](?![\w])|-?[A-Za-z0-9]+'?|\*|[+-]").match(self.text, self.place)
        assert found is not None, self.text
        self.place = found.end()
        text = found[0]
        if text == "+":
            return r"\dagger " if base in ADJOINTS or base == "" else "+"
        if text in ("*", "+-", "-+"):
            return _SIGNS[text]
        minus = "-" if text.startswith("-") and len(text) > 1 else ""
        text = text.removeprefix("-") if minus else text
        if text.removesuffix("'") in GREEK:
            return minus + "\\" + text.removesuffix("'") + ("'" if text.endswith("'") else " ")
        if len(text) > 2 and text.isalpha() and text not in ("ijk", "abc", "xyz"):
            return minus + rf"\mathrm{{{text}}}"
        return minus + text
