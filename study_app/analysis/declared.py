"""The comparisons that a study file declares, as specifications of contrasts."""

from __future__ import annotations

from collections.abc import Mapping

from engine.analysis.contrasts import ContrastSpec
from engine.analysis.outcomes import MEASURED, Outcome
from study_app.study import Study
from study_app.study.analysis_plan import AnalysisPlan, PlannedContrast
from study_app.study.analysis_problems import compared_in


def planned(plan: AnalysisPlan, study: Study, known: Mapping[str, Outcome]) -> list[ContrastSpec]:
    """Return the comparisons that `plan` declares, in its order.

    A contrast without an outcome is made for each primary one, and one that names no arm (or, of
    arms, no condition) in every arm that has all of its conditions (in every condition that all of
    its arms have).

    Args:
        plan: what was declared.
        study: whose conditions and arms it names.
        known: outcomes by name; those that have no mean cannot be compared and are left out.
    """
    specs = []
    for each in plan.contrasts:
        names = plan.primary if each.outcome is None else (each.outcome,)
        for name in names:
            outcome = known.get(name)
            if outcome is None or outcome.kind not in MEASURED:
                continue
            specs += [_spec(each, plan, outcome, place) for place in compared_in(study, each)]
    return specs


def _spec(
    contrast: PlannedContrast, plan: AnalysisPlan, outcome: Outcome, place: str
) -> ContrastSpec:
    return ContrastSpec(
        outcome=outcome,
        of=contrast.of,
        to=contrast.to,
        between=contrast.between,
        within=place,
        claim=contrast.claim,
        family=contrast.family,
        registered=True,
        margin=contrast.margin,
        smallest_effect=contrast.smallest_effect or plan.smallest_effect,
        test=plan.test if outcome.kind == "binary" else "cluster_t",
    )
