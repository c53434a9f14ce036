"""How numbers and the model's answers are put into words."""

from __future__ import annotations

from study_app.gallery.exhibit import CLEAN, Exhibit

FAINT = 0.1
"""A map whose strongest value is below this share of full colour can hardly be seen."""


def percent(share: float, decimals: int = 0) -> str:
    """Return a share as a percentage: "97 %"."""
    return f"{share:.{decimals}%}".replace("%", "\N{NARROW NO-BREAK SPACE}%")


def number(value: float) -> str:
    """Return `value` with three significant digits: "955", "2.19", "1,434"."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


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
