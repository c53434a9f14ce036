"""From a study file to its design: all that is drawn when a study is published.

Which source images are used, which list shows which source in which condition, which label every
presentation asks about and which foils it offers. What a participant's plan needs stands in the
design document, so that a plan is drawn without the experiment.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine import seeds
from engine.errors import UsageError
from engine.results import Results
from engine.stimuli import Stimulus
from study_app.design import rotation, source_images
from study_app.design.known_answers import undisturbed
from study_app.design.presentations import Entries
from study_app.design.source_images import Sources
from study_app.study import Phase, Study

FACTS = (
    "kind", "true_label", "target", "prediction", "before", "defense", "saliency", "source",
    "pixels",
)  # fmt: skip
"""What questions may know of a picture, of its passport."""


PICTURE_SIZES = 2
"""By which of the player's rules pictures are sized (docs/player.md). Raised when other rules would
show them in another size; a version of a study keeps its own. A design without it has 1."""


@dataclass(frozen=True)
class Design:
    """A study's stimuli and lists.

    Attributes:
        stimuli: every stimulus of the study, by id.
        document: JSON, stored with the study version: class names, facts by stimulus, questions and
            captions by condition, lists and known answers by arm, attrition, `PICTURE_SIZES`.
    """

    stimuli: Mapping[str, Stimulus]
    document: Mapping[str, Any]


def design(study: Study, results: Results) -> Design:
    """Draw the design of `study` from the artifacts of its experiment.

    Over the lists of an arm every source appears in every condition in proportion to its
    presentations, and with others in each list (`rotation`), unless sources do not rotate. All arms
    use the same sources as far as they need as many. Practice and catch images are others
    (`sources.choose`).

    Raises:
        UsageError: the experiment lacks what is shown, or has too few usable images.
        AbsentError: what is shown failed when the experiment was run.
    """
    return _Drawing(study, results).finished()


class _Drawing:
    def __init__(self, study: Study, results: Results) -> None:
        self._study, self._results = study, results
        self._practice = {arm: undisturbed(study, arm, study.practice) for arm in study.all_arms}
        self._catch = {
            arm: undisturbed(study, arm, study.catch, known=True) for arm in study.all_arms
        }
        wanted = [
            sum(study.conditions[label].images for label in (*self._practice[a], *self._catch[a]))
            for a in study.all_arms
        ]
        self._refuse_missing_foils()
        self._sources: Sources = source_images.choose(study, results, max(wanted))
        self._entries = Entries(study, results, self._sources.all())

    def finished(self) -> Design:
        study = self._study
        arms = {arm: self._arm(arm) for arm in study.all_arms}
        document = {
            "experiment": self._results.index.key,
            "picture_sizes": PICTURE_SIZES,
            "class_names": self._results.class_names,
            "impossible": {str(label): list(foils) for label, foils in study.impossible.items()},
            "breaks_every": study.breaks.every if study.breaks else None,
            "conditions": {
                label: {
                    "questions": [question.config() for question in study.asked(condition)],
                    "captions": [p.caption for p in condition.shown_pictures],
                    "choices": condition.choices,
                    "foils": study.asks_about_foils(condition),
                }
                for label, condition in study.conditions.items()
            },
            "arms": arms,
            "attrition": self._sources.attrition,
            "facts": {
                stimulus_id: {key: s.passport[key] for key in FACTS if key in s.passport}
                for stimulus_id, s in self._entries.made.items()
            },
        }
        return Design(self._entries.made, document)

    def _arm(self, arm: str) -> dict[str, Any]:
        clear = list(self._sources.clear)
        return {
            "lists": self._lists(arm),
            "learning": self._apart(arm, "practice"),
            "practice": self._known(self._practice[arm], clear),
            "catch": self._known(self._catch[arm], clear),
        }

    def _known(self, labels: Sequence[str], clear: list[int]) -> list[dict[str, Any]]:
        return [
            self._entries.known(label, clear, labels[:n].count(label))
            for n, label in enumerate(labels)
        ]

    def _lists(self, arm: str) -> list[list[dict[str, Any]]]:
        """Return the lists of an arm: those of the first set of images, of the next, and so on."""
        sets = range(self._study.image_sets)
        if self._study.repeats:
            return [self._apart(arm, "main", number) for number in sets]
        return [entries for number in sets for entries in self._rotated(arm, number)]

    def _rotated(self, arm: str, number: int) -> list[list[dict[str, Any]]]:
        """Return the lists over which conditions rotate over the sources of one set of images."""
        study = self._study
        count = study.lists(arm) // study.image_sets
        lists: list[list[dict[str, Any]]] = [[] for _ in range(count)]
        for group, (labels, indices) in enumerate(self._groups(arm, "main", number)):
            shown = {label: study.conditions[label].presentations for label in labels}
            # Not by the arm: arms that are built alike have the same lists.
            seed = seeds.derive(study.seed, "lists", number, group, *shown.values())
            rng = random.Random(seed)  # noqa: S311 - not a secret
            for entries, row in zip(lists, rotation.rotated(shown, count, rng), strict=True):
                # Conditions in the study's order: what is told of a design goes by it.
                pairs = sorted(zip(row, indices, strict=True), key=lambda p: labels.index(p[0]))
                entries += (self._entries.entry(label, index) for label, index in pairs)
        return lists

    def _apart(self, arm: str, phase: Phase, number: int = 0) -> list[dict[str, Any]]:
        """Return the entries of conditions that do not rotate over the sources of their group."""
        entries = []
        for labels, indices in self._groups(arm, phase, number):
            left = list(indices)
            for label in labels:
                count = self._study.conditions[label].presentations
                entries += [self._entries.entry(label, index) for index in left[:count]]
                left = left if self._study.repeats else left[count:]
        return entries

    def _groups(
        self, arm: str, phase: Phase, number: int
    ) -> Iterator[tuple[Sequence[str], Sequence[int]]]:
        """Yield the groups of conditions of an arm, and the sources of one set of images."""
        sets = self._study.image_sets if phase == "main" else 1
        groups = zip(self._study.groups(arm, phase), self._sources.of_arm[arm, phase], strict=True)
        for labels, indices in groups:
            size = len(indices) // sets
            yield labels, indices[number * size : (number + 1) * size]

    def _refuse_missing_foils(self) -> None:
        """Refuse a study that may have to ask about an impossible label and has none."""
        study, names = self._study, self._results.class_names
        shown = {
            label for arm in study.all_arms for label in self._catch[arm] + self._practice[arm]
        }
        if not any(study.asks_about_foils(study.conditions[label]) for label in shown):
            return
        missing = [name for i, name in enumerate(names) if not study.impossible.get(i)]
        beyond = [str(i) for i in study.impossible if i >= len(names)] + [
            str(foil) for foils in study.impossible.values() for foil in foils if foil >= len(names)
        ]
        if missing:
            raise UsageError(
                f"study {study.name!r}: impossible lacks labels for {', '.join(missing)}"
            )
        if beyond:
            raise UsageError(
                f"study {study.name!r}: impossible names class {beyond[0]}; the experiment has "
                f"{len(names)} classes, from 0"
            )
