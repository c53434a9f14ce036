"""The dataset's labels as a grid of answers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from study_app.questions import Option, Percept, Showing

_FEW = 3
"""So many labels fit beside each other on a phone, each as large as yes and no."""


def options(showing: Showing) -> list[Option]:
    """Return one option a label that may be chosen; its value is the class index."""
    names = showing.class_names
    offered = range(len(names)) if showing.choices is None else showing.choices
    labels = [showing.say(names[label]) for label in offered]
    return [
        {"value": str(value), "label": label, "key": key}
        for value, label, key in zip(offered, labels, _keys(labels), strict=True)
    ]


def layout(options: Sequence[Option]) -> Literal["grid", "row"]:
    """Return how so many options are laid out: few are large buttons in a row."""
    return "row" if len(options) <= _FEW else "grid"


def expected(showing: Showing, label: int) -> str | None:
    """Return the answer that names `label`; None when it is not among the choices."""
    offered = showing.choices is None or label in showing.choices
    return str(label) if offered else None


def offered(view: Mapping[str, Any]) -> list[str]:
    """Return the values of the options that a participant had."""
    return [option["value"] for option in view["options"]]


def chose(answer: str, label: int | None, offered: Sequence[str]) -> bool | None:
    """Return whether `answer` names the class `label`; None where it was not to be had."""
    return answer == str(label) if str(label) in offered else None


def drawn(view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
    """Draw a label by belief in the first picture, among those offered."""
    labels: list[str] = [o["value"] for o in view["options"] if o["value"].isdigit()]
    weights = [float(percept.beliefs[0, int(label)]) for label in labels]
    return rng.choices(labels, weights if any(weights) else None)[0]


def _keys(labels: Sequence[str]) -> list[str]:
    """Return a key for each label, "" for none.

    A label of one character is its own key, unless no keyboard has it or another label differs
    only in case. Where no label is, up to ten are counted: 1 to 9, then 0.
    """
    own = [s.lower() if len(s) == 1 and s.isascii() and s.isalnum() else "" for s in labels]
    if not any(own) and len(labels) <= 10:
        return list("1234567890"[: len(labels)])
    return [key if own.count(key) == 1 else "" for key in own]
