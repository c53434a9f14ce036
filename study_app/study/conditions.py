"""Conditions: what is compared, and what a presentation of each one shows and asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError, WithJsonSchema, model_validator

from engine.components import Document, member
from study_app import questions
from study_app.questions import Question, Showing

SomeQuestion: TypeAlias = Annotated[
    Question, member(questions.registry), WithJsonSchema({"member": "question"})
]
Show: TypeAlias = Literal["mistake", "control", "clean", "map", "placebo"]
Phase: TypeAlias = Literal["main", "practice"]
_DISTURBED = ("mistake", "control")
_MAPS = ("map", "placebo")


class Picture(Document):
    """One picture of a presentation.

    Attributes:
        show: `mistake` (the model was hit: prediction = target, not the true label), `control` (a
            disturbance that aims at nothing), `clean`, `map` (a saliency map) or `placebo` (what
            looks like a map and explains nothing).
        defense: label of the experiment; with clean and placebo optional: whose answer is spoken
            of.
        attack: label of the experiment, for mistake and control.
        answer: for clean with a defense: what the model says of it.
        method: label of the saliency method, for a map and the placebo `other_image`.
        of: what a map explains: `clean` or the label of an attack.
        placebo: `edges` of the image itself, or the map of an `other_image` of another class.
        scale: what full colour stands for; see `engine.stimuli.Scale`.
        caption: a few words under it.
    """

    show: Show
    defense: str | None = None
    attack: str | None = None
    answer: Literal["right", "wrong", "any"] = "any"
    method: str | None = None
    of: str = "clean"
    placebo: Literal["edges", "other_image"] = "edges"
    scale: Literal["image", "model"] = "image"
    caption: str | None = None

    @property
    def is_map(self) -> bool:
        """Whether it is drawn in a map's colours."""
        return self.show in _MAPS

    @model_validator(mode="after")
    def _source_fits(self) -> Picture:
        given = self.model_fields_set
        real_map = self.show == "map" or (self.show == "placebo" and self.placebo == "other_image")
        has = (self.defense is not None, self.attack is not None)
        if self.show in _DISTURBED and has != (True, True):
            raise ValueError(f"show: {self.show} needs both defense and attack")
        if self.show not in _DISTURBED and self.attack is not None:
            raise ValueError(f"show: {self.show} takes no attack")
        if real_map and None in (self.defense, self.method):
            raise ValueError(f"show: {self.show} needs both defense and method")
        if not real_map and self.method is not None:
            raise ValueError(f"show: {self.show} takes no method")
        if self.is_map and self.of != "clean" and self.defense is None:
            raise ValueError(f"show: {self.show} of {self.of} needs a defense")
        for key, fits in {
            "answer": self.show == "clean" and self.defense is not None,
            "of": self.is_map,
            "scale": self.is_map,
            "placebo": self.show == "placebo",
        }.items():
            if key in given and not fits:
                raise ValueError(f"show: {self.show} takes no {key}")
        return self

    def undisturbed(self, *, with_model: bool) -> Picture:
        """Return the picture that practice and catch presentations show in its place."""
        if self.is_map:
            return self.model_copy(update={"of": "clean"})
        defense = self.defense if with_model else None
        return Picture(show="clean", defense=defense, caption=self.caption)


MOST_PICTURES = 8
"""Pictures that a presentation may have."""


class Condition(Document):
    """What is compared: the pictures of a presentation, all of one source image, and what is asked.

    Attributes:
        title: its name for readers.
        show, defense, attack: a single picture in short; see `Picture`.
        pictures: several of them, in order, at most 8; question types that shuffle change their
            places.
        presentations: how many a participant sees.
        phase: `main`, or `practice`: shown before the trials with feedback, to learn from.
        questions: asked of every presentation instead of the study's.
        shown: which label is asked about. `auto`: the model's answer where there is a mistake or
            a map, else the label that the attack on the same source aims at. `prediction`: the
            model's answer to the first picture; `target`; `true_label`; `foil`: a random other one.
        target_of: label of the attack whose target is asked about where a picture has none of its
            own, as a clean one. None: the study's first attack. A control has that of the attack
            that it is as large as.
        choices: the labels to choose among: `all`; `foil`: the label that `shown` says and a random
            one that is neither it nor true; `true_label`: that label and the true one, which the
            model gave before the attack.
    """

    title: str
    show: Show | None = None
    defense: str | None = None
    attack: str | None = None
    pictures: Annotated[tuple[Picture, ...], Field(max_length=MOST_PICTURES)] = ()
    presentations: int = Field(ge=1, le=200)
    phase: Phase = "main"
    questions: Annotated[tuple[SomeQuestion, ...], Field(min_length=1)] | None = None
    shown: Literal["auto", "prediction", "target", "true_label", "foil"] = "auto"
    target_of: str | None = Field(None, exclude_if=lambda attack: attack is None)
    choices: Literal["all", "foil", "true_label"] = "all"

    @model_validator(mode="after")
    def _one_spelling(self) -> Condition:
        if (self.show is None) == (not self.pictures):
            raise ValueError("give either show (one picture) or pictures (several)")
        if self.show is None and (self.defense, self.attack) != (None, None):
            raise ValueError("defense and attack belong into each of the pictures")
        try:
            shown = self.shown_pictures
        except ValidationError as error:  # what is wrong with the short spelling
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        if self.shown == "prediction" and shown[0].defense is None:
            raise ValueError("shown: prediction needs a defense of the first picture")
        if self.target_of is not None and self.shown not in ("auto", "target"):
            raise ValueError(f"target_of says nothing with shown: {self.shown}")
        if self.shown == self.choices == "true_label":
            raise ValueError("choices: true_label needs another label than shown: true_label")
        return self

    @property
    def shown_pictures(self) -> tuple[Picture, ...]:
        """The pictures, one or several."""
        if self.show is None:
            return self.pictures
        return (Picture(show=self.show, defense=self.defense, attack=self.attack),)

    @property
    def undisturbed(self) -> tuple[Picture, ...]:
        """The pictures of its practice and catch presentations.

        They keep their model only where the question may speak of its answer to a clean picture.
        """
        speaks = self.shown == "prediction" or any(
            p.is_map or (p.show == "clean" and p.defense is not None) for p in self.shown_pictures
        )
        return tuple(p.undisturbed(with_model=speaks) for p in self.shown_pictures)

    @property
    def images(self) -> int:
        """How many source images an undisturbed presentation takes: maps are of the first."""
        return max(1, sum(not picture.is_map for picture in self.undisturbed))

    def pairs(self) -> list[tuple[str, str]]:
        """Return the (defense, attack) pairs that must have hit a source image."""
        return [
            (p.defense, p.attack)
            for p in self.shown_pictures
            if p.show == "mistake" and p.defense is not None and p.attack is not None
        ]


def speaks_of_a_label(question: Question) -> bool:
    """Say whether a question is about a label, or its prompt has `{label}` filled in."""
    return question.about_label or "{label}" in question.prompt


def requirements(condition: Condition, asked: Sequence[Question]) -> frozenset[tuple[str, ...]]:
    """Return what a source image must fulfil to be shown; equal sets fit the same images."""
    needed: set[tuple[str, ...]] = {("hit", *pair) for pair in condition.pairs()}
    for picture in condition.shown_pictures:
        if picture.is_map and picture.of != "clean" and picture.defense is not None:
            needed.add(("explained", picture.defense, picture.of))
        elif picture.answer != "any" and picture.defense is not None:
            needed.add(("answer", picture.defense, picture.answer))
    # Which of two pictures looks more like a label has no answer where both aim at it.
    if len(condition.pairs()) > 1 and any(map(speaks_of_a_label, asked)):
        needed.add(("different targets",))
    return frozenset(needed)


def obvious(condition: Condition, asked: Sequence[Question]) -> bool:
    """Say whether an attentive person must know an answer on the undisturbed pictures.

    Which map is the right one may be known, and hard to see.
    """
    return answerable(condition, asked) and not all(p.is_map for p in condition.undisturbed)


def answerable(condition: Condition, asked: Sequence[Question]) -> bool:
    """Say whether any question has a right answer on the undisturbed pictures of `condition`."""
    # All maps are of the first picture; further pictures are of another class.
    pictures = undisturbed_facts(condition, range(len(condition.undisturbed)))
    names = [str(label) for label in range(max(2, len(pictures)))]
    return any(
        question.correct(Showing(names, pictures, 0 if speaks_of_a_label(question) else None))
        is not None
        for question in asked
    )


def undisturbed_facts(condition: Condition, labels: Sequence[int]) -> list[dict[str, Any]]:
    """Return what questions would know of undisturbed pictures whose images are of these classes.

    Args:
        condition: whose pictures they are.
        labels: the class of each picture's image; a map is of the first image.
    """
    return [
        {
            "kind": "map" if picture.is_map else "clean",
            "true_label": labels[0] if picture.is_map else label,
            "target": None,
            "defense": picture.defense,
            "before": None,
            "prediction": None
            if picture.defense is None
            else {"label": labels[0] if picture.is_map else label, "confidence": 1.0},
            "source": {"image_id": str(label)},
            "pixels": {"sha256": str(label)},
            **({"saliency": _invented(picture)} if picture.is_map else {}),
        }
        for picture, label in zip(condition.undisturbed, labels, strict=True)
    ]


def _invented(picture: Picture) -> dict[str, Any]:
    return {
        "name": picture.method or "edges",
        "of": "clean",
        "quantity": "",
        "content_sha256": None,
        "scale": 1.0,
        "placebo": picture.show == "placebo",
    }
