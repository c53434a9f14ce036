"""Somebody who takes part in any study in the real player, by touch, and keeps what they saw.

At every stop (a page, a question, the feedback on an answer) the words that can be seen are kept,
and what is wrong with how they are shown. Nothing is waited for but the player's own state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from player_page import Player
from playwright.sync_api import Page

Fill = Callable[[str, str], Any]
"""(form, item) -> the value of a choice, the values of several, or what to write."""

PHONE = {
    "viewport": {"width": 360, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
APART_PX = 30
"""Two taps on one spot, one soon after the other, may be taken for one finger that bounced."""

# Waits until the player stands somewhere else than at `last`, and tells all about the place.
LOOK = """(last) => new Promise((resolve, reject) => {
  const root = () => document.getElementById("plausibly-player")?.shadowRoot;
  const stop = () => {
    if (!root()) return null;
    const { screen, form, accepting } = root().host.dataset;
    if (!screen || ["loading", "saving"].includes(screen)) return null;
    if (screen === "trial") return accepting && `trial ${accepting}`;
    if (["practised", "break"].includes(screen)) return accepting && screen;
    return screen === "form" ? `form ${form}` : screen;
  };
  const seen = (element) => element.checkVisibility({
    visibilityProperty: true, opacityProperty: true,
  });
  const tell = (place) => {
    const host = root().host;
    const { screen, form, accepting, phase } = host.dataset;
    const shown = [...root().querySelectorAll("*")].filter(seen);
    const wrong = [];
    if (host.scrollWidth > host.clientWidth) {
      wrong.push(`wider than the window by ${host.scrollWidth - host.clientWidth} px`);
    }
    for (const element of shown) {
      const { left, right, width } = element.getBoundingClientRect();
      const name = `${element.tagName} ${element.id || element.className}`;
      const outside = width > 0 && (left < -0.5 || right > host.clientWidth + 0.5);
      if (outside) wrong.push(`beside the window: ${name}`);
      const cut = element.scrollWidth > element.clientWidth + 1;
      if (cut && getComputedStyle(element).overflowX !== "visible" && element.innerText) {
        wrong.push(`cut off: ${name} ${element.innerText}`);
      }
    }
    const boxes = (selector) => [...root().querySelectorAll(selector)].filter(seen).map((part) => {
      const { left, top, width, height } = part.getBoundingClientRect();
      return { left, top, width, height, value: part.dataset.value ?? null };
    });
    const section = root().querySelector("section.shown");
    return {
      place, screen, wrong,
      form: screen === "form" ? form : null,
      trial: screen === "trial" && accepting !== "continue" ? accepting : null,
      phase: screen === "trial" ? phase : null,
      layout: screen === "trial" ? section.dataset.layout : null,
      scrolled: host.scrollTop,
      hidden: host.scrollHeight - host.clientHeight,
      text: [...root().children].filter(seen).map((part) => part.innerText).join("\\n"),
      buttons: boxes(accepting === "continue" && screen === "trial" ? ".shown .feedback button"
        : ".shown .under button, .shown .answers button, .shown .actions button"),
      marks: boxes(".shown .marks"),
    };
  };
  const end = performance.now() + 20000;
  const look = () => {
    const place = stop();
    if (place && place !== last) resolve(tell(place));
    else if (performance.now() < end) setTimeout(look, 5);
    else reject(new Error(`still at ${last}: ${root()?.host.outerHTML}`));
  };
  look();
})"""

ITEMS = """(host) => [...host.shadowRoot.querySelectorAll(".shown .item")].map((item) => {
  const input = item.querySelector("input, textarea");
  return { name: (input.name || input.id).replace(/^item-/, ""), line: input.id !== "" };
})"""

INTO_VIEW = """(host, { selector, nth }) => {
  const shown = [...host.shadowRoot.querySelectorAll(selector)]
    .filter((part) => part.checkVisibility());
  shown[nth].scrollIntoView({ block: "nearest" });
  const { left, top, width, height } = shown[nth].getBoundingClientRect();
  return { left, top, width, height };
}"""

BUTTONS = ".shown .under button, .shown .answers button, .shown .actions button"


@dataclass
class Stop:
    """One place on the way.

    Attributes:
        screen: the player's screen.
        form: which form is shown, if one is.
        trial: the question that is asked; None at the feedback on its answer.
        phase: of the trial.
        text: every word that can be seen, lines as they are shown.
        wrong: what is wrong with how it is shown.
        scrolled: CSS pixels by which the page was scrolled on arrival.
        hidden: CSS pixels of the page that need scrolling.
    """

    screen: str
    form: str | None
    trial: str | None
    phase: str | None
    text: str
    wrong: list[str]
    scrolled: float
    hidden: float


@dataclass
class Walker:
    """Goes through a study until there is nothing left to press.

    Attributes:
        page: at the study's address.
        fill: what to enter in forms.
        consents: whether to agree.
        stops: where they have been.
    """

    page: Page
    fill: Fill
    consents: bool = True
    stops: list[Stop] = field(default_factory=list)
    _tapped: tuple[float, float] = (-1000.0, -1000.0)
    _asked: int = 0

    def walk(self) -> Walker:
        """Go on until the end, whichever it is."""
        self._player = Player(self.page)
        last = None
        while True:
            at = self.page.evaluate(LOOK, last)
            last = at.pop("place")
            names = ("screen", "form", "trial", "phase", "text", "wrong", "scrolled", "hidden")
            self.stops.append(Stop(**{name: at[name] for name in names}))
            if not self._act(at):
                return self

    @property
    def end(self) -> Stop:
        """Where they ended."""
        return self.stops[-1]

    def _act(self, at: dict[str, Any]) -> bool:
        """Do what is to be done here; whether there was anything."""
        match at["screen"]:
            case "consent":
                self._tap(at, 0 if self.consents else 1)
            case "instructions" | "practised" | "break":
                self._tap(at, 0)
            case "form":
                self._fill_in(at["form"])
                self._player.find("#form-send").tap()
            case "trial" if at["trial"] is None:
                self._tap(at, 0)
            case "trial":
                self._answer(at)
            case _:
                return False
        return True

    def _answer(self, at: dict[str, Any]) -> None:
        self._asked += 1
        buttons = at["buttons"]
        match at["layout"]:
            case "grid" | "row" | "scale" | "pictures":
                # Not always the same answer, and not on the spot of the last tap.
                self._tap(at, self._asked % len(buttons))
                return
            case "rank":
                for nth, button in enumerate(buttons):
                    if button["value"] is not None:
                        self._tap(at, nth)
            case "point" | "brush":
                self._touch(at["marks"][0])
            case "text":
                self._player.find(".shown textarea").fill("a few words")
            case "survey":
                self._fill_in("survey")
        self._player.find(".shown .confirm").tap()

    def _fill_in(self, form: str) -> None:
        for item in self._player.host.evaluate(ITEMS):
            name = item["name"]
            if not name:  # the size of the screen, without a card
                self._player.find(".shown .calibration label.tick").tap()
                continue
            given = self.fill(form, name)
            if item["line"]:
                self._player.find(f"#item-{name}").tap()
                self.page.keyboard.type(str(given))
                continue
            for value in given if isinstance(given, list) else [given]:
                box = f"input[name='item-{name}'][value='{value}']"
                self._player.find(f".shown label.tick:has({box})").tap()

    def _tap(self, at: dict[str, Any], nth: int) -> None:
        box = at["buttons"][nth]
        assert self.page.viewport_size is not None
        if box["top"] < 0 or box["top"] + box["height"] > self.page.viewport_size["height"]:
            where = {"selector": BUTTONS, "nth": nth}
            box = self._player.host.evaluate(INTO_VIEW, where)
        self._touch(box)

    def _touch(self, box: dict[str, float]) -> None:
        """Tap the middle, or beside it where the last tap was."""
        for share in (0.5, 0.25, 0.75):
            x, y = box["left"] + share * box["width"], box["top"] + box["height"] / 2
            if math.dist((x, y), self._tapped) > APART_PX:
                break
        self._tapped = (x, y)
        self.page.touchscreen.tap(x, y)
