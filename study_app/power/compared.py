"""What is compared: the contrasts of a study's plan, one for each outcome and each arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.analysis.contrasts import Claim, Test
from engine.analysis.estimates import ALL
from engine.components import meant
from engine.errors import UsageError
from study_app.outcomes import outcomes
from study_app.study import Study
from study_app.study.analysis_plan import AnalysisPlan, PlannedContrast
from study_app.study.analysis_problems import asking, compared_in

SIMULATED = ("binary", "detection")
"""Kinds of outcomes that are yes or no."""


@dataclass(frozen=True)
class Group:
    """Ratings that have one mean.

    Attributes:
        outcome: name of the outcome.
        arm: label.
        conditions: labels, one or several.
    """

    outcome: str
    arm: str
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """A comparison whose power is asked for.

    Attributes:
        number: of the contrast in the study's plan, from 0.
        of: the group that is raised (or, claimed to be below, lowered).
        to: the groups that it is compared with.
        between: whether conditions or arms are compared.
        claim, margin, test, family: see `engine.analysis.contrasts.ContrastSpec`.
        effect: the true difference of shares; 0 where equivalence is claimed.
    """

    number: int
    of: Group
    to: tuple[Group, ...]
    between: str
    claim: Claim
    family: str
    test: Test
    effect: float
    margin: float | None = None

    @property
    def label(self) -> str:
        """What is compared, in a few words."""
        pair = self.between == "arms"
        first, *others = (
            each.arm if pair else "+".join(each.conditions) for each in (self.of, *self.to)
        )
        words = {
            "different": "against", "above": "above", "below": "below",
            "above_every": "above every one of", "equivalent": "equal to",
        }[self.claim]  # fmt: skip
        inside = (
            _inside(self.of.conditions) if pair
            else "" if self.of.arm == "all" else f" in arm {self.of.arm}"
        )  # fmt: skip
        return f"{self.of.outcome}: {first} {words} {', '.join(others)}{inside}"


def _inside(conditions: Sequence[str]) -> str:
    return f" in {conditions[0]}" if len(conditions) == 1 else ""


def planned(study: Study, effect: float | None = None) -> tuple[list[Compared], list[str]]:
    """Return the comparisons of a study's plan, and what is left out, in sentences.

    Args:
        study: the study; one without an `analysis` has none. An outcome that is not known counts as
            yes or no, and is asked for everywhere (`plan_of`).
        effect: the true difference in all of them; None: the smallest that the plan declares.

    Raises:
        UsageError: no effect is declared, or a label is none of the study's.
    """
    found: list[Compared] = []
    left_out: list[str] = []
    plan = study.analysis
    for number, contrast in enumerate(plan.contrasts if plan else ()):
        assert plan is not None
        _refuse_unknown(study, contrast)
        for name in (contrast.outcome,) if contrast.outcome else plan.primary:
            outcome = outcomes().get(name)
            if outcome is not None and outcome.kind not in SIMULATED:
                left_out.append(
                    f"{name} is {outcome.kind}, and power is simulated for answers of yes and no"
                )
                continue
            made = _made(number, contrast, plan, effect)
            found += [replace(made, of=of, to=to) for of, to in _placed(study, contrast, name)]
    return found, list(dict.fromkeys(left_out))


def plan_of(
    study: Study, of: str, to: Sequence[str], claim: Claim, effect: float, outcome: str | None
) -> AnalysisPlan:
    """Return a plan of one comparison of conditions, instead of what the study declares.

    Without an outcome it is the study's first primary one; where it has none, any of yes and no.
    """
    declared = study.analysis
    contrast = PlannedContrast(of=of, to=tuple(to), claim=claim,
                               margin=effect if claim == "equivalent" else None)  # fmt: skip
    return AnalysisPlan(
        primary=(outcome or (declared.primary[0] if declared else "answer"),),
        contrasts=(contrast,),
        smallest_effect=effect,
        test=declared.test if declared else "cluster_t",
    )


def _made(
    number: int, contrast: PlannedContrast, plan: AnalysisPlan, effect: float | None
) -> Compared:
    size = effect if effect is not None else contrast.smallest_effect or plan.smallest_effect
    if contrast.claim == "equivalent":
        size = 0.0
    if size is None:
        raise UsageError(
            f"analysis.contrasts.{number}: neither it nor analysis has a smallest_effect; declare "
            "one, or give --effect"
        )
    nobody = Group("", "", ())
    return Compared(
        number, nobody, (), contrast.between, contrast.claim, contrast.family, plan.test, size,
        contrast.margin,
    )  # fmt: skip


def _placed(
    study: Study, contrast: PlannedContrast, outcome: str
) -> Iterator[tuple[Group, tuple[Group, ...]]]:
    """Yield the groups of a contrast: of conditions in every arm, of arms in every condition."""
    labels = (contrast.of, *contrast.to)
    for within in compared_in(study, contrast):
        if contrast.between == "conditions":
            groups = tuple(Group(outcome, within, (label,)) for label in labels)
        else:
            groups = tuple(
                Group(outcome, arm, _asking(study, arm, outcome) if within == ALL else (within,))
                for arm in labels
            )
        yield groups[0], groups[1:]


def _asking(study: Study, arm: str, outcome: str) -> tuple[str, ...]:
    """Return the conditions of an arm whose presentations give an outcome."""
    asked = asking(study, outcome) if outcome in outcomes() else study.conditions
    return tuple(label for label in study.of_arm(arm) if label in asked)


def _refuse_unknown(study: Study, contrast: PlannedContrast) -> None:
    known = study.all_arms if contrast.between == "arms" else study.conditions
    for label in (contrast.of, *contrast.to):
        if label not in known:
            raise UsageError(
                f"{label!r} is none of the study's {contrast.between}{meant(label, known)}; "
                f"known: {', '.join(known)}"
            )
    if not compared_in(study, contrast):
        raise UsageError(f"{contrast.of} and {', '.join(contrast.to)}: no arm shows all of them")
