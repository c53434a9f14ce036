"""What artifacts of a run are called in words, and what a run lacks, failure by failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.artifacts import Role

_OF_A_MODEL = {
    "model": "the model {of}",
    "answers": "the answers of {of}",
    "selection": "the choice among the values of {of}",
    "measures": "the measures of {of}",
    "ladder": "the ladder of attacks on {of}",
    "training_time": "the training time of {of}",
}
_OF_A_MODEL_BY = {
    "examples": ("attacks", "the attack {by} on {of}"),
    "maps": ("saliency", "the maps {by} of {of}"),
    "map_metrics": ("saliency", "the metrics of the maps {by} of {of}"),
}
_BY_OF_A_MODEL = {
    "curve": ("curves", "the curve {by} of {of}"),
    "grid": ("grids", "the grid {by} of {of}"),
    "minimum_norm": ("minimum_norms", "the smallest norms {by} of {of}"),
}


@dataclass(frozen=True)
class Failure:
    """One failure of a run, and what it took along.

    Attributes:
        reason: its sentence: the task, and what happened.
        models: labels of the models of which there is nothing, or nothing that answers.
        parts: what else is not there.
    """

    reason: str
    models: tuple[str, ...]
    parts: tuple[Role, ...]

    def lost(self, config: Mapping[str, Any]) -> str:
        """Return in words what is not there, with the titles of a run's configuration."""
        titles = config["defenses"]
        ordered = [label for label in titles if label in self.models]
        named = [f"the model {_quoted(titles, label)}" for label in ordered]
        return "; ".join([*named, *(in_words(role, config) for role in self.parts)])


def failures(missing: Mapping[Role, str]) -> list[Failure]:
    """Return what a run lacks (`Results.missing`), each failure once."""
    roles: dict[str, list[Role]] = {}
    for role, reason in missing.items():
        roles.setdefault(reason, []).append(role)
    gone = _models(missing)
    return [
        Failure(
            reason,
            _models(lost),
            tuple(sorted(role for role in lost if defense_of(role) not in gone)),
        )
        for reason, lost in roles.items()
    ]


def untouched(missing: Iterable[Role], config: Mapping[str, Any]) -> list[str]:
    """Return the titles of the models of which nothing is missing, in the experiment's order."""
    touched = {defense_of(role) for role in missing}
    return [title for label, title in config["defenses"].items() if label not in touched]


def in_words(role: Role, config: Mapping[str, Any]) -> str:
    """Return what an artifact is called, with the titles of a run's configuration."""
    titles = config["defenses"]
    if role.kind in _OF_A_MODEL:
        return _OF_A_MODEL[role.kind].format(of=_quoted(titles, role.label))
    if role.kind in _OF_A_MODEL_BY:
        section, words = _OF_A_MODEL_BY[role.kind]
        by = _quoted(config[section], role.further)
        return words.format(by=by, of=_quoted(titles, role.label))
    if role.kind in _BY_OF_A_MODEL:
        section, words = _BY_OF_A_MODEL[role.kind]
        by = _quoted(config[section], role.label)
        return words.format(by=by, of=_quoted(titles, role.further))
    return str(role)


def defense_of(role: Role) -> str:
    """Return the label of the model that an artifact is of, "" for none."""
    return role.further if role.kind in _BY_OF_A_MODEL else role.label


def _models(roles: Iterable[Role]) -> tuple[str, ...]:
    """Return the labels of the models that are lost with these roles."""
    lost = (role.label for role in roles if role.kind in ("model", "answers"))
    return tuple(dict.fromkeys(lost))


def _quoted(titles: Mapping[str, str], label: str) -> str:
    return f"“{titles.get(label, label)}”"
