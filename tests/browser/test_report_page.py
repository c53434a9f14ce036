"""The report in a real browser, from disk: at phone and desktop width, light, dark and printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page
from report_runs import write

from engine import report
from engine.artifacts import ArtifactStore

NewContext = Callable[..., BrowserContext]

# WCAG's relative luminance and contrast, of every text against the ground below it.
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (c) => {
    const linear = (v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    const [r, g, b] = [...c].slice(0, 3).map((v) => linear(v / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c[3]) return c;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const e of document.querySelectorAll("main *, header *, nav *")) {
    if (e.closest("svg") || !e.checkVisibility()) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) found[`${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`] = ratio;
  }
  return found;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    store = ArtifactStore(folder / "artifacts")
    runs = [write(store, seed=seed, doubted=seed == 0) for seed in (0, 1)]
    made = report.write(runs, folder / "out", title="Made up", command="plausibly report made-up")
    return made.as_uri()


@pytest.fixture(params=[(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")])
def page(request: Any, address: str, new_context: NewContext) -> Iterator[Page]:
    width, scheme = request.param
    made = new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    ).new_page()
    said: list[str] = []
    made.on("console", lambda line: said.append(line.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.on(
        "request",
        lambda r: said.append(r.url) if not r.url.startswith(("file:", "data:")) else None,
    )
    made.goto(address)
    yield made
    assert said == []


def test_nothing_scrolls_sideways_but_boxes_that_the_keyboard_reaches(page: Page) -> None:
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    loose = page.evaluate(
        """() => [...document.querySelectorAll("main *, header *, nav *")]
            .filter((e) => !e.closest("svg") && e.scrollWidth > e.clientWidth + 1
              && getComputedStyle(e).overflowX !== "visible" && e.tabIndex !== 0)
            .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert loose == []


def test_text_is_legible_and_headings_are_in_order(page: Page) -> None:
    assert page.evaluate(CONTRASTS) == {}
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "found => found.map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    small = page.evaluate(
        """() => [...document.querySelectorAll("figure svg text")]
            .filter((t) => t.checkVisibility() && t.textContent.trim())
            .map((t) => parseFloat(getComputedStyle(t).fontSize)
              * t.ownerSVGElement.getScreenCTM().a)
            .filter((size) => size < 10.5)"""
    )
    assert small == []


def test_drawings_are_not_cut(page: Page) -> None:
    """No text of a drawing lies outside of its picture."""
    cut = page.evaluate(
        """() => [...document.querySelectorAll("figure svg text")].filter((t) => {
            const a = t.getBoundingClientRect(), b = t.ownerSVGElement.getBoundingClientRect();
            return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1
              || a.bottom > b.bottom + 1;
          }).map((t) => t.textContent)"""
    )
    assert cut == []


def test_the_theme_can_be_chosen(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) != before
    page.locator("#theme").click()
    assert page.evaluate(ground) == before


def test_it_prints_on_white_paper(address: str, new_context: NewContext, tmp_path: Path) -> None:
    page = new_context(viewport={"width": 680, "height": 900}, color_scheme="dark").new_page()
    page.goto(address)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    wide = page.evaluate(
        """() => [...document.querySelectorAll("figure svg")]
            .filter((s) => s.getBoundingClientRect().right > innerWidth + 1).length"""
    )
    assert wide == 0
    assert page.pdf(path=tmp_path / "report.pdf").startswith(b"%PDF")
