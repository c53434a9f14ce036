"""The worst of several attacks, image by image."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field, WithJsonSchema, field_validator, model_validator
from torch import Tensor, nn

from engine.attacks import (
    Attack,
    Batch,
    GradientAttack,
    Trace,
    ignore,
    only,
    register,
    registry,
)
from engine.attacks._balls import Norm
from engine.attacks._losses import margin
from engine.errors import UsageError

_PGD = {"name": "pgd", "restarts": 3, "keep": "first_success"}


@register
class WorstCase(GradientAttack):
    """Of the image and its examples by `attacks`, the one that the model gets wrong.

    What a model's accuracy under attack should be measured with: an image counts as right only
    where every member fails (Carlini et al. 2019, "On evaluating adversarial robustness"). Members
    take turns. The first that makes the model wrong decides, and later ones work only on the images
    that are still right, which makes it cheap; an image that the model gets wrong undisturbed comes
    back as it is. Where all fail it is the example with the largest logit margin against the true
    label. Put the attack first that usually succeeds.

    All members have one budget, which every image is within. They get the image's own seed, so
    that each can be repeated alone, and work in the `space` of the whole, on its prepared network.

    Attributes:
        attacks: configurations of the members, gradient attacks with an `eps`. By default PGD
            with 3 restarts, once with each loss.
        eps: the members' eps, to draw accuracy over it; None leaves them their own.

    Raises:
        UsageError: no member, one without a budget of its own, or budgets, spaces or
            preparation that do not agree.
    """

    attacks: Annotated[
        tuple[dict[str, Any], ...],
        WithJsonSchema({"type": "array", "items": {"member": "attack"}, "minItems": 1}),
    ] = ({**_PGD, "loss": "cross_entropy"}, {**_PGD, "loss": "margin"})
    eps: float | None = Field(None, ge=0)

    @field_validator("attacks")
    @classmethod
    def _resolve(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        return tuple(registry.from_config(config).config() for config in value)

    @model_validator(mode="after")
    def _one_budget(self) -> WorstCase:
        budgets = set()
        for member in self._members():
            said = f"attack 'worst_case': member {member.name!r}"
            budget = member.budget()
            if not isinstance(member, GradientAttack) or budget is None:
                raise UsageError(f"{said} needs an eps of its own, as fgsm, tgsm and pgd have one")
            if member.space not in ("pixels", self.space) or member.prepare > self.prepare:
                raise UsageError(
                    f"{said} has space {member.space} and prepare {member.prepare}, the whole "
                    f"{self.space} and {self.prepare}; give both to the whole"
                )
            budgets.add(budget)
        if len(budgets) != 1:
            listed = ", ".join(f"{norm} {eps:g}" for norm, eps in sorted(budgets)) or "none"
            raise UsageError(
                f"attack 'worst_case': its members must have one budget, not {listed}; give them "
                "one norm, and one eps or the whole an eps"
            )
        return self

    def made_of(self) -> tuple[Attack, ...]:
        """Return the members."""
        return tuple(self._members())

    def _members(self) -> list[Attack]:
        """Return the attacks, with the eps that they have here."""
        eps = {} if self.eps is None else {"eps": self.eps}
        return [registry.from_config({**config, **eps}) for config in self.attacks]

    def budget(self) -> tuple[Norm, float] | None:
        """Return the members' norm with the `eps` of the whole, where it has one."""
        if self.eps is None:
            return None
        return self._members()[0].budget()

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`. The trace has the best after each member."""
        worst, value = batch.x, _value(model, batch.x, batch.y)
        trace(worst)
        for member in self._members():
            # A GPU waits once per attack, against all of its steps for images that are done.
            rows = (value < torch.inf).nonzero()[:, 0]
            if not len(rows):
                break
            part, left = only(model, rows), batch.rows(rows)
            x_adv = member.run(part, left, ignore)
            reached = _value(part, x_adv, left.y)
            better = reached > value[rows]
            worst = worst.index_copy(0, rows[better], x_adv[better])
            value = value.index_copy(0, rows[better], reached[better])
            trace(worst)
        return worst


def _value(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the margin of each image (N,), infinity where the model is wrong."""
    with torch.no_grad():
        logits = model(x)
    return torch.where(logits.argmax(1) == y, margin(logits, y), torch.inf)
