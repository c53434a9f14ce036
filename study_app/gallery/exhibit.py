"""One finished experiment as the gallery shows it: pictures, signed maps, and their scales."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from statistics import fmean
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine import stimuli
from engine.artifacts import Parent
from engine.rendering import scale_of
from engine.results import CLEAN as CLEAN
from engine.results import Answers, Examples, Results, Role

PERCENTILE = 99
"""The percentile of |map| that full colour stands for."""

ScaleMode = Literal["row", "model", "image"]

SCALE_MODES: dict[ScaleMode, tuple[str, str]] = {
    "row": (
        "One scale for the row",
        f"{PERCENTILE}th percentile of |map| over all defenses on the same image: strengths "
        "compare across defenses",
    ),
    "model": (
        "One scale for each model",
        f"{PERCENTILE}th percentile of |map| over all maps of that model and kind of image: "
        "strengths compare across images, not across defenses",
    ),
    "image": (
        "Each map on its own",
        f"{PERCENTILE}th percentile of |map| of that map alone: structure only, strengths do not "
        "compare",
    ),
}
"""Title and definition by mode; the first is the default."""


class NotShownError(LookupError):
    """There is no such picture or map, or it is not public now. Nobody is told which."""


class Exhibit:
    """One experiment's pictures and maps, by defense, image kind and test image.

    Args:
        results: a finished experiment.
    """

    def __init__(self, results: Results) -> None:
        self.results = results

    @property
    def key(self) -> str:
        """The key of the experiment's index artifact: the first part of every address."""
        return self.results.index.key

    @property
    def title(self) -> str:
        """Its name for readers."""
        return str(self.results.config["title"])

    @property
    def defenses(self) -> dict[str, str]:
        """Titles by label, in the experiment's order, of the models that are there."""
        return self.results.whole_models

    def showing(self, images: Collection[str], method: str) -> dict[str, str]:
        """Return the defenses that have all of these kinds of pictures, and were to be explained.

        The method may have been refused for some of them: see `explained`.
        """
        there = [label for label in self.defenses if not self._failed(label, images, method)]
        return {label: self.defenses[label] for label in there}

    def explained(
        self, images: Collection[str], method: str, index: int | None = None
    ) -> dict[str, str]:
        """Return those of `showing` that have maps of all these kinds, and of test image `index`.

        The method does not apply to the others, or a file that was brought lacks them.
        """
        found = {}
        for label, title in self.showing(images, method).items():
            maps = self.results.maps(label, method)
            kinds = set(images) if images else {*maps.images}
            there = bool(maps.images) and kinds <= {*maps.images}
            if there and (index is None or all(index in maps.indices(kind) for kind in kinds)):
                found[label] = title
        return found

    def lacking(self, images: Collection[str], method: str) -> list[str]:
        """Return a sentence for each defense that `showing` leaves out: whose, and what failed.

        It tells nothing of how it failed: that names folders and code of whoever ran it.
        """
        titles = self.results.config["defenses"]
        failed = {label: self._failed(label, images, method) for label in titles}
        return [
            f"“{titles[label]}” is not shown: {what} failed when the experiment was run."
            for label, what in failed.items()
            if what
        ]

    def _failed(self, defense: str, images: Collection[str], method: str) -> str:
        """Return in words what failed of what these pictures and maps need; "" for nothing."""
        if self.results.absence(defense) is not None:
            return "this network"
        for image in images:
            if image != CLEAN and Role("examples", defense, image) in self.results.missing:
                return f"the attack “{self.attacks[image]}” on it"
        if Role("maps", defense, method) in self.results.missing:
            return "its maps"
        return ""

    @property
    def attacks(self) -> dict[str, str]:
        """Titles by label, in the experiment's order."""
        return dict(self.results.config["attacks"])

    @property
    def image_kinds(self) -> dict[str, str]:
        """Titles by label: the clean image, then every attack."""
        return {CLEAN: "Clean", **self.attacks}

    @property
    def methods(self) -> dict[str, str]:
        """Titles of the saliency methods by label."""
        return dict(self.results.config["saliency"])

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) true labels of the test images."""
        return self.results.source.labels

    @property
    def image_width(self) -> int:
        """Pixels."""
        return int(self.results.source.pixels.shape[3])

    @property
    def image_ids(self) -> tuple[str, ...]:
        """(N,) the SHA-256 of every test image's clean pixels."""
        return self.results.source.image_ids

    @cached_property
    def strongest_attack(self) -> str | None:
        """The attack that leaves the attacked models the least accuracy, if there is any."""
        made = self.evaluation["examples"]
        return min(
            (attack for attack in self.attacks if made.get(attack)),
            default=None,
            key=lambda attack: fmean(self._accuracy(attack, defense) for defense in made[attack]),
        )

    def _accuracy(self, attack: str, defense: str) -> float:
        """Return a model's accuracy under an attack, on the images that all attacks have."""
        stored = self.evaluation["examples"]
        made_on = [each for each, of in stored.items() if defense in of]
        if not any("images" in stored[each][defense] for each in made_on):
            return float(stored[attack][defense]["tested"][defense]["accuracy"])
        shared = [self.results.examples(defense, each).taken for each in made_on]
        made = self.results.examples(defense, attack)
        right = made.over_all(made.label == made.true_label, fill=False)
        return float(right[np.logical_and.reduce(shared)].mean())

    def visible(
        self,
        embargoed: Collection[str],
        label: int | None = None,
        *,
        method: str | None = None,
        kinds: Collection[str] = (),
        everywhere: bool = False,
    ) -> list[int]:
        """Return the test images that may be shown, of class `label` or of all, ascending.

        With `method` those that have its maps of all image kinds of `kinds` for some network, with
        `everywhere` for each that is explained: those of a file may differ.
        """
        known = set(range(len(self.image_ids)))
        if method is not None:
            known = self._mapped_somewhere(kinds, method)
        if method is not None and everywhere:
            for defense in self.explained(kinds, method):
                maps = self.results.maps(defense, method)
                known = known.intersection(*(maps.indices(kind).tolist() for kind in kinds))
        return [
            index
            for index, image_id in enumerate(self.image_ids)
            if index in known
            and image_id not in embargoed
            and (label is None or self.labels[index] == label)
        ]

    def _mapped_somewhere(self, kinds: Collection[str], method: str) -> set[int]:
        """Return the test images of which a network has maps of all these kinds that it has any of.

        Where no network has any, those that have pictures of these kinds: there are reasons why.
        """
        shown = list(self.showing(kinds, method))
        found: set[int] = set()
        there = [each for each in shown if set(kinds) & set(self.results.maps(each, method).images)]
        for defense in there:
            maps = self.results.maps(defense, method)
            own = [set(maps.indices(kind).tolist()) for kind in kinds if kind in maps.images]
            found |= set.intersection(*own) if own else set()
        if shown and not there:
            found = set(range(len(self.image_ids)))
        for kind in kinds:
            if kind != CLEAN and shown:
                # Attacked were the same of every network.
                found &= set(self.results.examples(shown[0], kind).indices.tolist())
        return found

    def mapped(self, defense: str, method: str, index: int) -> dict[str, str]:
        """Return titles of the image kinds of which a test image has a map by `method`.

        Or a reason why not.
        """
        kinds = self.image_kinds.items()
        return {k: title for k, title in kinds if self._was_asked(defense, k, index, method)}

    def mapping(self, defense: str, image: str, index: int) -> dict[str, str]:
        """Return titles of the methods that explain a test image of this kind, or were refused."""
        methods = self.methods.items()
        return {k: title for k, title in methods if self._was_asked(defense, image, index, k)}

    def _was_asked(self, defense: str, image: str, index: int, method: str) -> bool:
        """Say whether there is a map of a picture, or a reason why not."""
        if self._has_map(defense, image, index, method):
            return True
        asked = self.results.has(Role("maps", defense, method))
        if not asked or not self._has_picture(defense, image, index):
            return False
        maps = self.results.maps(defense, method)
        return maps.imported or maps.fit.verdict == "refused"

    def _has_picture(self, defense: str, image: str, index: int) -> bool:
        """Say whether there is a test image of this kind."""
        if image == CLEAN:
            return True
        if not self.results.has(Role("examples", defense, image)):
            return False
        return bool(self.results.examples(defense, image).taken[index])

    def _has_map(self, defense: str, image: str, index: int, method: str) -> bool:
        """Say whether a test image of this kind is explained."""
        if not self.results.has(Role("maps", defense, method)):
            return False
        maps = self.results.maps(defense, method)
        return image in maps.images and index in maps.indices(image)

    def require(
        self,
        embargoed: Collection[str],
        *,
        defense: str,
        image: str,
        index: int,
        method: str | None = None,
        drawn: bool = True,
    ) -> None:
        """Check that there is such a picture, or with `method` such a map, and it may be shown.

        Without `drawn` a reason why there is no map will do.

        Raises:
            NotShownError: it may not, or there is none.
        """
        known = (
            defense in self.defenses
            and image in self.image_kinds
            and (method is None or method in self.methods)
            and 0 <= index < len(self.image_ids)
        )
        if not known or self.image_ids[index] in embargoed:
            raise NotShownError
        if not self._has_picture(defense, image, index):
            raise NotShownError
        there = self._has_map if drawn else self._was_asked
        if method is not None and not there(defense, image, index, method):
            raise NotShownError

    def pixels(self, defense: str, image: str, index: int) -> NDArray[np.uint8]:
        """Return the picture, uint8 (C, H, W), exactly as stored."""
        if image == CLEAN:
            pixels: NDArray[np.uint8] = self.results.source.pixels[index]
            return pixels
        made = self.results.examples(defense, image)
        attacked: NDArray[np.uint8] = made.pixels[made.row(index)]
        return attacked

    def stimulus(self, defense: str, image: str, index: int) -> stimuli.Stimulus:
        """Return the picture with its passport."""
        if image == CLEAN:
            return stimuli.clean(self.results, index)
        return stimuli.adversarial(self.results, defense, image, index)

    def prediction(self, defense: str, image: str, index: int) -> tuple[int, float]:
        """Return the model's label and confidence for the picture."""
        said: Answers | Examples = self.results.answers(defense)
        row = index
        if image != CLEAN:
            said = self.results.examples(defense, image)
            row = said.row(index)
        return int(said.label[row]), float(said.confidence[row])

    def unchanged(self, defense: str, attack: str, index: int) -> bool:
        """Say whether the attack left every pixel as it was."""
        made = self.results.examples(defense, attack)
        return bool(made.l0[made.row(index)] == 0)

    def undone_by_rounding(self, defense: str, attack: str, index: int) -> bool:
        """Say whether the model erred before the picture was rounded to 8 bits, and not after."""
        made, truth = self.results.examples(defense, attack), self.labels[index]
        row = made.row(index)
        return bool(made.unrounded_label[row] != truth and made.label[row] == truth)

    def zero_gradient(self, defense: str, attack: str, index: int) -> bool:
        """Say whether the attack met a loss gradient that is zero in every pixel.

        FGSM moves every pixel whose gradient has a sign, so a picture that it left unchanged tells;
        other attacks may leave one unchanged for other reasons.
        """
        made = self.results.examples(defense, attack)
        name = made.artifact.recipe.config["attack"]["name"]
        return bool(name == "fgsm" and self.unchanged(defense, attack, index))

    def attribution(self, defense: str, image: str, index: int, method: str) -> NDArray[np.float32]:
        """Return the stored signed map (C, H, W)."""
        return self.results.maps(defense, method).map(image, index)

    def drawn(self, defense: str, image: str, index: int, method: str) -> NDArray[np.float32]:
        """Return the map (H, W) whose values the colours stand for: summed over channels."""
        return _summed(self.attribution(defense, image, index, method))

    def quantity(self, method: str) -> str:
        """Return what the method's maps are, with the reading of their sign."""
        return self.results.maps(next(iter(self.showing((), method))), method).quantity

    def scale(self, mode: ScaleMode, defense: str, image: str, index: int, method: str) -> float:
        """Return the |value| that full colour stands for; see `SCALE_MODES`."""
        if mode == "model":
            return self.model_scale(defense, method, image)
        if mode == "image":
            stored = self.results.maps(defense, method)
            return float(stored.summary(image).scale[stored.row(image, index)])
        there = self.explained((image,), method, index)
        maps = [self.drawn(each, image, index, method) for each in there]
        return scale_of(np.stack(maps), PERCENTILE)

    def largest(self, defense: str, image: str, index: int, method: str) -> float:
        """Return the largest |value| of the map."""
        maps = self.results.maps(defense, method)
        return float(maps.summary(image).largest[maps.row(image, index)])

    def model_scale(self, defense: str, method: str, image: str = CLEAN) -> float:
        """Return the scale of mode "model", of the maps of one image kind."""
        return self.results.maps(defense, method).summary(image).model_scale

    def maps_artifact(self, defense: str, method: str) -> Parent:
        """Return key and content hash of the artifact that holds the maps."""
        return self.results.index.recipe.parents[str(Role("maps", defense, method))]

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """The stored accuracies; see `Results.evaluation`."""
        return self.results.evaluation()


def _summed(attribution: NDArray[np.float32]) -> NDArray[np.float32]:
    summed: NDArray[np.float32] = attribution.sum(axis=0, dtype=np.float32)
    return summed
