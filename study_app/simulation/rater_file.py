"""Raters files: how simulated people answer, as a YAML document."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from engine.analysis.outcomes import Outcome
from engine.components import Document, meant, yaml_files
from engine.errors import UsageError
from engine.statistics.logit_normal import mean_of
from study_app import questions
from study_app.study import Study, languages

BUILT_IN = Path(__file__).parent / "raters"
DEFAULT = "alike"

YES_OR_NO = ("binary", "detection")
"""Kinds of outcomes that a model says how often are true."""

Share = Annotated[float, Field(ge=0, le=1)]
ShareOfYes = Annotated[float, Field(gt=0, lt=1)]
LogOdds = Annotated[float, Field(ge=-10, le=10)]
Deviation = Annotated[float, Field(ge=0, le=5)]


class Deviations(Document):
    """How people and images differ: standard deviations in log-odds, each of a normal distribution.

    Attributes:
        person: of people.
        image: of source images.
        person_condition: of how much a condition does to a person.
        image_condition: of how much a condition does to an image.
    """

    person: Deviation = 0.8
    image: Deviation = 0.6
    person_condition: Deviation = 0.3
    image_condition: Deviation = 0.4

    @property
    def of_people(self) -> float:
        """The standard deviation over people, of one image in one condition."""
        return float((self.person**2 + self.person_condition**2) ** 0.5)

    @property
    def in_all(self) -> float:
        """The standard deviation over people and images, in one condition."""
        images = self.image**2 + self.image_condition**2
        return float((self.of_people**2 + images) ** 0.5)


class Model(Document):
    """How often an answer is a yes, over all people and images.

    Attributes:
        share: of yes in a condition that is not named below.
        conditions: share of yes, by condition.
        arms: the same for one arm, by arm and condition; goes before `conditions`.
        effects: by condition, what is added to the log-odds of `share` (not to a share of its own).
        deviations: see `Deviations`.
    """

    share: ShareOfYes = 0.5
    conditions: dict[str, ShareOfYes] = Field(default_factory=dict)
    arms: dict[str, dict[str, ShareOfYes]] = Field(default_factory=dict)
    effects: dict[str, LogOdds] = Field(default_factory=dict)
    deviations: Deviations = Field(default_factory=Deviations)

    @model_validator(mode="after")
    def _says_it_once(self) -> Self:
        both = [label for label in self.effects if label in self.conditions]
        if both:
            raise ValueError(
                f"{both[0]!r} has a share in conditions and an effect in effects; keep one of them"
            )
        return self

    def log_odds(self, arm: str, condition: str) -> float:
        """Return the mean log-odds of a yes in a condition, for people of an arm."""
        share = self.arms.get(arm, {}).get(condition, self.conditions.get(condition))
        spread = self.deviations.in_all
        if share is not None:
            return mean_of(share, spread)
        return mean_of(self.share, spread) + self.effects.get(condition, 0.0)


class DropOut(Document):
    """Who leaves before the end.

    Attributes:
        hazard: of a person in the middle, the chance to leave before each presentation but the
            first.
        by_person: by how much the log of the hazard rises with each standard deviation by which a
            person says yes more often: other than 0, those who stay are not like those who leave.
    """

    hazard: Share = 0.0
    by_person: Annotated[float, Field(ge=-5, le=5)] = 0.0


class Times(Document):
    """Reaction times: log-normal.

    Attributes:
        median_ms: over all people and trials.
        spread: standard deviation of the log, of one person's trials.
        people: standard deviation of the log, of people's medians.
        too_fast: share of answers that come within `too_fast_ms`: guesses, of people who attend.
        too_fast_ms: see `too_fast`.
    """

    median_ms: float = Field(900.0, ge=50, le=600_000)
    spread: float = Field(0.4, ge=0, le=3)
    people: float = Field(0.25, ge=0, le=3)
    too_fast: Share = 0.0
    too_fast_ms: float = Field(180.0, gt=0, le=1000)


class Raters(Document):
    """People of whom everything is known.

    Attributes:
        title: what they are like, for readers.
        answers: how often they say yes, whatever yes-or-no outcome is asked for.
        outcomes: the same for single outcomes, by the outcome's name or the question type's: in
            place of `answers`.
        yes_bias: log-odds by which all say yes more often than `share` says, to everything.
        lapse: share of the trials that somebody who attends answers at random.
        inattentive: share of people who answer everything at random, catch trials too.
        straight_lining: share of people who always give the answer at one place.
        fails_screening: share of people who are screened out, where the study can.
        fails_comprehension: share of people who fail the comprehension check in all attempts.
        drop_out: see `DropOut`.
        withdraws: share of people who withdraw, anywhere on their way.
        second_tab: share of people who open a second tab and answer a question again in it.
        twice: share of the answers that are sent twice, as after a lost reply.
        phones: share of people with a phone.
        times: see `Times`.
        languages: how many take part in each language, in relation to each other; none: all in the
            study's own.
    """

    title: str = Field(min_length=1)
    answers: Model = Field(default_factory=Model)
    outcomes: dict[str, Model] = Field(default_factory=dict)
    yes_bias: LogOdds = 0.0
    lapse: Share = 0.02
    inattentive: Share = 0.0
    straight_lining: Share = 0.0
    fails_screening: Share = 0.0
    fails_comprehension: Share = 0.0
    drop_out: DropOut = Field(default_factory=DropOut)
    withdraws: Share = 0.0
    second_tab: Share = 0.0
    twice: Share = 0.0
    phones: Share = 0.3
    times: Times = Field(default_factory=Times)
    languages: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.inattentive + self.straight_lining > 1:
            raise ValueError(
                f"inattentive {self.inattentive:g} and straight_lining {self.straight_lining:g} "
                "are shares of the same people: together at most 1"
            )
        return self

    def modelled(self, task: str) -> Outcome | None:
        """Return the outcome of a question type that is modelled: the one named, else its first.

        None where it has no yes-or-no outcome.
        """
        known = yes_or_no(task)
        named = [each for each in known if each.name in self.outcomes]
        return next(iter([*named, *known]), None)

    def model(self, outcome: Outcome) -> Model:
        """Return how often an outcome is a yes."""
        named = (self.outcomes.get(name) for name in (outcome.name, outcome.task))
        return next((model for model in named if model is not None), self.answers)


def yes_or_no(task: str) -> list[Outcome]:
    """Return the yes-or-no outcomes of a question type."""
    return [each for each in questions.registry.get(task).outcomes if each.kind in YES_OR_NO]


def load(name_or_path: str, study: Study) -> Raters:
    """Read raters for a study: built-in ones by name, or a YAML file by path.

    Raises:
        UsageError: no such file, not YAML, anything in it is wrong, or it names what the study has
            not; with every place.
    """
    raters = yaml_files.load(Raters, name_or_path, "raters file", BUILT_IN)
    if problems := list(_problems(raters, study)):
        lines = "\n".join(f"  {each}" for each in problems)
        raise UsageError(f"{name_or_path} does not fit study {study.name!r}:\n{lines}")
    return raters


def _problems(raters: Raters, study: Study) -> Iterator[str]:
    tasks = {question.name for c in study.conditions.values() for question in study.asked(c)}
    known = {task: [outcome.name for outcome in yes_or_no(task)] for task in sorted(tasks)}
    names = [name for task, own in known.items() if own for name in (*own, task)]
    for name in raters.outcomes:
        yield from _unknown(f"outcomes.{name}", name, names, "yes-or-no outcome")
    for task, own in known.items():
        named = [name for name in (*own, task) if name in raters.outcomes]
        if len(named) > 1:
            yield (
                f"outcomes: {' and '.join(named)} are of the same answers, those to {task}; "
                "keep one of them"
            )
    for place, model in (("answers", raters.answers), *_named(raters)):
        for arm, shares in model.arms.items():
            yield from _unknown(f"{place}.arms.{arm}", arm, study.all_arms, "arm")
            for label in shares:
                yield from _unknown(
                    f"{place}.arms.{arm}.{label}", label, study.conditions, "condition"
                )
        for key, labels in (("conditions", model.conditions), ("effects", model.effects)):
            for label in labels:
                yield from _unknown(f"{place}.{key}.{label}", label, study.conditions, "condition")
    for language in raters.languages:
        yield from _unknown(f"languages.{language}", language, languages(study), "language")


def _named(raters: Raters) -> Iterator[tuple[str, Model]]:
    for name, model in raters.outcomes.items():
        yield f"outcomes.{name}", model


def _unknown(place: str, name: str, known: Collection[str], noun: str) -> Iterator[str]:
    if name not in known:
        there = ", ".join(known) or "none"
        yield f"{place}: the study has no {noun} {name!r}{meant(name, list(known))}; known: {there}"
