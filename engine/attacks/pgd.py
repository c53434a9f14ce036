"""Projected gradient descent: many small steps, never further than eps from the image."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from engine.attacks import GradientAttack, Trace, clip, register
from engine.inference import input_gradient


@register
class PGD(GradientAttack):
    """x <- P(x + step_size * d), `steps` times, P the projection onto the eps-ball and [0, 1].

    Madry et al. (2018). `linf`: d = sign(g); `l2`: d = g / ||g||_2, with g the input gradient of
    the loss. Where g is exactly zero the image stays. The start is the image itself, or a point
    drawn uniformly from the ball; every restart draws another. Of the restarts an image keeps the
    one that the model gets wrong with the largest loss, else the one with the largest loss.

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
        label: whose loss rises: the true label, or the model's own prediction of the image.
        keep: "last" iterate of a restart, or the iterate of its "first_success".
    """

    eps: float = Field(0.1, ge=0)
    norm: Literal["linf", "l2"] = "linf"
    steps: int = Field(40, ge=1)
    step_size: float | None = Field(None, ge=0)
    random_start: bool = True
    restarts: int = Field(1, ge=1)
    loss: Literal["cross_entropy", "margin"] = "cross_entropy"
    label: Literal["true", "predicted"] = "true"
    keep: Literal["last", "first_success"] = "last"

    def run(
        self,
        model: nn.Module,
        x: Tensor,
        y: Tensor,
        target: Tensor | None,
        seeds: Tensor,
        trace: Trace,
    ) -> Tensor:
        """Compute the examples; see `Attack.run`. `target` is ignored: the attack has none."""
        label = y
        if self.label == "predicted":
            with torch.no_grad():
                label = model(x).argmax(1)
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        if self.restarts == 1:
            return self._climb(model, x, label, generators, trace)[0]
        best = x
        best_wrong = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        best_loss = torch.full((len(x),), -torch.inf, device=x.device)
        for _ in range(self.restarts):
            x_adv, done = self._climb(model, x, label, generators, trace)
            with torch.no_grad():
                logits = model(x_adv)
            wrong, loss = done | (logits.argmax(1) != label), self._loss(logits, label)
            # A wrong image beats a right one; between equals the larger loss wins.
            better = (wrong & ~best_wrong) | ((wrong == best_wrong) & (loss > best_loss))
            best = torch.where(better[:, None, None, None], x_adv, best)
            best_wrong |= wrong
            best_loss = torch.where(better, loss, best_loss)
        return best

    def _climb(
        self,
        model: nn.Module,
        x: Tensor,
        label: Tensor,
        generators: list[torch.Generator],
        trace: Trace,
    ) -> tuple[Tensor, Tensor]:
        """Return one restart's examples, and which of them stopped at their first success."""
        step_size = 2.5 * self.eps / self.steps if self.step_size is None else self.step_size
        x_adv = self._start(model, x, generators) if self.random_start else x
        kept, done = x_adv, torch.zeros(len(x), dtype=torch.bool, device=x.device)
        trace(x_adv)
        for _ in range(self.steps):
            x_adv = x_adv.detach().requires_grad_(True)
            logits = model(x_adv)
            if self.keep == "first_success":
                # Images that are done stay as they were.
                kept = torch.where(done[:, None, None, None], kept, x_adv.detach())
                done = done | (logits.argmax(1) != label)
            gradient = input_gradient(self._loss(logits, label).sum(), x_adv)
            x_adv = self._project(model, x_adv.detach() + step_size * self._direction(gradient), x)
            trace(x_adv)
        return torch.where(done[:, None, None, None], kept, x_adv), done

    def _loss(self, logits: Tensor, label: Tensor) -> Tensor:
        if self.loss == "cross_entropy":
            return F.cross_entropy(logits, label, reduction="none")
        own = logits.gather(1, label[:, None]).squeeze(1)
        others = logits.scatter(1, label[:, None], -torch.inf)
        return others.amax(1) - own

    def _start(self, model: nn.Module, x: Tensor, generators: list[torch.Generator]) -> Tensor:
        """Return a point drawn uniformly from the ball around each image, clipped to [0, 1]."""
        if self.norm == "linf":
            drawn = [2 * torch.rand(x.shape[1:], generator=g) - 1 for g in generators]
            return clip(model, x + self.eps * torch.stack(drawn).to(x))
        pixels = x[0].numel()
        drawn = []
        for generator in generators:
            direction = torch.randn(x.shape[1:], generator=generator)
            radius = torch.rand((), generator=generator) ** (1 / pixels)
            drawn.append(radius * direction / direction.norm())
        return clip(model, x + self.eps * torch.stack(drawn).to(x))

    def _direction(self, gradient: Tensor) -> Tensor:
        if self.norm == "linf":
            return gradient.sign()
        # Scaled by its largest pixel first: squares of a masked model's gradients underflow.
        largest = gradient.abs().amax((1, 2, 3), keepdim=True)
        scaled = gradient / largest.clamp_min(torch.finfo(gradient.dtype).tiny)
        return scaled / _norm(scaled).clamp_min(torch.finfo(gradient.dtype).tiny)

    def _project(self, model: nn.Module, x_adv: Tensor, x: Tensor) -> Tensor:
        if self.norm == "linf":
            return clip(model, x_adv.clamp(x - self.eps, x + self.eps))
        delta = x_adv - x
        length = _norm(delta)
        # Clipping afterwards moves every pixel towards x, so the ball is not left again.
        return clip(model, x + delta * (self.eps / length.clamp_min(self.eps or 1.0)))


def _norm(images: Tensor) -> Tensor:
    """Return the L2 norm of each image, shaped (N, 1, 1, 1)."""
    norm: Tensor = torch.linalg.vector_norm(images.flatten(1), dim=1)
    return norm[:, None, None, None]
