"""What saliency maps cost, ours and Captum's, in passes that they cannot do without.

    .venv/bin/python benchmarks/saliency.py
    .venv/bin/python benchmarks/saliency.py --memory --budget 1GiB

Time: a network with random weights explains test images of the built-in digits. One thread. Rounds
are interleaved: in each, the floor and every method run one after the other, and the processor time
is divided by the floor's of the same round; a method of few passes repeats them, so that a round is
long enough to be measured. Printed are the best, the median and the largest ratio; the median is
compared with what a method may take. The floor of a method that differentiates
is k plain forward and backward passes to the input with frozen weights, that of one that only asks
k forward passes, in batches of all the images. Captum's classes are asked for the same maps with as
many images at a time as is best for them.

Memory: each row is a process of its own with a worker's environment, which explains 10 000 images
within a memory budget. Methods that repeat passes repeat fewer: what they hold does not depend on
how many there are beyond a batch. Printed is the largest resident memory of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from networks import build
from torch import nn

from engine import datasets, saliency
from engine.artifacts import Recipe
from engine.execution.executor import worker_environment
from engine.networks import budget
from engine.networks.inference import frozen
from engine.networks.memory import Memory
from engine.saliency import Target

IMAGES = 10_000
_PASSES = 25
"""A round of a method has at least so many."""


@dataclass(frozen=True)
class Task:
    """One method, and what it cannot do without.

    Attributes:
        passes: how many of `kind` the floor has.
        most: the ratio to the floor that it may have.
        params: of the method.
        brief: further ones for the memory of many images.
        captum: gives the same maps with Captum, of a network, images and classes.
    """

    passes: int
    most: float | None = 1.2
    params: dict[str, Any] = field(default_factory=dict)
    brief: dict[str, Any] = field(default_factory=dict)
    kind: Literal["gradients", "answers"] = "gradients"
    captum: Callable[[Any, nn.Module, torch.Tensor, torch.Tensor], object] | None = None


STEPS, SAMPLES, SHAP = 50, 25, 5
_LAYER = {"layer": "relu2"}
TASKS = {
    "input_gradient": Task(
        1,
        params={"of": "log_probability"},
        captum=lambda ca, f, x, y: ca.Saliency(f).attribute(x, target=y, abs=False),
    ),
    "input_x_gradient": Task(
        1, captum=lambda ca, f, x, y: ca.InputXGradient(f).attribute(x, target=y)
    ),
    "integrated_gradients": Task(
        STEPS,
        1.05,
        {"steps": STEPS, "most_steps": STEPS},
        {"steps": 3, "most_steps": 3},
        captum=lambda ca, f, x, y: ca.IntegratedGradients(f).attribute(
            x, target=y, n_steps=STEPS, internal_batch_size=len(x)
        ),
    ),
    "smooth_grad": Task(
        SAMPLES,
        params={"samples": SAMPLES},
        brief={"samples": 3},
        captum=lambda ca, f, x, y: ca.NoiseTunnel(ca.Saliency(f)).attribute(
            x, nt_samples=SAMPLES, nt_samples_batch_size=1, stdevs=0.15, target=y, abs=False
        ),
    ),
    "gradient_shap": Task(
        SHAP,
        1.4,
        {"samples": SHAP},
        captum=lambda ca, f, x, y: ca.GradientShap(f).attribute(
            x, x[:1] * 0, n_samples=SHAP, stdevs=0.1, target=y
        ),
    ),
    "guided_backprop": Task(
        1, captum=lambda ca, f, x, y: ca.GuidedBackprop(f).attribute(x, target=y)
    ),
    "deep_lift": Task(1, 2.5, captum=lambda ca, f, x, y: ca.DeepLift(f).attribute(x, target=y)),
    "lrp": Task(1, captum=lambda ca, f, x, y: ca.LRP(f).attribute(x, target=y)),
    "grad_cam": Task(
        1,
        params=_LAYER,
        captum=lambda ca, f, x, y: ca.LayerGradCam(f, f.relu2).attribute(x, target=y),
    ),
    "guided_grad_cam": Task(
        2,
        params=_LAYER,
        captum=lambda ca, f, x, y: ca.GuidedGradCam(f, f.relu2).attribute(x, target=y),
    ),
    "occlusion": Task(
        14 * 14 + 1,
        params={"window": 2, "stride": 2},
        brief={"window": 14, "stride": 14},
        kind="answers",
        captum=lambda ca, f, x, y: ca.Occlusion(f).attribute(
            x, (1, 2, 2), strides=(1, 2, 2), target=y, perturbations_per_eval=1
        ),
    ),
    "rise": Task(100, params={"masks": 100}, brief={"masks": 4}, kind="answers"),
    "edges": Task(1, None),
    "same_spectrum": Task(1, None),
    "randomised_weights": Task(1, None),
}
"""By method. Null maps have no bound: what they take beside a method's map is not the network's."""


def floors(
    network: nn.Module, x: torch.Tensor, y: torch.Tensor
) -> dict[str, Callable[[int], None]]:
    """Return how k passes of each kind are done."""

    def gradients(count: int) -> None:
        with frozen(network):
            for _ in range(count):
                z = x.clone().requires_grad_()
                torch.autograd.grad(network(z).gather(1, y[:, None]).sum(), z)

    def answers(count: int) -> None:
        with frozen(network), torch.inference_mode():
            for _ in range(count):
                network(x)

    return {"gradients": gradients, "answers": answers}


def ours(
    method: str, network: nn.Module, x: np.ndarray, y: np.ndarray, params: dict[str, Any]
) -> Callable[[], object]:
    """Return what explains images by a method, from a black baseline where it has one."""
    explains = saliency.create(method, **params)
    black = np.zeros_like(x) if explains.uses_baseline else None
    return lambda: explains.attribute(network, x, Target(y), baseline=black)


def captums(
    task: Task, network: nn.Module, x: torch.Tensor, y: torch.Tensor
) -> Callable[[], object] | None:
    """Return what gives the same maps with Captum, None where it has no such class."""
    make = task.captum
    if make is None:
        return None
    import captum.attr

    def run() -> object:
        with frozen(network):
            return make(captum.attr, network, x.clone(), y)

    return run


def seconds(run: Callable[[], object], repeats: int = 1) -> float:
    """Return the processor time that `run` takes, the mean of some repeats."""
    start = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - start) / repeats


def times(given: argparse.Namespace, methods: list[str]) -> bool:
    """Print a row for each method; return whether each takes no more than it may."""
    torch.set_num_threads(1)
    data = datasets.create("digits").load()
    images = np.tile(data.test.images, (1 + given.images // len(data.test), 1, 1, 1))[
        : given.images
    ]
    network = build(given.architecture, data.shape, 10, seed=0).eval()
    x = torch.from_numpy(images)
    with torch.no_grad():
        y = network(x).argmax(1)
    floor = floors(network, x, y)
    print(f"torch {torch.__version__} on CPU, 1 thread; {given.architecture}, {len(x)} images\n")
    print("| method | passes | best | median | largest | may | Captum's, median | ms an image |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    good = True
    for name in methods:
        task = TASKS[name]
        own = ours(name, network, images, y.numpy(), task.params)
        other = captums(task, network, x, y)
        own()  # what is imported and allocated once
        captum = ""
        try:
            other and other()
        except Exception as error:  # whatever Captum does, ours are measured
            other, captum = None, f"raises {type(error).__name__}"
        found: dict[str, list[float]] = {"own": [], "captum": [], "ms": []}
        repeats = -(-_PASSES // task.passes)
        for _ in range(given.rounds):
            base = seconds(lambda task=task: floor[task.kind](task.passes), repeats)
            taken = seconds(own, repeats)
            found["own"].append(taken / base)
            found["ms"].append(1e3 * taken / len(x))
            if other is not None:
                found["captum"].append(seconds(other, repeats) / base)
        middle = statistics.median(found["own"])
        good = good and (task.most is None or middle <= task.most)
        captum = f"{statistics.median(found['captum']):.2f}" if other else captum
        print(
            f"| `{name}` | {task.passes} {task.kind} | {min(found['own']):.3f} "
            f"| {middle:.3f} | {max(found['own']):.3f} "
            f"| {task.most or ''} | {captum} | {min(found['ms']):.3g} |",
            flush=True,
        )
    return good


def memory(given: argparse.Namespace, methods: list[str]) -> bool:
    """Print a row for each method; return whether each stays within the budget."""
    print(f"{IMAGES} images of {given.architecture} within {given.budget}\n")
    print("| method | images at a time | peak | seconds |\n|---|--:|--:|--:|")
    good = True
    for name in methods:
        run = subprocess.run(
            [sys.executable, *sys.argv, "--child", name],
            env={**os.environ, **worker_environment(Recipe("maps", {}))},
            check=True,
            capture_output=True,
            text=True,
        )
        found = json.loads(run.stdout)
        good = good and found["peak"] <= budget.parse(given.budget)
        batch = ", ".join(str(found["batch"][each]) for each in sorted(found["batch"]))
        print(
            f"| `{name}` | {batch} | {budget.words(found['peak'])} | {found['seconds']:.0f} |",
            flush=True,
        )
    return good


def child(given: argparse.Namespace) -> dict[str, object]:
    """Return what one method takes in this process."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    shape = (1, 28, 28)
    x = rng.random((IMAGES, *shape), np.float32)
    network = build(given.architecture, shape, 10, seed=0).eval()
    task = TASKS[given.child]
    explain = ours(
        given.child, network, x, rng.integers(0, 10, len(x)), {**task.params, **task.brief}
    )
    held = Memory(budget.parse(given.budget))
    started = time.perf_counter()
    with held.applied():
        explain()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"batch": held.used, "peak": peak, "seconds": time.perf_counter() - started}


def main() -> None:
    """Print the table that is asked for; exit with 1 where a method takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="small_cnn", choices=["paper_cnn", "small_cnn"])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7, help="of each method")
    parser.add_argument("--only", nargs="+", metavar="METHOD", choices=TASKS)
    parser.add_argument("--memory", action="store_true", help="memory, in place of time")
    parser.add_argument("--budget", default="1GiB")
    parser.add_argument("--child", choices=TASKS, help="memory of one method, in this process")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", module="captum")
    if given.child:
        print(json.dumps(child(given)))
        return
    known = saliency.registry.names()
    methods = [name for name in given.only or TASKS if name in known]
    sys.exit(not (memory if given.memory else times)(given, methods))


if __name__ == "__main__":
    main()
