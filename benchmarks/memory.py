"""The memory of a job on large images: what a process takes under a budget.

    .venv/bin/python benchmarks/memory.py --budget 2GiB

Each row is a process of its own with a worker's environment. A ResNet-18 with random weights is
attacked, explained and measured on random images of 224x224 pixels. Printed are the estimate of one
image, images at a time, and the largest resident memory of the whole process, or on a GPU all that
PyTorch reserved there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
import torch
from torch import nn

from engine import attacks, models, saliency
from engine.artifacts import Recipe
from engine.execution.executor import worker_environment
from engine.networks import budget, features, inference
from engine.networks.memory import Memory, Work, estimate

WORKS: dict[str, Work] = {
    "answers": "answers",
    "fgsm": "attacks",
    "pgd": "attacks",
    "saliency": "gradients",
    "measures": "gradients",
}


def attack(network: nn.Module, name: str, x: np.ndarray, y: np.ndarray) -> None:
    """Attack all images, as a job does."""
    made = attacks.create(name, **({"steps": 2} if name == "pgd" else {}))
    device = inference.device_of(network)
    for part in inference.parts(network, x, y, work="attacks"):
        made(network, *(torch.from_numpy(each).to(device) for each in part))


def do(work: str, network: nn.Module, x: np.ndarray, y: np.ndarray) -> None:
    """Do one kind of work with all images."""
    if work == "answers":
        inference.logits(network, x)
    elif work == "saliency":
        saliency.create("input_gradient").attribute(network, x, saliency.Target(y))
    elif work == "measures":
        inference.gradient_norms(network, x, y)
        features.penultimate(network, x)
    else:
        attack(network, work, x, y)


def measured(work: str, given: argparse.Namespace) -> dict[str, object]:
    """Return what one kind of work takes in this process."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    shape = (given.images, 3, given.side, given.side)
    x = rng.random(shape, np.float32)
    y = rng.integers(0, 10, given.images)
    network = models.create("resnet18").build(shape[1:], 10, seed=0).eval().to(given.device)
    memory = Memory(budget.parse(given.budget))
    started = time.perf_counter()
    with memory.applied():
        do(work, network, x, y)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if given.device != "cpu":
        peak = torch.cuda.max_memory_reserved()
    with inference.frozen(network):
        one = estimate(network, torch.from_numpy(x[:2]).to(given.device), WORKS[work])
    assert one is not None
    return {"image": one.of(1), "batch": memory.used, "peak": peak, "seconds": seconds}


def main() -> None:
    """Print a row for each kind of work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", default="2GiB")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--work", choices=WORKS, help="in this process; default: all, one each")
    given = parser.parse_args()
    if given.work:
        print(json.dumps(measured(given.work, given)))
        return
    print("| work | one image | images at a time | peak | seconds |\n|---|--:|--:|--:|--:|")
    for work in WORKS:
        run = subprocess.run(
            [sys.executable, *sys.argv, "--work", work],
            env={**os.environ, **worker_environment(Recipe("measures", {}))},
            check=True,
            capture_output=True,
            text=True,
        )
        found = json.loads(run.stdout)
        batch = ", ".join(str(found["batch"][each]) for each in sorted(found["batch"]))
        print(
            f"| {work} | {budget.words(found['image'])} | {batch} | {budget.words(found['peak'])} "
            f"| {found['seconds']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
