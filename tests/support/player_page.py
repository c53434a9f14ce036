"""The player in a browser page, as the tests see it."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Locator, Page, TimeoutError

# Every canvas pixel back to one value per stimulus pixel; null if a square is not uniform.
READ_CANVAS = """(size, place = 0) => {
  const root = document.getElementById("plausibly-player").shadowRoot;
  const canvas = root.querySelectorAll("canvas")[place];
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const scale = canvas.width / size;
  const grey = [];
  for (let i = 0; i < canvas.width * canvas.height; i += 1) {
    const x = Math.floor((i % canvas.width) / scale);
    const y = Math.floor(Math.floor(i / canvas.width) / scale);
    const [r, g, b, a] = data.subarray(4 * i, 4 * i + 4);
    grey[y * size + x] ??= r;
    if (r !== grey[y * size + x] || g !== r || b !== r || a !== 255) return null;
  }
  const { left, top } = canvas.getBoundingClientRect();
  return { grey, scale, left, top };
}"""


# The same of every picture that is shown, in order.
READ_CANVASES = f"""(size) => {{
  const read = {READ_CANVAS};
  const root = document.getElementById("plausibly-player").shadowRoot;
  return [...root.querySelectorAll("canvas")].map((_, place) => read(size, place));
}}"""


def until(page: Page, expression: str, seconds: float = 15) -> None:
    """Waits until an expression is true in a page.

    Playwright's `wait_for_function` looks a second time by `eval`, which our pages forbid: a test
    with it passes as long as the first look already succeeds.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"still not true: {expression}"
        page.wait_for_timeout(20)


class Player:
    """The player in one browser page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.host = page.locator("#plausibly-player")

    def find(self, selector: str, **options: Any) -> Locator:
        return self.host.locator(selector, **options)

    def screen(self, name: str, timeout: float = 15_000) -> None:
        """Waits until a screen is shown."""
        self.reached(f"[data-screen={name}]", timeout)

    def between(self, name: str) -> None:
        """Waits until a page between questions lets one go on."""
        self.reached(f"[data-screen={name}][data-accepting={name}]")

    def start(self) -> None:
        """Consent and instructions, up to the first question."""
        self.find("#agree").click()
        self.find("#start").click()

    def ready(self, task: str | None = None) -> str:
        """Waits until a question takes answers; returns its trial id."""
        self.reached(f"[data-task={task}][data-accepting]" if task else "[data-accepting]")
        return self.host.get_attribute("data-accepting") or ""

    def press(self, key: str, task: str | None = None) -> None:
        """Answers the current question with a key and waits until it is locked."""
        trial = self.ready(task)
        self.page.keyboard.press(key)
        self.locked(trial)

    def locked(self, trial: str) -> None:
        """Waits until a trial does not take answers any more."""
        self.reached(f":not([data-accepting='{trial}'])")

    def reached(self, condition: str, timeout: float = 15_000) -> None:
        """Waits until the player's element matches a selector."""
        # Quicker than expect(), which looks only every now and then.
        try:
            self.page.locator(f"#plausibly-player{condition}").wait_for(
                state="attached", timeout=timeout
            )
        except TimeoutError as error:
            raise AssertionError(self.host.evaluate("(host) => host.outerHTML")) from error

    def pair(self, label: str = "3", plausible: str = "y") -> None:
        """Answers both questions of a presentation."""
        self.press(label, "label_nafc")
        self.press(plausible, "target_plausible")
