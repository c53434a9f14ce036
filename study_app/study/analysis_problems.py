"""What is wrong with a declared analysis: unknown names, claims that nothing can test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from engine.analysis.estimates import ALL
from engine.analysis.outcomes import MEASURED
from engine.components import meant
from study_app.outcomes import needed_tasks, outcomes
from study_app.study.analysis_plan import PlannedContrast

if TYPE_CHECKING:
    from study_app.study.study_file import Study


def analysis_problems(study: Study) -> list[str]:
    """Return a line for each problem of `study.analysis`, with place, value and fix."""
    plan = study.analysis
    if plan is None:
        return []
    problems = [*_outcome_problems(study)]
    for number, contrast in enumerate(plan.contrasts):
        place = f"analysis.contrasts.{number}"
        problems += (f"{place}.{line}" for line in _claim_problems(contrast))
        problems += (f"{place}.{line}" for line in _contrast_problems(study, contrast))
    if plan.test == "mixed" and not any(_kind(name) == "binary" for name in _named(study)):
        problems.append(
            "analysis.test: mixed tests binary outcomes, and none is declared; take cluster_t"
        )
    return problems


def compared_in(study: Study, contrast: PlannedContrast) -> list[str]:
    """Return within which arms conditions are compared, or within which conditions arms are.

    `all` of arms that are compared over all that they have.
    """
    if contrast.within is not None:
        return [contrast.within]
    labels = {contrast.of, *contrast.to}
    shown = {arm: study.of_arm(arm) for arm in study.all_arms}
    if contrast.between == "conditions":
        return [arm for arm, conditions in shown.items() if labels <= set(conditions)]
    arms = [shown[arm] for arm in labels if arm in shown]
    return [label for label in study.conditions if all(label in held for held in arms)]


def _named(study: Study) -> tuple[str, ...]:
    plan = study.analysis
    return () if plan is None else (*plan.primary, *plan.secondary)


def _kind(name: str) -> str:
    return outcomes()[name].kind if name in outcomes() else ""


def asking(study: Study, name: str) -> set[str]:
    """Return the main conditions whose presentations can give a known outcome."""
    return {
        label
        for label, condition in study.conditions.items()
        if condition.phase == "main"
        and needed_tasks(name) <= {question.name for question in study.asked(condition)}
    }


def _yielded(study: Study) -> list[str]:
    return [name for name in outcomes() if asking(study, name)]


def _outcome_problems(study: Study) -> Iterator[str]:
    plan, told = study.analysis, set[str]()
    assert plan is not None
    for role, names in (("primary", plan.primary), ("secondary", plan.secondary)):
        for name in names:
            if name in told:
                yield f"analysis.{role}: {name!r} is declared twice; leave one out"
            elif name not in outcomes():
                known = ", ".join(_yielded(study))
                near = meant(name, outcomes())
                yield f"analysis.{role}: unknown outcome {name!r}{near}; this study has: {known}"
            elif not asking(study, name):
                types = " and ".join(sorted(needed_tasks(name)))
                yield (
                    f"analysis.{role}: no presentation of this study yields {name!r}, which takes "
                    f"{types}; it has: {', '.join(_yielded(study))}"
                )
            told.add(name)


def _claim_problems(contrast: PlannedContrast) -> Iterator[str]:
    """Yield what is wrong with what is claimed, whatever is compared."""
    several, claim = len(contrast.to) > 1, contrast.claim
    if several and claim != "above_every":
        yield (
            f"to: {', '.join(contrast.to)}: several are compared with claim: above_every only, not "
            f"{claim}; else write a contrast for each"
        )
    if len(set(contrast.to)) < len(contrast.to):
        yield f"to: {', '.join(contrast.to)}: one of them is there twice"
    if contrast.of in contrast.to:
        yield f"of: {contrast.of!r} is compared with itself"
    if claim == "equivalent" and contrast.margin is None:
        yield (
            "claim: equivalent needs a margin: the largest difference that counts as none, such as "
            "margin: 0.1"
        )
    if claim != "equivalent" and contrast.margin is not None:
        yield f"margin: {contrast.margin:g} says nothing with claim: {claim}; it is of equivalent"


def _contrast_problems(study: Study, contrast: PlannedContrast) -> Iterator[str]:
    arms = contrast.between == "arms"
    known: Iterable[str] = study.arms if arms else study.conditions
    lost = [label for label in (contrast.of, *contrast.to) if label not in known]
    if arms and not study.arms:
        yield "between: arms, and this study has none; declare arms, or compare conditions"
        return
    for label in dict.fromkeys(lost):
        key = "of" if label == contrast.of else "to"
        yield (
            f"{key}: unknown {'arm' if arms else 'condition'} {label!r}{meant(label, known)}; "
            f"known: {', '.join(known)}"
        )
    yield from _effect_problems(study, contrast)
    if not lost:
        compared = _arms_compared if arms else _conditions_compared
        yield from compared(study, contrast, _asked_for(study, contrast))


def _asked_for(study: Study, contrast: PlannedContrast) -> list[str]:
    """Return the known outcomes that a contrast is of."""
    plan = study.analysis
    assert plan is not None
    names = plan.primary if contrast.outcome is None else (contrast.outcome,)
    return [name for name in names if name in outcomes()]


def _effect_problems(study: Study, contrast: PlannedContrast) -> Iterator[str]:
    name = contrast.outcome
    if name is not None and name not in _named(study):
        near = meant(name, _named(study))
        if name in outcomes():
            yield f"outcome: {name!r} is not declared{near}; add it to analysis.secondary"
        else:
            yield f"outcome: unknown outcome {name!r}{near}; declared: {', '.join(_named(study))}"
    for each in _asked_for(study, contrast):
        kind = outcomes()[each].kind
        if kind not in MEASURED:
            yield (
                f"outcome: {each!r} is a {kind}, which has no mean, so that nothing can be "
                "compared by a difference; name an outcome that has one "
                f"({', '.join(n for n in _yielded(study) if _kind(n) in MEASURED) or 'none here'})"
            )
        plan = study.analysis
        assert plan is not None
        sizes = (contrast.smallest_effect or plan.smallest_effect, contrast.margin)
        if kind in ("binary", "detection") and any(size and size > 1 for size in sizes):
            yield (
                f"outcome: {each!r} is a share between 0 and 1, so that no difference is "
                f"{max(filter(None, sizes)):g}; 12 points are 0.12"
            )


def _conditions_compared(
    study: Study, contrast: PlannedContrast, names: list[str]
) -> Iterator[str]:
    labels = [contrast.of, *contrast.to]
    within = contrast.within
    if within is not None and within not in study.all_arms:
        near = meant(within, study.all_arms)
        yield f"within: unknown arm {within!r}{near}; known: {', '.join(study.all_arms)}"
        return
    if within is not None:
        here = study.of_arm(within)
        for label in labels:
            if label not in here:
                yield (
                    f"within: nobody of arm {within!r} sees {label!r} as a main condition; it has: "
                    f"{', '.join(here)}"
                )
    elif not compared_in(study, contrast):
        yield (
            f"of: no arm has all of {', '.join(labels)} as main conditions, so that nobody sees "
            "them all; compare what one arm has, or arms with between: arms"
        )
    for name in names:
        silent = [label for label in labels if label not in asking(study, name)]
        if asking(study, name) and silent:
            yield f"outcome: {', '.join(silent)}: nothing that yields {name!r} is asked there"


def _arms_compared(study: Study, contrast: PlannedContrast, names: list[str]) -> Iterator[str]:
    within, arms = contrast.within, [contrast.of, *contrast.to]
    if within is None and not compared_in(study, contrast):
        yield (
            f"within: {', '.join(arms)} have no main condition in common; compare them over all "
            "that they have with within: all"
        )
    if within not in (None, ALL):
        if within not in study.conditions:
            near = meant(within, study.conditions)
            known = ", ".join(study.conditions)
            yield f"within: unknown condition {within!r}{near}; known: {known}, or {ALL}"
            return
        lost = [arm for arm in arms if within not in study.of_arm(arm)]
        if lost:
            yield f"within: {', '.join(lost)}: no main condition {within!r} there"
    for name in names:
        for arm in arms:
            here = set(study.of_arm(arm)) if within in (None, ALL) else {str(within)}
            if asking(study, name) and not here & asking(study, name):
                yield f"outcome: arm {arm}: nothing that yields {name!r} is asked there"
