"""Images a second of the paper's whole penalty sweep on one GPU: eager, captured, side by side.

    .venv/bin/python benchmarks/gpu.py                      at most 8 minutes
    .venv/bin/python benchmarks/gpu.py --device cpu --tiny  whether it runs at all

The sweep is 13 strengths from 0.195 to 195, each a network of its own from the same first weights;
a step is loss with gradient penalty, backward and Adam on a batch that lies on the device, float32
without TF32. Counted are images times networks.

eager           one network after the other, as `engine.training.loop` does it.
captured        the same; the whole step, Adam included, is one CUDA graph.
side by side    all networks as one: convolutions in as many groups, BatchNorm over all channels,
                matrix products in a batch. These are ordinary layers, so BatchNorm's statistics,
                max-pooling and the second derivative need no support from vmap, and the networks
                share nothing: the gradient of their summed losses is each one's own. Processes
                would share the card in turns, streams would contend for the interpreter.
both            side by side, captured.

Each path first takes a few steps from the same weights, batches and seeds as eager; printed is how
far its parameters end from eager's, over how far eager's went, and the largest difference. A bias
before BatchNorm is left out: its gradient is rounding alone, which Adam scales to full steps; so it
does with single weights, which makes a step of 1e-3 a likely largest difference.
"eager again" is the card's own noise. Side by side draws dropout for all networks at once, so those
two are compared with dropout off.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from networks import BATCH, build
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from engine import defenses
from engine.defenses import Context

SHAPE, CLASSES = (1, 28, 28), 10
Step = Callable[[Tensor, Tensor], None]


@dataclass(frozen=True)
class Task:
    """What is trained, where."""

    device: torch.device
    architecture: str
    batch: int
    strengths: tuple[float, ...]
    check_steps: int

    def network(self, *, dropout: bool = True) -> nn.Module:
        """Return the fresh network that every strength starts from."""
        network = build(self.architecture, SHAPE, CLASSES, seed=0).to(self.device)
        for module in network.modules():
            if isinstance(module, nn.Dropout) and not dropout:
                module.p = 0.0
        return network

    def batches(self, count: int) -> list[tuple[Tensor, Tensor]]:
        """Return `count` batches of random images on the device."""
        generator = torch.Generator().manual_seed(0)
        found = []
        for _ in range(count):
            x = torch.rand(self.batch, *SHAPE, generator=generator)
            y = torch.randint(CLASSES, (self.batch,), generator=generator)
            found.append((x.to(self.device), y.to(self.device)))
        return found

    def wait(self) -> None:
        """Return when the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class SideBySide(nn.Module):
    """Equal sequential networks as one: from (N, M * C, H, W) to logits (N, M * K)."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        layers = zip(*(member.children() for member in members), strict=True)
        self.layers = nn.Sequential(*(_side_by_side(layer) for layer in layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.layers(x)
        return logits


class Linears(nn.Module):
    """Linear layers side by side: from (N, M * I) to (N, M * O)."""

    def __init__(self, members: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([m.weight.detach().T for m in members]))
        self.bias = nn.Parameter(torch.stack([m.bias.detach()[None] for m in members]))

    def forward(self, x: Tensor) -> Tensor:
        """Return every member's outputs."""
        apart = x.view(len(x), len(self.weight), -1).transpose(0, 1)
        return torch.baddbmm(self.bias, apart, self.weight).transpose(0, 1).flatten(1)


def _side_by_side(members: Sequence[Any]) -> nn.Module:
    first, count = members[0], len(members)
    if isinstance(first, nn.Linear):
        return Linears(members)
    if isinstance(first, nn.Conv2d):
        wide: nn.Module = nn.Conv2d(
            count * first.in_channels,
            count * first.out_channels,
            first.kernel_size,
            first.stride,
            first.padding,
            groups=count,
        )
    elif isinstance(first, nn.BatchNorm1d | nn.BatchNorm2d):
        wide = type(first)(count * first.num_features, first.eps, first.momentum)
    elif isinstance(first, nn.ReLU | nn.MaxPool2d | nn.Flatten | nn.Dropout):
        return copy.deepcopy(first)
    else:
        raise SystemExit(f"no way yet to put {type(first).__name__} side by side")
    state = zip(*(member.state_dict().items() for member in members), strict=True)
    wide.load_state_dict(
        {
            named[0][0]: torch.cat([t for _, t in named]) if named[0][1].dim() else named[0][1]
            for named in state
        }
    )
    return wide.to(first.weight.device)


def eager_step(network: nn.Module, optimizer: Optimizer, strength: float) -> Step:
    """Return the ordinary step of one network."""
    defense = defenses.create("gradient_penalty", strength=strength)

    def step(x: Tensor, y: Tensor) -> None:
        loss, _ = defense.loss(network, x, y, Context())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def side_by_side_step(
    network: SideBySide, optimizer: Optimizer, strengths: Sequence[float]
) -> Step:
    """Return the step of all networks at once, each with its own strength."""
    members = len(strengths)
    weight = torch.tensor(strengths, device=next(network.parameters()).device)

    def step(x: Tensor, y: Tensor) -> None:
        wide = x.repeat(1, members, 1, 1).requires_grad_()
        logits = network(wide).view(len(x) * members, -1)
        each = F.cross_entropy(logits, y.repeat_interleave(members), reduction="none")
        (gradient,) = torch.autograd.grad(each.sum(), wide, create_graph=True)
        squared = gradient.view(len(x), members, -1).square().sum(2)
        loss = (each.view(len(x), members) + weight * squared).mean(0).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def captured(step: Step, network: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor) -> Step:
    """Return `step` as one CUDA graph; network and optimizer are left fresh.

    Warm-up steps on a side stream make the optimizer's state and the libraries' workspaces, which
    must exist before the capture. Weights, statistics and that state are then set back in place,
    since the graph holds their addresses. Gradients are released, so that the backward pass
    allocates them in the graph's own memory and each replay writes them anew. Dropout's generator
    is registered with the graph: a replay takes its current seed and offset, so `manual_seed`
    before a replay means what it means before an eager step.
    """
    static_x, static_y = x.clone(), y.clone()
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(static_x, static_y)
    torch.cuda.current_stream().wait_stream(stream)
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            value.copy_(fresh[name])
        for state in optimizer.state.values():
            for value in state.values():
                value.zero_()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(static_x, static_y)

    def replay(x: Tensor, y: Tensor) -> None:
        static_x.copy_(x)
        static_y.copy_(y)
        graph.replay()

    return replay


@dataclass(frozen=True)
class Path:
    """One way to train the sweep: a list of jobs, each some networks trained together."""

    name: str
    together: bool
    capture: bool

    def jobs(
        self, task: Task, x: Tensor, y: Tensor, *, dropout: bool
    ) -> Iterator[tuple[nn.Module, Step]]:
        """Yield (the trained module, its step) of each job, one at a time."""
        if self.together:
            wide = SideBySide([task.network(dropout=dropout) for _ in task.strengths]).train()
            optimizer = torch.optim.Adam(wide.parameters(), capturable=self.capture)
            step = side_by_side_step(wide, optimizer, task.strengths)
            yield wide, captured(step, wide, optimizer, x, y) if self.capture else step
            return
        for strength in task.strengths:
            network = task.network(dropout=dropout)
            optimizer = torch.optim.Adam(network.parameters(), capturable=self.capture)
            step = eager_step(network, optimizer, strength)
            yield network, captured(step, network, optimizer, x, y) if self.capture else step


PATHS = (
    Path("eager", together=False, capture=False),
    Path("captured", together=False, capture=True),
    Path("side by side", together=True, capture=False),
    Path("both", together=True, capture=True),
)


def trained(path: Path, task: Task, *, dropout: bool) -> SideBySide:
    """Return the sweep's networks after the steps of the check."""
    batches = task.batches(task.check_steps)
    networks = []
    for network, step in path.jobs(task, *batches[0], dropout=dropout):
        for number, (x, y) in enumerate(batches):
            torch.manual_seed(number)
            step(x, y)
        networks.append(network)
    return networks[0] if path.together else SideBySide(networks)


def apart(found: SideBySide, eager: SideBySide, start: SideBySide) -> tuple[float, float]:
    """Return (distance of the parameters over the way from `start`, largest difference)."""
    without_effect = {
        f"layers.{place}.bias"
        for place, layer in enumerate(list(eager.layers)[1:])
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    }
    differences, ways = [], []
    for (name, ours), theirs, first in zip(
        found.named_parameters(), eager.parameters(), start.parameters(), strict=True
    ):
        if name not in without_effect:
            differences.append((ours - theirs).detach().double().flatten())
            ways.append((theirs - first).detach().double().flatten())
    difference = torch.cat(differences)
    if not difference.isfinite().all():
        return math.nan, math.nan
    return float(difference.norm() / torch.cat(ways).norm()), float(difference.abs().max())


def images_per_second(path: Path, task: Task, seconds: float) -> tuple[float, float]:
    """Return (images a second, seconds of building, warming up and capturing)."""
    batches = task.batches(8)
    jobs = 1 if path.together else len(task.strengths)
    images, measuring, begun = 0, 0.0, time.monotonic()
    for _, step in path.jobs(task, *batches[0], dropout=True):
        for number in range(3):
            step(*batches[number])
        task.wait()
        started, steps = time.monotonic(), 0
        while time.monotonic() - started < seconds / jobs:
            for x, y in batches:
                torch.manual_seed(steps)
                step(x, y)
                steps += 1
            task.wait()  # else the queue runs ahead of the clock
        measuring += time.monotonic() - started
        images += steps * task.batch * len(task.strengths) // jobs
    return images / measuring, time.monotonic() - begun - measuring


def report(paths: Sequence[Path], task: Task, seconds: float, deadline: float) -> bool:
    """Print the table; return whether every path ran."""
    start = SideBySide([task.network() for _ in task.strengths])
    eager = {dropout: trained(PATHS[0], task, dropout=dropout) for dropout in (True, False)}
    print(f"| path | images/s | / eager | set up | off by, after {task.check_steps} steps | max |")
    print("|---|---|---|---|---|---|", flush=True)
    again = trained(PATHS[0], task, dropout=True)
    off, largest = apart(again, eager[True], start)
    print(f"| eager again | | | | {off:.1e} | {largest:.1e} |", flush=True)
    base, complete = math.nan, True
    for place, path in enumerate(paths):
        box = min(seconds, (deadline - time.monotonic()) / (len(paths) - place) * 0.8)
        if box <= 0:
            print(f"| {path.name} | not measured: out of time | | | | |")
            complete = False
            continue
        try:
            off, largest = 0.0, 0.0
            if path is not PATHS[0]:
                dropout = not path.together
                off, largest = apart(trained(path, task, dropout=dropout), eager[dropout], start)
            rate, set_up = images_per_second(path, task, box)
        except RuntimeError as error:
            print(f"| {path.name} | failed: {str(error).splitlines()[0]} | | | | |", flush=True)
            complete = False
            continue
        base = rate if path is PATHS[0] else base
        agreement = f"{off:.1e} | {largest:.1e}" if path is not PATHS[0] else " | "
        print(
            f"| {path.name} | {rate:,.0f} | {rate / base:.2f} | {set_up:.0f} s | {agreement} |",
            flush=True,
        )
    return complete


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a small network, 3 strengths, 1 s")
    parser.add_argument("--seconds", type=float, default=80, help="of measuring a path, at most")
    given = parser.parse_args()
    deadline = time.monotonic() + 7.5 * 60
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("not measured: no CUDA device")
        return
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    strengths = tuple(0.195 * 10 ** (3 * place / 12) for place in range(13))
    architecture = "small_cnn" if given.tiny else "paper_cnn"
    task = Task(
        device=device,
        architecture=architecture,
        batch=16 if given.tiny else BATCH[architecture],
        strengths=strengths[::6] if given.tiny else strengths,
        check_steps=3 if given.tiny else 10,
    )
    paths = PATHS
    versions = f"torch {torch.__version__}, Python {sys.version.split()[0]}"
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        print(
            f"{card.name}, {card.total_memory / 2**30:.0f} GiB, {versions}, "
            f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        )
    else:
        torch.set_num_threads(1)
        paths = tuple(path for path in PATHS if not path.capture)
        print(f"CPU, 1 thread, {versions}; captured paths left out: CUDA graphs need CUDA")
    print(f"{architecture}, batch {task.batch}, {len(task.strengths)} networks\n")
    if not report(paths, task, 1 if given.tiny else given.seconds, deadline):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
