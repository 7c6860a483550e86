"""The documentation: the equations of every model can be typeset, its pages say all that the model declares."""

import re
import sys
from pathlib import Path

import pytest

from solvers import models
from solvers.physics import physics_of
from sweep.spec.parsing import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "deploy" / "docs" / "extensions"))

from docstrings import page, sentence  # noqa: E402
from equations import mathtext, split_tag  # noqa: E402
from field_lists import field_lists  # noqa: E402
from inline_math import svg  # noqa: E402
from model_pages import model_page  # noqa: E402
from spec_page import spec_page  # noqa: E402

OURS = sorted(name for name in models() if not name.startswith("toy."))


@pytest.mark.parametrize(
    ("plain", "typeset"),
    [
        ("tau_d/2", r"\tau _{d}/2"),
        ("gamma D[sigma_i-]", r"\gamma \,\mathcal{D}[\sigma _{i}^{-}]"),
        ("L^+L", r"L^{\dagger }L"),
        ("<S^+S^->", r"\langle S^{+}S^{-}\rangle "),
        ("|g| <= 2", r"|g|\,\leq \,2"),
        ("M x B_eff", r"M\,\times \,B_{\mathrm{eff}}"),
        ("(a + x) x", r"(a\,+\,x)\,x"),
        ("sqrt(2 eta/N)", r"\sqrt{2\,\eta /N}"),
        ("(V_z^(2/3))", r"(V_{z}^{2/3})"),
        ("{L^+L, rho}", r"\{L^{\dagger }L,\ \rho \}"),
    ],
)
def test_plain_equations_are_typeset(plain, typeset):
    assert mathtext(plain) == typeset


def test_the_number_of_an_equation_stands_beside_it():
    assert split_tag("H = 1            Eq. (3)") == ("H = 1", "Eq. (3)")
    assert split_tag("H = 1   corrected") == ("H = 1", "corrected")
    assert split_tag("H = a (3)") == ("H = a (3)", "")


def test_sentences_keep_their_words_and_typeset_symbols():
    assert sentence("B_x turns <S_z>") == r"{math}`B_{x}` turns \<{math}`S_{z}`\>"
    assert sentence("see first_bad_time") == "see `first_bad_time`"


@pytest.mark.parametrize("name", OURS)
def test_every_model_has_a_page(name):
    """With all its names, and formulas that mathtext can read."""
    model = models()[name]
    text = model_page(model, {f"{name} {m.name}": "1 ms" for m in model.methods})
    for declared in (*model.parameters, *model.outputs, *model.methods):
        assert f"| `{declared.name}`" in text
    assert physics_of(model).paper.title in text.replace("\\", "")
    for block in re.findall(r"```\{math\}\n(.*?)\n\s*```", text, flags=re.DOTALL):
        for line in block.splitlines():
            assert svg(line.strip()).startswith("<svg")
    for inline in set(re.findall(r"\{math\}`([^`]+)`", text)):
        assert svg(inline).startswith("<svg")


def test_the_spec_page_has_every_key():
    text = spec_page()
    for section, keys in SECTIONS.items():
        assert f"## `[{section}]`" in text
        for key in keys or ():
            assert f"| `{key}` |" in text


def test_methods_and_what_they_do_become_a_list():
    text = page("    exact   density matrix, N <= 12\n    fast    x' = -x\n", frozenset({"exact", "fast"}))
    assert text == "`exact`\n: density matrix, N ≤ 12\n\n`fast`\n: ```{math}\n  x'\\,=\\,-x\n  ```"


def test_parameters_of_the_python_face_are_fields():
    """Paragraphs come first, and what is said about a parameter is no type."""
    lines = ["Do it.", "", "Parameters", "----------", "a : one thing,", "    in two lines.", "b : another.", ""]
    lines += ["Returns", "-------", "What it did.", "", "Raises nothing.", ""]
    found = [line for line in field_lists(lines) if line]
    assert found == [
        "Do it.",
        "Raises nothing.",
        ":param a: one thing, in two lines.",
        ":param b: another.",
        ":returns: What it did.",
    ]
    assert field_lists(["Do it."]) == ["Do it."]
