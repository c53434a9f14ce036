"""Study files: one YAML document a study, validated with all problems at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, WithJsonSchema, model_validator

from engine.components import Document, meant, member, yaml_files
from study_app import exclusions as rules
from study_app import providers
from study_app.forms import Comprehension, Demographics, Screening
from study_app.questions import Question
from study_app.study.analysis_plan import AnalysisPlan
from study_app.study.analysis_problems import analysis_problems
from study_app.study.conditions import (
    Condition,
    Phase,
    SomeQuestion,
    requirements,
    speaks_of_a_label,
)
from study_app.study.wording import Texts, Translation

BUILT_IN = Path(__file__).parents[1] / "studies"
ALL = "all"
"""The only arm of a study that declares none: it compares within participants."""

Label = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
SomeExclusion: TypeAlias = Annotated[
    rules.Exclusion, member(rules.registry), WithJsonSchema({"member": "exclusion"})
]
Tag = Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")]


class Arm(Document):
    """A between-participant group.

    Attributes:
        title: its name for readers.
        conditions: labels of the conditions that its participants see.
    """

    title: str
    conditions: tuple[str, ...] = Field(min_length=1)


class Breaks(Document):
    """A rest after every so many presentations."""

    every: int = Field(ge=1)


class Quota(Document):
    """How many people may take part.

    Attributes:
        participants: in all.
        per_arm: in each arm.
    """

    participants: int | None = Field(None, ge=1)
    per_arm: int | None = Field(None, ge=1)


class Study(Document):
    """A study's whole design.

    Attributes:
        name: appears in addresses.
        title: what the participant reads first.
        language: BCP 47 tag of the texts.
        translations: the study in other languages, by tag.
        experiment: the experiment whose test images, examples and maps are shown.
        stage: pilot, main or simulated.
        seed: decides which source images are used and how lists are built.
        faithful: of a replication: what it follows, and why it lacks controls. The linter then
            warns about them only.
        conditions: by label.
        arms: by label; none: one arm with every condition.
        selection: `shared`: source images that every condition can show, over which all rotate;
            `each`: images that a condition itself can show, over which it rotates with those of the
            same needs only (an image is either right or wrong).
        image_sets: how many sets of source images there are. A participant sees the images of one
            set; each set has lists of its own, so that a condition is seen on so many times as
            many images in a session that is no longer.
        repeats: every participant sees the same source images in all conditions.
        practice: presentations of clean images with feedback, before the trials.
        catch: presentations of clean images with a known answer, among the trials.
        breaks: see `Breaks`.
        impossible: for each class, labels that no careful person would give its images; half of
            the catch presentations ask about one.
        questions: asked of every presentation, in this order.
        screening, comprehension, demographics: forms before and after; see `study_app.forms`.
        quota: see `Quota`.
        provider: where participants come from.
        shared_device: people take part one after the other at one device (a laboratory, a kiosk):
            it forgets each at the end.
        exclusions: rules written down before the data are seen; see `study_app.exclusions`.
        analysis: outcomes and contrasts written down likewise; see `AnalysisPlan`. What is not
            declared is exploratory.
        texts: see `study_app.study.wording.Texts`.
    """

    apart: ClassVar[frozenset[str]] = frozenset(
        {
            "analysis",
            "breaks",
            "catch",
            "comprehension",
            "demographics",
            "exclusions",
            "impossible",
            "practice",
            "provider",
            "quota",
            "screening",
            "seed",
            "stage",
        }
    )

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)
    title: str = Field(min_length=1)
    language: Tag = "en"
    translations: dict[Tag, Translation] = Field(default_factory=dict)
    experiment: str
    stage: Literal["pilot", "main", "simulated"] = "main"
    seed: int = Field(0, ge=0)
    faithful: str | None = Field(None, min_length=20)
    conditions: dict[Label, Condition] = Field(min_length=1)
    arms: dict[Label, Arm] = Field(default_factory=dict)
    selection: Literal["shared", "each"] = "shared"
    image_sets: int = Field(1, ge=1, le=50, exclude_if=lambda sets: sets == 1)
    repeats: bool = False
    practice: int = Field(2, ge=0, le=20)
    catch: int = Field(4, ge=0, le=50)
    breaks: Breaks | None = None
    impossible: dict[int, tuple[int, ...]] = Field(default_factory=dict)
    questions: tuple[SomeQuestion, ...] = ()
    screening: Screening | None = None
    comprehension: Comprehension | None = None
    demographics: Demographics | None = None
    quota: Quota | None = None
    provider: Annotated[
        providers.Provider, member(providers.registry), WithJsonSchema({"member": "provider"})
    ] = Field(default_factory=lambda: providers.registry.create("direct"))
    shared_device: bool = Field(False, exclude_if=lambda shared: not shared)
    exclusions: tuple[SomeExclusion, ...] = ()
    analysis: AnalysisPlan | None = Field(None, exclude_if=lambda plan: plan is None)
    texts: Texts

    @model_validator(mode="after")
    def _parts_fit(self) -> Study:
        problems = [*self._arm_problems(), *self._question_problems()]
        if not problems:  # what is compared is judged where it is known what there is
            problems += analysis_problems(self)
        if self.language in self.translations:
            problems.append(f"translations.{self.language}: that is the study's own language")
        if self.repeats and self.selection == "each":
            problems.append("repeats: needs selection: shared")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _arm_problems(self) -> list[str]:
        problems = []
        known = ", ".join(self.conditions)
        for label, arm in self.arms.items():
            unknown = [c for c in arm.conditions if c not in self.conditions]
            problems += [
                f"arms.{label}: unknown condition {c!r}{meant(c, self.conditions)}; known: {known}"
                for c in unknown
            ]
            if len(set(arm.conditions)) < len(arm.conditions):
                problems.append(f"arms.{label}: a condition is there twice")
        used = {c for arm in self.all_arms.values() for c in arm.conditions}
        problems += [f"conditions.{c}: no arm has it" for c in self.conditions if c not in used]
        for label, arm in self.all_arms.items():
            here = [self.conditions[c] for c in arm.conditions if c in self.conditions]
            if here and all(condition.phase == "practice" for condition in here):
                place = f"arms.{label}" if self.arms else "conditions"
                problems.append(f"{place}: nothing but practice")
        return problems

    def _question_problems(self) -> list[str]:
        problems = []
        for label, condition in self.conditions.items():
            asked = self.asked(condition)
            if not asked:
                problems.append(f"conditions.{label}: no questions here and none of the study's")
            if asked and asked[0].exposure_ms == 0:
                problems.append(f"conditions.{label}: the first question never shows its pictures")
            count = len(condition.shown_pictures)
            for question in asked:
                few, many = question.pictures
                if not few <= count <= many:
                    takes = str(few) if few == many else f"{few} to {many}"
                    problems.append(
                        f"conditions.{label}: {question.name} takes {takes} pictures, not {count}"
                    )
        return problems

    @property
    def all_arms(self) -> Mapping[str, Arm]:
        """The arms, also where none is declared."""
        return self.arms or {ALL: Arm(title="All", conditions=tuple(self.conditions))}

    @property
    def forms(self) -> Mapping[str, Screening | Comprehension | Demographics]:
        """The forms that it has, by name, in the order in which they come."""
        every = {
            "screening": self.screening,
            "comprehension": self.comprehension,
            "demographics": self.demographics,
        }
        return {name: form for name, form in every.items() if form is not None}

    def asked(self, condition: Condition) -> tuple[Question, ...]:
        """Return the questions asked of a condition's presentations."""
        return self.questions if condition.questions is None else condition.questions

    def asks_about_foils(self, condition: Condition) -> bool:
        """Whether its practice and catch presentations may ask about an impossible label."""
        one = sum(not picture.is_map for picture in condition.undisturbed) == 1
        about = any(map(speaks_of_a_label, self.asked(condition)))
        return one and (about or condition.choices != "all")

    def of_arm(self, arm: str, phase: Phase = "main") -> dict[str, Condition]:
        """Return the conditions of an arm that belong to a phase, by label."""
        chosen = {label: self.conditions[label] for label in self.all_arms[arm].conditions}
        return {label: c for label, c in chosen.items() if c.phase == phase}

    def presentations(self, arm: str, phase: Phase = "main") -> int:
        """Return how many presentations of conditions an arm has in a phase."""
        return sum(c.presentations for c in self.of_arm(arm, phase).values())

    def groups(self, arm: str, phase: Phase = "main") -> list[list[str]]:
        """Return labels of an arm's conditions, grouped: those of a group share source images."""
        conditions = self.of_arm(arm, phase)
        if self.selection == "shared":
            return [list(conditions)] if conditions else []
        found: dict[frozenset[tuple[str, ...]], list[str]] = {}
        for label, condition in conditions.items():
            found.setdefault(requirements(condition, self.asked(condition)), []).append(label)
        return list(found.values())

    def lists(self, arm: str) -> int:
        """Return the number of counterbalancing lists that shows every source in every condition.

        The conditions of a group rotate over its sources; after as many lists as the group has
        presentations, divided by the greatest common divisor of its conditions' counts, they are
        back where they were. Every set of images has as many.
        """
        if self.repeats:
            return self.image_sets
        counts = [[self.conditions[c].presentations for c in g] for g in self.groups(arm)]
        return self.image_sets * math.lcm(*(sum(each) // math.gcd(*each) for each in counts))

    def phrases(self) -> list[str]:
        """Return every phrase that a translation must have, each once."""
        said = [phrase for c in self.conditions.values() for q in self.asked(c)
                for phrase in q.phrases()]  # fmt: skip
        said += [
            picture.caption
            for condition in self.conditions.values()
            for picture in condition.shown_pictures
            if picture.caption
        ]
        for form in self.forms.values():
            said += form.phrases()
        return list(dict.fromkeys(said))

    def to_json(self) -> dict[str, Any]:
        """Return the resolved document."""
        special = {"questions", "conditions", "arms", "provider", "exclusions"}
        return {
            **self.model_dump(mode="json", exclude=special),
            # Lists, since stored JSON sorts its keys and readers want the file's order.
            "conditions": [
                {
                    "label": label,
                    **condition.model_dump(mode="json", exclude={"questions"}),
                    "questions": [q.config() for q in self.asked(condition)],
                }
                for label, condition in self.conditions.items()
            ],
            "arms": [
                {"label": label, **arm.model_dump(mode="json")}
                for label, arm in self.all_arms.items()
            ],
            "questions": [question.config() for question in self.questions],
            "provider": self.provider.config(),
            "exclusions": [rule.config() for rule in self.exclusions],
        }


def load(name_or_path: str) -> Study:
    """Read a built-in study by name, or a YAML file by path.

    Raises:
        UsageError: no such study, not YAML, or anything in it is wrong, with every place.
    """
    return yaml_files.load(Study, name_or_path, "study", BUILT_IN)
