"""How many images go at a time: what fits into the budget, by what the network is seen to take."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import small_cnn

from engine import attacks, defenses
from engine.artifacts import Recipe
from engine.datasets import Data, Split
from engine.errors import PlausiblyError, UsageError
from engine.execution import worker
from engine.execution.executor import worker_environment
from engine.networks import budget, features, inference
from engine.networks.memory import BATCH, Memory, estimate
from engine.training import step_memory
from engine.training.loop import TrainingConfig, train

MIB = 2**20
ROOT = Path(__file__).parents[3]


def images(count=6, side=12):
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(1)).numpy()


def holding(network, x, work, count):
    """Return a budget that holds `count` images and not twice as many."""
    found = estimate(network.eval().requires_grad_(False), torch.from_numpy(x), work)
    held = sum(4 * t.numel() for t in (*network.parameters(), *network.buffers()))
    return budget.BASE + 2 * held + int(found.of(count) * 1.2)


def test_without_a_budget_and_where_there_is_room_it_is_256():
    net, x = small_cnn(), torch.from_numpy(images())
    assert Memory(None).batch(net, x, "answers") == BATCH == 256
    assert Memory(2 * budget.GIB).batch(net, x, "attacks") == 256


@pytest.mark.parametrize("work", ["answers", "gradients", "attacks"])
def test_else_the_largest_power_of_two_that_fits_the_same_each_time(work):
    net = small_cnn()
    x = torch.from_numpy(images())
    for count, expected in ((1, 1), (3, 2), (5, 4), (100, 64)):
        memory = Memory(holding(net, x.numpy(), work, count))
        assert memory.batch(net, x, work) == expected
        assert memory.batch(net, x[:1], work) == expected, "one image at hand is measured twice"
        assert memory.used == {work: expected}


def test_no_room_for_one_image_is_an_error_that_names_the_setting():
    net, x = small_cnn(), images(side=12)
    tight = Memory(holding(net, x, "gradients", 1) - MIB)
    with tight.applied(), pytest.raises(PlausiblyError, match=r"1x12x12.*--memory-budget"):
        inference.gradient_norms(net, x, np.zeros(6, np.int64))


def test_every_walk_goes_by_it_and_its_results_stay():
    net, x, y = small_cnn(seed=2).eval(), images(), np.arange(6) % 4
    seen: list[int] = []
    pgd = attacks.create("pgd", eps=0.1, steps=2)
    expected = inference.logits(net, x), features.penultimate(net, x)
    whole = pgd(net, torch.from_numpy(x), torch.from_numpy(y))
    net.register_forward_pre_hook(lambda _net, given: seen.append(len(given[0])))
    with Memory(None, largest=4).applied():
        torch.testing.assert_close(inference.logits(net, x), expected[0])
        np.testing.assert_allclose(features.penultimate(net, x), expected[1], rtol=1e-5)
        made = [
            pgd(net, *(torch.from_numpy(each) for each in part[:2]), seeds=torch.tensor(part[2]))
            for part in inference.parts(net, x, y, np.arange(6), work="attacks")
        ]
    assert max(seen) == 4
    torch.testing.assert_close(torch.cat(made), whole)


def test_what_is_measured_leaves_network_and_random_state_as_found():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 4), torch.nn.Dropout())
    counted: list[int] = []
    net[1].register_forward_hook(lambda _net, given, _made: counted.append(len(given[0])))
    x, state = images(), torch.get_rng_state()
    with Memory(budget.GIB).applied():
        assert features_rows(net[:2], x) == 6
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training
    assert all(w.requires_grad and w.grad is None for w in net.parameters())
    # The first two are asked which layer is the last.
    assert counted[1:3] == [1, 2], "with one image and with two"


def features_rows(net, x):
    return len(features.penultimate(net, x))


def test_a_network_that_takes_no_single_image_is_asked_with_256():
    class Pairs(torch.nn.Module):
        def forward(self, x):
            return x.view(len(x) // 2, 2, -1).repeat(2, 1, 1).flatten(0, 1)[: len(x), 0, :4]

    assert Memory(budget.GIB).batch(Pairs(), torch.from_numpy(images()), "answers") == 256


# The estimate is compared with what a process really takes.
_GROWTH = """
import json
from pathlib import Path
import numpy as np, torch
from engine import models
from engine.networks import inference
from engine.networks.memory import Memory, estimate

def most():
    # Not ru_maxrss, which begins with that of the process that started this one.
    (line,) = (l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
    return int(line.split()[1]) * 1024

torch.set_num_threads(1)
side, count, largest = 96, 64, 64
net = models.create("small_cnn").build((1, side, side), 2, seed=0)
net.eval().requires_grad_(False)
x = np.random.default_rng(0).random((count, 1, side, side), np.float32)
y = np.zeros(count, np.int64)
inference.gradient_norms(net, x[:1], y[:1])
found = estimate(net, torch.from_numpy(x), "gradients").of(count)
before = most()
with Memory(None, largest=largest).applied():
    inference.gradient_norms(net, x, y)
print(json.dumps([found, most() - before]))
"""


def test_the_estimate_is_not_below_what_a_process_takes_nor_far_above():
    env = {**os.environ, **worker_environment(Recipe("measures", {})), "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", _GROWTH], env=env, check=True, capture_output=True, text=True
    )
    estimated, taken = json.loads(run.stdout)
    assert taken > 20 * MIB, "too small to tell"
    assert taken <= estimated <= 3 * taken, f"{estimated / MIB:.0f} for {taken / MIB:.0f} MiB"


def split(count):
    pixels = (images(count) * 255).astype(np.uint8)
    return Split(pixels, np.arange(count) % 4)


def test_a_training_step_that_cannot_fit_is_refused_before_the_first(monkeypatch):
    tried: list[object] = []
    measured = step_memory._measured
    monkeypatch.setattr(
        step_memory, "_measured", lambda *given: tried.append(0) or measured(*given)
    )
    data = Data(split(64), split(8), split(8), ("a", "b", "c", "d"))
    penalty = defenses.create("gradient_penalty", strength=1.0)
    reports: list[object] = []

    def trained(given):
        net = small_cnn(seed=1)
        with Memory(given).applied():
            config = TrainingConfig(steps=2, batch_size=64, report_every=1)
            train(net, penalty, data, config, seed=0, progress=reports.append)
        return net.state_dict()

    with pytest.raises(PlausiblyError, match=r"batch_size 64 takes .* a smaller .*batch_size"):
        trained(budget.BASE + MIB)
    assert not reports
    tried.clear()
    # Asking, with and without a trial on a copy, changes no bit.
    free, near, far = (trained(given) for given in (None, budget.BASE + 4 * MIB, 8 * budget.GIB))
    assert len(tried) == 1
    assert all(torch.equal(free[name], near[name]) for name in free)
    assert all(torch.equal(free[name], far[name]) for name in free)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 * budget.GIB), ("1.5 gib", 3 * budget.GIB // 2), ("900MB", 900 * 10**6)],
)
def test_a_budget_is_written_with_its_unit(text, size):
    assert budget.parse(text) == size


@pytest.mark.parametrize("text", ["", "2", "2048", "two GiB", "-1GiB", "1PiB", "100MiB", "512MiB"])
def test_what_is_no_budget_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"2GiB|1GiB"):
        budget.parse(text)


def test_by_default_a_process_has_its_share_of_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(budget, "_CGROUP", tmp_path / "memory.max")
    (tmp_path / "memory.max").write_text(f"{8 * budget.GIB}\n")
    assert budget.of_machine(sharers=2) == 3 * budget.GIB
    assert budget.of_machine(sharers=100) == budget.GIB, "never too little to begin"
    assert budget.processes(2 * budget.GIB, 8) == 3
    assert budget.processes(100 * budget.GIB, 8) == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9 GiB"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_memory_that_runs_out_names_the_setting(monkeypatch, tmp_path, error):
    from engine.jobs import making

    def fail(*_args, **_settings):
        raise error

    monkeypatch.setattr(making, "run", fail)
    order = {
        "store": str(tmp_path),
        "recipe": Recipe("source", {}).to_json(),
        "memory_budget": budget.GIB,
        "sharers": 1,
    }
    answer = worker.compute(order, "cpu", lambda _values: None)
    assert answer["event"] == "failed"
    assert "--memory-budget" in answer["message"]
    assert str(error) in answer["message"]
