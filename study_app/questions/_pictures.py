"""The pictures themselves as answers."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.analysis.outcomes import TIE
from study_app.questions import Option, Showing, item_keys

if TYPE_CHECKING:
    from db.export import Answered


def options(showing: Showing, tie: str | None = None) -> list[Option]:
    """Return one option a place, numbered from 1 for people; then the tie, if there is one."""
    offered: list[Option] = [
        {"value": str(place), "label": str(place + 1), "key": str(place + 1)}
        for place in range(len(showing.pictures))
    ]
    if tie is not None:
        offered.append({"value": TIE, "label": showing.say(tie), "key": "0"})
    return offered


def drawn(view: Mapping[str, Any], strengths: Sequence[float], rng: random.Random) -> str:
    """Draw a place in proportion to its strength (Bradley & Terry 1952).

    A tie weighs half the geometric mean of the strengths (Davidson 1970).
    """
    values: list[str] = [option["value"] for option in view["options"]]
    weights = [float(strength) for strength in strengths]
    if TIE in values:
        weights.append(0.5 * math.prod(weights) ** (1 / len(weights)))
    return rng.choices(values, weights if any(weights) else None)[0]


def preferred(answered: Answered) -> str | None:
    """Return the key of the picture chosen (`item_keys`), or a tie; None of two with one key."""
    items = item_keys(answered.pictures, answered.asked_label)
    if len(set(items)) < len(items):
        return None
    return TIE if answered.answer == TIE else items[int(answered.answer)]
