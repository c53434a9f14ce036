"""All that is concluded from a study's ratings: what the command line, the page and exports show.

Absent computation is never shown as absent data: what was not computed says why in `said`.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import pandas as pd
from pandas.util import hash_pandas_object
from sqlalchemy.orm import Session

from engine.analysis.attention import Attention, attention
from engine.analysis.basis import Basis, sentences
from engine.analysis.contrasts import Contrast, contrasts
from engine.analysis.detection import Detection, detections, two_choices
from engine.analysis.estimates import (
    COLUMNS,
    By,
    CellEstimate,
    Item,
    Sensitivity,
    by_image,
    by_person,
    counted,
    estimates,
    sensitivity,
)
from engine.analysis.exclusions import Excluded, exclusions
from engine.analysis.outcomes import MEASURED, Outcome
from engine.analysis.planning import exploratory
from engine.analysis.preferences import Strengths, strengths
from engine.analysis.rater_agreement import Agreement, Consistency, agreement, error_consistency
from engine.analysis.times import CellTime, Course, courses, times
from engine.analysis.usefulness import Usefulness, usefulness
from engine.errors import UsageError
from study_app.analysis.declared import planned
from study_app.analysis.flow import Flow, flow
from study_app.analysis.registration import Registration, registration
from study_app.analysis.stages import StageView
from study_app.outcomes import outcomes
from study_app.questions import Question
from study_app.study import Study, study_of
from study_app.study.analysis_plan import AnalysisPlan


@dataclass(frozen=True)
class OutcomeFindings:
    """What is found of one outcome.

    Attributes:
        outcome: which.
        role: "primary", "secondary" or "exploratory".
        leads: it is registered or, where nothing is, the first outcome of its question type.
        estimates: by condition and arm.
        images, people: the same by source image, by person: of the outcomes told first, or of the
            only one that was asked for; by image also of choices.
        detections, strengths, usefulness, agreement: where they are defined for its kind.
        sensitivity: with and without each exclusion rule; of outcomes that lead.
    """

    outcome: Outcome
    role: str
    leads: bool
    estimates: Sequence[CellEstimate]
    images: Sequence[Item] = ()
    people: Sequence[Item] = ()
    detections: Sequence[Detection] = ()
    strengths: Sequence[Strengths] = ()
    usefulness: Sequence[Usefulness] = ()
    agreement: Sequence[Agreement] = ()
    sensitivity: Sequence[Sensitivity] = ()


@dataclass(frozen=True)
class Findings:
    """A study's analysis.

    Attributes:
        study, title, stage: of what.
        versions: numbers of the versions that are counted.
        with_excluded: whether excluded answers count.
        conditions, arms: titles by label, in the study's order.
        outcomes: primary ones first, then secondary, then all others with an answer.
        contrasts: registered ones first.
        consistency: of people with models and with each other.
        times, courses: reaction times.
        attention: how catch trials were answered.
        exclusions: what each rule excludes.
        basis, flow, registration: what it rests on.
        said: what must be said beside the numbers.
    """

    study: str
    title: str
    stage: str
    versions: Sequence[int]
    with_excluded: bool
    conditions: Mapping[str, str]
    arms: Mapping[str, str]
    outcomes: Sequence[OutcomeFindings]
    contrasts: Sequence[Contrast]
    consistency: Sequence[Consistency]
    times: Sequence[CellTime]
    courses: Sequence[Course]
    attention: Sequence[Attention]
    exclusions: Sequence[Excluded]
    basis: Basis
    flow: Flow
    registration: Registration
    said: Sequence[str]


def findings(
    view: StageView,
    s: Session,
    *,
    with_excluded: bool = False,
    by: By = "cell",
    outcome: str | None = None,
) -> Findings:
    """Return all that is concluded from a stage's counted versions.

    Args:
        view: the stage.
        s: the session that the view was read in.
        with_excluded: whether answers count that a rule of the study excludes.
        by: what estimates are made for; contrasts are always of conditions within arms, or of arms.
        outcome: the only one that is analysed; None: all that have an answer.

    Raises:
        UsageError: there is no such outcome in the study; the message lists those there are.
    """
    study = study_of(view.version)
    declared = registration(s, view)
    analysis = _Analysis(view, study, declared.plan, with_excluded=with_excluded, by=by)
    basis, people = view.basis(with_excluded=with_excluded), flow(s, view)
    known = analysis.outcomes(outcome)
    chosen = known if basis.counted else []
    computed = _remembered(analysis, tuple(each.name for each, _ in chosen), chosen)
    said = [*sentences(basis), *view.sentences(), *_about(study, by, basis.counted)]
    said += _too_early(declared.plan, people) if basis.counted else []
    return Findings(
        study=view.version.name,
        title=study.title,
        stage=view.stage,
        versions=list(view.versions),
        with_excluded=with_excluded,
        conditions=condition_titles(study),
        arms={label: arm.title for label, arm in study.all_arms.items()},
        **computed,
        exclusions=exclusions(view.ratings, [each.name for each in study.exclusions]),
        basis=basis,
        flow=people,
        registration=declared,
        said=said,
    )


def condition_titles(study: Study) -> dict[str, str]:
    """Return the titles of a study's conditions by label, in its order.

    Of conditions with the same title each says its label too, or they would be told as one.
    """
    told = Counter(condition.title for condition in study.conditions.values())
    return {
        label: condition.title if told[condition.title] == 1 else f"{condition.title} ({label})"
        for label, condition in study.conditions.items()
    }


def leading(found: Findings) -> list[OutcomeFindings]:
    """Return the outcomes to tell first: the primary ones, or where none is registered the first.

    The first is what each question type is asked for.
    """
    primary = [each for each in found.outcomes if each.role == "primary"]
    return primary or [each for each in found.outcomes if each.leads]


class _Analysis:
    """What is computed of the ratings of one stage, outcome by outcome."""

    def __init__(
        self,
        view: StageView,
        study: Study,
        plan: AnalysisPlan | None,
        *,
        with_excluded: bool,
        by: By,
    ) -> None:
        self._study, self._plan, self._by, self._with_excluded = study, plan, by, with_excluded
        self._ratings = view.ratings
        read = [*COLUMNS, *_READ, *outcomes()]
        # Each group of rows is a copy: of columns that nobody reads it would cost the most.
        narrow = view.ratings[[name for name in dict.fromkeys(read) if name in view.ratings]]
        self._main = counted(narrow, with_excluded=True)
        self._rows = counted(narrow, with_excluded=with_excluded)
        self._noise = _noise(view, study)
        self._asked = _asked(study)
        columns = set(view.ratings.columns)
        self._known = {name: each for name, each in outcomes().items() if name in columns}

    @property
    def key(self) -> tuple[object, ...]:
        """What decides all that is computed here, the chosen outcomes aside."""
        names = [name for name in ("event_id", "presentation_id", "task") if name in self._ratings]
        marks = self._ratings[[*names, "participant_id", "excluded", "exclusion_rule"]]
        rows = int(hash_pandas_object(marks, index=False).sum())
        plan = None if self._plan is None else self._plan.model_dump_json()
        study = json.dumps(self._study.to_json(), sort_keys=True)
        return (study, plan, len(marks), rows, self._by, self._with_excluded)

    def outcomes(self, only: str | None) -> list[tuple[Outcome, str]]:
        """Return the outcomes to analyse with their roles: registered ones, then all answered."""
        plan = self._plan
        roles = {} if plan is None else dict.fromkeys(plan.secondary, "secondary")
        roles |= {} if plan is None else dict.fromkeys(plan.primary, "primary")
        first = [] if plan is None else [*plan.primary, *plan.secondary]
        names = [name for name in dict.fromkeys(first) if name in self._known]
        names += [
            name
            for name in sorted(self._known, key=lambda name: name not in self._leading)
            if name not in names and self._main[name].notna().any()
        ]
        if only is not None:
            if only not in names:
                known = ", ".join(names) or "none yet"
                raise UsageError(
                    f"unknown outcome {only!r} of study {self._study.name!r}; with an answer: "
                    f"{known}"
                )
            names = [only]
        return [(self._known[name], roles.get(name, "exploratory")) for name in names]

    @property
    def _leading(self) -> set[str]:
        """Names of registered outcomes; where none is, of the first of each question asked."""
        if self._plan is not None:
            return {*self._plan.primary, *self._plan.secondary}
        return self._asked

    def of(self, outcome: Outcome, role: str, *, alone: bool) -> OutcomeFindings:
        """Return what is found of one outcome; `alone`: it is the only one asked for."""
        leads = outcome.name in self._leading
        told = alone or role == "primary" or (leads and self._plan is None)
        rows, main = (self._of(each, outcome) for each in (self._rows, self._main))
        ranked = outcome.kind in ("preference", "ranking")
        rules = [rule.name for rule in self._study.exclusions]
        return OutcomeFindings(
            outcome=outcome,
            role=role,
            leads=leads,
            estimates=estimates(rows, outcome, by=self._by),
            images=by_image(rows, outcome) if told or outcome.kind == "choice" else (),
            people=by_person(rows, outcome) if told else (),
            detections=self._detections(rows, outcome),
            strengths=strengths(rows, outcome) if ranked else (),
            usefulness=self._usefulness(rows, outcome),
            agreement=agreement(rows, outcome) if leads and outcome.kind in _AGREED else (),
            sensitivity=sensitivity(main, outcome, rules) if leads else (),
        )

    def _of(self, rows: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
        """Return the rows of an outcome's question, with the columns that it takes."""
        others = {name for name in self._known if name not in (outcome.name, outcome.signal)}
        mine = rows[rows["task"] == outcome.task]
        return mine[[name for name in mine.columns if name not in others - {*COLUMNS, *_READ}]]

    def _detections(self, rows: pd.DataFrame, outcome: Outcome) -> Sequence[Detection]:
        """Return how well yes tells signals, or mistakes, from what is none."""
        if outcome.kind == "detection":
            return detections(rows, outcome)
        yes = outcome.kind == "binary" and outcome.name in self._asked and not outcome.combined
        if yes and all(q.of_two for q in _questions(self._study) if q.name == outcome.task):
            return two_choices(rows, outcome)
        if not yes or outcome.name == "correct" or not self._noise:
            return ()
        return detections(rows, outcome, sorted(self._noise))

    def _usefulness(self, rows: pd.DataFrame, outcome: Outcome) -> Sequence[Usefulness]:
        if outcome.task != "simulate_model" or outcome.name != "correct":
            return ()
        without = [arm for arm in self._study.all_arms if not _explains(self._study, arm)]
        others = [arm for arm in self._study.all_arms if arm not in without]
        if len(without) != 1 or not others:
            return ()
        return usefulness(rows, without[0], others)

    def contrasts(self, told: Sequence[Outcome]) -> list[Contrast]:
        """Return the registered comparisons, then the exploratory ones."""
        # All of a family, whatever outcome was asked for: p-values are corrected within it.
        specs = [] if self._plan is None else planned(self._plan, self._study, self._known)
        leading = [each for each in told if each.name in self._leading and each.kind in MEASURED]
        # Pairs come in the study's order.
        ordered = self._rows.assign(
            condition=pd.Categorical(self._rows["condition"], list(self._study.conditions)),
            arm=pd.Categorical(self._rows["arm"], list(self._study.all_arms)),
        )
        made = contrasts(self._rows, [*specs, *exploratory(ordered, leading, specs)])
        names = {each.name for each in told}
        return [each for each in made if each.spec.outcome.name in names]

    def computed(self, chosen: Sequence[tuple[Outcome, str]]) -> dict[str, Any]:
        """Return the fields of `Findings` that are computed of ratings."""
        scored = "chose_true" in self._known and self._main["chose_true"].notna().any()
        return {
            "outcomes": [self.of(*each, alone=len(chosen) == 1) for each in chosen],
            "contrasts": self.contrasts([outcome for outcome, _ in chosen]),
            "consistency": error_consistency(self._rows) if scored else (),
            "times": times(self._rows),
            "courses": courses(self._rows),
            "attention": attention(self._ratings),
        }


_READ = (
    "stimulus_id",
    "stimulus_kind",
    "items_json",
    "model_id",
    "model_pred",
    "true_label",
    "selected_by_answer",
)
"""Columns that some analyses read beside `COLUMNS` and their outcomes."""
_AGREED = ("binary", "ordinal", "continuous", "choice", "detection")
_HELD = 8
_memory: OrderedDict[tuple[object, ...], dict[str, Any]] = OrderedDict()
_lock = Lock()


def _remembered(
    analysis: _Analysis, names: tuple[str, ...], chosen: Sequence[tuple[Outcome, str]]
) -> dict[str, Any]:
    """Return what is computed, from memory where the same was computed of the same ratings."""
    key = (names, *analysis.key)
    with _lock:
        if key in _memory:
            _memory.move_to_end(key)
            return _memory[key]
    found = analysis.computed(chosen)
    with _lock:
        _memory[key] = found
        while len(_memory) > _HELD:
            _memory.popitem(last=False)
    return found


def _noise(view: StageView, study: Study) -> set[str]:
    """Labels of the conditions in which nothing was done to make people say yes."""
    kinds: dict[str, set[str]] = {}
    for each in view.shown:
        kinds.setdefault(each.condition, set()).add(each.kind)
    noise = {label for label, shown in kinds.items() if shown <= {"clean", "control"}}
    return noise if any(label not in noise for label in study.conditions) else set()


def _asked(study: Study) -> set[str]:
    """Names of the first outcome of each question type that the study asks."""
    return {q.outcomes[0].name for q in _questions(study) if q.outcomes}


def _questions(study: Study) -> list[Question]:
    return [q for each in study.conditions.values() for q in study.asked(each)]


def _explains(study: Study, arm: str) -> bool:
    shown = (p for c in study.of_arm(arm).values() for p in c.shown_pictures)
    return any(picture.show == "map" for picture in shown)


def _too_early(plan: AnalysisPlan | None, people: Flow) -> list[str]:
    """Say that the number of people that was fixed is not reached: a look before that is none."""
    analysed = sum(arm.analysed for arm in people.arms)
    if plan is None or plan.participants is None or analysed >= plan.participants:
        return []
    return [
        f"Registered were {plan.participants} people, and answers of {analysed} count so far: what "
        "is decided now is not what was registered, and who stops when it suits finds too much."
    ]


def _about(study: Study, by: By, held: Mapping[str, int]) -> list[str]:
    """What must be said of how conditions and arms were counted."""
    if not held or by == "cell":
        return []
    if by == "arm":
        return ["Counted together, as was asked for: all conditions of each arm."]
    several = len(study.all_arms) > 1
    return ["Counted together, as was asked for: all arms, in each condition."] * several
