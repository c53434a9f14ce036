"""Presentations of undisturbed pictures: which conditions they are taken from, what is expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from study_app.questions import Question, Showing
from study_app.study import (
    Condition,
    Study,
    answerable,
    obvious,
    speaks_of_a_label,
    undisturbed_facts,
)


def undisturbed(study: Study, arm: str, count: int, *, known: bool = False) -> list[str]:
    """Return the conditions, one a presentation, whose undisturbed pictures are shown.

    In turn those that then differ. With `known` only those whose answer is obvious.
    """
    different: dict[Any, str] = {}
    for label, condition in study.of_arm(arm).items():
        asked = study.asked(condition)
        if not known or obvious(condition, asked):
            key = (condition.undisturbed, asked, condition.choices)
            different.setdefault(repr(key), label)
    labels = list(different.values())
    return [labels[number % len(labels)] for number in range(count if labels else 0)]


class Expected(NamedTuple):
    """A trial of a catch presentation: what may be answered, and what is expected.

    Attributes:
        question: its type.
        options: the answers that there are, value -> words.
        honest: the value expected where the right label is asked about.
        foil: the value expected where an impossible one is; where none is, `honest` again.
        places: of how many places one is right, which one being drawn for each presentation; 0
            where the answers stand still. What is at a place says nothing then.
    """

    question: str
    options: dict[str, str]
    honest: str
    foil: str
    places: int


def expected(study: Study, arm: str, classes: int) -> list[list[Expected]]:
    """Return the trials with an expected answer of every catch presentation of an arm.

    The images of one class follow those of the class before, as the design takes them.

    Args:
        study: the study.
        arm: of which.
        classes: how many the experiment has.
    """
    labels = undisturbed(study, arm, study.catch, known=True)
    presentations, image = [], 0
    for place, label in enumerate(labels):
        condition = study.conditions[label]
        same = _same_image(study, condition, labels[:place].count(label))
        images = [image + (0 if same else number) for number in range(len(condition.undisturbed))]
        image += 1 if same else condition.images
        trials = _trials(study, condition, [number % classes for number in images], classes)
        presentations.append(list(trials))
    return presentations


def _same_image(study: Study, condition: Condition, number: int) -> bool:
    """Say whether a condition's `number`th presentation has one image in all its places."""
    asked = study.asked(condition)
    return bool(number % 2) and answerable(condition, asked) and not _speak(asked)


def _speak(asked: Sequence[Question]) -> bool:
    return any(map(speaks_of_a_label, asked))


def _trials(
    study: Study, condition: Condition, images: Sequence[int], classes: int
) -> Iterator[Expected]:
    true = images[0]
    impossible = [label for label in study.impossible.get(true, ()) if label != true]
    foil = next(iter(impossible), (true + 1) % classes)
    foils = study.asks_about_foils(condition)
    choices = (true, foil) if foils and condition.choices != "all" else None
    abouts = (true, foil if foils and choices is None else true)
    for question in study.asked(condition):
        showings = [_showing(question, condition, images, about, choices, classes)
                    for about in abouts]  # fmt: skip
        honest, other = (question.correct(showing) for showing in showings)
        if honest is None or other is None:
            continue
        view = question.view(showings[0])
        pictures = view["layout"] == "pictures" and question.shuffled
        yield Expected(
            question.name,
            {option["value"]: option["label"] for option in view["options"]},
            honest,
            other,
            len(images) if pictures else len(choices) if choices and _names(question) else 0,
        )


def _names(question: Question) -> bool:
    """Whether its answers are the labels to choose among."""
    return not question.about_label


def _showing(
    question: Question,
    condition: Condition,
    images: Sequence[int],
    about: int,
    choices: tuple[int, ...] | None,
    classes: int,
) -> Showing:
    facts = undisturbed_facts(condition, images)
    spoken_of = about if speaks_of_a_label(question) else None
    if spoken_of is not None:  # it stands for the model's answer, also where it is a foil
        for fact in facts:
            if fact["prediction"]:
                fact["prediction"]["label"] = spoken_of
    return Showing([str(label) for label in range(classes)], facts, spoken_of, choices)
