"""The threat model: against whom, and with what effort, robustness was measured."""

from __future__ import annotations

from typing import Any

from engine.artifacts import Role
from engine.attacks import eps_words
from engine.report.figure import Figure, listed, number, table
from engine.report.runs import Dataset

_COLUMNS = ("dataset", "what", "here")


def ladder_config(data: Dataset) -> dict[str, Any]:
    """Return the configuration of the ladders of a dataset, of which all models have the same."""
    role = Role("ladder", next(iter(data.defenses)))
    config: dict[str, Any] = data.artifact(role).recipe.config
    return config


def strong_words(config: dict[str, Any]) -> str:
    """Return the strongest attack in words: its name, and what it is made of."""
    strong = config["strong"]
    members = [
        each["name"] + (f" on {each['loss']}".replace("_", " ") if "loss" in each else "")
        for each in strong.get("attacks", ())
    ]
    counted = [
        f"{members.count(each)} × {each}" if members.count(each) > 1 else each
        for each in dict.fromkeys(members)
    ]
    name = str(strong["name"])
    return name + (f" ({', '.join(counted)})" if counted else "")


def draw(data: Dataset) -> Figure:
    """Return the table of it."""
    config = ladder_config(data)
    ladder = data.first.ladder(next(iter(data.defenses)))
    assert ladder is not None
    images, seeds = len(ladder.labels), len(data.runs)
    radii = listed([eps_words(eps) for eps in ladder.eps])
    rows = [
        (
            "Goal",
            "any wrong answer; an image that is answered wrongly undisturbed counts as fooled",
        ),
        ("Norm and size", f"L∞ in pixels, ε = {radii}"),
        (
            "Range",
            "pixels in [0, 1]ⁿ, 8 bits each"
            + (
                ", kept in the ball; the worst case before rounding is told beside"
                if ladder.strong_float is not None
                else ", rounded, which may leave the ball by half a level"
            ),
        ),
        (
            "Knowledge",
            "white box: architecture, weights, preprocessing, defense and gradients"
            + ("; beside it a black box that gives logits" if ladder.square is not None else "")
            + ("; and transfer from the other models" if ladder.transferred else ""),
        ),
        ("Effort", _effort(config, ladder.square is not None)),
        (
            "Images",
            f"{images} test images, evenly spaced"
            + (f", with each of {seeds} seeds" * (seeds > 1)),
        ),
        ("Smallest break that could be seen", _smallest(data)),
    ]
    name = f"threat-model-{data.label}"
    return Figure(
        name,
        f"{data.title}: the threat model",
        f"An attacker who knows the model may change every pixel by up to ε; {images} images say "
        "how often that is enough.",
        (),
        table(name, _COLUMNS, [(data.label, *row) for row in rows]),
        data.artifacts(*(Role("ladder", defense) for defense in data.defenses)),
        data.absence_notes(),
        (("What", "Here"), *rows),
    )


def _effort(config: dict[str, Any], new: bool) -> str:
    pgd = (
        f"FGSM; PGD of {config['steps']} steps from {config['restarts']} "
        f"start{'s' * (config['restarts'] > 1)} on each of three losses"
        if {"steps", "restarts"} <= config.keys()
        else "FGSM; PGD on each of three losses"
    )
    if not new:
        return pgd
    return (
        f"{pgd}, then of {2 * config['steps']} steps; {strong_words(config)}; "
        f"square with {config['queries']} queries; each only on images that still hold"
    )


def _smallest(data: Dataset) -> str:
    """Say which break of an order could have been seen with so many images."""
    by_limit: dict[float, float] = {}
    for models in data.evaluations:
        for defense in data.judged:
            for check in models[defense]["doubt"]["checks"]:
                if check["eps"] is not None and check["check"] in _ORDERS:
                    found = by_limit.get(check["limit"], 0)
                    by_limit[check["limit"]] = max(found, check["smallest"])
    if not by_limit:
        return "not recorded by these runs"
    told = [f"{number(smallest)} (limit {number(limit)})" for limit, smallest in by_limit.items()]
    return f"a difference of accuracies of {listed(told)}; what is smaller may be there unseen"


_ORDERS = ("iterated beats one step", "cross-entropy keeps up")
"""A check with each limit on the order of two attacks."""
