"""What kinds of artifacts have to do with an experiment file: its sections, and what is wanted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema

from engine import attacks
from engine.artifacts import Role
from engine.attacks import Attack, TargetRule
from engine.components import member

_LABEL = r"^[a-z][a-z0-9_]*$"


def _free(label: str) -> str:
    if re.search(r"_seed\d+$", label):
        raise ValueError(f"the label {label!r} reads like a further seed; choose another")
    return label


Label = Annotated[str, Field(pattern=_LABEL, max_length=40), AfterValidator(_free)]
"""A short name that appears in columns and addresses."""

SomeAttack: TypeAlias = Annotated[
    attacks.Attack, member(attacks.registry), WithJsonSchema({"member": "attack"})
]
ANSWERING = "answering"
TARGET_OF = "target_of"
"""Where a configuration with random targets names the label that they are drawn by."""
SomeSplit: TypeAlias = Annotated[str, Field(pattern="^(train|valid|test)$")]


@dataclass(frozen=True)
class Section:
    """The part of an experiment file that belongs to a kind.

    Attributes:
        name: its key.
        annotation: what it holds, as a pydantic field has it.
        default: where the file leaves it out; for labelled ones there is none then.
        labelled: it holds one document per label, each with a `title` for readers.
        titles_under: the section after whose titles a run lists its own; default: itself.
    """

    name: str
    annotation: Any
    default: Any = None
    labelled: bool = True
    titles_under: str = ""


class Asking(Protocol):
    """What a kind may know of the run of an experiment that asks for its artifacts."""

    @property
    def labels(self) -> Sequence[str]:
        """The models' labels, in the file's order."""

    @property
    def reference(self) -> str:
        """Label of the undefended model that others are compared with."""

    @property
    def is_further_seed(self) -> bool:
        """Whether the seed is another than the experiment's own."""

    def section(self, name: str) -> Any:
        """Return a section of the experiment file."""

    def schedule(self, label: str) -> Any:
        """Return how a model is trained, as `engine.training.loop.TrainingConfig`."""

    def keeps_weights(self, label: str) -> bool:
        """Say whether the training of a model keeps weights on the way."""


@dataclass(frozen=True)
class Request:
    """One artifact that an experiment wants.

    Attributes:
        role: in the run.
        task: what makes it, for people.
        config: what its recipe says beside dataset and seed.
        parents: what it is made from: role in its recipe, and role in the run.
        versions: of the components that make it, by noun.
        seeded: whether the experiment's seed decides anything of it.
        gathers: which parents, by role in its recipe, it goes on without where they failed.
        tells_missing: its configuration has `missing`, by role what failed and why, if anything.
    """

    role: Role
    task: str
    config: Mapping[str, Any]
    parents: Mapping[Role, Role] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    seeded: bool = True
    gathers: Collection[Role] = ()
    tells_missing: bool = False


def answering(label: str) -> Role:
    """Return the role of a model that others ask: without answers of its own it counts as failed.

    So a network that cannot be run is left out where many are tested, and does not spoil it.
    """
    return Role(ANSWERING, label)


def aimed(attack: Attack, target: TargetRule = "next_class", drawn_for: str = "") -> dict[str, Any]:
    """Return the part of a configuration that says what attacks, and which class it aims at.

    Args:
        attack: the component.
        target: the rule.
        drawn_for: label that random targets are drawn by: attacks of different labels draw apart.
    """
    said = {"attack": attack.config(), "control": attack.control, "target": target}
    return {**said, TARGET_OF: drawn_for} if target == "random" else said


def ball_of(attack: Attack) -> dict[str, Any] | None:
    """Return the ball that an attack's examples are in, for a configuration; None without one."""
    budget = attack.budget()
    if budget is None:
        return None
    space = "pixels" if attack.pixel_ball is not None else "model_input"
    return {"norm": budget[0], "eps": budget[1], "space": space}
