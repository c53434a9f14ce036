"""What an artifact is to an experiment, or to an artifact that was made from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Role:
    """The name of a parent in a recipe: `examples:none:fgsm`.

    Attributes:
        kind: what the parent is: a kind of artifact, or a part it plays ("source", "reference").
        label: of a defense; of a swept attack, a smallest norm or a grid, where these have one
            artifact per defense.
        further: a second label: the attack of examples, the method of maps, and the defense whose
            label does not come first.

    Example:
        >>> str(Role("examples", "none", "fgsm"))
        'examples:none:fgsm'
        >>> Role.parse("model:none")
        Role(kind='model', label='none', further='')
    """

    kind: str
    label: str = ""
    further: str = ""

    def __post_init__(self) -> None:
        parts = (self.kind, self.label, self.further)
        if not self.kind or (self.further and not self.label) or any(":" in p for p in parts):
            raise ValueError(f"{parts} is no role: a kind, then up to two labels, all without ':'")

    def __str__(self) -> str:
        """Return the spelling that manifests have."""
        return ":".join(part for part in (self.kind, self.label, self.further) if part)

    @classmethod
    def parse(cls, text: str) -> Role:
        """Return the role that `text` spells.

        Raises:
            ValueError: it spells none.
        """
        kind, *labels = text.split(":")
        if len(labels) > 2 or not all((kind, *labels)):
            raise ValueError(f"{text!r} is no role: a kind, then up to two labels, as kind:label")
        return cls(kind, *labels)


def labels_of(kind: str, roles: Iterable[str]) -> list[str]:
    """Return the labels of all `roles`, as spelled, that have this kind; in their order."""
    found = (Role.parse(role) for role in roles)
    return [role.label for role in found if role.kind == kind and role.label]
