"""Rules about the declared analysis: whether the design can answer what the plan asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from engine import canonical
from engine.analysis.outcomes import MEASURED
from study_app.lint.rules import Finding, Subject, error, hint, rule, warn
from study_app.outcomes import outcomes
from study_app.questions import item_key
from study_app.study import Study
from study_app.study.analysis_plan import AnalysisPlan, PlannedContrast
from study_app.study.analysis_problems import compared_in

_CONTROLS = {"clean", "control"}
_BEYOND_NOISE = "_beyond_noise"


@rule
def declared_analysis(subject: Subject) -> Iterator[Finding]:
    """What the study is about is written down before anybody has answered."""
    study = subject.study
    if study.analysis is None:
        can = [
            name
            for name, outcome in outcomes().items()
            if outcome.kind in MEASURED and not outcome.combined
            and any(q.name == outcome.task for c in study.conditions.values()
                    for q in study.asked(c))
        ]  # fmt: skip
        such = f", such as primary: [{can[0]}]" if can else ""
        yield hint(
            "analysis",
            "nothing is declared, so that all that is found will be exploratory; name outcomes and "
            f"contrasts{such}",
        )


@rule
def identified_contrasts(subject: Subject) -> Iterator[Finding]:
    """Conditions and arms that are compared differ in what the contrast says, and nothing else."""
    study = subject.study
    for number, contrast in enumerate(_contrasts(study)):
        found = _arms if contrast.between == "arms" else _conditions
        for message in found(study, contrast):
            yield warn(f"analysis.contrasts.{number}", message)


@rule
def planned_people(subject: Subject) -> Iterator[Finding]:
    """The number of people is fixed, and it is the one at which the study closes."""
    study, plan = subject.study, subject.study.analysis
    if plan is None or study.stage != "main":
        return
    closes = _closes_at(study)
    if plan.participants is None:
        yield hint(
            "analysis.participants",
            "unsaid: who looks and decides then whether to go on finds differences that are none; "
            "fix how many people are analysed",
        )
    elif closes is None and sum(map(study.lists, study.all_arms)) == 1:
        # Where there are several lists, `enough_people` says so.
        yield warn(
            "analysis.participants",
            f"{plan.participants} people, and no quota: nothing closes the study then; set "
            f"quota: {{participants: {plan.participants}}}",
        )
    elif closes not in (None, plan.participants):
        yield warn(
            "analysis.participants",
            f"{plan.participants} people, and the quota closes the study at {closes}; make them "
            "equal",
        )


@rule
def smallest_effects(subject: Subject) -> Iterator[Finding]:
    """Every contrast says which difference would matter."""
    plan = subject.study.analysis
    if plan is None or plan.smallest_effect is not None:
        return
    without = [
        str(number)
        for number, each in enumerate(plan.contrasts)
        if each.smallest_effect is None and each.claim != "equivalent"
    ]
    if without:
        yield warn(
            "analysis.smallest_effect",
            f"missing (contrasts {', '.join(without)}): neither power nor what a narrow interval "
            "around no difference means can be told; give the smallest difference that matters",
        )


@rule
def claims_have_controls(subject: Subject) -> Iterator[Finding]:
    """Mistakes are held against controls, where the study shows both."""
    study, plan = subject.study, subject.study.analysis
    if plan is None:
        return
    shown = {label: {p.show for p in c.shown_pictures} for label, c in study.conditions.items()}
    for name in (*plan.primary, *plan.secondary):
        if name.endswith(_BEYOND_NOISE) and not any(s == {"control"} for s in shown.values()):
            yield error(
                "analysis",
                f"{name} takes what people answer about a noise control, and none is shown: it "
                "stays empty; add a condition with show: control, or leave it out",
            )
    controls = [label for label, kinds in shown.items() if kinds <= _CONTROLS]
    held = [
        each for each in plan.contrasts
        if each.between == "conditions" and "mistake" in shown[each.of]
    ]  # fmt: skip
    against = {label for each in held for label in each.to}
    if held and controls and not against & set(controls):
        yield warn(
            "analysis.contrasts",
            f"mistakes are compared with each other only, and with none of the controls "
            f"({', '.join(controls)}): one may be above all others and no different from noise; "
            "add a contrast to a control, in a family of its own",
        )


@rule
def items_told_apart(subject: Subject) -> Iterator[Finding]:
    """Preferences and rankings are between things of different names."""
    study = subject.study
    if subject.drawn is None:
        return
    ranked = [
        label
        for label, condition in study.conditions.items()
        if any(o.kind in ("preference", "ranking") for q in study.asked(condition)
               for o in q.outcomes)
    ]  # fmt: skip
    made: dict[str, set[str]] = {}
    for entries in _lists(subject.drawn.document):
        for stimulus_id in (s for each in entries if each["condition"] in ranked
                            for s in each["pictures"]):  # fmt: skip
            passport = subject.drawn.stimuli[stimulus_id].passport
            made.setdefault(item_key(passport), set()).add(_parameters(passport))
    for key, parameters in made.items():
        if len(parameters) > 1:
            yield warn(
                "conditions",
                f"{len(parameters)} kinds of pictures are {key}, by one name with different "
                "parameters: preferences count them as one thing; ask rating_scale in a condition "
                "of each, or compare members of different names",
            )


def _lists(document: Mapping[str, Any]) -> Iterator[list[Any]]:
    return (entries for arm in document["arms"].values() for entries in arm["lists"])


def _parameters(passport: Mapping[str, Any]) -> str:
    parts = [(passport.get(part) or {}).get("params") for part in ("attack", "saliency")]
    return canonical.dumps({"params": parts})


def _contrasts(study: Study) -> tuple[PlannedContrast, ...]:
    return () if study.analysis is None else study.analysis.contrasts


def _closes_at(study: Study) -> int | None:
    """Return at how many people the quota closes the study."""
    quota = study.quota
    if quota is None:
        return None
    of_arms = None if quota.per_arm is None else quota.per_arm * len(study.all_arms)
    both = [number for number in (quota.participants, of_arms) if number is not None]
    return min(both, default=None)


def _names(plan: AnalysisPlan | None, contrast: PlannedContrast) -> tuple[str, ...]:
    if contrast.outcome is not None:
        return (contrast.outcome,)
    return () if plan is None else plan.primary


def _conditions(study: Study, contrast: PlannedContrast) -> Iterator[str]:
    """Yield by what else conditions that are compared differ."""
    of = study.conditions[contrast.of]
    for other in contrast.to:
        pair = f"{contrast.of} and {other}"
        for arm in compared_in(study, contrast):
            groups = [set(group) for group in study.groups(arm)]
            if not any({contrast.of, other} <= group for group in groups):
                yield (
                    f"{pair} show different source images, so that a difference may be one of "
                    "images; compare conditions with the same needs, or take selection: shared"
                )
                break
        to = study.conditions[other]
        for name in _names(study.analysis, contrast):
            task = outcomes()[name].task
            asked = [[q for q in study.asked(each) if q.name == task] for each in (of, to)]
            if asked[0] != asked[1]:
                yield (
                    f"{pair} are asked {task} in different words or ways: a difference in {name} "
                    "may be one of questions; ask the same"
                )
            if task == "label_nafc" and of.choices != to.choices:
                yield (
                    f"{pair} offer different labels (choices: {of.choices}, {to.choices}), and so "
                    "another level of chance; offer the same"
                )


def _arms(study: Study, contrast: PlannedContrast) -> Iterator[str]:
    """Yield by what else arms that are compared differ: but for maps they should be alike."""
    own = _sessions(study, contrast.of)
    for other in contrast.to:
        theirs = _sessions(study, other)
        differ = [what for what in own if own[what] != theirs[what]]
        if differ:
            yield (
                f"arms {contrast.of} and {other} also differ in {' and in '.join(differ)}: a "
                "difference may come from that; make them alike but for what is compared"
            )


def _sessions(study: Study, arm: str) -> dict[str, Any]:
    """Return what two arms that differ in explanations alone have in common."""
    main = study.of_arm(arm).values()
    learnt = study.of_arm(arm, "practice").values()
    shown = Counter(
        tuple((p.show, p.defense, p.attack, p.answer) for p in c.shown_pictures if not p.is_map)
        for c in main
        for _ in range(c.presentations)
    )
    asked = {repr(study.asked(condition)) for condition in main}
    return {
        "how many presentations they have": sum(c.presentations for c in main),
        "what is shown beside maps": shown,
        "what is asked": asked,
        "how much is practised": sum(c.presentations for c in learnt),
    }
