"""How numbers and the model's answers are put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.attacks import amount, eps_words
from study_app.gallery.exhibit import CLEAN, Exhibit

FAINT = 0.1
"""A map whose strongest value is below this share of full colour can hardly be seen."""


def percent(share: float, decimals: int = 0) -> str:
    """Return a share as a percentage: "97 %"."""
    return f"{share:.{decimals}%}".replace("%", "\N{NARROW NO-BREAK SPACE}%")


def number(value: float) -> str:
    """Return `value` with three significant digits: "955", "2.19", "1,434"."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def ball(known: Mapping[str, Any]) -> str:
    """Return the ball of a passport in words: "L∞, ε = .03 (7/255)"."""
    norm = {"linf": "L∞", "l2": "L2"}[known["norm"]]
    said = f"{norm}, ε = {eps_words(known['eps'], known['norm'], known['space'])}"
    if known["space"] == "pixels":
        return said
    return f"{said} of the model input; 8-bit pixels exceed it by {number(known['excess'])}"


def parameters(params: Mapping[str, Any]) -> str:
    """Return an attack's parameters in words: "eps .03 (7/255), label true"."""
    norm, space = params.get("norm", "linf"), params.get("space", "pixels")
    said = []
    for name, value in sorted(params.items()):
        if name == "eps" and value is not None:
            said.append(f"eps {eps_words(value, norm, space)}")
        elif name == "step_size" and value is not None and space == "pixels":
            said.append(f"step_size {amount(value)}")
        else:
            said.append(f"{name} {_shown(value)}")
    return ", ".join(said)


def strength(largest: float, scale: float) -> str:
    """Say how strong a map is: its largest |value|, and whether it can be seen on `scale`."""
    if largest == 0:
        return "zero everywhere"
    share = largest / scale if scale else 1.0
    if share >= FAINT:
        return f"max {number(largest)}"
    shown = "< 0.1" if share < 0.001 else f"{share:.1%}".rstrip("%")
    return f"max {number(largest)}, {shown}\N{NARROW NO-BREAK SPACE}% of full colour"


def answer(exhibit: Exhibit, defense: str, image: str, index: int) -> str:
    """Return the model's answer, and for an attacked picture the one before: "3 → 8, 99 %"."""
    names = exhibit.results.class_names
    label, confidence = exhibit.prediction(defense, image, index)
    after = f"{names[label]}, {percent(confidence)}"
    if image == CLEAN:
        return after
    before, sure = exhibit.prediction(defense, CLEAN, index)
    return f"{names[before]}, {percent(sure)} → {after}"


def outcome(exhibit: Exhibit, defense: str, attack: str, index: int) -> str:
    """Say in a word or a short clause what the attack achieved."""
    if exhibit.unchanged(defense, attack, index):
        masked = exhibit.zero_gradient(defense, attack, index)
        why = "the loss gradient is exactly zero" if masked else "no pixel differs"
        return f"unchanged: {why}"
    truth = int(exhibit.labels[index])
    undone = exhibit.undone_by_rounding(defense, attack, index)
    if exhibit.prediction(defense, attack, index)[0] == truth:
        return "fooled, but rounding undoes it" if undone else "holds"
    if exhibit.prediction(defense, CLEAN, index)[0] != truth:
        return "wrong before the attack"
    return "fooled"


def _shown(value: Any) -> str:
    """Return a parameter's value; an attack that is one of them in brackets."""
    if isinstance(value, Mapping):
        others = {key: value[key] for key in value if key != "name"}
        return f"{value['name']} ({parameters(others)})" if others else str(value["name"])
    if isinstance(value, list | tuple):
        return "; ".join(map(_shown, value))
    return "none" if value is None else str(value)
