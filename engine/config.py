"""Experiment files: what to train, attack and explain, in one YAML document.

Every error is found in one pass and named with its place. Validating a component imports it, and
with it torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from engine import attacks, datasets, defenses, documents, models, saliency
from engine.documents import Document, member
from engine.errors import UsageError
from engine.registry import Component
from engine.training import TrainingConfig

BUILT_IN = Path(__file__).parent / "experiments"
_LABEL = r"^[a-z][a-z0-9_]*$"

Label = Annotated[str, Field(pattern=_LABEL, max_length=40)]
"""A short name that appears in columns and addresses."""


def _defense(value: Any) -> Any:
    if isinstance(value, Component):
        return value
    try:
        return defenses.combine(value if isinstance(value, list) else [value])
    except UsageError as error:
        raise ValueError(str(error)) from None


class DefendedModel(Document):
    """One model to train.

    Attributes:
        title: its name for readers.
        defense: one defense, or a list that combines.
        training: what differs from the experiment's schedule.
    """

    title: str
    defense: Annotated[defenses.Defense, BeforeValidator(_defense)]
    training: TrainingConfig = TrainingConfig()


class AttackSpec(Document):
    """One attack, made for every model.

    Attributes:
        title: its name for readers.
        attack: the component.
    """

    title: str
    attack: Annotated[attacks.Attack, member(attacks.registry)]


class SaliencySpec(Document):
    """One saliency method, computed for every model on clean images and on its own examples.

    Attributes:
        title: its name for readers.
        method: the component.
    """

    title: str
    method: Annotated[saliency.SaliencyMethod, member(saliency.registry)]


class Experiment(Document):
    """A whole experiment: one dataset and architecture, several defenses, attacks and maps."""

    name: Label
    title: str
    seed: int = Field(0, ge=0)
    dataset: Annotated[datasets.Dataset, member(datasets.registry)]
    architecture: Annotated[models.Architecture, member(models.registry)]
    training: TrainingConfig = TrainingConfig()
    defenses: dict[Label, DefendedModel] = Field(min_length=1)
    attacks: dict[Label, AttackSpec] = Field(min_length=1)
    saliency: dict[Label, SaliencySpec] = Field(default_factory=dict)

    def schedule(self, label: str) -> TrainingConfig:
        """Return the schedule of one model: the experiment's with the model's own changes."""
        changes = self.defenses[label].training.model_dump(exclude_unset=True)
        return self.training.model_copy(update=changes)


def load(name_or_path: str) -> Experiment:
    """Read a built-in experiment by name, or a YAML file by path.

    Raises:
        UsageError: no such experiment, not YAML, or anything in it is wrong; the message lists
            every problem with its place.
    """
    return documents.load(Experiment, name_or_path, "experiment", BUILT_IN)
