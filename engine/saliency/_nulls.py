"""What the null maps share that are made of a method: its map without what is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from engine.saliency import Reason, SaliencyMethod, registry

if TYPE_CHECKING:
    from engine.networks.memory import Work
    from engine.networks.structure import Structure


class Null(SaliencyMethod):
    """A map that lacks something of the map that the method `of` makes of the same image.

    It applies where the method does, and takes the same baseline and target. Its name stands in
    `NULL_METHODS`, by which the rest of the program knows that its maps are no explanations.

    Attributes:
        of: configuration of the method.
    """

    of: dict[str, Any] = Field({"name": "input_gradient"}, json_schema_extra={"member": "saliency"})

    @field_validator("of")
    @classmethod
    def _resolve(cls, value: dict[str, Any]) -> dict[str, Any]:
        return registry.from_config(value).config()

    @property
    def method(self) -> SaliencyMethod:
        """The method that `of` describes."""
        return registry.from_config(self.of)

    def made_of(self) -> tuple[SaliencyMethod, ...]:
        """Return the method that it is made of."""
        return (self.method,)

    @property
    def uses_baseline(self) -> bool:  # type: ignore[override]
        """See `SaliencyMethod.uses_baseline`."""
        return self.method.uses_baseline

    @property
    def work(self) -> Work:  # type: ignore[override]
        """See `SaliencyMethod.work`."""
        return self.method.work

    @property
    def explains_a_class(self) -> bool:
        """See `SaliencyMethod.explains_a_class`."""
        return self.method.explains_a_class

    def unfit(self, structure: Structure) -> list[Reason]:
        """Return the method's reasons; see `SaliencyMethod.unfit`."""
        return self.method.unfit(structure)
