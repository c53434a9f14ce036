"""The worst of several attacks, image by image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from pydantic import WithJsonSchema, field_validator, model_validator
from torch import Tensor, nn

from engine.attacks import (
    Attack,
    Batch,
    Eps,
    GradientAttack,
    Trace,
    clip,
    ignore,
    only,
    register,
    registry,
    require_within_pixels,
)
from engine.attacks._balls import Norm, length, project
from engine.attacks._losses import Goal
from engine.attacks._success import NONE, ROUNDED, rank
from engine.errors import UsageError

_PGD = {"name": "pgd", "keep": "first_success"}
_DEFAULT: tuple[dict[str, Any], ...] = (
    # Most images that break at all break in a few steps; the long runs are for the others.
    {**_PGD, "steps": 10, "loss": "margin"},
    {**_PGD, "steps": 100},
    # Twice the steps break more than a second run does. The margin is mostly the first choice's.
    {**_PGD, "steps": 200, "loss": "margin"},
    # Where logits are huge, as after distillation, each choice breaks images that no other does.
    *({**_PGD, "steps": 50, "loss": "difference", "choice": choice} for choice in range(2, 10)),
    {"name": "minimum_norm", "steps": 60},
)


@register
class WorstCase(GradientAttack):
    """Of the image and its examples by `attacks`, the one that the model gets wrong.

    What a model's accuracy under attack should be measured with: an image counts as right only
    where every member fails (Carlini et al. 2019, "On evaluating adversarial robustness"). Members
    take turns. An image is *broken* when the model is wrong both before and after its pixels are
    rounded to 8 bits within the ball; later members work only on the images that are not, which
    makes it cheap. An image that the model gets wrong undisturbed comes back as it is. An example
    that is wrong before rounding alone is kept, and its image attacked on, so that the accuracy on
    floating point and that on 8-bit pixels can both be read off one example. Where all fail it is
    the example with the largest logit margin against the true label. Put the attack first that
    usually succeeds.

    By default the members are PGD with decaying steps: 10 steps on the margin, for the images that
    break at once; then 100 on the cross-entropy, 200 on the margin, and 50 on the difference to
    each of the second to ninth likeliest other classes (of K classes at most K - 1). Last comes
    the search for the smallest disturbance. How it compares with AutoAttack (Croce & Hein 2020) is
    measured by `benchmarks/robustness.py` and stands in `docs/benchmarks.md`.

    All members have one budget, which every image is within. A member without one, such as
    `minimum_norm`, is tried twice: what it finds is brought back into the ball, and pushed out to
    its surface, which rounding undoes less often. Members get the image's own seed, so that each
    can be repeated alone, and work in the `space` of the whole, on its prepared network.

    Attributes:
        attacks: configurations of the members, gradient attacks.
        eps: the members' eps, to draw accuracy over it; None leaves them their own.
        norm: the members' norm, "linf" or "l2"; None leaves them their own, which by default is
            "linf".

    Raises:
        UsageError: no member, none with a budget while the whole has no eps, or budgets, norms,
            spaces or preparation that do not agree.
    """

    version: ClassVar[int] = 2
    """2: other members by default, and an image is broken when that survives rounding."""

    attacks: Annotated[
        tuple[dict[str, Any], ...],
        WithJsonSchema({"type": "array", "items": {"member": "attack"}, "minItems": 1}),
    ] = _DEFAULT
    eps: Eps | None = None
    norm: Norm | None = None

    @field_validator("attacks")
    @classmethod
    def _resolve(cls, value: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        return tuple(registry.from_config(config).config() for config in value)

    @model_validator(mode="after")
    def _one_budget(self) -> WorstCase:
        for member in self._members():
            said = f"attack 'worst_case': member {member.name!r}"
            if not isinstance(member, GradientAttack):
                raise UsageError(f"{said} neither follows gradients nor asks for logits")
            if member.space not in ("pixels", self.space) or member.prepare > self.prepare:
                raise UsageError(
                    f"{said} has space {member.space} and prepare {member.prepare}, the whole "
                    f"{self.space} and {self.prepare}; give both to the whole"
                )
        budgets, norms = self._budgets()
        if len(budgets) != 1 or len(norms) != 1:
            listed = ", ".join(f"{norm} {eps:g}" for norm, eps in sorted(budgets)) or "none"
            raise UsageError(
                f"attack 'worst_case': its members must have one budget, not {listed}, and one "
                f"norm, not {', '.join(sorted(norms)) or 'none'}; give the whole an eps and a norm"
            )
        if self.space == "pixels" and norms == {"linf"}:
            try:
                require_within_pixels({"eps": next(iter(budgets))[1]})
            except ValueError as error:
                raise UsageError(f"attack 'worst_case': {error}") from None
        return self

    def _budgets(self) -> tuple[set[tuple[Norm, float]], set[Norm]]:
        """Return the budgets that there are among the members, and the norms."""
        members = self._members()
        budgets = {budget for budget in (member.budget() for member in members) if budget}
        norms: set[Norm] = {norm for norm, _ in budgets}
        norms |= {norm for norm in (getattr(member, "norm", None) for member in members) if norm}
        if members and (self.norm is not None or not norms):
            norms.add(self.norm or "linf")
        if self.eps is not None and not budgets:
            budgets = {(norm, self.eps) for norm in norms}
        return budgets, norms

    def made_of(self) -> tuple[Attack, ...]:
        """Return the members."""
        return tuple(self._members())

    def _members(self) -> list[Attack]:
        """Return the attacks, with the eps and the norm that they have here."""
        given = {
            key: value
            for key, value in (("eps", self.eps), ("norm", self.norm))
            if value is not None
        }
        found = []
        for config in self.attacks:
            known = registry.get(config["name"]).model_fields
            own = {key: value for key, value in given.items() if key in known}
            found.append(registry.from_config({**config, **own}))
        return found

    def budget(self) -> tuple[Norm, float]:
        """Return the norm and the eps that the members share; see `Attack.budget`."""
        ((budget,), _) = self._budgets()
        return budget

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`. The trace has the best after each member."""
        trace(batch.x)
        with torch.no_grad():
            logits = model(batch.x)
        found = _Worst(batch, Goal("margin", batch.y), logits)
        trace(found.x_adv)
        for member in self._members():
            # A GPU waits once per attack, against all of its steps for images that are done.
            rows = (found.rank < ROUNDED).nonzero()[:, 0]
            if not len(rows):
                break
            if not member.applies_to(logits.shape[1]):
                continue
            part, left = only(model, rows), batch.rows(rows)
            x_adv = member.run(part, left, ignore)
            for tried in [x_adv] if member.budget() else self._within(part, x_adv, left.x):
                found.see(part, rows, tried, self.pixel_ball)
            trace(found.x_adv)
        return found.x_adv

    def _within(self, model: nn.Module, x_adv: Tensor, x: Tensor) -> list[Tensor]:
        """Return examples brought back into the ball, and pushed out to its surface."""
        norm, eps = self.budget()
        delta = x_adv - x
        shortest = torch.finfo(x.dtype).tiny
        farther = (eps / length(delta, norm).clamp_min(shortest)).clamp_min(1)
        farther = torch.where(farther.isfinite(), farther, 1)
        return [clip(model, project(x + by * delta, x, eps, norm)) for by in (1, farther)]


class _Worst:
    """The worst example of each image so far.

    Attributes:
        x_adv: the examples (N, C, H, W).
        rank: how good a success they are, (N,); ROUNDED also where the model was wrong
            undisturbed.
    """

    def __init__(self, batch: Batch, goal: Goal, logits: Tensor) -> None:
        self.x_adv, self._x, self._goal = batch.x, batch.x, goal
        self.rank = torch.where(goal.hits(logits), ROUNDED, NONE).to(torch.int8)
        self._value = goal.value(logits)

    def see(
        self, model: nn.Module, rows: Tensor, x_adv: Tensor, ball: tuple[Norm, float] | None
    ) -> None:
        """Take what is better of examples (M, C, H, W) of the images at `rows` (M,)."""
        goal, before = self._goal.rows(rows), self.rank[rows]
        with torch.no_grad():
            logits = model(x_adv)
        reached, value = rank(model, x_adv, self._x[rows], goal, ball, logits), goal.value(logits)
        rises = (reached == before) & (reached == NONE) & (value > self._value[rows])
        better = (reached > before) | rises
        at = rows[better]
        self.x_adv = self.x_adv.index_copy(0, at, x_adv[better])
        self.rank = self.rank.index_copy(0, at, reached[better])
        self._value = self._value.index_copy(0, at, value[better])
