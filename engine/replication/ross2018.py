"""Ross & Doshi-Velez (2018): the training side of their claims, as checks.

The experiment's labels are those of `experiments/ross2018*.yaml`. "Accuracy" is on rounded 8-bit
pixels throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from engine.errors import AbsentError, UsageError
from engine.replication._ross2018_scores import TITLES, UNPENALISED, Measured, Scores
from engine.replication.claims import Check, told
from engine.results import Results, by_dataset, doubted
from engine.robustness.doubt import ZERO_LIMIT, legend, marked

_PENALISED = ("penalty_loss", "penalty_uniform")
_NOT_TRAINED = ("none", "distillation")
"""Neither penalised nor trained on adversarial examples."""
_MODERATE = (0.1, 0.2, 0.3)
_LARGE = (0.4, 0.5, 0.6)


def checks(runs: Sequence[Results]) -> list[Check]:
    """Return the checks of claims 1 to 6 on every dataset, claim by claim.

    Args:
        runs: the finished runs of the experiment: every dataset with the same seeds.

    Raises:
        UsageError: a defense or curve that a claim needs is not in the experiment.
    """
    found = [
        each
        for label, seeds in by_dataset(runs).items()
        for measured in [Measured(label, seeds)]
        for claim in _CLAIMS
        for each in claim(measured)
    ]
    return sorted(found, key=lambda each: each.claim)


def _penalty_resists_transfer(m: Measured) -> Iterator[Check]:
    """Claim 1."""
    for penalised in _PENALISED:
        yield m.check(
            "1",
            f"{TITLES[penalised]}: accuracy on FGSM examples from other sources at ε .4–.6, how "
            "far above the best of the models without a penalty",
            partial(_ahead_of_unpenalised, m, penalised),
        )


def _ahead_of_unpenalised(m: Measured, penalised: str) -> list[Scores]:
    return [m.ahead_on_others(penalised, other, _LARGE) for other in UNPENALISED]


def _examples_of_the_penalised_transfer(m: Measured) -> Iterator[Check]:
    """Claim 2."""
    yield m.check(
        "2a",
        "FGSM examples for the penalised model (ε .1–.3) fool the models without adversarial "
        "training about as often as itself: share fooled, how far above its own",
        lambda: [
            m.right("penalty_loss", "penalty_loss", _MODERATE)
            - m.right(other, "penalty_loss", _MODERATE)
            for other in (*_NOT_TRAINED, "penalty_uniform")
        ],
        bound=-0.15,
    )
    yield m.check(
        "2b",
        "they fool others more often than examples for the undefended model do: share fooled, "
        "how far above",
        lambda: [
            m.right(other, "none", _MODERATE) - m.right(other, "penalty_loss", _MODERATE)
            for other in ("distillation", "penalty_uniform")
        ],
    )


def _distillation_masks_its_gradients(m: Measured) -> Iterator[Check]:
    """Claim 3."""
    yield m.check(
        "3a",
        "distillation: share of images whose true-label gradient is exactly zero",
        lambda: [m.measure("distillation", "zero_gradient")],
        bound=ZERO_LIMIT,
    )
    yield m.check(
        "3a",
        "distillation: share of images that iterated TGSM gets wrong, white box",
        lambda: [1 - m.right("distillation", "distillation", (0.1,), "iterated_tgsm")],
        bound=0.5,
    )
    yield m.check(
        "3b",
        "FGSM examples for the distilled model (ε .1–.3) rarely fool the others: accuracy on them, "
        "how far above that on clean images",
        lambda: [
            m.right(other, "distillation", _MODERATE) - m.right(other, "distillation", (0,))
            for other in TITLES
            if other != "distillation"
        ],
        bound=-0.05,
    )


def _both_together_resist_most(m: Measured) -> Iterator[Check]:
    """Claim 4."""
    yield m.check(
        "4a",
        "penalty and adversarial training together, white box under FGSM at ε .1–.3: accuracy, "
        "how far above the best other whose gradients are not masked",
        lambda: [
            m.right("both", "both", _MODERATE) - m.right(other, other, _MODERATE)
            for other in m.unmasked
            if other != "both"
        ],
    )
    yield m.check(
        "4b",
        "together, on FGSM examples from other sources at ε .1–.3: accuracy, how far above the "
        "best other",
        lambda: [
            m.ahead_on_others("both", other, _MODERATE) for other in TITLES if other != "both"
        ],
    )
    yield m.check(
        "4c",
        "but not on examples for penalised models: accuracy of the best other, how far above its "
        "own",
        lambda: [
            m.right(other, "penalty_loss", _MODERATE) - m.right("both", "penalty_loss", _MODERATE)
            for other in TITLES
            if other not in ("both", "penalty_loss")
        ],
        reduce=np.max,
    )
    yield m.check(
        "4d",
        "together, label leaking: white-box accuracy under FGSM at ε .3, how far above that at "
        "ε .1",
        lambda: [m.right("both", "both", (0.3,)) - m.right("both", "both", (0.1,))],
    )


def _penalised_gradients_can_be_read(m: Measured) -> Iterator[Check]:
    """Claim 5."""
    for name, what in (
        ("smoothness", "spatial autocorrelation (Moran's I) of the input gradient"),
        ("edge_alignment", "rank correlation of the input gradient with the image's edges"),
    ):
        for penalised in _PENALISED:
            yield m.check(
                "5",
                f"{TITLES[penalised]}: {what}, how far above the undefended and the "
                "distilled model",
                partial(_measured_above_untrained, m, penalised, name),
            )


def _measured_above_untrained(m: Measured, penalised: str, name: str) -> list[Scores]:
    return [m.measure(penalised, name) - m.measure(other, name) for other in _NOT_TRAINED]


def _penalised_models_are_even(m: Measured) -> Iterator[Check]:
    """Claim 6, of the penalty."""
    for penalised in _PENALISED:
        yield m.check(
            "6a",
            f"{TITLES[penalised]}: log-probabilities are spread more evenly: their deviation over "
            "the classes in nats, how far below the undefended and the distilled model",
            partial(_more_even, m, penalised),
        )
        yield m.check(
            "6b",
            f"{TITLES[penalised]}: true-label gradient norms vary less: mean distance from the "
            "median in decades, how far below the undefended model",
            partial(_fewer_decades, m, penalised, m.true_norms, ("none",)),
        )
        yield m.check(
            "6b",
            f"{TITLES[penalised]}: the same over the norms for all labels, how far below the "
            "undefended and the distilled model",
            partial(_fewer_decades, m, penalised, m.all_norms, _NOT_TRAINED),
        )


def _more_even(m: Measured, penalised: str) -> list[Scores]:
    return [m.spread(other) - m.spread(penalised) for other in _NOT_TRAINED]


def _fewer_decades(
    m: Measured, penalised: str, norms: Callable[[str], Scores], others: Sequence[str]
) -> list[Scores]:
    return [m.decades(other, norms) - m.decades(penalised, norms) for other in others]


def _distillation_is_extreme(m: Measured) -> Iterator[Check]:
    """Claim 6, of distillation."""
    others = [other for other in TITLES if other != "distillation"]
    yield m.check(
        "6c",
        "distillation is extreme: deviation of its log-probabilities in nats, how far above all "
        "others",
        lambda: [m.spread("distillation") - m.spread(other) for other in others],
    )
    yield m.check(
        "6c",
        "distillation is extreme: distance of its gradient norms for all labels from their median "
        "in decades, how far above all others",
        lambda: [
            m.decades("distillation", m.all_norms) - m.decades(o, m.all_norms) for o in others
        ],
    )


def _robustness_rises_and_falls(m: Measured) -> Iterator[Check]:
    """What they saw over training time."""

    def above_the_end() -> list[Scores]:
        *before, end = m.over_time("none", "white_box")
        return [each - end for each in before]

    yield m.check(
        "time",
        "no defense: white-box accuracy under FGSM at ε .1 at its best kept step, how far above "
        "that at the end",
        above_the_end,
        reduce=np.max,
    )


_CLAIMS = (
    _penalty_resists_transfer,
    _examples_of_the_penalised_transfer,
    _distillation_masks_its_gradients,
    _both_together_resist_most,
    _penalised_gradients_can_be_read,
    _penalised_models_are_even,
    _distillation_is_extreme,
    _robustness_rises_and_falls,
)


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
    for swept in _PENALISED:
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
