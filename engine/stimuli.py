"""Stimuli: exact 8-bit pixels plus the passport that leads back to where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import canonical
from engine.errors import UsageError
from engine.rendering import pixels_sha256, png
from engine.results import WEIGHTS, Examples, Results

PASSPORT_SCHEMA = 1


@dataclass(frozen=True)
class Stimulus:
    """What a participant sees, and all that is known of it.

    Attributes:
        pixels: uint8 (C, H, W).
        passport: source image, labels, target, model, attack, prediction, norms, pixel hash.
    """

    pixels: NDArray[np.uint8]
    passport: Mapping[str, Any]

    @cached_property
    def stimulus_id(self) -> str:
        """SHA-256 of the canonical passport. Several stimuli may share their pixels."""
        return canonical.sha256(self.passport)

    @property
    def pixels_sha256(self) -> str:
        """SHA-256 of shape, dtype and raw pixels."""
        return str(self.passport["pixels"]["sha256"])

    @property
    def image_id(self) -> str:
        """The source image: SHA-256 of its clean pixels."""
        return str(self.passport["source"]["image_id"])

    @cached_property
    def png(self) -> bytes:
        """The image as PNG, without text chunks."""
        return png(self.pixels)

    @property
    def file_sha256(self) -> str:
        """SHA-256 of the PNG."""
        return hashlib.sha256(self.png).hexdigest()


def adversarial(results: Results, defense: str, attack: str, index: int) -> Stimulus:
    """Return the example that `attack` made of test image `index` for the model with `defense`.

    A control (random signs, say) is made by an attack too and differs in the passport's kind.
    """
    made = results.examples(defense, attack)
    model = results.model(defense)
    config = made.artifact.recipe.config
    component = config["attack"]
    return _stimulus(
        results,
        made,
        index,
        made.pixels[index],
        {
            "kind": "control" if config["control"] else "adversarial",
            "target": int(made.target[index]),
            "defense": defense,
            "model": {"id": model.key, "weights_sha256": model.sha256(WEIGHTS)},
            "attack": {
                "name": component["name"],
                "params": {key: component[key] for key in component if key != "name"},
                "artifact": made.artifact.key,
                "content_sha256": made.artifact.content_sha256,
            },
            "before": _answer(made.before_label[index], made.before_confidence[index]),
            "prediction": _answer(made.label[index], made.confidence[index]),
            "norms": {
                "linf": float(made.linf[index]),
                "l2": float(made.l2[index]),
                "l0": int(made.l0[index]),
            },
        },
    )


def clean(results: Results, index: int) -> Stimulus:
    """Return test image `index` as it is: no model, no attack."""
    made = results.examples(
        next(iter(results.config["defenses"])), next(iter(results.config["attacks"]))
    )
    nothing = dict.fromkeys(
        ("target", "defense", "model", "attack", "before", "prediction", "norms")
    )
    return _stimulus(results, made, index, made.clean[index], {"kind": "clean", **nothing})


def hit_everywhere(
    results: Results, pairs: Sequence[tuple[str, str]]
) -> tuple[NDArray[np.int64], dict[str, dict[str, int]]]:
    """Return the test images on which every (defense, attack) pair made a mistake stimulus.

    Returns:
        Their indices, ascending, and the attrition by defense: attempted, succeeded before
        rounding, rounded away, usable, and how many are left when all must be hit.
    """
    if not pairs:
        raise UsageError("no (defense, attack) pair to select mistakes for")
    alive: NDArray[np.bool_] | None = None
    attrition = {}
    for defense, attack in pairs:
        made = results.examples(defense, attack)
        before = (made.unrounded_label == made.target) & (made.unrounded_label != made.true_label)
        # A model's mistake on the clean image is not the attack's doing.
        usable = made.mistakes & (made.before_label == made.true_label)
        alive = usable if alive is None else alive & usable
        attrition[f"{defense} x {attack}"] = {
            "attempted": len(usable),
            "succeeded": int(before.sum()),
            "rounded_away": int((before & ~made.mistakes).sum()),
            "usable": int(usable.sum()),
        }
    assert alive is not None
    for entry in attrition.values():
        entry["hit_by_all"] = int(alive.sum())
    return np.flatnonzero(alive), attrition


def _stimulus(
    results: Results,
    made: Examples,
    index: int,
    pixels: NDArray[np.uint8],
    facts: Mapping[str, Any],
) -> Stimulus:
    return Stimulus(
        pixels,
        {
            "schema": PASSPORT_SCHEMA,
            "source": {
                "dataset": results.config["dataset"]["name"],
                "data_sha256": results.data_sha256,
                "split": "test",
                "index": index,
                "image_id": pixels_sha256(made.clean[index]),
            },
            "true_label": int(made.true_label[index]),
            "pixels": {
                "sha256": pixels_sha256(pixels),
                "shape": list(pixels.shape),
                "dtype": pixels.dtype.name,
            },
            **facts,
        },
    )


def _answer(label: np.int64, confidence: np.float32) -> dict[str, Any]:
    return {"label": int(label), "confidence": float(confidence)}
