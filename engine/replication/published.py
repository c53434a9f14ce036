"""What Ross & Doshi-Velez recorded themselves, to stand beside ours.

`ross2018_transfer.json` holds the outputs kept in the authors' public notebooks: accuracy on FGSM
and one-step TGSM examples, source by tested model, on the first 256 test images of each dataset.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
_NETWORK = {"channels": [32, 64], "hidden": 1024, "dropout": 0.5, "batch_norm": True}
_BEHIND = {"mnist": [], "notmnist": [], "svhn": ["lcn"]}
"""The layers of their network that come before its first convolution, by dataset."""
_SCHEDULE = {"steps": 15000, "batch_size": 256, "lr": 2e-4, "adam_eps": 1e-4}
_STRENGTHS = {
    "mnist": {"penalty_loss": 109.8, "penalty_uniform": 1.95},
    "notmnist": {"penalty_loss": 1.098, "penalty_uniform": 0.347},
    "svhn": {"penalty_loss": 19.5, "penalty_uniform": 1.95},
}
"""Those that they chose, of the loss of an example (`engine.defenses.gradient_penalty`), to as many
digits as they are known to."""
_SAME_STRENGTH = 0.01
_PARAMETERS = {"distillation": {"temperature": 50.0}, "adversarial_training": {"eps": 0.3}}


def accuracies(
    dataset: str,
    attack: Mapping[str, Any],
    preprocessing: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, str], dict[float, float]] | None:
    """Return the authors' accuracies {(source, tested): {eps: accuracy}} under our labels.

    None where they have none for the same dataset, attack and space. Their eps is one of pixels on
    MNIST and notMNIST; on SVHN it is one behind global contrast normalisation. Whether the data are
    those that the authors had, the dataset's name does not tell: see `Results.publication`.

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


def differences(
    dataset: str,
    models: Mapping[str, Sequence[Mapping[str, Any]]],
    titles: Mapping[str, str],
) -> list[str]:
    """Return what the authors' models had otherwise than ours, in words; empty for nothing.

    Args:
        dataset: one of which they recorded something.
        models: configurations of the recipes of our models by label, one for each seed; those that
            the authors did not have do not count.
        titles: what readers call them.
    """
    every = [
        (f"“{titles[label]}”", config)
        for label, found in models.items()
        if label in _DEFENSES
        for config in found
    ]
    networks = [
        (label, str(config["architecture"]["name"]))
        for label, config in every
        if not _is_their_network(dataset, config["architecture"])
    ]
    schedules = [
        (label, _schedule(config))
        for label, config in every
        if not _SCHEDULE.items() <= (config.get("training") or {}).items()
    ]
    strengths = [
        f"“{titles[label]}” {each}"
        for label, found in models.items()
        if label in _DEFENSES
        for config in found
        for each in _strengths(dataset, label, config["defense"])
    ]
    said = []
    if networks:
        said.append(f"a different network (paper_cnn; ours {_by_label(networks, every)})")
    if schedules:
        theirs = _schedule({"training": _SCHEDULE})
        said.append(f"a different schedule ({theirs}; ours {_by_label(schedules, every)})")
    if strengths:
        said.append(f"a different strength ({'; '.join(dict.fromkeys(strengths))})")
    return said


def _by_label(found: Sequence[tuple[str, str]], every: Sequence[tuple[str, Any]]) -> str:
    """Return each different thing once, with the labels that have it where not all do."""
    labels: dict[str, dict[str, None]] = {}
    for label, what in found:
        labels.setdefault(what, {})[label] = None
    all_labels = {label for label, _ in every}
    return "; ".join(
        what if having.keys() == all_labels else f"{what} for {' and '.join(having)}"
        for what, having in labels.items()
    )


def _is_their_network(dataset: str, architecture: Mapping[str, Any]) -> bool:
    layers = [str(layer["name"]) for layer in architecture.get("input_layers", [])]
    return (
        architecture["name"] == "paper_cnn"
        and all(architecture.get(name, of) == of for name, of in _NETWORK.items())
        and layers == _BEHIND[dataset]
    )


def _schedule(config: Mapping[str, Any]) -> str:
    training = config.get("training")
    if not training:
        return "not trained here" if "training" in config else "not recorded"
    return (
        f"{training['steps']} steps of {training['batch_size']} at learning rate "
        f"{training['lr']:g} and Adam’s ε {training['adam_eps']:g}"
    )


def _strengths(dataset: str, label: str, defense: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a defense's parameters is not the authors'."""
    wanted: dict[str, Any] = dict(_PARAMETERS.get(label, {}))
    if label in _STRENGTHS[dataset]:
        wanted["strength"] = _STRENGTHS[dataset][label]
    for name, value in wanted.items():
        ours = defense.get(name)
        if ours is None or abs(ours - value) > _SAME_STRENGTH * value:
            yield f"{name} {value:g}, ours {'not recorded' if ours is None else f'{ours:g}'}"
    # In pixels an SVHN image has another length than behind contrast normalisation.
    if dataset == "svhn" and defense.get("space", "model_input") != "model_input":
        yield f"behind contrast normalisation, ours in {defense['space']}"


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
