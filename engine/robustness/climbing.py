"""The ladder of attacks that a model's robustness is doubted by; judged in `doubt`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine import attacks, seeds
from engine.attacks import Attack, eight_bit
from engine.datasets import Split
from engine.networks import fast_copy, inference, stochastic
from engine.networks.inference import predict
from engine.robustness.rungs import Labels, first_wrong
from engine.training.loop import Progress

Images = NDArray[np.float32]
Rows = NDArray[np.int64]

DRAWS = 10
"""Draws that make an answer of a network that turns out to be stochastic and says no number."""
_APART = 1e-4
"""By how much logits may differ when asked again, as a share of the largest."""


@dataclass(frozen=True)
class Rungs:
    """How hard the attacks of a ladder try.

    Attributes:
        steps: PGD's.
        restarts: of PGD on each loss.
        queries: of the search without gradients.
        strong: the strongest attack; it gets each eps.
    """

    steps: int
    restarts: int
    queries: int
    strong: Attack


def climb(
    network: nn.Module,
    split: Split,
    *,
    eps: Sequence[float],
    rungs: Rungs,
    seed: int,
    others: Mapping[str, nn.Module],
    progress: Progress,
) -> dict[str, NDArray[Any]]:
    """Return a model's answers on every rung at every eps, by the names of `doubt.Ladder`.

    Everything is L-inf, in pixels, made on a prepared copy, and predicted by the model itself of
    8-bit pixels that lie in the ball. PGD starts at random points; an image that is answered
    wrongly is not attacked again. The others' answers are called `transferred_LABEL` to its FGSM
    examples and `pgd_transferred_LABEL` to those by PGD.

    A network that answers differently when asked again is attacked, and judged, by the expectation
    over `DRAWS` draws, where it is none already.

    Args:
        network: the model.
        split: the images.
        eps: ascending.
        rungs: how hard the attacks try.
        seed: decides noise and starts.
        others: models by label.
        progress: called after each eps.
    """
    random = _random(network, split.images)
    if random.any() and stochastic.draws_of(network) == 1:
        network = stochastic.Expectation(network, DRAWS)
    found: dict[str, list[Labels]] = {}
    ladder = _Ladder.of(network, split, seed)
    for done, size in enumerate(eps):
        for rung, answers in ladder.at(size, rungs, others).items():
            found.setdefault(rung, []).append(answers)
        progress({"step": done + 1, "steps": len(eps)})
    return {
        "eps": np.array(eps),
        "labels": split.labels,
        "clean": ladder.clean,
        "random": random,
        "draws": np.array(stochastic.draws_of(network)),
        **{rung: np.stack(answers) for rung, answers in found.items()},
    }


@dataclass
class _Ladder:
    """What all rungs share.

    Attributes:
        network: the model, which answers.
        attacked: a copy of it, which is attacked.
        scaled: the copy with its logits scaled down.
        split: the images.
        clean: the answers to them.
        seed: decides noise and starts.
        floats: the answers, at this eps, to the images that were fooled before rounding alone.
    """

    network: nn.Module
    attacked: nn.Module
    scaled: nn.Module
    split: Split
    clean: Labels
    seed: int
    floats: Labels = field(init=False)

    @classmethod
    def of(cls, network: nn.Module, split: Split, seed: int) -> _Ladder:
        """Return the ladder of a model."""
        clean, _ = predict(network, split.images)
        some = torch.from_numpy(split.images[:2]).to(inference.device_of(network))
        attacked = fast_copy.prepare(network, some)
        scaled = _Scaled(attacked, _gap(network, split.images))
        return cls(network, attacked, scaled, split, clean, seed)

    def at(self, eps: float, rungs: Rungs, others: Mapping[str, nn.Module]) -> dict[str, Labels]:
        """Return the answers (N,) on every rung at this eps."""
        self.floats = self.clean.copy()
        everything = np.arange(len(self.split))
        fgsm = attacks.create("fgsm", eps=eps)
        blind = attacks.create("fgsm", eps=eps, label="predicted")
        pgd = {"eps": eps, "steps": rungs.steps, "keep": "first_success"}
        kinds = {loss: attacks.create("pgd", **pgd, loss=loss) for loss in _LOSSES}
        noisy = eight_bit.rounded_images(self._noise(eps), self.split.images, fgsm.pixel_ball)
        answers = {
            "noise": predict(self.network, noisy)[0],
            "fgsm": self._answers(fgsm, everything),
            "fgsm_predicted": self._answers(blind, everything),
        }
        answers |= {
            rung: self._restarted(rung, kinds[loss], victim, self.clean, rungs.restarts)
            for rung, loss, victim in (
                ("cross_entropy", "cross_entropy", self.attacked),
                ("margin", "margin", self.attacked),
                ("scaled", "cross_entropy", self.scaled),
            )
        }
        ahead = self._worst(answers["cross_entropy"], answers["margin"])
        for loss, attack in kinds.items():
            twice = attacks.vary(attack, "steps", 2 * rungs.steps)
            ahead = self._restarted(loss, twice, self.attacked, ahead, 1)
        answers["converged"] = ahead
        ahead = self._worst(ahead, answers["scaled"], answers["fgsm"])
        answers["strong"] = self._onward(attacks.vary(rungs.strong, "eps", eps), ahead)
        answers["strong_float"] = self._worst(answers["strong"], self.floats)
        search = attacks.create("square", eps=eps, queries=rungs.queries)
        answers["square"] = self._onward(search, answers["strong"])
        return answers | self._transferred(fgsm, attacks.create("pgd", **pgd | _LAST), others)

    def _transferred(
        self, fgsm: Attack, pgd: Attack, others: Mapping[str, nn.Module]
    ) -> dict[str, Labels]:
        """Return what the other models answer to examples for this one."""
        found: dict[str, Labels] = {}
        for name, attack in (("transferred", fgsm), ("pgd_transferred", pgd)) if others else ():
            everything = np.arange(len(self.split))
            made = self._made(attack, self.attacked, everything, self._draw("cross_entropy", 0))
            examples = eight_bit.rounded_images(made, self.split.images, attack.pixel_ball)
            found |= {
                f"{name}_{label}": predict(each, examples)[0] for label, each in others.items()
            }
        return found

    def _restarted(
        self, name: str, attack: Attack, victim: nn.Module, before: Labels, restarts: int
    ) -> Labels:
        """Return the answers after some restarts on `victim`; a wrong one stays."""
        answers = before
        for start in range(restarts):
            answers = self._onward(attack, answers, victim, self._draw(name, start))
        return answers

    def _onward(
        self, attack: Attack, before: Labels, victim: nn.Module | None = None, draw: int = 0
    ) -> Labels:
        """Return the answers after one attack on the images that are still right."""
        answers = before.copy()
        left = np.flatnonzero(answers == self.split.labels)
        if len(left):
            answers[left] = self._answers(attack, left, victim, draw)
        return answers

    def _answers(
        self, attack: Attack, rows: Rows, victim: nn.Module | None = None, draw: int = 0
    ) -> Labels:
        """Return the answers to the 8-bit examples of some images."""
        images, labels = self.split.images[rows], self.split.labels[rows]
        made = self._made(attack, victim or self.attacked, rows, draw)
        rounded = eight_bit.rounded_images(made, images, attack.pixel_ball)
        answers, _ = predict(self.network, rounded)
        right = np.flatnonzero(answers == labels)
        if len(right):
            exact, _ = predict(self.network, made[right])
            wrong = exact != labels[right]
            self.floats[rows[right[wrong]]] = exact[wrong]
        return answers

    def _made(self, attack: Attack, victim: nn.Module, rows: Rows, draw: int) -> Images:
        """Return the examples of some images; an image's draws follow from `draw` and its place."""
        device = inference.device_of(victim)
        drawn = np.array([seeds.derive(draw, int(row)) for row in rows])
        arrays = (self.split.images[rows], self.split.labels[rows], drawn)
        made = [
            attack(
                victim,
                torch.from_numpy(x).to(device),
                torch.from_numpy(y).to(device),
                seeds=torch.from_numpy(s),
            )
            for x, y, s in inference.parts(victim, *arrays, work="attacks")
        ]
        examples: Images = torch.cat(made).cpu().numpy()
        return examples

    def _draw(self, name: str, start: int) -> int:
        return seeds.derive(self.seed, "ladder", name, start)

    def _worst(self, *answers: Labels) -> Labels:
        return first_wrong(self.split.labels, *answers)

    def _noise(self, eps: float) -> Images:
        """Return images with random signs of size eps, the same signs at every eps."""
        rng = np.random.default_rng(seeds.derive(self.seed, "ladder", "noise"))
        images = self.split.images
        signs = rng.choice(np.array([-1, 1], dtype=np.float32), images.shape)
        noisy: Images = np.clip(images + np.float32(eps) * signs, 0, 1)
        return noisy


_LOSSES = ("cross_entropy", "margin")
_LAST = {"keep": "last"}
"""What fools this model narrowly fools no other."""


def _random(network: nn.Module, images: Images) -> NDArray[np.bool_]:
    """Return which images (N,) get other logits when the network is asked again."""
    device = inference.device_of(network)
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        stochastic.one_draw(network),
    ):
        torch.manual_seed(0)
        first, second = (inference.logits(network, images) for _ in range(2))
    apart: NDArray[np.bool_] = ((first - second).abs() > _APART * first.abs().max()).any(1).numpy()
    return apart


def _gap(network: nn.Module, images: Images) -> float:
    """Return the median distance of the two largest logits, at least 1.

    Where it is less, nothing saturates: there is nothing to scale.
    """
    top = inference.logits(network, images).topk(2).values
    return max(1.0, float((top[:, 0] - top[:, 1]).median()))


class _Scaled(nn.Module):
    """A network whose logits are divided, so that its softmax does not saturate."""

    def __init__(self, network: nn.Module, gap: float) -> None:
        super().__init__()
        self.network = network
        self.gap = gap

    def forward(self, x: Tensor) -> Any:
        return self.network(x) / self.gap
