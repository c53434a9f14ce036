"""The ladder of attacks that a model's robustness is doubted by; judged in `doubt`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine import attacks, rendering, seeds
from engine.datasets import Split
from engine.networks import fast_copy, inference
from engine.networks.inference import predict
from engine.training.loop import Progress

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


def climb(
    network: nn.Module,
    split: Split,
    *,
    eps: Sequence[float],
    steps: int,
    restarts: int,
    seed: int,
    others: Mapping[str, nn.Module],
    progress: Progress,
) -> dict[str, NDArray[Any]]:
    """Return a model's answers on every rung at every eps, by the names of `doubt.Ladder`.

    Everything is L-inf, in pixels, made on a prepared copy, and predicted of the rounded 8-bit
    pixels by the model itself. PGD starts at random points; an image that is answered wrongly is
    not attacked again. The others' answers to its FGSM examples are called `transferred_LABEL`.

    Args:
        network: the model.
        split: the images.
        eps: ascending.
        steps: PGD's.
        restarts: of PGD on each loss; on scaled logits it starts once.
        seed: decides noise and starts.
        others: models by label.
        progress: called after each eps.
    """
    clean, _ = predict(network, split.images)
    some = torch.from_numpy(split.images[:2]).to(inference.device_of(network))
    attacked = fast_copy.prepare(network, some)
    scaled = _Scaled(attacked, _gap(network, split.images))
    rungs: dict[str, list[Labels]] = {}

    def add(rung: str, answers: Labels) -> None:
        rungs.setdefault(rung, []).append(answers)

    for done, size in enumerate(eps):
        add("noise", predict(network, _rounded(_noise(split.images, size, seed)))[0])
        examples = _attacked(attacked, attacks.create("fgsm", eps=size), split)
        add("fgsm", predict(network, examples)[0])
        for label, other in others.items():
            add(f"transferred_{label}", predict(other, examples)[0])
        blind = attacks.create("fgsm", eps=size, label="predicted")
        add("fgsm_predicted", predict(network, _attacked(attacked, blind, split))[0])
        for rung, victim, loss, starts in (
            ("cross_entropy", attacked, "cross_entropy", restarts),
            ("margin", attacked, "margin", restarts),
            ("scaled", scaled, "cross_entropy", 1),
        ):
            pgd = attacks.create("pgd", eps=size, steps=steps, loss=loss)
            draws = [seeds.derive(seed, "ladder", rung, start) for start in range(starts)]
            add(rung, _restarted(network, victim, pgd, split, clean, draws))
        progress({"step": done + 1, "steps": len(eps)})
    answers = {rung: np.stack(found) for rung, found in rungs.items()}
    return {"eps": np.array(eps), "labels": split.labels, "clean": clean, **answers}


def _restarted(
    network: nn.Module,
    victim: nn.Module,
    attack: attacks.Attack,
    split: Split,
    clean: Labels,
    draws: Sequence[int],
) -> Labels:
    """Return the network's answers after a restart on `victim` for each seed of `draws`.

    A wrong one stays.
    """
    answers = clean.copy()
    for seed in draws:
        left = np.flatnonzero(answers == split.labels)
        if not len(left):
            break
        rest = Split(split.pixels[left], split.labels[left])
        answers[left] = predict(network, _attacked(victim, attack, rest, seed, left))[0]
    return answers


def _attacked(
    network: nn.Module,
    attack: attacks.Attack,
    split: Split,
    seed: int = 0,
    places: NDArray[np.int64] | None = None,
) -> Images:
    """Return the rounded examples; an image's draws follow from the seed and its place."""
    device = inference.device_of(network)
    if places is None:
        places = np.arange(len(split))
    drawn = np.array([seeds.derive(seed, int(place)) for place in places])
    made = [
        attack(
            network,
            torch.from_numpy(x).to(device),
            torch.from_numpy(y).to(device),
            seeds=torch.from_numpy(s),
        )
        for x, y, s in inference.parts(network, split.images, split.labels, drawn, work="attacks")
    ]
    return _rounded(torch.cat(made).cpu().numpy())


def _rounded(images: Images) -> Images:
    return rendering.to_images(rendering.to_pixels(images))


def _noise(images: Images, eps: float, seed: int) -> Images:
    """Return images with random signs of size eps, the same signs at every eps."""
    rng = np.random.default_rng(seeds.derive(seed, "ladder", "noise"))
    signs = rng.choice(np.array([-1, 1], dtype=np.float32), images.shape)
    noisy: Images = np.clip(images + np.float32(eps) * signs, 0, 1)
    return noisy


def _gap(network: nn.Module, images: Images) -> float:
    """Return the median distance of the two largest logits, at least 1."""
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
