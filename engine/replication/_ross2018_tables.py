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
        m = Measured(label, seeds)
        lines = [
            f"**{label}**: accuracy of the column's model on FGSM examples made for the row's, at "
            "ε = .1 / .3 / .5; first row: clean images.",
            "",
            "| made for | " + " | ".join(_marked(seeds, d) for d in TITLES) + " |",
            "|---|" + "---|" * len(TITLES),
            "| (clean) | " + " | ".join(_accuracy(m, t, t, 0, ".3f") for t in TITLES) + " |",
        ]
        for source, title in TITLES.items():
            cells = [
                " / ".join(_accuracy(m, t, source, eps) for eps in (0.1, 0.3, 0.5)) for t in TITLES
            ]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
        reasons = set().union(*(doubted(seeds, each) for each in TITLES))
        lines += ["", legend(reasons)] if reasons else []
        parts.append("\n".join([*lines, "", *_sweeps(label, seeds), "", *_time(label, m)]))
    return "\n\n".join(parts)


def _accuracy(m: Measured, tested: str, source: str, eps: float, digits: str = ".2f") -> str:
    """Return an accuracy under FGSM in words, a mean over seeds and images."""
    return told(lambda: float(m.right(tested, source, (eps,)).mean()), digits)


def _marked(runs: Sequence[Results], defense: str) -> str:
    """Return a model's title with the signs of the reasons to doubt its robustness."""
    return marked(TITLES[defense], doubted(runs, defense))


def _sweeps(dataset: str, seeds: Sequence[Results]) -> list[str]:
    """Return what the choice among a sweep rested on: validation images, means over the seeds."""
    lines = [
        f"**{dataset}**: the sweeps, on validation images: clean / on FGSM examples from the "
        "undefended model / white box (ε .1–.3), means over seeds.",
        "",
        "| strength | accuracy | chosen by seeds |",
        "|---|---|---|",
    ]
    for swept in PENALISED:
        try:
            found = [_selection(results, swept) for results in seeds]
        except AbsentError as error:
            lines.append(f"| {TITLES[swept]} | not measured: {error.reason} | |")
            continue
        for k, row in enumerate(found[0]["candidates"]):
            rows = [each["candidates"][k] for each in found]
            known = [each for each in rows if "diverged" not in each]
            cells = [
                f"{np.mean([each[what] for each in known]):.3f}" if known else "diverged"
                for what in ("clean", "transferred", "white_box")
            ]
            seen = sum(each["chosen"] == row["value"] for each in found)
            lines.append(
                f"| {TITLES[swept]}, {row['value']:g} | {' / '.join(cells)} | {seen or ''} |"
            )
    return lines


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
        try:
            accuracy = [f"{right.mean():.2f}" for right in m.over_time(defense, "white_box")]
        except AbsentError:
            accuracy = ["–"] * len(steps)
        lines.append(f"| {_marked(m.runs, defense)} | " + " | ".join(accuracy) + " |")
    return lines


def _selection(results: Results, defense: str) -> dict[str, Any]:
    selection = results.selection(defense)
    if selection is None:
        raise UsageError(f"{results.name}: {defense} was not swept, so nothing was chosen")
    return selection
