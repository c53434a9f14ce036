"""How simulated people fill in forms: so that they pass, or so that they do not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from study_app.forms import Item, Screening
from study_app.study import Study

_SOMEBODY_S_AGE = 30.0
_WORDS = "simulated"


def filled_in(
    study: Study, form: str, rng: random.Random, *, passes: bool = True
) -> dict[str, Any]:
    """Return answers to a form: any, but for those that decide whether somebody may go on.

    Args:
        study: with the form.
        form: its name.
        rng: what is drawn with.
        passes: whether they let somebody go on; where no answer keeps anybody out, they do.
    """
    items = study.forms[form].items
    answers = {item.name: _passing(item, rng) for item in items}
    if not passes:
        answers |= _failing(items)
    return answers


def device(study: Study, *, phone: bool, passes: bool) -> dict[str, Any]:
    """Return what a browser says of its device: large enough, unless it is not to be let in."""
    rules = study.screening.device if study.screening else None
    width, height = (390.0, 844.0) if phone else (1440.0, 900.0)
    touch = phone
    if rules is not None:
        width, height = max(width, rules.min_width), max(height, rules.min_height)
        touch = {"any": phone, "mouse": False, "touch": True}[rules.pointer]
        if not passes and not can_fail(study.screening.items if study.screening else ()):
            width, height = min(width, rules.min_width - 1), min(height, rules.min_height - 1)
            width, height = max(width, 0.0), max(height, 0.0)
            touch = touch if rules.pointer == "any" else not touch
    return {
        "window_w": width,
        "window_h": height,
        "screen_w": width,
        "screen_h": height,
        "device_pixel_ratio": 3 if phone else 1,
        "touch": touch,
        "mouse": not touch,
        "css_px_per_mm": 3.78,
    }


def can_fail(items: Sequence[Item]) -> bool:
    """Return whether any answer to these items keeps somebody out."""
    return bool(_failing(items))


def screens(study: Study) -> bool:
    """Return whether the screening can keep anybody out."""
    form = study.screening
    if not isinstance(form, Screening):
        return False
    rules = form.device
    strict = rules is not None and (
        rules.min_width > 0 or rules.min_height > 0 or rules.pointer != "any"
    )
    return strict or can_fail(form.items)


def _passing(item: Item, rng: random.Random) -> Any:
    values = [option.value for option in item.options]
    match item.kind:
        case "number":
            low = item.low if item.low is not None else item.high
            high = item.high if item.high is not None else low
            if low is None or high is None:
                return _SOMEBODY_S_AGE
            return float(rng.randint(int(low), int(high))) if high - low >= 1 else low
        case "text":
            return _WORDS[: item.max_length]
    wanted = [item.correct] if item.correct else list(item.accept or values)
    chosen = rng.choice(wanted)
    return [chosen] if item.kind == "choices" else chosen


def _failing(items: Sequence[Item]) -> dict[str, Any]:
    """Return an answer to the first item that can keep somebody out; nothing if none can."""
    for item in items:
        if item.kind == "number":
            if item.low is not None:
                return {item.name: item.low - 1}
            if item.high is not None:
                return {item.name: item.high + 1}
            continue
        right = [item.correct] if item.correct else item.accept
        wrong = [option.value for option in item.options if option.value not in (right or ())]
        if right is not None and wrong:
            return {item.name: [wrong[0]] if item.kind == "choices" else wrong[0]}
    return {}
