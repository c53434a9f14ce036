"""What the report says of rounding to 8 bits: balls by name, accuracies before it, the excess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.attacks import eps_words, levels
from engine.report.figure import short

if TYPE_CHECKING:
    from engine.report.runs import Curve, Dataset

Measured = Iterable["np.ndarray[Any, Any] | None"]


def ball_words(attack: Mapping[str, Any]) -> str:
    """Return the eps of an attack's configuration with the ball of 8-bit pixels it stands for."""
    return eps_words(float(attack["eps"]), *_where(attack))


def levels_of(attack: Mapping[str, Any]) -> int | None:
    """Return how many of 255 levels the ball of an attack's configuration has.

    None unless it is one of pixels in L-inf.
    """
    if attack.get("eps") is None or _where(attack) != ("linf", "pixels"):
        return None
    return levels(float(attack["eps"]))


def attack_notes(called: str, attack: Mapping[str, Any], excess: Measured) -> Iterator[str]:
    """Name the ball of an attack that has one, and say how far its 8-bit examples leave it.

    Args:
        called: the attack, for readers.
        attack: its configuration.
        excess: what is stored of it (`engine.jobs.examples.Examples.excess`), artifact by artifact.
    """
    if attack.get("eps") is not None:
        norm = {"l2": "L2"}.get(_where(attack)[0], "L∞")
        yield f"{called}: {norm}, ε = {ball_words(attack)}."
    yield from excess_notes(excess)


def excess_notes(excess: Measured) -> Iterator[str]:
    """Say how far 8-bit examples leave a ball of the model input, where that was measured."""
    found = [float(each.max()) for each in excess if each is not None]
    if found:
        yield (
            "ε is one of the model input, behind the network's preprocessing: rounding to 8 bits "
            f"takes an example out of its ball by up to {short(max(found))}."
        )


def before(data: Dataset, curve: str, source: str, tested: str) -> list[float | None]:
    """Return the accuracy of `tested` on examples for `source` before rounding, one a value.

    None where a run is from before it was stored.
    """
    rows = []
    for run in data.runs:
        made = run.curve(curve, source)
        if made.unrounded is None:
            return [None] * len(made.values)
        rows.append(made.unrounded[tested] == made.labels)
    return [float(each.mean()) for each in np.stack(rows, axis=1)]


def curve_notes(data: Dataset, curve: Curve) -> Iterator[str]:
    """Yield what is to be said of the examples of a swept attack as 8-bit pixels."""
    made = [run.curve(curve.label, source) for run in data.runs for source in data.defenses]
    if any(each.unrounded is None for each in made):
        yield (
            "Accuracies before rounding to 8 bits are not there: a run is from before they were "
            "stored, and its examples may leave their ball by up to half a level."
        )
    if curve.parameter != "eps":
        yield from attack_notes("The attack", curve.config["attack"], ())
    yield from excess_notes(each.excess for each in made)


def _where(attack: Mapping[str, Any]) -> tuple[str, str]:
    """Return norm and space of an attack's configuration."""
    return attack.get("norm", "linf"), attack.get("space", "pixels")
