"""Projected gradient descent: many small steps, never further than eps from the image."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from engine.attacks import Batch, Eps, GradientAttack, Trace, clip, only, register
from engine.attacks._balls import Norm, project, steepest, uniform
from engine.attacks._losses import Goal, choices
from engine.attacks._schedules import half_cosine
from engine.attacks._success import NONE, ROUNDED, Kept, rank
from engine.errors import UsageError
from engine.networks.inference import input_gradient

_FIRST_STEP: dict[Norm, float] = {"linf": 2.0, "l2": 1.0}
"""First length of steps that decay, in eps: across the ball, or from its centre to the surface."""


@register
class PGD(GradientAttack):
    """x <- P(x + length * d), `steps` times, P the projection onto the eps-ball and [0, 1].

    Madry et al. (2018). `linf`: d = sign(g); `l2`: d = g / ||g||_2, with g the input gradient of
    the loss; towards a target -d. Where g is exactly zero the image stays. The start is the image
    itself, or a point drawn uniformly from the ball; every restart draws another.

    Left to itself the length of step t of T, counted from 0, falls along half a cosine, as in
    `minimum_norm`: first * eps * (1 + cos(pi t / T)) / 2 with first 2 in L-inf, the ball's
    diameter, and 1 in L2. Long steps leave poor regions, short ones settle: what Croce & Hein
    (2020, "Reliable evaluation") reach by halving the step. A constant step does neither.

    Of the restarts an image keeps a success over a failure, and of equals the one with the largest
    loss (towards a target the smallest). A success is another class than the label, or the target.
    With "first_success" an image is done with its first that is also one as 8-bit pixels, rounded
    within the ball: it takes part in no further step (on a GPU, where asking would mean waiting,
    it does and is not moved) and in no further restart. Where none survives rounding the image
    keeps the first success of all.

    Attributes:
        eps: radius of the ball in `norm`, in units of the space.
        norm: "linf" or "l2".
        steps: gradient steps of each restart.
        step_size: length of every step in `norm`; None means lengths that decay. With 0 the image
            stays at its start.
        random_start: start at a random point of the ball instead of at the image.
        restarts: how often to start; more than one needs `random_start` to differ.
        loss: "cross_entropy"; or "margin": the largest other logit minus the label's (Carlini &
            Wagner 2017), which does not vanish where cross-entropy saturates; or "difference": the
            logit of one other class minus the label's, whichever class is ahead meanwhile (Croce
            & Hein 2020 aim at each class so).
        choice: the class of a difference, by the model's answer to the undisturbed image: 1 is the
            largest other logit, 2 the next; of K classes at most K - 1, beyond which the last is
            taken. An attack towards a target takes that.
        label: whose loss rises: the true label, or the model's own prediction of the image; or
            the target, whose loss falls: the attack is then targeted. Without a target the next
            class, (y + 1) mod K, is aimed at. The difference is then the target's logit minus the
            true label's.
        keep: "last" iterate of a restart, or the iterate of its "first_success".

    Raises:
        UsageError: a choice that nothing would come of.
    """

    version: ClassVar[int] = 3
    """3: steps decay, and a first success survives rounding. With a `step_size` and the last
    iterate kept it gives the bits of version 2."""

    eps: Eps = 0.1
    norm: Norm = "linf"
    steps: int = Field(40, ge=1)
    step_size: Eps | None = None
    random_start: bool = True
    restarts: int = Field(1, ge=1)
    loss: Literal["cross_entropy", "margin", "difference"] = "cross_entropy"
    choice: int = Field(1, ge=1)
    label: Literal["true", "predicted", "target"] = "true"
    keep: Literal["last", "first_success"] = "last"

    @model_validator(mode="after")
    def _choice_counts(self) -> PGD:
        if self.choice > 1 and (self.loss != "difference" or self.targeted):
            raise UsageError(
                f"attack 'pgd': choice {self.choice} counts with the loss difference and without "
                f"a target, not with {self.loss} of the {self.label} label; leave it out"
            )
        return self

    def budget(self) -> tuple[Norm, float]:
        """Return `norm` and `eps`; see `Attack.budget`."""
        return self.norm, self.eps

    @property
    def targeted(self) -> bool:
        """Whether it aims at a class."""
        return self.label == "target"

    @property
    def _stopping(self) -> bool:
        return self.keep == "first_success"

    def applies_to(self, classes: int) -> bool:
        """Whether among so many classes there is the choice that it aims at."""
        return self.choice < classes

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`."""
        x, goal, generators = batch.x, self._goal(model, batch), batch.generators()
        if self.restarts == 1:
            return self._climb(model, x, goal, generators, trace)[0]
        best, everyone = x, torch.arange(len(x), device=x.device)
        reached = torch.full((len(x),), NONE, dtype=torch.int8, device=x.device)
        value = torch.full((len(x),), -torch.inf, device=x.device)
        for _ in range(self.restarts):
            rows = everyone[reached < ROUNDED] if self._stopping else everyone
            if not len(rows):
                break

            def trace_all(iterate: Tensor, before: Tensor = best, rows: Tensor = rows) -> None:
                trace(before.index_copy(0, rows, iterate))

            part, aim = only(model, rows), goal.rows(rows)
            drawn = [generators[row] for row in rows.tolist()]
            x_adv, found = self._climb(part, x[rows], aim, drawn, trace_all)
            with torch.no_grad():
                logits = part(x_adv)
            if not self._stopping:
                found = aim.hits(logits).to(torch.int8)
            # A success beats a failure; of equals the larger value wins, of first successes the
            # first.
            before, risen = reached[rows], aim.value(logits)
            rivals = before == found
            if self._stopping:
                rivals &= found == NONE
            better = (found > before) | (rivals & (risen > value[rows]))
            kept = torch.where(better[:, None, None, None], x_adv, best[rows])
            best = best.index_copy(0, rows, kept)
            value[rows] = torch.where(better, risen, value[rows])
            reached[rows] = torch.maximum(found, before)
        return best

    def _goal(self, model: nn.Module, batch: Batch) -> Goal:
        """Return what is to be reached; the model is asked where its answer decides that."""
        given = batch.y if self.label == "true" else batch.target if self.targeted else None
        if given is not None and (self.targeted or self.loss != "difference"):
            label = given
        else:
            with torch.no_grad():
                logits = model(batch.x)
            own = logits.argmax(1) if self.label == "predicted" else batch.y
            label = batch.aim(logits.shape[1]) if self.targeted else own
        pair = None
        if self.loss == "difference" and self.targeted:
            pair = (label, batch.y)
        elif self.loss == "difference":
            other = min(self.choice, max(logits.shape[1] - 1, 1))
            pair = (choices(logits, label)[:, other - 1], label)
        return Goal(self.loss, label, self.targeted, pair)

    def _length(self, step: int) -> float:
        """Return the length of a step, counted from 0."""
        if self.step_size is not None:
            return self.step_size
        return half_cosine(_FIRST_STEP[self.norm] * self.eps, 0.0, step / self.steps)

    def _climb(
        self,
        model: nn.Module,
        x: Tensor,
        goal: Goal,
        generators: list[torch.Generator],
        trace: Trace,
    ) -> tuple[Tensor, Tensor]:
        """Return one restart's examples, and (N,) how good a success each was kept for."""
        z = x
        if self.random_start:
            z = clip(model, x + self.eps * uniform(x, generators, self.norm))
        x_adv, rows = z, torch.arange(len(x), device=x.device)  # rows: where z belongs in x_adv
        kept = Kept(z)
        trace(x_adv)
        for step in range(self.steps):
            z = z.detach().requires_grad_(True)
            logits = model(z)
            gradient = input_gradient(goal.value(logits).sum(), z)
            z = z.detach()
            ahead = z + self._length(step) * steepest(gradient, self.norm)
            moved = clip(model, project(ahead, x, self.eps, self.norm))
            if self._stopping:
                kept.see(rows, z, rank(model, z, x, goal, self.pixel_ball, logits.detach()))
                done = kept.rank[rows] == ROUNDED
                if x.is_cuda or done.any():
                    moved = torch.where(done[:, None, None, None], z, moved)
            z = moved
            x_adv = x_adv.index_copy(0, rows, z) if len(rows) < len(x_adv) else z
            trace(x_adv)
            if self._stopping and not x.is_cuda and done.any():
                rows, x, goal, z = rows[~done], x[~done], goal.rows(~done), z[~done]
                if not len(rows):
                    break
                model = only(model, ~done)
        if self._stopping and len(rows):
            with torch.no_grad():
                logits = model(z)
            kept.see(rows, z, rank(model, z, x, goal, self.pixel_ball, logits))
            x_adv = torch.where((kept.rank > NONE)[:, None, None, None], kept.best, x_adv)
        return x_adv, kept.rank
