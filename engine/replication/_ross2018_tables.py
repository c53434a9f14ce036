"""The numbers behind the claims of Ross & Doshi-Velez (2018), as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import AbsentError, UsageError
from engine.replication._ross2018_scores import PENALISED, TITLES, Measured
from engine.replication.claims import told
from engine.results import Results, by_dataset, doubted
from engine.robustness.doubt import legend, marked


def tables(runs: Sequence[Results]) -> str:
    """Return, as Markdown, the accuracies behind the checks: source by tested, a dataset a part."""
    parts = []
    for label, seeds in by_dataset(runs).items():
        m = Measured(label, seeds[0].config["defenses"], seeds)
        lines = [
            f"**{label}**: accuracy of the column's model on FGSM examples made for the row's, at "
            "ε = .1 / .3 / .5; first row: clean images.",
            "",
            "| made for | " + " | ".join(_marked(seeds, d) for d in m.titles) + " |",
            "|---|" + "---|" * len(m.titles),
            "| (clean) | " + " | ".join(_accuracy(m, t, t, 0, ".3f") for t in m.titles) + " |",
        ]
        for source, title in m.titles.items():
            cells = [
                " / ".join(_accuracy(m, t, source, eps) for eps in (0.1, 0.3, 0.5))
                for t in m.titles
            ]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
        reasons = set().union(*(doubted(seeds, each) for each in m.titles))
        lines += ["", legend(reasons)] if reasons else []
        parts.append("\n".join([*lines, "", *_sweeps(m), "", *_time(label, m)]))
    return "\n\n".join(parts)


def _accuracy(m: Measured, tested: str, source: str, eps: float, digits: str = ".2f") -> str:
    """Return an accuracy under FGSM in words, a mean over seeds and images."""
    return told(lambda: float(m.right(tested, source, (eps,)).mean()), digits)


def _marked(runs: Sequence[Results], defense: str) -> str:
    """Return a model's title with the signs of the reasons to doubt its robustness."""
    return marked(TITLES[defense], doubted(runs, defense))


def _sweeps(m: Measured) -> list[str]:
    """Return what the choice among a sweep rested on: validation images, means over the seeds."""
    lines = [
        f"**{m.dataset}**: the sweeps, on validation images: clean / on FGSM examples from the "
        "undefended model / white box (ε .1–.3), means over seeds.",
        "",
        "| strength | accuracy | chosen by seeds |",
        "|---|---|---|",
    ]
    heading = len(lines)
    for swept in PENALISED:
        if swept not in m.titles:
            continue
        try:
            found = [_selection(results, swept) for results in m.runs]
        except AbsentError as error:
            lines.append(f"| {TITLES[swept]} | not measured: {error.reason} | |")
            continue
        chosen = [each for each in found if each is not None]
        for k, row in enumerate(chosen[0]["candidates"] if chosen else ()):
            rows = [each["candidates"][k] for each in chosen]
            known = [each for each in rows if "diverged" not in each]
            cells = [
                f"{np.mean([each[what] for each in known]):.3f}" if known else "diverged"
                for what in ("clean", "transferred", "white_box")
            ]
            seen = sum(each["chosen"] == row["value"] for each in chosen)
            lines.append(
                f"| {TITLES[swept]}, {row['value']:g} | {' / '.join(cells)} | {seen or ''} |"
            )
    return lines if len(lines) > heading else []


def _time(dataset: str, m: Measured) -> list[str]:
    """Return robustness against training time, means over seeds and images."""
    try:
        steps = m.steps("none")
    except AbsentError as error:
        return [f"**{dataset}**: robustness against training time was not measured: {error.reason}"]
    lines = [
        f"**{dataset}**: white-box accuracy under FGSM at ε = .1 after so many training steps.",
        "",
        "| model | " + " | ".join(map(str, steps)) + " |",
        "|---|" + "---|" * len(steps),
    ]
    for defense in ("none", "penalty_loss"):
        if defense not in m.titles:
            continue
        try:
            accuracy = [f"{right.mean():.2f}" for right in m.over_time(defense, "white_box")]
        except (AbsentError, UsageError):  # it failed, or the file keeps none of its weights
            accuracy = ["–"] * len(steps)
        lines.append(f"| {_marked(m.runs, defense)} | " + " | ".join(accuracy) + " |")
    return lines


def _selection(results: Results, defense: str) -> dict[str, Any] | None:
    """Return how a model was chosen; None where it was not swept."""
    results.require(defense)
    return results.selection(defense)
