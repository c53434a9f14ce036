"""Ross & Doshi-Velez (2018): the training side of their claims, as checks.

The experiment's labels are those of `experiments/ross2018*.yaml`. "Accuracy" is on rounded 8-bit
pixels throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

from engine.errors import UsageError
from engine.replication._ross2018_scores import PENALISED, TITLES, UNPENALISED, Measured
from engine.replication._ross2018_tables import tables
from engine.replication.claims import Check, Scores, corrected
from engine.results import Results, by_dataset
from engine.robustness.doubt import ZERO_LIMIT

__all__ = ["SETTING", "TITLES", "checks", "left_out", "tables"]

_ABOUT = ("distillation", *PENALISED, "both")
"""The models that claims are about; the others are what these are compared with."""
_NOT_TRAINED = ("none", "distillation")
"""Neither penalised nor trained on adversarial examples."""
_MODERATE = (0.1, 0.2, 0.3)
_LARGE = (0.4, 0.5, 0.6)
_AS_WELL = 0.15
"""How much less, or more, of the examples may fool another model "equally well". It must be less
than what is plainly unequal: examples for the authors' undefended models on MNIST and notMNIST fool
another model by .21 to .68 less than the model itself, .56 on average (`ross2018_transfer.json`,
FGSM, the mean over eps .1 to .3). Such a difference, the smallest too, cannot pass for none."""

SETTING = (
    "Pixels in [0, 1], rounded to 8 bits; FGSM moves each by at most ε (L∞), iterated TGSM by .1 a "
    "step for ten steps. White box: the attacker knows the network that is tested; transferred: "
    "another one, trained on the same images. Where a network normalises its images and the file "
    "attacks behind that (SVHN), ε counts there. FGSM is a weak attack, as in the paper: accuracy "
    "under it is no robustness, for which see the ladder of attacks in the report."
)
"""What the attacker of these claims may do and knows."""

_Comparisons = Mapping[str, Scores]


def checks(runs: Sequence[Results]) -> list[Check]:
    """Return the checks of claims 1 to 6 on every dataset, claim by claim.

    Those that need a model which the experiment has not are left out; see `left_out`.

    Args:
        runs: the finished runs of the experiment: every dataset with the same seeds.

    Raises:
        UsageError: a curve that a claim needs is not in the experiment; or see `left_out`.
    """
    left_out(runs[0].config["defenses"])
    return corrected(
        each
        for label, seeds in by_dataset(runs).items()
        for measured in [Measured(label, seeds[0].config["defenses"], seeds)]
        for claim in _CLAIMS
        for each in claim(measured)
        if each is not None
    )


def left_out(defenses: Collection[str]) -> list[str]:
    """Return, in sentences, what of the claims cannot be judged without the models that lack.

    Args:
        defenses: the labels of an experiment's models.

    Raises:
        UsageError: hardly anything is left: no undefended model, or none that a claim is about.
    """
    if "none" not in defenses or not any(label in defenses for label in _ABOUT):
        raise UsageError(
            "the claims of ross2018 are about a model 'none' and at least one of "
            f"{', '.join(map(repr, _ABOUT))}; the experiment has: {', '.join(defenses)}"
        )
    measured = Measured("", defenses)
    for claim in _CLAIMS:
        for _ in claim(measured):
            pass
    return measured.gaps.sentences()


def _against(label: str) -> str:
    return f"against {TITLES[label]}"


def _of(label: str) -> str:
    return f"of {TITLES[label]}"


def _penalty_resists_transfer(m: Measured) -> Iterator[Check | None]:
    """Claim 1: "robustness to transferred examples generated to fool all of the other models"."""
    for penalised in PENALISED:
        yield m.check(
            "1",
            f"{TITLES[penalised]}: accuracy on FGSM examples generated to fool each of the other "
            "models, ε .4–.6, how far above every model without a penalty",
            partial(_ahead_of_unpenalised, m, penalised),
            models=TITLES,
            about=(penalised, *UNPENALISED),
            origin="abstract",
        )


def _ahead_of_unpenalised(m: Measured, penalised: str) -> _Comparisons:
    return {_against(other): m.ahead(penalised, other, m.titles, _LARGE) for other in UNPENALISED}


def _examples_of_the_penalised_transfer(m: Measured) -> Iterator[Check | None]:
    """Claim 2: they "fool all other models equally well"; b is ours."""
    others = [other for other in m.titles if other != "penalty_loss"]
    yield m.check(
        "2a",
        "FGSM examples for the penalised model (ε .1–.3) fool all other models equally well: share "
        "fooled of another model, largest difference from its own",
        lambda: {
            _of(other): m.right("penalty_loss", "penalty_loss", _MODERATE)
            - m.right(other, "penalty_loss", _MODERATE)
            for other in others
        },
        models=TITLES,
        about=["penalty_loss"],
        bound=_AS_WELL,
        how="equivalent",
        origin="abstract",
    )
    yield m.check(
        "2b",
        "they fool others more often than examples for the undefended model do: share fooled, "
        "how far above",
        lambda: {
            _of(other): m.right(other, "none", _MODERATE)
            - m.right(other, "penalty_loss", _MODERATE)
            for other in ("distillation", "penalty_uniform")
        },
        models=("none", "penalty_loss", "distillation", "penalty_uniform"),
        origin="ours",
    )


def _distillation_masks_its_gradients(m: Measured) -> Iterator[Check | None]:
    """Claim 3."""
    yield m.check(
        "3a",
        "distillation: share of images whose true-label gradient is exactly zero",
        lambda: {"": m.measure("distillation", "zero_gradient")},
        models=["distillation"],
        bound=ZERO_LIMIT,
    )
    yield m.check(
        "3a",
        "distillation: share of images that iterated TGSM gets wrong, white box",
        lambda: {"": 1 - m.right("distillation", "distillation", (0.1,), "iterated_tgsm")},
        models=["distillation"],
        bound=0.5,
    )
    yield m.check(
        "3b",
        "FGSM examples for the distilled model (ε .1–.3) rarely fool the others: accuracy on them, "
        "how far above that on clean images",
        lambda: {
            _of(other): m.right(other, "distillation", _MODERATE)
            - m.right(other, "distillation", (0,))
            for other in m.titles
            if other != "distillation"
        },
        models=TITLES,
        about=["distillation"],
        bound=-0.05,
    )


def _both_together_resist_most(m: Measured) -> Iterator[Check | None]:
    """Claim 4."""
    yield m.check(
        "4a",
        "penalty and adversarial training together, white box under FGSM at ε .1–.3: accuracy, "
        "how far above every other whose gradients are not masked",
        lambda: {
            _against(other): m.right("both", "both", _MODERATE) - m.right(other, other, _MODERATE)
            for other in m.unmasked
            if other != "both"
        },
        models=TITLES,
        about=["both"],
    )
    yield m.check(
        "4b",
        "together, on FGSM examples for the undefended and for the adversarially trained model at "
        "ε .1–.3: accuracy, how far above every other",
        lambda: {
            _against(other): m.ahead("both", other, ("none", "adversarial_training"), _MODERATE)
            for other in m.titles
            if other != "both"
        },
        models=TITLES,
        about=("both", "none", "adversarial_training"),
    )
    yield m.check(
        "4c",
        "but not on examples for penalised models: accuracy of some other, how far above its own",
        lambda: {
            _of(other): m.right(other, "penalty_loss", _MODERATE)
            - m.right("both", "penalty_loss", _MODERATE)
            for other in m.titles
            if other not in ("both", "penalty_loss")
        },
        models=TITLES,
        about=("both", "penalty_loss"),
        how="some",
    )
    yield m.check(
        "4d",
        "together, label leaking: white-box accuracy under FGSM at ε .3, how far above that at "
        "ε .1",
        lambda: {"": m.right("both", "both", (0.3,)) - m.right("both", "both", (0.1,))},
        models=["both"],
    )


def _penalised_gradients_can_be_read(m: Measured) -> Iterator[Check | None]:
    """Claim 5."""
    for name, what in (
        ("smoothness", "spatial autocorrelation (Moran's I) of the input gradient"),
        ("edge_alignment", "rank correlation of the input gradient with the image's edges"),
    ):
        for penalised in PENALISED:
            yield m.check(
                "5",
                f"{TITLES[penalised]}: {what}, how far above the undefended and the "
                "distilled model",
                partial(_measured_above_untrained, m, penalised, name),
                models=(penalised, *_NOT_TRAINED),
            )


def _measured_above_untrained(m: Measured, penalised: str, name: str) -> _Comparisons:
    return {
        _against(other): m.measure(penalised, name) - m.measure(other, name)
        for other in _NOT_TRAINED
    }


def _penalised_models_are_even(m: Measured) -> Iterator[Check | None]:
    """Claim 6, of the penalty."""
    for penalised in PENALISED:
        yield m.check(
            "6a",
            f"{TITLES[penalised]}: log-probabilities are spread more evenly: their deviation over "
            "the classes in nats, how far below the undefended and the distilled model",
            partial(_more_even, m, penalised),
            models=(penalised, *_NOT_TRAINED),
        )
        yield m.check(
            "6b",
            f"{TITLES[penalised]}: true-label gradient norms vary less: mean distance from the "
            "median in decades, how far below the undefended model",
            partial(_fewer_decades, m, penalised, m.true_norms, ("none",)),
            models=(penalised, "none"),
        )
        yield m.check(
            "6b",
            f"{TITLES[penalised]}: the same over the norms for all labels, how far below the "
            "undefended and the distilled model",
            partial(_fewer_decades, m, penalised, m.all_norms, _NOT_TRAINED),
            models=(penalised, *_NOT_TRAINED),
        )


def _more_even(m: Measured, penalised: str) -> _Comparisons:
    return {_against(other): m.spread(other) - m.spread(penalised) for other in _NOT_TRAINED}


def _fewer_decades(
    m: Measured, penalised: str, norms: Callable[[str], Scores], others: Sequence[str]
) -> _Comparisons:
    return {
        _against(other): m.decades(other, norms) - m.decades(penalised, norms) for other in others
    }


def _distillation_is_extreme(m: Measured) -> Iterator[Check | None]:
    """Claim 6, of distillation."""
    others = [other for other in m.titles if other != "distillation"]
    yield m.check(
        "6c",
        "distillation is extreme: deviation of its log-probabilities in nats, how far above all "
        "others",
        lambda: {_against(o): m.spread("distillation") - m.spread(o) for o in others},
        models=TITLES,
        about=["distillation"],
    )
    yield m.check(
        "6c",
        "distillation is extreme: distance of its gradient norms for all labels from their median "
        "in decades, how far above all others",
        lambda: {
            _against(o): m.decades("distillation", m.all_norms) - m.decades(o, m.all_norms)
            for o in others
        },
        models=TITLES,
        about=["distillation"],
    )


def _robustness_rises_and_falls(m: Measured) -> Iterator[Check | None]:
    """What they saw over training time."""
    yield m.check(
        "time",
        "no defense: white-box accuracy under FGSM at ε .1 at some kept step (measured at the one "
        "that is best on validation images), how far above that at the end",
        partial(_above_the_end, m, "white_box"),
        models=["none"],
        how="some",
        choose=partial(_above_the_end, m, "valid_white_box"),
    )


def _above_the_end(m: Measured, what: str) -> _Comparisons:
    *before, end = m.over_time("none", what)
    steps = m.steps("none")
    return {
        f"after {step} steps": each - end for step, each in zip(steps[:-1], before, strict=True)
    }


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
