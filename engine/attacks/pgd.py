"""Projected gradient descent: many small steps, never further than eps from the image."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.attacks import Batch, GradientAttack, Trace, clip, only, register
from engine.attacks._balls import Norm, project, steepest, uniform
from engine.attacks._losses import Loss, each
from engine.networks.inference import input_gradient


@register
class PGD(GradientAttack):
    """x <- P(x + step_size * d), `steps` times, P the projection onto the eps-ball and [0, 1].

    Madry et al. (2018). `linf`: d = sign(g); `l2`: d = g / ||g||_2, with g the input gradient of
    the loss; towards a target -d. Where g is exactly zero the image stays. The start is the image
    itself, or a point drawn uniformly from the ball; every restart draws another.

    Of the restarts an image keeps a success over a failure, and of equals the one with the largest
    loss (towards a target the smallest). A success is another class than the label, or the target.
    With "first_success" an image is done with its first: it takes part in no further step (on a
    GPU, where asking would mean waiting, it does and is not moved) and in no further restart.

    Attributes:
        eps: radius of the ball in `norm`, in units of the space.
        norm: "linf" or "l2".
        steps: gradient steps of each restart.
        step_size: length of a step in `norm`; None means 2.5 * eps / steps, which can cross the
            ball (Madry et al. 2018).
        random_start: start at a random point of the ball instead of at the image.
        restarts: how often to start; more than one needs `random_start` to differ.
        loss: "cross_entropy", or "margin": the largest other logit minus the label's (Carlini &
            Wagner 2017), which does not vanish where cross-entropy saturates.
        label: whose loss rises: the true label, or the model's own prediction of the image; or
            the target, whose loss falls: the attack is then targeted. Without a target the next
            class, (y + 1) mod K, is aimed at.
        keep: "last" iterate of a restart, or the iterate of its "first_success".
    """

    version: ClassVar[int] = 2

    eps: float = Field(0.1, ge=0)
    norm: Norm = "linf"
    steps: int = Field(40, ge=1)
    step_size: float | None = Field(None, ge=0)
    random_start: bool = True
    restarts: int = Field(1, ge=1)
    loss: Loss = "cross_entropy"
    label: Literal["true", "predicted", "target"] = "true"
    keep: Literal["last", "first_success"] = "last"

    def budget(self) -> tuple[Norm, float]:
        """Return `norm` and `eps`; see `Attack.budget`."""
        return self.norm, self.eps

    @property
    def targeted(self) -> bool:
        """Whether it aims at a class."""
        return self.label == "target"

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`."""
        x, aim, generators = batch.x, self._aim(model, batch), batch.generators()
        if self.restarts == 1:
            return self._climb(model, x, aim, generators, trace)[0]
        best, everyone = x, torch.arange(len(x), device=x.device)
        hit = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        value = torch.full((len(x),), -torch.inf, device=x.device)
        for _ in range(self.restarts):
            rows = everyone[~hit] if self.keep == "first_success" else everyone
            if not len(rows):
                break

            def trace_all(iterate: Tensor, before: Tensor = best, rows: Tensor = rows) -> None:
                trace(before.index_copy(0, rows, iterate))

            part, goal = only(model, rows), aim[rows]
            drawn = [generators[row] for row in rows.tolist()]
            x_adv, done = self._climb(part, x[rows], goal, drawn, trace_all)
            with torch.no_grad():
                logits = part(x_adv)
            done, reached = done | self._hits(logits, goal), self._value(logits, goal)
            # A success beats a failure; between equals the larger value wins.
            better = (done & ~hit[rows]) | ((done == hit[rows]) & (reached > value[rows]))
            kept = torch.where(better[:, None, None, None], x_adv, best[rows])
            best = best.index_copy(0, rows, kept)
            value[rows] = torch.where(better, reached, value[rows])
            hit[rows] |= done
        return best

    def _aim(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the classes (N,) to leave, or for a targeted attack to reach."""
        if self.label == "true":
            return batch.y
        if self.targeted and batch.target is not None:
            return batch.target
        with torch.no_grad():
            logits = model(batch.x)
        return batch.aim(logits.shape[1]) if self.targeted else logits.argmax(1)

    def _climb(
        self,
        model: nn.Module,
        x: Tensor,
        aim: Tensor,
        generators: list[torch.Generator],
        trace: Trace,
    ) -> tuple[Tensor, Tensor]:
        """Return one restart's examples, and which of them stopped at their first success."""
        step_size = 2.5 * self.eps / self.steps if self.step_size is None else self.step_size
        stopping = self.keep == "first_success"
        z = x
        if self.random_start:
            z = clip(model, x + self.eps * uniform(x, generators, self.norm))
        x_adv, rows = z, torch.arange(len(x), device=x.device)  # rows: where z belongs in x_adv
        done = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        trace(x_adv)
        for _ in range(self.steps):
            z = z.detach().requires_grad_(True)
            logits = model(z)
            gradient = input_gradient(self._value(logits, aim).sum(), z)
            step = step_size * steepest(gradient, self.norm)
            moved = clip(model, project(z.detach() + step, x, self.eps, self.norm))
            if stopping:
                done[rows] |= self._hits(logits, aim)
                moved = torch.where(done[rows, None, None, None], z.detach(), moved)
            z = moved
            x_adv = x_adv.index_copy(0, rows, z) if len(rows) < len(x_adv) else z
            trace(x_adv)
            if stopping and not x.is_cuda and done[rows].any():
                left = ~done[rows]
                if not left.any():
                    break
                model, x, aim, rows, z = only(model, left), x[left], aim[left], rows[left], z[left]
        return x_adv, done

    def _hits(self, logits: Tensor, aim: Tensor) -> Tensor:
        return (logits.argmax(1) == aim) == self.targeted

    def _value(self, logits: Tensor, aim: Tensor) -> Tensor:
        """Return what the attack raises, (N,)."""
        loss = each(self.loss, logits, aim)
        return -loss if self.targeted else loss
