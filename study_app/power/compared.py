"""What is compared: the contrasts of a study's plan, one for each outcome and each arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.analysis.contrasts import Claim, Test
from engine.components import meant
from engine.errors import UsageError
from study_app.study import Study
from study_app.study.analysis_plan import AnalysisPlan, PlannedContrast

if TYPE_CHECKING:
    from engine.analysis.outcomes import Outcome

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
            " in " + "+".join(self.of.conditions) if pair
            else "" if self.of.arm == "all" else f" in arm {self.of.arm}"
        )  # fmt: skip
        return f"{self.of.outcome}: {first} {words} {', '.join(others)}{inside}"


def planned(
    study: Study, outcomes: Mapping[str, Outcome] | None = None, effect: float | None = None
) -> tuple[list[Compared], list[str]]:
    """Return the comparisons of a study's plan, and what is left out, in sentences.

    Args:
        study: the study; one without an `analysis` has none.
        outcomes: by name, as far as they are known; one that is not counts as yes or no, asked of
            every presentation.
        effect: the true difference in all of them; None: the smallest that the plan declares.

    Raises:
        UsageError: no effect is declared, or a label is none of the study's.
    """
    found: list[Compared] = []
    left_out: list[str] = []
    plan = study.analysis
    for number, contrast in enumerate(plan.contrasts if plan else ()):
        assert plan is not None
        for name in (contrast.outcome,) if contrast.outcome else plan.primary:
            outcome = (outcomes or {}).get(name)
            if outcome is not None and outcome.kind not in SIMULATED:
                left_out.append(
                    f"{name} is {outcome.kind}: power is simulated for answers of yes or no"
                )
                continue
            asked = _asked(study, outcome)
            here = list(_placed(study, contrast, name, asked))
            if not here:
                left_out.append(f"{contrast.of} and {', '.join(contrast.to)}: no arm has them all")
            made = _made(number, contrast, plan, effect)
            found += [replace(made, of=of, to=to) for of, to in here]
    return found, list(dict.fromkeys(left_out))


def known_outcomes() -> dict[str, Outcome]:
    """Return the outcomes that answers can have, by name."""
    from study_app.outcomes import outcomes

    return outcomes()


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
        contrast.margin if contrast.margin is not None else plan.smallest_effect,
    )  # fmt: skip


def _asked(study: Study, outcome: Outcome | None) -> set[str]:
    """Return the conditions whose presentations give the outcome."""
    return {
        label
        for label, condition in study.conditions.items()
        if condition.phase == "main"
        and (outcome is None or outcome.combined
             or any(question.name == outcome.task for question in study.asked(condition)))
    }  # fmt: skip


def _placed(
    study: Study, contrast: PlannedContrast, outcome: str, asked: set[str]
) -> Iterator[tuple[Group, tuple[Group, ...]]]:
    """Yield the groups of a contrast: of conditions in every arm, of arms in every condition."""
    labels = (contrast.of, *contrast.to)
    known = study.conditions if contrast.between == "conditions" else study.all_arms
    for label in labels:
        if label not in known:
            raise UsageError(
                f"{label!r} is none of the study's {contrast.between}{meant(label, known)}; "
                f"known: {', '.join(known)}"
            )
    if contrast.between == "conditions":
        arms = [contrast.within] if contrast.within else list(study.all_arms)
        for arm in arms:
            if arm in study.all_arms and {*labels} <= asked & {*study.of_arm(arm)}:
                groups = tuple(Group(outcome, arm, (label,)) for label in labels)
                yield groups[0], groups[1:]
        return
    shared = [c for c in study.of_arm(contrast.of) if c in asked]
    shared = [c for c in shared if all(c in study.of_arm(arm) for arm in contrast.to)]
    each: list[tuple[str, ...]] = [(c,) for c in shared]
    if contrast.within is not None:
        each = [(contrast.within,)]
    if contrast.within == "all":
        each = [tuple(shared)] if shared else []
    for conditions in each:
        if {*conditions} <= {*shared}:
            groups = tuple(Group(outcome, arm, conditions) for arm in labels)
            yield groups[0], groups[1:]
