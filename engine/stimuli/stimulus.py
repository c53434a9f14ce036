"""Stimuli: exact 8-bit pixels plus the passport that leads back to where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine import canonical
from engine.attacks import levels
from engine.errors import UsageError
from engine.rendering import draw_map, pixels_sha256, png, scale_of, to_images
from engine.results import CLEAN, WEIGHTS, Examples, Maps, Results, Role
from engine.saliency import laplacian_of_gaussian

PASSPORT_SCHEMA = 1
Scale: TypeAlias = Literal["image", "model"]
"""What full colour stands for: the 99th percentile of |value| over the one map, or over the maps of
all test images that there are, by the same model, method and attack
(`engine.jobs.maps.summarise`), which is also what the gallery means by it. Either way zero is
neutral."""


@dataclass(frozen=True)
class Stimulus:
    """What a participant sees, and all that is known of it.

    Attributes:
        pixels: uint8 (C, H, W).
        passport: source image, labels, target, model, attack with its ball, prediction, norms that
            were reached, pixel hash.
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
    row, model = made.row(index), results.model(defense)
    config = made.artifact.recipe.config
    component = config["attack"]
    return _stimulus(
        results,
        index,
        made.pixels[row],
        {
            "kind": "control" if config["control"] else "adversarial",
            "target": int(made.target[row]),
            "defense": defense,
            "model": {"id": model.key, "weights_sha256": model.sha256(WEIGHTS)},
            "attack": {
                "name": component["name"],
                "params": {key: component[key] for key in component if key != "name"},
                "artifact": made.artifact.key,
                "content_sha256": made.artifact.content_sha256,
                **_ball(made, row),
            },
            "before": _answer(made.before_label[row], made.before_confidence[row]),
            "prediction": _answer(made.label[row], made.confidence[row]),
            "norms": {
                "linf": float(made.linf[row]),
                "l2": float(made.l2[row]),
                "l0": int(made.l0[row]),
            },
        },
    )


def _ball(made: Examples, row: int) -> dict[str, Any]:
    """Return the ball that an example is in: norm, eps, space, levels, and by how much it is not.

    `levels` is how many of 255 a pixel may change, None unless the ball is one of pixels in L-inf.
    `excess` is None unless the ball is one of the model input. Nothing is returned of runs from
    before examples were kept in their ball, so that passports stay what they were.
    """
    if "ball" not in made.artifact.recipe.config:
        return {}
    ball = made.ball
    if ball is None:
        return {"ball": None}
    of_pixels = (ball["norm"], ball["space"]) == ("linf", "pixels")
    return {
        "ball": {
            **ball,
            "levels": levels(ball["eps"]) if of_pixels else None,
            "excess": None if made.excess is None else float(made.excess[row]),
        }
    }


def clean(results: Results, index: int, defense: str | None = None) -> Stimulus:
    """Return test image `index` as it is: no attack, and no model unless `defense` is given.

    With `defense` the passport holds what the model with that defense says of the image.
    """
    facts: dict[str, Any] = dict.fromkeys(
        ("target", "defense", "model", "attack", "before", "prediction", "norms")
    )
    if defense is not None:
        model, said = results.model(defense), results.answers(defense)
        facts |= {
            "defense": defense,
            "model": {"id": model.key, "weights_sha256": model.sha256(WEIGHTS)},
            "prediction": _answer(said.label[index], said.confidence[index]),
        }
    return _stimulus(results, index, results.source.pixels[index], {"kind": "clean", **facts})


def saliency(
    results: Results,
    defense: str,
    image: str,
    index: int,
    method: str,
    *,
    scale: Scale = "image",
    shown: int | None = None,
) -> Stimulus:
    """Return the stored map that `method` made of test image `index`, drawn in colour.

    Args:
        results: the experiment.
        defense: whose answers are explained.
        image: "clean", or the attack whose example is explained.
        index: the test image.
        method: label of the saliency method.
        scale: see `Scale`.
        shown: a placebo: draw the map of this other test image, and say so in the passport.

    Raises:
        UsageError: there is no such map, of this image or at all.
        AbsentError: it failed, or the attack whose example it explains, or the method does not
            apply to the network.
    """
    maps = results.maps(defense, method)
    results.refuse_unfit(defense, method)
    if image not in maps.images:
        results.refuse_failed(Role("examples", defense, image))
        raise UsageError(
            f"method {method!r} has no maps of {image!r} for defense {defense!r}; "
            f"it has: {', '.join(maps.images)}"
        )
    stored = maps.artifact
    facts: dict[str, Any] = {
        "name": stored.recipe.config["saliency"]["name"],
        "params": {k: v for k, v in stored.recipe.config["saliency"].items() if k != "name"},
        "of": image,
        "quantity": maps.quantity,
        "content_sha256": stored.content_sha256,
        "placebo": shown is not None,
    }
    if shown is not None:
        facts["shown_index"] = shown
        # Whoever holds back what a study shows must hold back this image's own map, too.
        facts["shown_image_id"] = results.source.image_ids[shown]
    explained = _explained(results, defense, image, index)
    drawn, known = index if shown is None else shown, maps.summary(image)
    facts |= _meaning(maps, image, drawn)
    value = float(known.scale[maps.row(image, drawn)]) if scale == "image" else known.model_scale
    return _drawn(explained, maps.map(image, drawn), value, scale, facts)


def _meaning(maps: Maps, image: str, index: int) -> dict[str, Any]:
    """Return what the map of a test image explains, and whether the method applies to the network.

    What is explained is None where it is no class. `marked`: this very map does not add up
    to what it explains. Nothing is returned of maps from before all that was stored, so that
    passports stay what they were.
    """
    about = maps.about
    if about.size is None:
        return {}
    row, known = maps.row(image, index), maps.facts(image)

    def of(name: str) -> int | None:
        found = int(known[name][row])
        return None if found < 0 else found

    first = of("class")
    words = None if first is None else about.explains
    return {
        "explains": {"in_words": words, "class": first, "against": of("against")},
        "baseline": about.baseline,
        "upsampling": {
            "rule": about.upsampling,
            "from": list(maps.native(image, index).shape[1:]),
        },
        "fit": {"verdict": about.fit.verdict, "codes": [each.code for each in about.fit.reasons]},
        "marked": bool(maps.marked(image)[row]),
    }


def edges(
    results: Results, defense: str | None, image: str, index: int, *, scale: Scale = "image"
) -> Stimulus:
    """Return a placebo: the edges of test image `index`, drawn as a map is.

    The Laplacian of the Gaussian-smoothed image (Marr & Hildreth 1980): it follows the strokes and
    has both signs, as gradients do, and knows nothing of any model; Adebayo et al. (2018) compare
    maps to an edge detector. `defense` says whose answer it pretends to
    explain; see `saliency` for the others.
    """
    if defense is None and image != CLEAN:
        raise UsageError(f"edges of {image!r} need the defense whose example it is")
    row = index
    if image == CLEAN or defense is None:
        images = to_images(results.source.pixels)
    else:
        made = results.examples(defense, image)
        images, row = to_images(made.pixels), made.row(index)
    facts: dict[str, Any] = {
        "name": "edges",
        "params": {},
        "of": image,
        "quantity": "Laplacian of Gaussian of the image, which knows nothing of the model",
        "content_sha256": None,
        "placebo": True,
    }
    own = laplacian_of_gaussian(images[row : row + 1])
    wide = laplacian_of_gaussian(images) if scale == "model" else own
    value = scale_of(wide.sum(axis=1))
    return _drawn(_explained(results, defense, image, index), own[0], value, scale, facts)


def _explained(results: Results, defense: str | None, image: str, index: int) -> Stimulus:
    """Return the picture that a map explains."""
    if image == CLEAN or defense is None:
        return clean(results, index, defense)
    return adversarial(results, defense, image, index)


def _drawn(
    explained: Stimulus,
    attribution: NDArray[np.float32],
    value: float,
    scale: Scale,
    facts: Mapping[str, Any],
) -> Stimulus:
    """Return a map (C, H, W) as a stimulus; `value` is what full colour stands for.

    It keeps from the picture's passport all but its pixels.
    """
    pixels = draw_map(attribution, value)
    passport = {
        **explained.passport,
        "kind": "map",
        "pixels": _pixels(pixels),
        "norms": None,
        "saliency": {**facts, "scale": value, "scale_over": scale},
    }
    return Stimulus(pixels, passport)


def _stimulus(
    results: Results,
    index: int,
    pixels: NDArray[np.uint8],
    facts: Mapping[str, Any],
) -> Stimulus:
    source = results.source
    return Stimulus(
        pixels,
        {
            "schema": PASSPORT_SCHEMA,
            "source": {
                "dataset": results.config["dataset"]["name"],
                "data_sha256": results.data_sha256,
                "split": "test",
                "index": index,
                "image_id": source.image_ids[index],
            },
            "true_label": int(source.labels[index]),
            "pixels": _pixels(pixels),
            **facts,
        },
    )


def _pixels(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    return {
        "sha256": pixels_sha256(pixels),
        "shape": list(pixels.shape),
        "dtype": pixels.dtype.name,
    }


def _answer(label: np.int64, confidence: np.float32) -> dict[str, Any]:
    return {"label": int(label), "confidence": float(confidence)}
