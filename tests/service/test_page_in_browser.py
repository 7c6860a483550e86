"""The live page in a browser: Chromium without a screen, against runs that fill and against a real cluster."""

import datetime
import html
import json
import re
import shutil
import subprocess
import sys
import urllib.request

import distributed
import numpy as np
import pytest
from support.dask_processes import start_dask
from support.pages import ask, served
from support.watching import PATIENCE, wait_for, wait_for_tiles, write_spec
from support.written_runs import WrittenRun
from tornado.httpclient import AsyncHTTPClient
from tornado.web import RequestHandler

from sweep.clusters.cluster import Cluster
from sweep.clusters.page import announce
from sweep.folder.lease import Lease
from sweep.pictures.page.site import Site

pytestmark = pytest.mark.integration
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAME = "<img src=x onerror=document.title='hacked'>"
RAW = {
    "sweep": {"name": NAME, "model": "toy.waves", "method": "quick"},
    "axes": {"a": {"linspace": [0.0, 3.0, 24]}, "b": {"logspace": [0.01, 1.0, 18]}},
    "outputs": {"keep": ["height"]},
    "run": {"tile": {"a": 8, "b": 6}},
}
PHONE, DESKTOP = (500, 2000), (1280, 1100)
"""A window of Chromium without a screen is at least 500 wide."""


@pytest.fixture
def chromium(tmp_path):
    """Opens an address; returns the page's content after so many of its own milliseconds, or a screenshot."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt install chromium")

    def browse(address, milliseconds=8000, screenshot=None, size=DESKTOP, dark=False):
        profile = tmp_path / "chromium"
        words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        words += [f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"]
        words += [f"--virtual-time-budget={milliseconds}", f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
        words += ["--dump-dom"] if screenshot is None else [f"--screenshot={screenshot}"]
        done = subprocess.run([*words, address], capture_output=True, text=True, timeout=PATIENCE, check=False)
        shutil.rmtree(profile, ignore_errors=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return browse


def words_of(content):
    """The text of a page, and what its picture says of itself: cells drawn, and all cells."""
    drawn, cells = re.search(r'id="picture"[^>]*data-drawn="(\d+)" data-cells="(\d+)"', content).groups()
    text = html.unescape(re.sub(r"<[^>]*>", " ", content)).replace("\u202f", "").replace("\xa0", " ")
    return re.sub(r"\s+", " ", text), int(drawn), int(cells)


class Filling(Site):
    """A run of which every look at it commits one tile more."""

    def __init__(self, run):
        super().__init__()
        self.run, self.looks = run, 0

    async def ask(self, question, words):
        if question == "runs":
            if self.looks < self.run.plan.tiles:
                now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.looks)
                codes = np.ones(self.run.plan.shape_of(self.looks), dtype=np.uint8)
                codes[0, 0] = 2 if self.looks == 4 else 1
                self.run.commit(self.looks, codes, time=now.isoformat(timespec="seconds"))
                if self.looks == 4:
                    self.run.fail(4, 0, "no </code><script>alert(1)</script> here")
            self.looks += 1
        return await super().ask(question, words)


def test_diagram_fills_while_it_is_looked_at(chromium, tmp_path):
    run = WrittenRun(tmp_path / "run", RAW)
    site = Filling(run)
    with Lease(run.folder.lease), served(run.folder.path, site=site) as address:
        first, drawn, cells = words_of(chromium(f"{address}/sweep", milliseconds=1000))
        assert (drawn, cells) == (48, 24 * 18)
        assert "48 of 432" in first
        content = chromium(f"{address}/sweep", milliseconds=40_000)
    text, drawn, cells = words_of(content)
    assert site.looks >= run.plan.tiles
    assert (drawn, cells) == (432, 432)
    assert "432 of 432 (100 %)" in text
    assert re.search(r"Rate \d+ points/s", text)
    assert "running" in text
    assert "failed 1" in text
    assert "spinsweep solve toy.waves --method quick" in text
    assert "no </code><script>alert(1)</script> here" in text, "as text"
    assert NAME in text
    assert "<img" not in content
    assert "hacked" not in re.search(r"<title>(.*?)</title>", content)[1].replace(html.escape(NAME, quote=False), "")
    assert content.count("<script") == 1


def test_running_sweep_on_its_own_dashboard(chromium, spinsweep, tmp_path):
    """One of twelve tiles waits at a gate; the page is looked at directly and through a proxy that puts a prefix before it."""
    write_spec(tmp_path, kind="gate", at=7.0)
    spinsweep.environment["TOY_GATE"] = str(tmp_path / "gate")
    process = spinsweep.start("run", "spec.toml", "--out", "run", "--workers", "2", "--dashboard-port", "0")
    wait_for_tiles(tmp_path / "run", 11, process)
    dashboard, page = process.said().splitlines()[:2]
    assert dashboard.startswith("dashboard: ")
    address = page.removeprefix("page: ")

    class Proxy(RequestHandler):
        async def get(self, rest):
            answer = await AsyncHTTPClient().fetch(
                f"{address.removesuffix('sweep/')}{rest}?{self.request.query}",
                follow_redirects=False,
                raise_error=False,
            )
            self.set_status(answer.code)
            for name in ("Content-Type", "Content-Security-Policy", "Location"):
                if name in answer.headers:
                    self.set_header(name, answer.headers[name])
            self.finish(answer.body)

    with served(before=[(r"/user/me/proxy/8787/(.*)", Proxy)]) as proxy:
        for where in (address, address.removesuffix("/"), f"{proxy}/user/me/proxy/8787/sweep"):
            text, drawn, cells = words_of(chromium(where))
            assert (drawn, cells) == (220, 240), where
            assert "220 of 240" in text
            assert "State running" in text
            assert f"process {process.pid} on" in text
    assert ask(address, method="POST").status == 405
    (tmp_path / "gate").touch()
    assert process.wait(timeout=PATIENCE) == 0
    viewed = spinsweep.start("view", "run", "--port", "0")
    text, drawn, cells = words_of(chromium(viewed.stdout.readline().split()[1]))
    assert (drawn, cells) == (240, 240)
    assert "State complete" in text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_page_is_readable_on_screens_of_all_kinds(chromium, tmp_path, size, dark):
    """Ground and ink by the scheme, palette, failed points, and nothing that hangs over the right edge."""
    image = pytest.importorskip("matplotlib.image")
    run = WrittenRun(tmp_path / "run", RAW)
    run.values["height"][:] = np.linspace(0.0, 1.0, 24)[:, None]
    for tile in range(8):
        run.commit(tile, 2 if tile == 3 else 1)
    run.fail(3, 0, "no result " * 30)
    with served(run.folder.path) as address:
        chromium(f"{address}/sweep/", screenshot=tmp_path / "page.png", size=size, dark=dark)
    pixels = (255 * image.imread(tmp_path / "page.png")[..., :3]).round().astype(int)
    assert pixels.shape[1] == size[0]
    ground = pixels[2, 2]
    assert (ground.mean() < 60) == dark
    assert (pixels[:, -4:] == ground).all(), "hangs over the edge"

    def share(colour, room=12):
        return (np.abs(pixels - colour).max(axis=-1) < room).mean()

    for colour in ((68, 1, 84), (253, 231, 37)):  # both ends of viridis
        assert share(colour) > 2e-4, colour
    assert share((255, 79, 176) if dark else (214, 18, 127)) > 2e-3, "failed points"
    assert share((230, 234, 238) if dark else (28, 33, 38), 40) > 1e-3, "ink"


def test_scheduler_without_spinsweep_has_no_page_and_the_run_goes_on(spinsweep, tmp_path):
    poison = tmp_path / "poison"
    poison.mkdir()
    (poison / "sweep.py").write_text("raise ModuleNotFoundError(\"No module named 'sweep'\")\n")
    spinsweep.environment["PYTHONPATH"] = str(poison)
    file = tmp_path / "scheduler.json"
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    words += ["--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen(
        words, env=spinsweep.environment, cwd=poison, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(file.exists, "a scheduler", scheduler)
        with distributed.Client(json.loads(file.read_text())["address"], set_as_default=False) as client:
            said = announce(Cluster(client), tmp_path / "run")
            assert said.startswith("no page on this scheduler (ModuleNotFoundError: No module named 'sweep')"), said
            assert client.scheduler_info()["address"], "it is still there"
    finally:
        scheduler.kill()
        scheduler.wait()


def test_dashboard_with_a_prefix_of_its_own(spinsweep, tmp_path):
    run = WrittenRun(tmp_path / "run", RAW)
    run.commit(0)
    started, address, _ = start_dask(spinsweep, tmp_path, ("--dashboard-prefix", "/dask"))
    try:
        with distributed.Client(address, set_as_default=False) as client:
            said = announce(Cluster(client), run.folder.path)
            root = client.dashboard_link.rsplit("/", 1)[0]
            assert said == f"page: {root}/sweep/"
            for prefix in ("", "/dask"):
                with urllib.request.urlopen(f"{root}{prefix}/sweep/runs.json", timeout=PATIENCE) as answer:
                    (row,) = json.loads(answer.read())["runs"]
                assert row["done"] == 48
    finally:
        for process in started:
            process.kill()
            process.wait()
