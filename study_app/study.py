"""Study files: one YAML document a study, validated with all problems at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from engine import documents
from engine.documents import Document, member
from study_app import questions

BUILT_IN = Path(__file__).parent / "studies"


class Condition(Document):
    """What is compared within a participant.

    Attributes:
        title: its name for readers.
        show: `mistake` (the model was hit: prediction = target, not the true label), `control`
            (a disturbance that aims at nothing) or `clean`.
        defense, attack: labels of the experiment; both for mistake and control, neither for clean.
        presentations: how many a participant sees.
    """

    title: str
    show: Literal["mistake", "control", "clean"]
    defense: str | None = None
    attack: str | None = None
    presentations: int = Field(ge=1, le=200)

    @model_validator(mode="after")
    def _source_fits(self) -> Condition:
        has = (self.defense is not None, self.attack is not None)
        if has != (self.show != "clean",) * 2:
            wanted = "needs no" if self.show == "clean" else "needs both"
            raise ValueError(f"show: {self.show} {wanted} defense and attack")
        return self


class Texts(Document):
    """What the participant reads, as Markdown."""

    consent: str = Field(min_length=1)
    instructions: str = Field(min_length=1)
    debrief: str = Field(min_length=1)
    feedback_right: str = Field(min_length=1)
    feedback_wrong: str = Field(min_length=1)


class Study(Document):
    """A study's whole design.

    Attributes:
        name: appears in addresses.
        title: what the participant reads first.
        language: BCP 47 tag of the texts.
        experiment: the experiment whose test images and examples are shown.
        stage: pilot, main or simulated.
        seed: decides which source images are used and how lists are built.
        conditions: by label.
        practice: presentations of clean images with feedback, before the trials.
        catch: presentations of clean images with a known answer, among the trials.
        impossible: for each class, labels that no careful person would give its images; half of
            the catch presentations ask about one.
        questions: asked of every presentation, in this order.
        texts: see `Texts`.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)
    title: str = Field(min_length=1)
    language: str = Field("en", pattern=r"^[a-z]{2}(-[A-Z]{2})?$")
    experiment: str
    stage: Literal["pilot", "main", "simulated"] = "main"
    seed: int = Field(0, ge=0)
    conditions: dict[str, Condition] = Field(min_length=1)
    practice: int = Field(2, ge=0, le=20)
    catch: int = Field(4, ge=0, le=50)
    impossible: dict[int, tuple[int, ...]]
    questions: Annotated[
        list[Annotated[questions.Question, member(questions.registry)]], Field(min_length=1)
    ]
    texts: Texts

    @property
    def main_presentations(self) -> int:
        """Presentations of conditions: neither practice nor catch."""
        return sum(condition.presentations for condition in self.conditions.values())

    @property
    def lists(self) -> int:
        """Number of counterbalancing lists that shows every source in every condition.

        Conditions rotate over the sources; after the main presentations divided by the greatest
        common divisor of the conditions' counts they are back where they were.
        """
        common = math.gcd(*(condition.presentations for condition in self.conditions.values()))
        return self.main_presentations // common

    def to_json(self) -> dict[str, Any]:
        """Return the resolved document."""
        document = self.model_dump(mode="json", exclude={"questions", "conditions"})
        return {
            **document,
            # A list, since stored JSON sorts its keys and readers want the file's order.
            "conditions": [
                {"label": label, **condition.model_dump(mode="json")}
                for label, condition in self.conditions.items()
            ],
            "questions": [question.config() for question in self.questions],
        }


def load(name_or_path: str) -> Study:
    """Read a built-in study by name, or a YAML file by path.

    Raises:
        UsageError: no such study, not YAML, or anything in it is wrong, with every place.
    """
    return documents.load(Study, name_or_path, "study", BUILT_IN)
