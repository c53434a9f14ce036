"""What a training step of each defense costs, in plain steps and in steps of its own arithmetic.

    .venv/bin/python benchmarks/training.py

One batch of the built-in digits, one thread; a step is loss, backward and Adam. Rounds are
interleaved: in each, every defense takes some steps one after the other, and the processor time is
divided by the plain step's of the same round; printed is the median of the rounds with the smallest
and largest. The floor is the step's floating point operations over the plain step's, counted while
the ordinary step runs, by the formulas of PyTorch's FlopCounterMode: convolutions and matrix
products, nothing elementwise. A step at its floor does them as fast as the plain step its own.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from networks import BATCH, build
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from engine import datasets, defenses
from engine.datasets import Data
from engine.defenses import Context
from engine.training.double_backward import PenaltyStep

PENALTY = {"name": "gradient_penalty"}
UNIFORM = {"name": "gradient_penalty", "target": "uniform"}
FGSM = {"name": "adversarial_training"}


@dataclass(frozen=True)
class Variant:
    """A defense and how its step is done."""

    defense: list[dict[str, Any]]
    closed_form: bool = False
    binary: bool = False


VARIANTS = {
    "none": Variant([{"name": "none"}]),
    "adversarial training": Variant([FGSM]),
    "gradient penalty, eager": Variant([PENALTY]),
    "gradient penalty, closed form": Variant([PENALTY], closed_form=True),
    "gradient penalty (uniform), eager": Variant([UNIFORM]),
    "gradient penalty (uniform), closed form": Variant([UNIFORM], closed_form=True),
    "adversarial training + penalty, eager": Variant([FGSM, PENALTY]),
    "adversarial training + penalty, closed form": Variant([FGSM, PENALTY], closed_form=True),
    "distillation (student)": Variant([{"name": "distillation"}]),
    "differential (two classes)": Variant([{"name": "differential"}], binary=True),
}


def stepper(variant: Variant, architecture: str, data: Data, batch: int) -> Callable[[], None]:
    """Return a function that takes one training step; its start-up check is done."""
    labels = torch.from_numpy(data.train.labels)
    chosen = (labels < 2).nonzero()[:, 0] if variant.binary else torch.arange(len(labels))
    chosen = chosen.repeat(-(-batch // len(chosen)))[:batch]  # of two digits there are few
    x, y = torch.from_numpy(data.train.images)[chosen], labels[chosen]
    network = build(architecture, data.shape, 2 if variant.binary else 10, seed=0)
    teacher = build(architecture, data.shape, 10, seed=1).eval()
    optimizer = torch.optim.Adam(network.parameters())
    defense = defenses.combine(variant.defense)
    penalty_step = PenaltyStep(network, defense)

    def step() -> None:
        context = Context(required={"teacher": teacher})
        if variant.closed_form:
            penalty_step(x, y, context)
        else:
            loss, _ = defense.loss(network, x, y, context)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
        optimizer.step()

    step()
    return step


class FlopCounter(TorchDispatchMode):
    """FlopCounterMode without its hooks on modules, which refuse a gradient to the input."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.total += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


def flops(step: Callable[[], None]) -> int:
    """Return the floating point operations of one step."""
    with FlopCounter() as counter:
        step()
    return counter.total


def seconds(step: Callable[[], None], steps: int) -> float:
    """Return the processor time of `steps` steps."""
    start = time.process_time()
    for _ in range(steps):
        step()
    return time.process_time() - start


def measure(architecture: str, data: Data, batch: int, rounds: int, steps: int) -> None:
    """Print the table of one architecture."""
    taking = {name: stepper(v, architecture, data, batch) for name, v in VARIANTS.items()}
    # The closed form spares elementwise work alone: its floor is that of the step it stands for.
    floors = {
        str(variant.defense): flops(taking[name])
        for name, variant in VARIANTS.items()
        if not variant.closed_form
    }
    plain = floors[str(VARIANTS["none"].defense)]
    ratios: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        taken = {name: seconds(step, steps) for name, step in taking.items()}
        for name, found in taken.items():
            ratios[name].append(found / taken["none"])
    print(
        f"\n{architecture}, batch {batch} of {'x'.join(map(str, data.shape))}, "
        f"{plain / 1e9:.2f} GFLOP a plain step, {rounds} rounds of {steps} steps\n"
    )
    print("| defense | step / plain step | range | floor | step / floor |\n|---|---|---|---|---|")
    for name, found in ratios.items():
        middle, floor = statistics.median(found), floors[str(VARIANTS[name].defense)] / plain
        print(
            f"| {name} | {middle:.2f} | {min(found):.2f}–{max(found):.2f} "
            f"| {floor:.2f} | {middle / floor:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", nargs="+", choices=BATCH, default=list(BATCH))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, help="steps a round (default: 2 or 10 by size)")
    parser.add_argument("--batch", type=int, help="images a batch (default: 256 or 64 by size)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = datasets.create("digits").load()
    print(f"torch {torch.__version__} on CPU, 1 thread")
    for architecture in given.architecture:
        batch = given.batch or BATCH[architecture]
        steps = given.steps or (2 if architecture == "paper_cnn" else 10)
        measure(architecture, data, batch, given.rounds, steps)


if __name__ == "__main__":
    main()
