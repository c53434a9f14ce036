"""What attacks cost, ours and those of other libraries, in passes that they cannot do without.

    python3.11 -m venv .venv-peers
    .venv-peers/bin/pip install torch==2.13.0
    .venv-peers/bin/pip install --no-deps -r benchmarks/requirements-peers.txt
    PYTHONPATH=. .venv-peers/bin/python benchmarks/attacks.py

The other libraries need an environment of their own: their requirements contradict ours and one
another's. With `.venv/bin/python` it runs too, and says that they are missing.

A network is trained briefly on the built-in digits and kept in the temporary folder. Every library
attacks a copy of it, with the same test images and parameters; a copy is a network as training
leaves it, so freezing its weights is the library's affair. One thread. Rounds are interleaved: in
each, floor and attacks run one after the other, and the processor time is divided by the floor's of
the same round; printed is the median with the smallest and largest.

The floor of an attack with k steps is k plain forward and backward passes to the input with frozen
weights; that of JSMA one forward and two backward passes a step, on the images that are not done.
Success is the original network's: another label than the true one, or the target.
"""

from __future__ import annotations

import argparse
import copy
import functools
import importlib
import importlib.util
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from networks import build
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from engine import attacks, datasets
from engine.datasets import Data
from engine.networks.inference import frozen

EPS, STEP, STEPS = 0.1, 0.01, 40
SEARCH = 100
"""Steps of the search for the smallest disturbance."""
INF = float("inf")
Make = Callable[[nn.Module], Callable[[Tensor, Tensor], Tensor]]
"""From a network to an attack on images and labels: true ones, or targets if it is targeted."""


@dataclass(frozen=True)
class Task:
    """One attack, and who can do it."""

    passes: int
    norm: float
    ours: Mapping[str, dict[str, Any]]
    peers: Mapping[str, Make]
    targeted: bool = False
    pairs: bool = False


def ours(config: dict[str, Any], targeted: bool) -> Make:
    attack = attacks.registry.from_config(config)

    def make(network: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda x, y: attack(network, x, y, y if targeted else None)

    return make


def torchattacks(name: str, targeted: bool = False, **params: Any) -> Make:
    def make(network: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        library = importlib.import_module("torchattacks")
        attack = getattr(library, name)(network, **params)
        if targeted:
            attack.set_mode_targeted_by_label(quiet=True)
        return attack

    return make


def foolbox(name: str, eps: float | None, targeted: bool = False, **params: Any) -> Make:
    def make(network: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        library = importlib.import_module("foolbox")
        model = library.PyTorchModel(network.eval(), bounds=(0, 1), device="cpu")
        attack = getattr(library.attacks, name)(**params)
        criterion = (
            library.criteria.TargetedMisclassification if targeted else library.Misclassification
        )
        return lambda x, y: attack(model, x, criterion(y), epsilons=eps)[1]

    return make


def art(name: str, **params: Any) -> Make:
    def make(network: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        estimators = importlib.import_module("art.estimators.classification")
        classifier = estimators.PyTorchClassifier(
            network.eval(),
            loss=nn.CrossEntropyLoss(),
            input_shape=(1, 28, 28),
            nb_classes=10,
            clip_values=(0.0, 1.0),
            device_type="cpu",
        )
        evasion = importlib.import_module("art.attacks.evasion")
        attack = getattr(evasion, name)(classifier, **params)
        return lambda x, y: torch.from_numpy(attack.generate(x.numpy(), y.numpy()))

    return make


def adv_lib(name: str, eps: float | None = None, **params: Any) -> Make:
    def make(network: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        # Imported for a distance and for live plots that nothing here asks for.
        for absent, attribute in (("torchvision", "models"), ("visdom", "Visdom")):
            if absent not in sys.modules and importlib.util.find_spec(absent) is None:
                stub = types.ModuleType(absent)
                setattr(stub, attribute, None)
                sys.modules[absent] = stub
        attack = getattr(importlib.import_module("adv_lib.attacks"), name)
        given = {} if eps is None else {"ε": eps}
        return functools.partial(attack, network.eval(), **given, **params)

    return make


def variants(name: str, **params: Any) -> dict[str, dict[str, Any]]:
    config = {"name": name, **params}
    return {"ours": config, "ours, prepared": {**config, "prepare": True}}


PGD = {"name": "pgd", "eps": EPS, "steps": STEPS, "step_size": STEP}
FIRST = {**PGD, "keep": "first_success"}
TASKS = {
    "FGSM, eps .1": Task(
        1,
        INF,
        variants("fgsm", eps=EPS),
        {
            "torchattacks": torchattacks("FGSM", eps=EPS),
            "Foolbox": foolbox("LinfFastGradientAttack", EPS),
            "ART": art("FastGradientMethod", eps=EPS, batch_size=256),
        },
    ),
    "TGSM, 10 steps of .1": Task(
        10,
        INF,
        variants("tgsm", steps=10, step_size=0.1),
        {
            "torchattacks": torchattacks("BIM", targeted=True, eps=1.0, alpha=0.1, steps=10),
            "Foolbox": foolbox(
                "LinfBasicIterativeAttack", 1.0, targeted=True, abs_stepsize=0.1, steps=10
            ),
            "ART": art(
                "BasicIterativeMethod",
                eps=1.0,
                eps_step=0.1,
                max_iter=10,
                targeted=True,
                batch_size=256,
                verbose=False,
            ),
            "adv-lib": adv_lib(
                "pgd_linf",
                1.0,
                targeted=True,
                steps=10,
                random_init=False,
                absolute_step_size=0.1,
            ),
        },
        targeted=True,
    ),
    "PGD, 40 steps of .01, eps .1": Task(
        STEPS,
        INF,
        {
            "ours": PGD,
            "ours, prepared": {**PGD, "prepare": True},
            "ours, first success": FIRST,
            "ours, first success, prepared": {**FIRST, "prepare": True},
        },
        {
            "torchattacks": torchattacks("PGD", eps=EPS, alpha=STEP, steps=STEPS),
            "Foolbox": foolbox("LinfPGD", EPS, abs_stepsize=STEP, steps=STEPS),
            "ART": art(
                "ProjectedGradientDescentPyTorch",
                eps=EPS,
                eps_step=STEP,
                max_iter=STEPS,
                num_random_init=1,
                batch_size=256,
                verbose=False,
            ),
            "adv-lib": adv_lib("pgd_linf", EPS, steps=STEPS, absolute_step_size=STEP),
        },
    ),
    "minimum norm, L-inf": Task(
        SEARCH,
        INF,
        {
            **variants("minimum_norm", norm="linf", steps=SEARCH, restarts=1),
            "ours, 3 runs": {"name": "minimum_norm", "norm": "linf", "prepare": True},
        },
        {
            "Foolbox (FMN)": foolbox("LInfFMNAttack", None, steps=SEARCH),
            "adv-lib (FMN)": adv_lib("fmn", norm=INF, steps=SEARCH),
        },
    ),
    "minimum norm, L2": Task(
        SEARCH,
        2,
        {
            **variants("minimum_norm", norm="l2", steps=SEARCH, restarts=1),
            "ours, 3 runs": {"name": "minimum_norm", "norm": "l2", "prepare": True},
        },
        {
            "torchattacks (DeepFool)": torchattacks("DeepFool", steps=50),
            "Foolbox (FMN)": foolbox("L2FMNAttack", None, steps=SEARCH),
            "Foolbox (DDN)": foolbox("DDNAttack", None, steps=SEARCH),
            "ART (DeepFool)": art("DeepFool", max_iter=50, batch_size=256, verbose=False),
            "adv-lib (FMN)": adv_lib("fmn", norm=2, steps=SEARCH),
            "adv-lib (DDN)": adv_lib("ddn", steps=SEARCH),
        },
    ),
    "JSMA, theta 1, gamma .25": Task(
        0,
        0,
        {
            **variants("jsma", theta=1.0, gamma=0.25),
            "ours, softmax": {"name": "jsma", "jacobian": "softmax"},
            "ours, softmax, prepared": {"name": "jsma", "jacobian": "softmax", "prepare": True},
            "ours, both directions": {"name": "jsma", "direction": "both"},
        },
        {
            "torchattacks": torchattacks("JSMA", targeted=True, theta=1.0, gamma=0.25),
            "ART": art("SaliencyMapMethod", theta=1.0, gamma=0.25, batch_size=256, verbose=False),
        },
        targeted=True,
        pairs=True,
    ),
}


def trained(architecture: str, data: Data, steps: int) -> nn.Module:
    """Return a network trained for some steps of Adam on batches of 128."""
    path = Path(tempfile.gettempdir()) / f"plausibly-benchmark-{architecture}-{steps}.safetensors"
    torch.manual_seed(0)
    network = build(architecture, data.shape, 10, seed=0)
    if path.exists():
        network.load_state_dict(load_file(path))
        return network.eval()
    x, y = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    optimizer = torch.optim.Adam(network.parameters())
    for _ in range(steps):
        chosen = torch.randint(len(x), (128,))
        loss = F.cross_entropy(network(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_file(network.state_dict(), path)
    return network.eval()


def passes(network: nn.Module, x: Tensor, y: Tensor, count: int) -> Callable[[], None]:
    """Return `count` forward and backward passes to the input."""

    def run() -> None:
        with frozen(network):
            for _ in range(count):
                z = x.clone().requires_grad_()
                torch.autograd.grad(F.cross_entropy(network(z), y, reduction="sum"), z)

    return run


def jsma_passes(
    network: nn.Module, x: Tensor, y: Tensor, config: dict[str, Any]
) -> Callable[[], None]:
    """Return the passes of a JSMA: at each step, those of the images that are not done."""
    sizes: list[int] = []
    hook = network.register_forward_hook(lambda _network, given, _out: sizes.append(len(given[0])))
    attacks.registry.from_config(config)(network, x, y, y)
    hook.remove()

    def run() -> None:
        with frozen(network):
            for size in sizes:
                z = x[:size].clone().requires_grad_()
                logits = network(z)
                own = logits.gather(1, y[:size, None]).sum()
                torch.autograd.grad(own, z, retain_graph=True)
                torch.autograd.grad(logits.sum(), z)

    return run


def seconds(run: Callable[[], object]) -> float:
    """Return the processor time that `run` takes."""
    start = time.process_time()
    run()
    return time.process_time() - start


def report(name: str, task: Task, network: nn.Module, x: Tensor, y: Tensor, rounds: int) -> None:
    """Print one attack's table."""
    label = (y + 1) % 10 if task.targeted else y
    makes: dict[str, Make] = {key: ours(c, task.targeted) for key, c in task.ours.items()}
    ready: dict[str, Callable[[], Tensor]] = {}
    examples: dict[str, Tensor] = {}
    missing: dict[str, str] = {}
    for key, make in {**makes, **task.peers}.items():
        torch.manual_seed(0)
        try:
            attack = make(copy.deepcopy(network))
            examples[key] = attack(x.clone(), label.clone()).detach().float()
        except Exception as error:  # whatever a library does, the others are measured
            missing[key] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            ready[key] = functools.partial(attack, x, label)
    floor = (
        jsma_passes(network, x, label, task.ours["ours"])
        if task.pairs
        else passes(network, x, y, task.passes)
    )
    ratios: dict[str, list[float]] = {key: [] for key in ready}
    each: dict[str, list[float]] = {key: [] for key in ready}
    floors = []
    for number in range(rounds):
        torch.manual_seed(number)
        floors.append(seconds(floor))
        for key, run in ready.items():
            taken = seconds(run)
            ratios[key].append(taken / floors[-1])
            each[key].append(1e3 * taken / len(x))
    per_image = 1e3 * statistics.median(floors) / len(x)
    unit = {INF: "L-inf", 2: "L2", 0: "pixels"}[task.norm]
    print(
        f"\n{name}, {len(x)} images, {rounds} rounds; the floor takes {per_image:.3g} ms an image\n"
    )
    print(f"| | / floor | range | / ours | ms an image | success | {unit} |")
    print("|---|---|---|---|---|---|---|")
    reference = ratios["ours"]
    for key in {**makes, **task.peers}:
        if key in missing:
            print(f"| {key} | not measured: {missing[key]} |")
            continue
        with frozen(network), torch.no_grad():
            predicted = network(examples[key]).argmax(1)
        hit = predicted == label if task.targeted else predicted != label
        change = (examples[key] - x).flatten(1)
        size = torch.linalg.vector_norm(change[hit], task.norm, dim=1).mean()
        found = ratios[key]
        apart = statistics.median(r / o for r, o in zip(found, reference, strict=True))
        print(
            f"| {key} | {statistics.median(found):.2f} | {min(found):.2f}–{max(found):.2f} "
            f"| {apart:.2f} | {statistics.median(each[key]):.3g} "
            f"| {hit.float().mean():.3f} | {size:.4g} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="paper_cnn", choices=["paper_cnn", "small_cnn"])
    parser.add_argument("--train-steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--search-images", type=int, default=64, help="for JSMA and minimum norm")
    parser.add_argument("--only", nargs="+", default=[""], metavar="START", help="which attacks")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = datasets.create("digits").load()
    network = trained(given.architecture, data, given.train_steps)
    x, y = torch.from_numpy(data.test.images), torch.from_numpy(data.test.labels)
    with torch.no_grad():
        accuracy = (network(x).argmax(1) == y).float().mean()
    print(
        f"torch {torch.__version__} on CPU, 1 thread; {given.architecture} with "
        f"{accuracy:.3f} accuracy on test"
    )
    for name, task in TASKS.items():
        if name.startswith(tuple(given.only)):
            count = given.search_images if task.pairs or task.passes == SEARCH else given.images
            report(name, task, network, x[:count], y[:count], given.rounds)


if __name__ == "__main__":
    main()
