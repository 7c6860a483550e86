"""`reproduce`: every panel has claims, claims are judged from stores, and the gallery is what the command writes."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray
from click.testing import CliRunner

import sweep
from sweep.cli.program import main
from sweep.errors import SpecError
from sweep.papers.catalogue import NAMES, chosen, papers
from sweep.papers.figures import FULL, PRESETS, SMOKE, SPECS, Claim, Figure, Found
from sweep.papers.reproducing import run_folder
from sweep.papers.tables import listing
from sweep.papers.verdicts import DIFFERENT, NOTHING, PRINTED_ONLY, REPRODUCED, rows_of
from sweep.plan.variables import check_size

ROOT = Path(__file__).resolve().parents[2]
FIGURES = chosen()
EVERYDAY = ("battery-dephasing",)
"""Figures that are quick to make."""


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.name)
def test_every_panel_has_claims_and_every_sweep_is_one(figure):
    assert {claim.panel for claim in figure.claims} == set(figure.panels)
    for claim in figure.claims:
        assert (claim.ours is None) == bool(claim.cannot), claim.text
        assert claim.stated is not False, f"{claim.text}: a statement is made, not denied"
    assert bool(figure.draw) == bool(figure.sweeps)
    for one in figure.sweeps:
        for preset in PRESETS:
            check_size(one.parsed(preset))
        assert set(one.parsed(SMOKE).keep) == set(one.parsed(FULL).keep)


def test_figures_have_names_of_their_own_and_a_store_is_one_sweep():
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    stores = {}
    for figure in FIGURES:
        for one in figure.sweeps:
            assert stores.setdefault(one.name, one) == one
            if one.name == (one.spec or one.name) and (SPECS / f"{one.name}.toml").exists():
                assert not one.values and not one.axes, f"{one.name} is changed and needs a name of its own"
            assert run_folder(one, FULL, Path("out")) == Path("out") / one.name


def test_specs_are_those_of_the_examples():
    used = {one.spec or one.name for figure in FIGURES for one in figure.sweeps}
    assert used == {path.stem for path in SPECS.glob("*.toml")}
    for name in used:
        assert tomllib.loads((SPECS / f"{name}.toml").read_text()) == tomllib.loads(
            (ROOT / "examples" / f"{name}.toml").read_text()
        )


def test_list_names_every_panel_and_claim():
    said = CliRunner().invoke(main, ["reproduce"]).output
    assert said.rstrip() == listing(papers())
    for figure in FIGURES:
        assert figure.name in said
        assert all(f"({panel})" in said for panel in figure.panels if panel)
        assert all(claim.text in said for claim in figure.claims)


def test_a_name_that_is_none_is_refused_with_the_nearest():
    with pytest.raises(SpecError, match="battery-fig3"):
        chosen(["battery-fig33"])
    with pytest.raises(SpecError, match="--paper"):
        chosen(paper="batery")


def judged(**words):
    claim = Claim("", "a claim", **words)
    figure = Figure("toy", "toy", {"": "toy"}, (), (claim,), None)
    (row,) = rows_of(figure, {"x": xarray.Dataset({"y": ("t", np.arange(3.0))})})
    return row


def test_verdicts():
    """Within the tolerance, beyond it, only as printed, with errors of draws, yes and no, NaN, nothing to compute."""
    y = lambda data: data["x"].y.values  # noqa: E731
    assert judged(stated=(0.0, 1.0, 2.0), ours=y).verdict == REPRODUCED
    assert judged(stated=(0.0, 1.0, 2.1), ours=y, tolerance=0.1001).verdict == REPRODUCED
    off = judged(stated=(0.0, 1.0, 2.1), ours=y, tolerance=0.09)
    assert off.verdict == DIFFERENT and off.unexplained
    assert not judged(stated=5.0, ours=lambda d: 4.0, why="a reason").unexplained
    printed = judged(stated=5.0, ours=lambda d: 4.0, printed=lambda d: 5.0, why="a factor")
    assert printed.verdict == PRINTED_ONLY and "printed equation 5" in printed.ours
    assert judged(stated=5.0, ours=lambda d: Found(4.7, error=0.1)).verdict == REPRODUCED
    assert judged(stated=5.0, ours=lambda d: Found(4.5, error=0.1)).verdict == DIFFERENT
    assert judged(stated=5.0, ours=lambda d: float("nan"), tolerance=1e9).verdict == DIFFERENT
    assert judged(stated=True, ours=lambda d: Found(False, text="0 of 3")).ours == "does not hold: 0 of 3"
    assert judged(stated="2 GHz", cannot="measured").verdict == NOTHING
    with pytest.raises(ValueError, match="numbers are stated"):
        judged(stated=(1.0, 2.0), ours=y)


def reproduced(tmp_path, *words):
    done = CliRunner().invoke(main, ["reproduce", "--preset", "smoke", "--out", str(tmp_path), "--json", *words])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """The everyday figures, made once: their folder and the rows that were said."""
    out = tmp_path_factory.mktemp("papers")
    return out, reproduced(out, *EVERYDAY)


def test_figures_through_the_whole_product(trial):
    """Pictures, tables and verdicts; a second time all comes from the stores, with the same words."""
    out, rows = trial
    place = out / "smoke" / "papers"
    for name in EVERYDAY:
        assert (place / f"{name}.png").stat().st_size > 10_000
        page = (place / f"{name}.md").read_text()
        assert "Preset `smoke`" in page
        assert page.count("| **") == len([row for row in rows if row["figure"] == name]) > 0
    stores = sorted(out.glob("smoke/*/meta/journal.jsonl"))
    before = [(path, path.read_bytes()) for path in stores]
    assert stores and reproduced(out, *EVERYDAY) == rows
    assert [(path, path.read_bytes()) for path in stores] == before


def test_a_verdict_follows_the_store(trial):
    """The same claims on data with other numbers are no longer reproduced."""
    (figure,) = chosen(["battery-dephasing"])
    data = {one.name: sweep.open(run_folder(one, SMOKE, trial[0])).load() for one in figure.sweeps}
    assert {row.verdict for row in rows_of(figure, data)} == {REPRODUCED}
    falsified = {name: one.assign(released=one.released * 1.01) for name, one in data.items()}
    changed = {row.text for row in rows_of(figure, falsified) if row.verdict == DIFFERENT}
    assert changed == {"released at dephasing 0, 1, 5, 25"}


@pytest.mark.slow
def test_all_figures_with_thinned_axes(tmp_path):
    """Every claim comes out as it does in full, and every difference is explained; the gallery has them all."""
    rows = reproduced(tmp_path, "--all", "--gallery", str(tmp_path / "gallery"))
    assert {row["figure"] for row in rows} == {figure.name for figure in FIGURES}
    assert len(rows) == sum(len(figure.claims) for figure in FIGURES)
    fine = (REPRODUCED, PRINTED_ONLY, NOTHING)
    wrong = [row for row in rows if row["by"] == "reference" and row["verdict"] not in fine]
    assert not wrong
    pictures = {path.stem for path in (tmp_path / "gallery").glob("*.png")}
    assert pictures == {figure.name for figure in FIGURES if figure.draw}


def panels_of(page):
    """Figure -> the panels that its table has."""
    found = {}
    for block in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        name = block.partition(":")[0]
        found[name] = {row.split("|")[1].strip() for row in block.splitlines() if "| **" in row}
    return found


def test_gallery_shows_the_panels_of_the_command():
    place = ROOT / "examples" / "gallery"
    page = (place / "README.md").read_text()
    assert panels_of(page) == {figure.name: set(figure.panels) for figure in FIGURES}
    assert page.count("| **") == sum(len(figure.claims) for figure in FIGURES)
    pictures = sorted(place.glob("*.png"))
    assert {path.stem for path in pictures} == {figure.name for figure in FIGURES if figure.draw}
    assert sum(path.stat().st_size for path in pictures) < 3e6
    assert "unexplained" not in page and "| nan" not in page


def test_papers_are_in_the_order_of_their_files():
    assert tuple(paper.name for paper in papers()) == NAMES
    assert all(dataclasses.is_dataclass(figure) for figure in FIGURES)
