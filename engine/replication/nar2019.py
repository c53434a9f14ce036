"""Nar, Ocal, Sastry & Ramchandran (2019): their claims for networks, as checks.

The experiment's labels are those of `experiments/nar2019*.yaml`: every loss twice, the second with
BatchNorm where its label ends in `_norm`. An image *has an adversarial example within eps* when
the smallest disturbance found for it, before rounding, is at most that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.errors import AbsentError, UsageError
from engine.networks.features import effective_rank
from engine.replication._gaps import Gaps
from engine.replication.claims import (
    Check,
    Origin,
    Scores,
    check,
    corrected,
    doubted_seeds,
    told,
)
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

SETTING = (
    "Pixels in [0, 1]. The attacker knows the network that is tested and may move every pixel by "
    "at most ε (L∞) or the image by at most ε (L2); an image has an adversarial example within ε "
    "where the smallest disturbance found for it, before rounding, is at most that. In d FGSM "
    "examples are made for the other network of the pair, and rounded to 8 bits."
)
"""What the attacker of these claims may do and knows."""


def checks(runs: Sequence[Results]) -> list[Check]:
    """Return the checks of the claims on every dataset, claim by claim.

    Args:
        runs: the finished runs of the experiment: every dataset with the same seeds.

    Those that need a model which the experiment has not are left out; see `left_out`.

    Raises:
        UsageError: a curve that a claim needs is not in the experiment; or see `left_out`.
    """
    known: dict[str, str] = runs[0].config["defenses"]
    left_out(known)
    return corrected(
        each
        for label, seeds in by_dataset(runs).items()
        for each in _checks(label, seeds, known, Gaps())
    )


def left_out(defenses: Collection[str]) -> list[str]:
    """Return, in sentences, what of the claims cannot be judged without the models that lack.

    Args:
        defenses: the labels of an experiment's models.

    Raises:
        UsageError: it has no differential model with its cross-entropy model.
    """
    pairs = [(differential, plain) for differential, plain, _ in _PAIRS.values()]
    if not any(set(pair) <= set(defenses) for pair in pairs):
        listed = ", ".join(" and ".join(map(repr, pair)) for pair in pairs)
        raise UsageError(
            f"the claims of nar2019 are about at least one of these pairs of models: {listed}; "
            f"the experiment has: {', '.join(defenses)}"
        )
    gaps = Gaps()
    _checks("", (), dict.fromkeys(defenses, ""), gaps)
    return gaps.sentences()


def _checks(
    dataset: str, runs: Sequence[Results], known: Mapping[str, str], gaps: Gaps
) -> list[Check]:
    """Return the checks on one dataset; without runs none, but `gaps` says what they lack."""
    found: list[Check] = []

    def add(
        claim: str,
        statement: str,
        scores: Callable[[], Scores],
        models: Sequence[str],
        *,
        bound: float = 0.0,
        origin: Origin = "paper",
    ) -> None:
        lacking = [label for label in models if label not in known]
        if not gaps.judged(claim, models, lacking) or not runs:
            return
        doubted = doubted_seeds(runs, {label: known[label] for label in models})
        measured: dict[str, Any] = {"bound": bound, "origin": origin, "doubted": doubted}
        found.append(check(claim, dataset, statement, lambda: {"": scores()}, **measured))

    for differential, plain, words in _PAIRS.values():
        add(
            "a",
            f"{words}: clean test accuracy, how far above that with cross-entropy",
            partial(_more_right, runs, differential, plain),
            (differential, plain),
            bound=-0.01,
        )
    for curve, where in _SURFACES.items():
        for differential, plain, words in _PAIRS.values():
            add(
                "b",
                f"{words}: share of images with an adversarial example ({where}), averaged over ε, "
                "how far below that with cross-entropy",
                partial(_less_vulnerable, runs, curve, differential, plain),
                (differential, plain),
                origin="abstract",
            )
    for plain in ("none", "none_norm"):
        add(
            "c",
            f"cross-entropy{', BatchNorm' if plain.endswith('norm') else ''}: effective rank of "
            "the centred penultimate features over the layer's width, how far below .1",
            partial(_below_low_rank, runs, plain),
            (plain,),
        )
    for differential, plain, words in _PAIRS.values():
        add(
            "d",
            f"{words}: share that FGSM examples for cross-entropy fool of it, how far below the "
            "share that examples for it fool of cross-entropy",
            partial(_fools_more, runs, differential, plain),
            (differential, plain),
            origin="ours",
        )
    return found


def _more_right(runs: Sequence[Results], differential: str, plain: str) -> Scores:
    return _right(runs, differential) - _right(runs, plain)


def _less_vulnerable(runs: Sequence[Results], curve: str, differential: str, plain: str) -> Scores:
    return _vulnerable(runs, curve, plain) - _vulnerable(runs, curve, differential)


def _below_low_rank(runs: Sequence[Results], plain: str) -> Scores:
    below: Scores = _LOW_RANK - _rank_share(runs, plain)
    return below


def _fools_more(runs: Sequence[Results], differential: str, plain: str) -> Scores:
    return _transfer(runs, differential, plain) - _transfer(runs, plain, differential)


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
        results.require(tested)
        made = results.curve("transfer_test", source)
        rows.append((made.tested[tested] != made.labels).mean(0))
    return np.stack(rows)


def _rank_share(runs: Sequence[Results], model: str) -> Scores:
    """Effective rank over width, (S, 1): a number of the whole network."""
    values = [results.measures(model)[_SPECTRUM] for results in runs]
    return np.array([[effective_rank(each) / len(each)] for each in values])


def _absences(runs: Sequence[Results], model: str) -> list[str]:
    """Return why measures of the model are absent, each reason once."""
    reasons: dict[str, None] = {}
    for results in runs:
        try:
            absent = results.measures(model).absent
        except AbsentError as error:
            absent = {"": error.reason}
        reasons |= dict.fromkeys(absent.values())
    return list(reasons)


def tables(runs: Sequence[Results]) -> str:
    """Return, as Markdown, shares behind the checks, ranks and margins; means over seeds."""
    parts = []
    for label, seeds in by_dataset(runs).items():
        reasons = {each: doubted(seeds, each) for each in seeds[0].config["defenses"]}
        titles = {k: marked(v, reasons[k]) for k, v in seeds[0].config["defenses"].items()}
        for curve, where in _SURFACES.items():
            eps = _WITHIN[curve.partition("_")[0]]
            lines = [
                f"**{label}**, {where}: share with an adversarial example within ε.",
                "",
                "| model | " + " | ".join(f"{each:g}" for each in eps) + " |",
                "|---|" + "---|" * len(eps),
            ]
            for model, title in titles.items():
                shares = [told(partial(_share, seeds, curve, model, i)) for i in range(len(eps))]
                lines.append(f"| {title} | " + " | ".join(shares) + " |")
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
            numbers = [
                told(partial(_clean, seeds, model), ".3f"),
                told(partial(_mean_rank, seeds, model), ".1f"),
                told(partial(_relative_margin, seeds, model)),
                told(partial(_wrong, seeds, "cross_entropy_test", model, -1)),
                " / ".join(
                    told(partial(_wrong, seeds, "small_steps_test", model, i)) for i in range(2)
                ),
            ]
            lines.append(f"| {title} | {' | '.join(numbers)} |")
        if said := legend(set().union(*reasons.values())):
            lines += ["", said]
        for model, title in titles.items():
            for each in _absences(seeds, model):
                lines += ["", f"{title}, not measured: {each}."]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _share(runs: Sequence[Results], curve: str, model: str, at: int) -> float:
    """Share of the images with an adversarial example within the eps at this place."""
    return float(_within(runs, curve, model)[:, at].mean())


def _clean(runs: Sequence[Results], model: str) -> float:
    return float(_right(runs, model).mean())


def _mean_rank(runs: Sequence[Results], model: str) -> float:
    ranks = [effective_rank(run.measures(model)[_SPECTRUM]) for run in runs]
    return float(np.mean(ranks))


def _wrong(runs: Sequence[Results], curve: str, model: str, index: int) -> float:
    """Share of the examples for a model, at one value of a curve, that it gets wrong."""
    found = [run.curve(curve, model) for run in runs]
    return float(np.mean([float((f.tested[model][index] != f.labels).mean()) for f in found]))


def _relative_margin(runs: Sequence[Results], model: str) -> float:
    """The median margin over the root mean square of the features along their first direction."""
    found = []
    for run in runs:
        measures = run.measures(model)
        margins, values = measures[_MARGINS], measures[_SPECTRUM]
        found.append(float(np.median(margins) / (values[0] / np.sqrt(len(margins)))))
    return float(np.mean(found))
