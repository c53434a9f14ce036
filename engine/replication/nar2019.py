"""Nar, Ocal, Sastry & Ramchandran (2019): their claims for networks, as checks.

The experiment's labels are those of `experiments/nar2019*.yaml`: every loss twice, the second with
BatchNorm where its label ends in `_norm`. An image *has an adversarial example within eps* when
the smallest disturbance found for it, before rounding, is at most that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.networks.features import effective_rank
from engine.replication.claims import Check, check
from engine.results import Results, by_dataset, doubted
from engine.robustness.doubt import legend, marked

_PAIRS = {
    "squared": ("squared", "none", "squared"),
    "logistic": ("logistic", "none", "logistic"),
    "squared_norm": ("squared_norm", "none_norm", "squared, BatchNorm"),
    "logistic_norm": ("logistic_norm", "none_norm", "logistic, BatchNorm"),
}
"""Differential model, the cross-entropy model of the same architecture, and words for the pair."""
_SURFACES = {
    "linf_test": "L∞, test images",
    "linf_train": "L∞, training images",
    "l2_test": "L2, test images",
    "l2_train": "L2, training images",
}
_WITHIN = {"linf": (0.01, 0.02, 0.04, 0.08, 0.16), "l2": (0.25, 0.5, 1, 2)}
"""The eps over which shares are averaged, by norm."""
_LOW_RANK = 0.1
"""Effective rank over the layer's width below which features count as low rank."""

_SPECTRUM, _MARGINS = "singular_values_train", "margins_train"

Scores = NDArray[np.float64]


def checks(runs: Sequence[Results]) -> list[Check]:
    """Return the checks of the claims on every dataset, claim by claim.

    Args:
        runs: the finished runs of the experiment: every dataset with the same seeds.
    """
    found = [each for label, seeds in by_dataset(runs).items() for each in _checks(label, seeds)]
    return sorted(found, key=lambda each: each.claim)


def _checks(dataset: str, runs: Sequence[Results]) -> list[Check]:
    found: list[Check] = []

    def add(claim: str, statement: str, scores: Sequence[Scores], **options: object) -> None:
        found.append(check(claim, dataset, statement, scores, **options))  # type: ignore[arg-type]

    for differential, plain, words in _PAIRS.values():
        add(
            "a",
            f"{words}: clean test accuracy, how far above that with cross-entropy",
            [_right(runs, differential) - _right(runs, plain)],
            bound=-0.01,
        )
    for curve, where in _SURFACES.items():
        for differential, plain, words in _PAIRS.values():
            add(
                "b",
                f"{words}: share of images with an adversarial example ({where}), averaged over ε, "
                "how far below that with cross-entropy",
                [_vulnerable(runs, curve, plain) - _vulnerable(runs, curve, differential)],
            )
    for plain in ("none", "none_norm"):
        add(
            "c",
            f"cross-entropy{', BatchNorm' if plain.endswith('norm') else ''}: effective rank of "
            "the centred penultimate features over the layer's width, how far below .1",
            [_LOW_RANK - _rank_share(runs, plain)],
            reason=_absent(runs, plain, _SPECTRUM),
        )
    for differential, plain, words in _PAIRS.values():
        add(
            "d",
            f"{words}: share that FGSM examples for cross-entropy fool of it, how far below the "
            "share that examples for it fool of cross-entropy",
            [_transfer(runs, differential, plain) - _transfer(runs, plain, differential)],
        )
    return found


def _right(runs: Sequence[Results], model: str) -> Scores:
    """Whether the model is right on the clean test images that it was measured on, (S, N)."""
    rows = []
    for results in runs:
        measures = results.measures(model)
        rows.append(measures["log_probabilities"].argmax(1) == measures["labels"])
    right: Scores = np.stack(rows).astype(np.float64)
    return right


def _vulnerable(runs: Sequence[Results], curve: str, model: str) -> Scores:
    """Share of the eps within which an image has an adversarial example, (S, N)."""
    vulnerable: Scores = _within(runs, curve, model).mean(1)
    return vulnerable


def _within(runs: Sequence[Results], curve: str, model: str) -> Scores:
    """Whether an image has an adversarial example within each eps, (S, eps, N)."""
    found = [results.minimum_norm(curve, model) for results in runs]
    rows = [[each.norm <= eps for eps in _WITHIN[each.norm_name]] for each in found]
    return np.array(rows, dtype=np.float64)


def _transfer(runs: Sequence[Results], source: str, tested: str) -> Scores:
    """Share of the eps at which FGSM examples for `source` fool `tested`, (S, N)."""
    rows = []
    for results in runs:
        made = results.curve("transfer_test", source)
        rows.append((made.tested[tested] != made.labels).mean(0))
    return np.stack(rows)


def _rank_share(runs: Sequence[Results], model: str) -> Scores:
    """Effective rank over width, (S, 1): a number of the whole network; NaN where there is none."""
    values = [results.measures(model).get(_SPECTRUM) for results in runs]
    return np.array([[np.nan if v is None else effective_rank(v) / len(v)] for v in values])


def _absent(runs: Sequence[Results], model: str, name: str) -> str:
    """Return why a measure of the model is absent; "" where none is, or no reason is known."""
    reasons = (results.measures(model).absent.get(name, "") for results in runs)
    return "; ".join(dict.fromkeys(filter(None, reasons)))


def tables(runs: Sequence[Results]) -> str:
    """Return, as Markdown, shares behind the checks, ranks and margins; means over seeds."""
    parts = []
    for label, seeds in by_dataset(runs).items():
        reasons = {each: doubted(seeds, each) for each in seeds[0].config["defenses"]}
        titles = {k: marked(v, reasons[k]) for k, v in seeds[0].config["defenses"].items()}
        for curve, where in _SURFACES.items():
            eps = _WITHIN[seeds[0].minimum_norm(curve, "none").norm_name]
            lines = [
                f"**{label}**, {where}: share with an adversarial example within ε.",
                "",
                "| model | " + " | ".join(f"{each:g}" for each in eps) + " |",
                "|---|" + "---|" * len(eps),
            ]
            for model, title in titles.items():
                shares = _within(seeds, curve, model).mean((0, 2))
                lines.append(f"| {title} | " + " | ".join(f"{s:.2f}" for s in shares) + " |")
            parts.append("\n".join(lines))
        lines = [
            f"**{label}**: the networks. Effective rank of the centred penultimate features, and "
            "the median distance to the head's boundary over the features' spread (root mean "
            "square along their first direction), on training images; then PGD of other kinds on "
            "test images.",
            "",
            "| model | clean | effective rank | relative margin | PGD on cross-entropy, ε = .08 | "
            "forty steps of .001 / .004, ε = .04 |",
            "|---|---|---|---|---|---|",
        ]
        for model, title in titles.items():
            ranks = [_rank(r, model) for r in seeds]
            margins = [_relative_margin(r, model) for r in seeds]
            other = np.mean([_wrong(r, "cross_entropy_test", model, -1) for r in seeds])
            steps = [
                float(np.mean([_wrong(r, "small_steps_test", model, i) for r in seeds]))
                for i in range(2)
            ]
            lines.append(
                f"| {title} | {_right(seeds, model).mean():.3f} | {_mean(ranks, 1)} | "
                f"{_mean(margins, 2)} | {other:.2f} | {steps[0]:.2f} / {steps[1]:.2f} |"
            )
        if said := legend(set().union(*reasons.values())):
            lines += ["", said]
        for model, title in titles.items():
            absent = (_absent(seeds, model, name) for name in (_SPECTRUM, _MARGINS))
            lines += [
                "",
                *(f"{title}, not measured: {each}." for each in dict.fromkeys(absent) if each),
            ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _wrong(results: Results, curve: str, model: str, index: int) -> float:
    made = results.curve(curve, model)
    return float((made.tested[model][index] != made.labels).mean())


def _rank(results: Results, model: str) -> float:
    """The effective rank of the features; NaN where there are none."""
    values = results.measures(model).get(_SPECTRUM)
    return np.nan if values is None else effective_rank(values)


def _relative_margin(results: Results, model: str) -> float:
    """The median margin over the root mean square of the features along their first direction.

    NaN where there is none.
    """
    measures = results.measures(model)
    if _MARGINS not in measures:
        return np.nan
    margins, values = measures[_MARGINS], measures[_SPECTRUM]
    return float(np.median(margins) / (values[0] / np.sqrt(len(margins))))


def _mean(values: Sequence[float], decimals: int) -> str:
    mean = float(np.mean(values))
    return f"{mean:.{decimals}f}" if np.isfinite(mean) else "not measured"
