"""From a study file to a design, and from a design to one participant's plan.

The design is drawn once, when the study is published: which source images are used, and which list
shows which source in which condition. The plan is drawn once, when a participant is admitted: the
order, and which label each question shows. Nothing is random after that.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.repository import PlannedPresentation, PlannedTrial
from engine import seeds, stimuli
from engine.errors import UsageError
from engine.results import Results
from engine.stimuli import Stimulus
from study_app import questions
from study_app.study import Condition, Study

ARM = "all"
"""The only arm: this design compares within participants."""


@dataclass(frozen=True)
class Design:
    """A study's stimuli and lists.

    Attributes:
        stimuli: every stimulus of the study, by id.
        document: JSON, stored with the study version: class names, questions, lists, practice and
            catch stimuli, attrition.
    """

    stimuli: Mapping[str, Stimulus]
    document: Mapping[str, Any]


def design(study: Study, results: Results) -> Design:
    """Draw the design of `study` from the artifacts of its experiment.

    Source images are those on which every compared defense was hit, balanced over classes; each
    list shows every source once, and over the lists every source appears in every condition in
    proportion to its presentations (Latin square). Practice and catch images are others: the ones
    that the models label right with the highest confidence.

    Raises:
        UsageError: the experiment lacks a defense or attack, or has too few usable images.
    """
    pairs = [
        (condition.defense, condition.attack)
        for condition in study.conditions.values()
        if condition.show == "mistake" and condition.defense and condition.attack
    ]
    usable, attrition = stimuli.hit_everywhere(results, pairs)
    need = study.main_presentations + study.practice + study.catch
    if len(usable) < need:
        raise UsageError(
            f"study {study.name!r} needs {need} source images on which every compared defense was "
            f"hit; experiment {study.experiment!r} has {len(usable)} ({attrition})"
        )
    missing = [n for i, n in enumerate(results.class_names) if not study.impossible.get(i)]
    if missing and study.catch + study.practice:
        raise UsageError(f"study {study.name!r}: impossible lacks labels for {', '.join(missing)}")
    clear, main = _choose(study, results, usable)
    practice, catch = clear[: study.practice], clear[study.practice :]

    made: dict[str, Stimulus] = {}

    def keep(stimulus: Stimulus) -> str:
        made[stimulus.stimulus_id] = stimulus
        return stimulus.stimulus_id

    def entry(index: int, label: str, condition: Condition) -> dict[str, Any]:
        stimulus = _show(results, condition, index)
        shown, policy = _shown_label(stimulus, len(results.class_names))
        return {
            "stimulus_id": keep(stimulus),
            "condition": label,
            "shown_label": shown,
            "foil_policy": policy,
        }

    def plain(index: int) -> dict[str, Any]:
        stimulus = stimuli.clean(results, index)
        return {"stimulus_id": keep(stimulus), "true_label": stimulus.passport["true_label"]}

    cycle = _cycle(study)
    document = {
        "experiment": results.index.key,
        "class_names": results.class_names,
        "questions": [question.config() for question in study.questions],
        "impossible": {str(label): list(foils) for label, foils in study.impossible.items()},
        "sources": len(main),
        "attrition": attrition,
        "lists": [
            [
                entry(index, label, study.conditions[label])
                for place, index in enumerate(main)
                for label in [cycle[(place + offset) % len(cycle)]]
            ]
            for offset in range(study.lists)
        ],
        "practice": [plain(index) for index in practice],
        "catch": [plain(index) for index in catch],
    }
    return Design(made, document)


def slots(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return every (arm, list) of a design."""
    return [(ARM, number) for number in range(len(document["lists"]))]


def draw(
    document: Mapping[str, Any], arm: str, list_index: int, seed: int
) -> list[PlannedPresentation]:
    """Draw a participant's whole plan from a design document.

    Practice comes first; then the list's presentations in random order, with one catch presentation
    somewhere in each equal stretch. Half of the catch presentations ask about an impossible label,
    half about the right one; practice alternates.
    """
    rng = random.Random(seeds.derive(seed, "plan", arm, list_index))  # noqa: S311 - not a secret
    asked = [questions.registry.from_config(config) for config in document["questions"]]
    names = document["class_names"]

    def present(
        entry: Mapping[str, Any],
        *,
        phase: str,
        role: str,
        condition: str,
        shown: int,
        policy: str,
        known: bool,
    ) -> PlannedPresentation:
        trials = []
        for question in asked:
            about = shown if question.about_label else None
            trials.append(
                PlannedTrial(
                    task=question.name,
                    view=question.view(names, about),
                    correct_option=question.correct(entry["true_label"], about) if known else None,
                    shown_label=None if about is None else names[about],
                    foil_policy=None if about is None else policy,
                )
            )
        return PlannedPresentation(
            entry["stimulus_id"], phase, role, condition, 0 if phase == "practice" else 1,
            tuple(trials),
        )  # fmt: skip

    def known_answer(
        entries: Sequence[Mapping[str, Any]], *, phase: str, role: str, first: int
    ) -> list[PlannedPresentation]:
        drawn = []
        for number, entry in enumerate(entries):
            foils = document["impossible"][str(entry["true_label"])]
            honest = (number + first) % 2 == 0
            drawn.append(
                present(
                    entry,
                    phase=phase,
                    role=role,
                    condition=role,
                    shown=entry["true_label"] if honest else rng.choice(foils),
                    policy="true_label" if honest else "impossible",
                    known=True,
                )
            )
        return drawn

    practice = known_answer(document["practice"], phase="practice", role="practice", first=0)
    catch_entries = rng.sample(document["catch"], len(document["catch"]))
    catch = known_answer(catch_entries, phase="main", role="catch", first=rng.randrange(2))
    rng.shuffle(catch)
    main = [
        present(
            entry,
            phase="main",
            role="main",
            condition=entry["condition"],
            shown=entry["shown_label"],
            policy=entry["foil_policy"],
            known=False,
        )
        for entry in document["lists"][list_index]
    ]
    rng.shuffle(main)
    return practice + _interleave(main, catch, rng)


def _choose(
    study: Study, results: Results, usable: NDArray[np.int64]
) -> tuple[list[int], list[int]]:
    """Return (clear images for practice and catch, images for the conditions), all distinct."""
    rng = random.Random(seeds.derive(study.seed, "sources"))  # noqa: S311 - not a secret
    anything = next(iter(results.config["attacks"]))
    examples = [results.examples(label, anything) for label in results.config["defenses"]]
    labels = examples[0].true_label
    confidence = np.minimum.reduce([made.before_confidence for made in examples])
    clearest = sorted(usable.tolist(), key=lambda i: (-confidence[i], i))
    clear = _balanced(clearest, labels, study.practice + study.catch)
    rest = [index for index in usable.tolist() if index not in set(clear)]
    rng.shuffle(rest)
    main = _balanced(rest, labels, study.main_presentations)
    # The places decide which sources share a condition: shuffled within each round of classes.
    classes = len(results.class_names)
    rounds = [main[start : start + classes] for start in range(0, len(main), classes)]
    for part in rounds:
        rng.shuffle(part)
    rng.shuffle(clear)
    return clear, [index for part in rounds for index in part]


def _balanced(ranked: Sequence[int], labels: NDArray[np.int64], count: int) -> list[int]:
    """Take `count` of `ranked` in order, one of each class in turn while there are any."""
    queues: dict[int, list[int]] = {}
    for index in ranked:
        queues.setdefault(int(labels[index]), []).append(index)
    chosen: list[int] = []
    while len(chosen) < count:
        for label in sorted(queues):
            if queues[label]:
                chosen.append(queues[label].pop(0))
    return chosen[:count]


def _cycle(study: Study) -> list[str]:
    """Return the shortest sequence with each condition in proportion, spread evenly."""
    share = study.main_presentations // study.lists
    left = {label: c.presentations // share for label, c in study.conditions.items()}
    cycle: list[str] = []
    while any(left.values()):
        for label in left:
            if left[label]:
                cycle.append(label)
                left[label] -= 1
    return cycle


def _show(results: Results, condition: Condition, index: int) -> Stimulus:
    if condition.defense is None or condition.attack is None:
        return stimuli.clean(results, index)
    return stimuli.adversarial(results, condition.defense, condition.attack, index)


def _shown_label(stimulus: Stimulus, classes: int) -> tuple[int, str]:
    """Return the label that the second question shows, and why that one.

    A mistake shows the model's answer. Clean and control images show the label that the attack on
    the same source aims at: how often people say yes to it then is the rate to compare with.
    """
    passport = stimulus.passport
    if passport["kind"] == "adversarial":
        return passport["prediction"]["label"], "model_prediction"
    if passport["target"] is not None:
        return passport["target"], "matched_target"
    return (passport["true_label"] + 1) % classes, "matched_target"


def _interleave(
    main: list[PlannedPresentation], catch: list[PlannedPresentation], rng: random.Random
) -> list[PlannedPresentation]:
    """Put one catch presentation at a random place, never the first, in each equal stretch."""
    plan: list[PlannedPresentation] = []
    for number, one in enumerate(catch):
        start, end = (len(main) * n // len(catch) for n in (number, number + 1))
        stretch = main[start:end]
        stretch.insert(rng.randint(1, len(stretch)), one)
        plan += stretch
    return plan or list(main)
