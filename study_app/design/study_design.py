"""From a study file to its design: all that is drawn when a study is published.

Which source images are used, which list shows which source in which condition, which label every
presentation asks about and which foils it offers. What a participant's plan needs stands in the
design document, so that a plan is drawn without the experiment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UsageError
from engine.results import Results
from engine.stimuli import Stimulus
from study_app.design import lists, source_images
from study_app.design.known_answers import undisturbed
from study_app.design.lists import Placed
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


def sources(study: Study, results: Results) -> Sources:
    """Choose the source images of `study`, as `design` does; see `source_images.choose`."""
    clear = max(
        sum(study.conditions[label].images for label in (*_practice(study, a), *_catch(study, a)))
        for a in study.all_arms
    )
    return source_images.choose(study, results, clear)


def _practice(study: Study, arm: str) -> list[str]:
    return undisturbed(study, arm, study.practice)


def _catch(study: Study, arm: str) -> list[str]:
    return undisturbed(study, arm, study.catch, known=True)


class _Drawing:
    def __init__(self, study: Study, results: Results) -> None:
        self._study, self._results = study, results
        self._practice = {arm: _practice(study, arm) for arm in study.all_arms}
        self._catch = {arm: _catch(study, arm) for arm in study.all_arms}
        self._refuse_missing_foils()
        self._sources = sources(study, results)
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
            "lists": [self._shown(arm, "main", each) for each in lists.lists(self._study, arm)],
            "learning": self._shown(arm, "practice", lists.apart(self._study, arm, "practice")),
            "practice": self._known(self._practice[arm], clear),
            "catch": self._known(self._catch[arm], clear),
        }

    def _known(self, labels: Sequence[str], clear: list[int]) -> list[dict[str, Any]]:
        return [
            self._entries.known(label, clear, labels[:n].count(label))
            for n, label in enumerate(labels)
        ]

    def _shown(self, arm: str, phase: Phase, entries: Sequence[Placed]) -> list[dict[str, Any]]:
        """Return entries of lists with the source images that stand at their places."""
        indices = self._sources.of_arm[arm, phase]
        return [self._entries.entry(e.condition, indices[e.group][e.place]) for e in entries]

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
