"""Entries of a design: which stimuli a presentation shows, and which labels it speaks of."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from engine import seeds, stimuli
from engine.errors import UsageError
from engine.results import Results
from engine.stimuli import Stimulus
from study_app.study import (
    MOST_PICTURES,
    Condition,
    Picture,
    Study,
    answerable,
    speaks_of_a_label,
)


class Entries:
    """Makes the entries of one study's design, and keeps the stimuli that they show in `made`.

    Args:
        study: the study.
        results: its experiment.
        used: the source images that it uses.
    """

    def __init__(self, study: Study, results: Results, used: Collection[int]) -> None:
        self._study, self._results = study, results
        self._classes = len(results.class_names)
        self._labels = results.source.labels
        self._pairs = [pair for c in study.conditions.values() for pair in c.pairs()]
        self._unused = [i for i in range(len(self._labels)) if i not in set(used)]
        self.entry = cache(self._entry)
        self.made: dict[str, Stimulus] = {}

    def known(self, label: str, clear: list[int], number: int) -> dict[str, Any]:
        """Return the entry with undisturbed pictures for a condition's `number`th known answer.

        Its images are taken from `clear`. Several pictures are of different classes, so that one of
        them fits a label; where no label is spoken of they are the same image every other time, so
        that "same" and "different" are right equally often.
        """
        condition = self._study.conditions[label]
        asked = self._study.asked(condition)
        images = [clear.pop(0)]
        same = (
            number % 2 and answerable(condition, asked) and not any(map(speaks_of_a_label, asked))
        )
        while len(images) < condition.images:
            own = {int(self._labels[index]) for index in images}
            other = (i for i in clear if int(self._labels[i]) not in own)
            images.append(images[0] if same else next(other, clear[0]))
            if not same:
                clear.remove(images[-1])
        plain, pictures = iter(images), []
        for place, picture in enumerate(condition.undisturbed):
            index = images[0] if picture.is_map else next(plain)
            pictures.append(self._keep(self._show(picture, index, label, place)))
        return {"pictures": pictures, "condition": label}

    def _entry(self, label: str, index: int) -> dict[str, Any]:
        """Return how the condition `label` shows source image `index`, and what it asks about."""
        condition = self._study.conditions[label]
        shown = [
            self._show(picture, index, label, place)
            for place, picture in enumerate(condition.shown_pictures)
        ]
        rng = random.Random(seeds.derive(self._study.seed, "labels", label, index))  # noqa: S311
        asks = any(map(speaks_of_a_label, self._study.asked(condition)))
        about, policy, choices = None, None, None
        if asks or condition.choices != "all":
            about, policy = self._shown_label(condition, shown[0], rng)
        if about is not None and condition.choices != "all":
            true = shown[0].passport["true_label"]
            other = true if condition.choices == "true_label" else self._foil(shown[0], about, rng)
            choices = [about, other]
            policy = f"{policy} or {'true_label' if other == true else 'random_foil'}"
        return {
            "pictures": [self._keep(stimulus) for stimulus in shown],
            "condition": label,
            "shown_label": about,
            "foil_policy": policy,
            "choices": choices,
        }

    def _keep(self, stimulus: Stimulus) -> str:
        self.made[stimulus.stimulus_id] = stimulus
        return stimulus.stimulus_id

    def _show(self, picture: Picture, index: int, label: str, place: int) -> Stimulus:
        results, defense = self._results, picture.defense
        if picture.attack is not None and defense is not None:
            return stimuli.adversarial(results, defense, picture.attack, index)
        if not picture.is_map:
            return stimuli.clean(results, index, defense)
        if picture.method is None or defense is None:
            return stimuli.edges(results, defense, picture.of, index, scale=picture.scale)
        other = (
            self._other_image(index, label, place, picture) if picture.show == "placebo" else None
        )
        return stimuli.saliency(
            results, defense, picture.of, index, picture.method, scale=picture.scale, shown=other
        )

    def _other_image(self, index: int, label: str, place: int, picture: Picture) -> int:
        """Return a test image of another class, another one for every place.

        One that the study does not use, so that nobody meets its map again as a real one, and that
        has a map by the method of `picture`.
        """
        assert picture.defense is not None
        assert picture.method is not None
        maps = self._results.maps(picture.defense, picture.method)
        has_map = set(maps.indices(picture.of).tolist())
        rng = random.Random(seeds.derive(self._study.seed, "other_image", label, index))  # noqa: S311
        for candidates in (self._unused, range(len(self._labels))):
            others = [
                i for i in candidates if i in has_map and self._labels[i] != self._labels[index]
            ]
            if len(others) >= MOST_PICTURES:
                return rng.sample(others, MOST_PICTURES)[place]
        raise UsageError(
            f"study {self._study.name!r}: placebo: other_image needs {MOST_PICTURES} test images "
            f"of other classes; experiment {self._study.experiment!r} has {len(others)}"
        )

    def _shown_label(
        self, condition: Condition, stimulus: Stimulus, rng: random.Random
    ) -> tuple[int, str]:
        """Return the label that is asked about, and why that one.

        Where nothing else is said, a mistake shows the model's answer; clean and control images
        show the label that an attack on the same source aims at: how often people say yes to it
        then is the rate to compare with.
        """
        passport, rule = stimulus.passport, condition.shown
        answer = passport["prediction"]["label"] if passport["prediction"] else None
        if rule == "auto":
            spoken_of = passport["kind"] in ("adversarial", "map") and answer is not None
            rule = "prediction" if spoken_of else "target"
        if rule == "prediction" and answer is not None:
            return answer, "model_prediction"
        if rule == "true_label":
            return passport["true_label"], "true_label"
        if rule == "foil":
            return self._foil(stimulus, None, rng), "random_foil"
        return self._matched_target(condition, passport), "matched_target"

    def _matched_target(self, condition: Condition, passport: Mapping[str, Any]) -> int:
        """Return what an attack aims at on the same source; without one the next class.

        The picture's own, if it has one: a control has that of the attack that it is as large as.
        Else that of the attack that the condition names, or of the study's first.
        """
        if passport["kind"] in ("adversarial", "control"):
            return int(passport["target"])
        for defense, attack in self._asked_of(condition.target_of):
            made, index = self._results.examples(defense, attack), passport["source"]["index"]
            if made.taken[index]:
                return int(made.target[made.row(index)])
        if passport["target"] is not None:
            return int(passport["target"])
        return int(passport["true_label"] + 1) % self._classes

    def _asked_of(self, attack: str | None) -> list[tuple[str, str]]:
        """Return the (defense, attack) whose target is asked about: of those named the first."""
        if attack is None:
            return self._pairs[:1]
        shown = [pair for pair in self._pairs if pair[1] == attack]
        return (shown or [(each, attack) for each in self._results.whole_models])[:1]

    def _foil(self, stimulus: Stimulus, about: int | None, rng: random.Random) -> int:
        """Return a random label that is neither true nor the model's, nor aimed at, nor `about`."""
        passport = stimulus.passport
        taken = {passport["true_label"], passport["target"], about}
        if passport["prediction"]:
            taken.add(passport["prediction"]["label"])
        left = [label for label in range(self._classes) if label not in taken]
        if not left:
            raise UsageError(f"study {self._study.name!r}: too few classes to draw a foil from")
        return rng.choice(left)
