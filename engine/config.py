"""Experiment files: what to train, attack and explain, in one YAML document.

Every error is found in one pass and named with its place. Validating a component imports it, and
with it torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engine import attacks, datasets, defenses, models, saliency
from engine.errors import UsageError
from engine.registry import Component, Registry
from engine.training import TrainingConfig

BUILT_IN = Path(__file__).parent / "experiments"
_LABEL = r"^[a-z][a-z0-9_]*$"

Label = Annotated[str, Field(pattern=_LABEL, max_length=40)]
"""A short name that appears in columns and addresses."""


def _member(registry: Registry[Any]) -> BeforeValidator:
    def resolve(value: Any) -> Any:
        if isinstance(value, Component):
            return value
        try:
            return registry.from_config(value)
        except UsageError as error:
            raise ValueError(str(error)) from None

    return BeforeValidator(resolve)


def _defense(value: Any) -> Any:
    if isinstance(value, Component):
        return value
    try:
        return defenses.combine(value if isinstance(value, list) else [value])
    except UsageError as error:
        raise ValueError(str(error)) from None


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class DefendedModel(_Strict):
    """One model to train.

    Attributes:
        title: its name for readers.
        defense: one defense, or a list that combines.
        training: what differs from the experiment's schedule.
    """

    title: str
    defense: Annotated[defenses.Defense, BeforeValidator(_defense)]
    training: dict[str, Any] = Field(default_factory=dict)


class AttackSpec(_Strict):
    """One attack, made for every model.

    Attributes:
        title: its name for readers.
        attack: the component.
    """

    title: str
    attack: Annotated[attacks.Attack, _member(attacks.registry)]


class SaliencySpec(_Strict):
    """One saliency method, computed for every model on clean images and on its own examples.

    Attributes:
        title: its name for readers.
        method: the component.
    """

    title: str
    method: Annotated[saliency.SaliencyMethod, _member(saliency.registry)]


class Experiment(_Strict):
    """A whole experiment: one dataset and architecture, several defenses, attacks and maps."""

    name: Label
    title: str
    seed: int = Field(0, ge=0)
    dataset: Annotated[datasets.Dataset, _member(datasets.registry)]
    architecture: Annotated[models.Architecture, _member(models.registry)]
    training: TrainingConfig = TrainingConfig()
    defenses: dict[Label, DefendedModel] = Field(min_length=1)
    attacks: dict[Label, AttackSpec] = Field(min_length=1)
    saliency: dict[Label, SaliencySpec] = Field(default_factory=dict)

    def schedule(self, label: str) -> TrainingConfig:
        """Return the schedule of one model: the experiment's with the model's own changes."""
        return TrainingConfig(**{**self.training.model_dump(), **self.defenses[label].training})


def load(name_or_path: str) -> Experiment:
    """Read a built-in experiment by name, or a YAML file by path.

    Raises:
        UsageError: no such experiment, not YAML, or anything in it is wrong; the message lists
            every problem with its place.
    """
    path = Path(name_or_path)
    if not path.suffix:
        path = BUILT_IN / f"{name_or_path}.yaml"
    known = ", ".join(sorted(p.stem for p in BUILT_IN.glob("*.yaml")))
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"no experiment {name_or_path!r}; give a YAML file or one of: {known}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{path} must hold a mapping with the keys of an experiment")
    return parse(document, path.name)


def parse(document: dict[str, Any], where: str) -> Experiment:
    """Validate a parsed document; `where` names it in messages. See `load`."""
    problems: list[str] = []
    try:
        experiment = Experiment(**document)
    except ValidationError as error:
        problems = [f"  {_place(p['loc'])}: {_message(p)}" for p in error.errors()]
    except TypeError as error:
        problems = [f"  {error}"]
    else:
        for label in experiment.defenses:
            try:
                experiment.schedule(label)
            except ValidationError as error:
                problems += [
                    f"  {_place(('defenses', label, 'training', *p['loc']))}: {_message(p)}"
                    for p in error.errors()
                ]
    if problems:
        raise UsageError("\n".join([f"{where} has {_count(problems)}:", *problems]))
    return experiment


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _message(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown key"
    return str(problem["msg"]).removeprefix("Value error, ")


def _count(problems: list[str]) -> str:
    return "a problem" if len(problems) == 1 else f"{len(problems)} problems"
