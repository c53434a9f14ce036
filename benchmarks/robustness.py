"""How many images survive our strongest attack, and how many AutoAttack, at what price.

    python3.11 -m venv .venv-peers
    .venv-peers/bin/pip install torch==2.13.0
    .venv-peers/bin/pip install --no-deps -r benchmarks/requirements-peers.txt
    PLAUSIBLY_HOME=... PYTHONPATH=. .venv-peers/bin/python benchmarks/robustness.py

Attacked are the networks of a finished experiment, by default the four of `plausibly demo`, on
all its test images. A cell is one network with one budget. In each, `worst_case` as it is by
default, on a prepared copy, and AutoAttack's *standard* version (Croce & Hein 2020, the package
pyautoattack) on the network with frozen weights get the same images, 250 at a time, one after the
other in one process with one thread.

Every example is judged by the network as it was loaded, not by the copy. It has to lie in [0, 1]
and within 1e-6 of the ball, or the run ends. *Ours* and *AutoAttack* are accuracies on what the
attacks return, *8 bit* those on its pixels as `engine.attacks.eight_bit` rounds them in the same
ball. s is seconds of processor time, ours first.

AutoAttack takes minutes where many images survive. With `--cache` its examples and seconds are
kept, and found there by the next run, which then measures ours alone; name a new folder, or none,
to have both sides measured next to each other. `--attack square` compares the two Square Attacks
alone, at equal queries.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from engine import attacks, results
from engine.artifacts import ArtifactStore
from engine.attacks import eight_bit
from engine.datasets import Split
from engine.jobs.context import load_model
from engine.networks import fast_copy
from engine.results import Results

BATCH = 250
"""AutoAttack's own default."""
SLACK = 1e-6
BUDGETS = {"linf": ("3/255", "5/255", "8/255", "13/255", "26/255"), "l2": ("0.5", "1", "2")}
PEER_NORM = {"linf": "Linf", "l2": "L2"}
UNCLEAR = (0.02, 0.98)
"""Where AutoAttack leaves more or fewer, there is little to tell attacks apart by."""


@dataclass(frozen=True)
class Cell:
    """One network with one budget."""

    label: str
    key: str
    network: nn.Module
    norm: str
    said: str

    @property
    def eps(self) -> float:
        """Return the radius."""
        above, _, below = self.said.partition("/")
        return float(above) / float(below or 1)

    @property
    def name(self) -> str:
        """Return what `--only` and the cache call it."""
        return f"{self.label}-{self.norm}-{self.said.replace('/', '_')}"


@dataclass(frozen=True)
class Run:
    """What an attack made of all test images."""

    x_adv: Tensor
    seconds: float
    stages: dict[str, tuple[float, float]]
    """Of an ensemble that tells: the share of images left and the seconds, after each attack."""


def cells(found: Results, norm: str, budgets: Iterable[str]) -> Iterator[Cell]:
    """Yield every network of a finished experiment with every budget."""
    for label in found.whole_models:
        model = found.model(label)
        for said in budgets:
            yield Cell(label, model.key, load_model(model), norm, said)


def in_batches(attack: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Return the examples that `attack` makes of images, labels and places."""
    split = (each.split(BATCH) for each in (x, y, torch.arange(len(x))))
    return torch.cat([attack(*part) for part in zip(*split, strict=True)])


def ours(cell: Cell, params: dict[str, Any], x: Tensor, y: Tensor) -> Run:
    """Attack with a member of ours, on a prepared copy; the copying is part of the time."""
    attack = attacks.registry.from_config(
        {**params, "norm": cell.norm, "eps": cell.eps, "prepare": True}
    )
    start = time.process_time()
    network = attack.prepared(cell.network, x[:2])
    x_adv = in_batches(lambda x, y, places: attack(network, x, y, seeds=places), x, y)
    return Run(x_adv, time.process_time() - start, {})


class Stages(logging.Handler):
    """Listens to what AutoAttack tells of its attacks."""

    def __init__(self) -> None:
        super().__init__()
        self.start = time.process_time()
        self.found: dict[str, tuple[float, float]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the accuracy after each attack."""
        said, _, value = record.getMessage().partition(": ")
        if said.startswith("robust accuracy after"):
            share = float(value.partition("%")[0]) / 100
            self.found[said.split()[-1]] = (share, time.process_time() - self.start)


def theirs(cell: Cell, queries: int | None, prepare: bool, x: Tensor, y: Tensor) -> Run:
    """Attack with AutoAttack's standard version, or with its Square Attack alone."""
    from pyautoattack import AutoAttack

    network = cell.network.requires_grad_(False)
    if prepare:
        network = fast_copy.prepare(network, x[:2])
    given: dict[str, Any] = {"norm": PEER_NORM[cell.norm], "eps": cell.eps, "seed": 0}
    if queries is None:
        attack = AutoAttack(network, version="standard", **given)
    else:
        attack = AutoAttack(network, version="custom", attacks=["square"], **given)
        attack.square.n_queries = queries
    stages, logger = Stages(), logging.getLogger("auto-attack")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(stages)
    try:
        start = time.process_time()
        x_adv, _ = attack.run_standard_evaluation(x, y, batch_size=BATCH)
        return Run(x_adv.detach(), time.process_time() - start, stages.found)
    finally:
        logger.removeHandler(stages)
        cell.network.requires_grad_(True)


def kept(path: Path, cell: Cell) -> Run | None:
    """Return the run that an earlier one kept of the same network, or None."""
    if not path.exists():
        return None
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["told"])
        if told["key"] != cell.key:
            return None
        return Run(file.get_tensor("x_adv"), told["seconds"], told["stages"])


def keep(path: Path, cell: Cell, run: Run) -> None:
    """Keep a run for the next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"key": cell.key, "seconds": run.seconds, "stages": run.stages}
    save_file({"x_adv": run.x_adv.contiguous()}, path, {"told": json.dumps(told)})


def accuracy(network: nn.Module, x: Tensor, y: Tensor) -> float:
    """Return the share of images that the network gets right."""
    with torch.no_grad():
        right = [network(part).argmax(1) == label for part, label in batches(x, y)]
    return torch.cat(right).float().mean().item()


def batches(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images and labels."""
    yield from zip(x.split(BATCH), y.split(BATCH), strict=True)


def judged(cell: Cell, run: Run, who: str, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Return the accuracy on the examples as they are, and on their 8-bit pixels.

    Raises:
        SystemExit: an example is not in the ball, or not in [0, 1].
    """
    order = math.inf if cell.norm == "linf" else 2
    far = torch.linalg.vector_norm((run.x_adv.double() - x.double()).flatten(1), order, dim=1).max()
    low, high = run.x_adv.min(), run.x_adv.max()
    if not (far <= cell.eps + SLACK and low >= 0 and high <= 1):
        raise SystemExit(
            f"{cell.name}: an example of {who} is {far:.8f} from its image in {cell.norm}, allowed "
            f"are {cell.eps:.8f}; its pixels lie in [{low:.8f}, {high:.8f}]"
        )
    rounded = eight_bit.rounded(run.x_adv, x, (cell.norm, cell.eps))
    return accuracy(cell.network, run.x_adv, y), accuracy(cell.network, rounded, y)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    model: str
    eps: str
    ours: float
    theirs: float
    ours_8_bit: float
    theirs_8_bit: float
    seconds_ours: float
    seconds_theirs: float

    @property
    def ratio(self) -> float:
        """Return our time as a share of theirs."""
        return self.seconds_ours / self.seconds_theirs

    def __str__(self) -> str:
        return (
            f"| {self.model} | {self.eps} | {self.ours:.3f} | {self.theirs:.3f} "
            f"| {self.ours_8_bit:.3f} | {self.theirs_8_bit:.3f} "
            f"| {self.seconds_ours:.1f} | {self.seconds_theirs:.1f} | 1/{1 / self.ratio:.1f} |"
        )


def summary(rows: list[Row], images: int) -> str:
    """Return what the whole table shows."""
    most = max(round((row.ours - row.theirs) * images) for row in rows)
    most_8_bit = max(round((row.ours_8_bit - row.theirs_8_bit) * images) for row in rows)
    telling = sum(UNCLEAR[0] < row.theirs < UNCLEAR[1] for row in rows)
    ratio = statistics.median(row.ratio for row in rows)
    return (
        f"{len(rows)} cells of {images} images: ours leaves at most {most} images more than "
        f"AutoAttack (8 bit: {most_8_bit}), and takes 1/{1 / ratio:.1f} of its time in the median; "
        f"{telling} cells have AutoAttack between {UNCLEAR[0]} and {UNCLEAR[1]}"
    )


def measured(given: argparse.Namespace, found: Results, x: Tensor, y: Tensor) -> list[Row]:
    """Print the table's rows as they are measured."""
    square = given.attack == "square"
    params = {"name": given.attack, **({"queries": given.queries} if square else {})}
    queries = given.queries if square else None
    rows = []
    print("| model | eps | ours | AutoAttack | ours, 8 bit | AutoAttack, 8 bit | s | s | ratio |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    for cell in cells(found, given.norm, given.eps or BUDGETS[given.norm]):
        if given.only and cell.name not in given.only:
            continue
        asked = f"{cell.name}-{len(x)}" + (f"-square-{queries}" if square else "")
        asked += "-prepared" if given.prepare else ""
        path = given.cache and given.cache / f"{asked}.safetensors"
        peer = path and kept(path, cell)
        if peer is None:
            peer = theirs(cell, queries, given.prepare, x, y)
            if path:
                keep(path, cell, peer)
        own = ours(cell, params, x, y)
        exact, rounded = judged(cell, own, "ours", x, y)
        peer_exact, peer_rounded = judged(cell, peer, "AutoAttack", x, y)
        seconds = own.seconds, peer.seconds
        row = Row(cell.label, cell.said, exact, peer_exact, rounded, peer_rounded, *seconds)
        rows.append(row)
        print(row, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--home",
        type=Path,
        default=Path(os.environ.get("PLAUSIBLY_HOME", "plausibly-data")),
        help="the installation that has the experiment",
    )
    parser.add_argument("--experiment", default="demo")
    parser.add_argument("--norm", default="linf", choices=[*BUDGETS])
    parser.add_argument("--eps", nargs="+", metavar="EPS", help="fractions are fine: 8/255")
    parser.add_argument("--images", type=int, help="as many of the test images; all by default")
    parser.add_argument("--only", nargs="+", metavar="CELL", help="such as none-linf-8_255")
    parser.add_argument("--attack", default="worst_case", choices=["worst_case", "square"])
    parser.add_argument("--queries", type=int, default=1000, help="of `--attack square`")
    parser.add_argument("--cache", type=Path, help="folder of AutoAttack's runs, kept and found")
    parser.add_argument(
        "--prepare", action="store_true", help="give AutoAttack the prepared copy as well"
    )
    parser.add_argument("--json", type=Path, help="file for the rows")
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = results.find(ArtifactStore(given.home / "artifacts"), given.experiment)
    test = Split(found.source.pixels, found.source.labels)
    x, y = (torch.from_numpy(each)[: given.images] for each in (test.images, test.labels))
    print(f"torch {torch.__version__} on CPU, 1 thread; {len(x)} test images\n")
    rows = measured(given, found, x, y)
    if not rows:
        raise SystemExit(f"no cell is called {', '.join(given.only)}; one is none-linf-8_255")
    print("\n" + summary(rows, len(x)))
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
