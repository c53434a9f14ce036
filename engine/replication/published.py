"""What Ross & Doshi-Velez recorded themselves, to stand beside ours.

`ross2018_transfer.json` holds the outputs kept in the authors' public notebooks: accuracy on FGSM
and one-step TGSM examples, source by tested model, on the first 256 test images of each dataset.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

IMAGES = 256
"""Test images behind every accuracy."""
_FILE = Path(__file__).parent / "ross2018_transfer.json"
_DATASETS = {"mnist": "MNIST", "notmnist": "notMNIST", "svhn": "SVHN"}
_DEFENSES = {
    "none": "normal",
    "distillation": "distilled",
    "adversarial_training": "advtrain",
    "penalty_uniform": "insensitive",
    "penalty_loss": "doubleback",
}
"""Our labels and theirs; they recorded nothing for penalty and adversarial training together."""


def accuracies(
    dataset: str,
    attack: Mapping[str, Any],
    preprocessing: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, str], dict[float, float]] | None:
    """Return the authors' accuracies {(source, tested): {eps: accuracy}} under our labels.

    None where they have none for the same dataset, attack and space. Their eps is one of pixels on
    MNIST and notMNIST; on SVHN it is one behind global contrast normalisation.

    Args:
        dataset: name of the dataset.
        attack: configuration of the attack; the swept parameter does not count.
        preprocessing: configuration of the steps before the network.
    """
    theirs = _DATASETS.get(dataset)
    if theirs is None or not _same_space(dataset, str(attack.get("space")), preprocessing):
        return None
    name = attack["name"]
    if (name == "tgsm" and attack.get("steps") != 1) or attack.get("label", "true") != "true":
        return None
    recorded = _read()["data"][theirs].get(name)
    if recorded is None:
        return None
    return {
        (source, tested): {
            float(eps): value
            for eps, value in recorded[_DEFENSES[source]][_DEFENSES[tested]].items()
        }
        for source in _DEFENSES
        for tested in _DEFENSES
    }


def _same_space(dataset: str, space: str, preprocessing: Sequence[Mapping[str, Any]]) -> bool:
    steps = {str(step["name"]) for step in preprocessing}
    if dataset == "svhn":
        return space == "model_input" and "gcn" in steps
    # A shift moves the pixels and leaves distances alone.
    return space == "pixels" or steps <= {"shift"}


@lru_cache(maxsize=1)
def _read() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(_FILE.read_bytes())
    return recorded
