"""axe-core's rules against what a browser shows, in light and dark."""

from __future__ import annotations

from importlib.resources import files

from playwright.sync_api import Page

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
"""The rules themselves; the package around them is not needed."""

CHECK = """async ([within, rules]) => {
  const place = within ? document.querySelector(within) : document;
  const { violations } = await axe.run(place, rules ? { runOnly: rules } : {});
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}"""


def violations(page: Page, within: str | None = None) -> list[str]:
    """Return the rules that are broken, each with the elements that break it.

    Args:
        page: an open page; it is shown in light and in dark, and light again.
        within: the selector of the element that is looked at; None for the whole document.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[str] = page.evaluate(CHECK, [within, None])
    # Dark differs in its colours alone.
    page.emulate_media(color_scheme="dark")
    found += [f"dark, {one}" for one in page.evaluate(CHECK, [within, ["color-contrast"]])]
    page.emulate_media(color_scheme="light")
    return found
