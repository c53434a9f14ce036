"""What a training step of each defense costs, in plain steps.

    .venv/bin/python benchmarks/training.py

One batch of the built-in digits and the small CNN on one thread. Rounds are interleaved: in each,
every defense takes some steps one after the other, and its time is divided by the plain step's of
the same round; printed is the median of the rounds with the smallest and largest.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from engine import datasets, defenses, models
from engine.defenses import Context, Defense

DEFENSES: dict[str, Defense] = {
    "none": defenses.create("none"),
    "adversarial_training": defenses.create("adversarial_training"),
    "gradient_penalty": defenses.create("gradient_penalty"),
    "distillation (student)": defenses.create("distillation"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = datasets.create("digits").load()
    architecture = models.create("small_cnn")
    x = torch.from_numpy(data.train.images[: given.batch])
    y = torch.from_numpy(data.train.labels[: given.batch])
    teacher = architecture.build(data.shape, 10, seed=1).eval()

    def seconds(defense: Defense) -> float:
        network = architecture.build(data.shape, 10, seed=0)
        optimizer = torch.optim.Adam(network.parameters())
        start = time.perf_counter()
        for _ in range(given.steps):
            loss, _ = defense.loss(network, x, y, Context(required={"teacher": teacher}))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return (time.perf_counter() - start) / given.steps

    for defense in DEFENSES.values():
        seconds(defense)  # warm up
    ratios: dict[str, list[float]] = {name: [] for name in DEFENSES}
    for _ in range(given.rounds):
        taken = {name: seconds(defense) for name, defense in DEFENSES.items()}
        for name, time_taken in taken.items():
            ratios[name].append(time_taken / taken["none"])
    print(f"torch {torch.__version__}, 1 thread, batch {given.batch}, {given.rounds} rounds")
    print("| defense | step / plain step | range |\n|---|---|---|")
    for name, found in ratios.items():
        print(f"| {name} | {statistics.median(found):.2f} | {min(found):.2f}-{max(found):.2f} |")


if __name__ == "__main__":
    main()
