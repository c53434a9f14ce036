"""A training stopped anywhere and resumed ends with the same bits as one that was not."""

from __future__ import annotations

import pytest
import torch
from networks import small_cnn
from test_training import toy_data

from engine import checkpoint, defenses
from engine.checkpoint import Checkpoint
from engine.training import TrainingConfig, train

CONFIG = TrainingConfig(steps=24, batch_size=16, lr=5e-3, report_every=2)


class Killed(BaseException):
    """Stands for the process's end: nothing after it runs."""


@pytest.fixture(autouse=True)
def save_at_every_report(monkeypatch):
    monkeypatch.setattr(checkpoint, "_INTERVAL_S", 0.0)


def run(folder=None, kill_at=None, defense="gradient_penalty", **config):
    net = small_cnn()

    def progress(event):
        # The curve's point is told before the state is saved: the worst moment to be killed.
        if event["step"] == kill_at:
            raise Killed

    curve = train(
        net,
        defenses.create(defense),
        toy_data(),
        CONFIG.model_copy(update=config),
        seed=3,
        progress=progress,
        checkpoint=Checkpoint(folder) if folder else None,
    )
    return net.state_dict(), curve


@pytest.mark.parametrize("defense", ["none", "gradient_penalty", "adversarial_training"])
def test_killed_twice_and_resumed_gives_the_same_bits(tmp_path, defense):
    whole, whole_curve = run(defense=defense)
    for step in (8, 18):
        with pytest.raises(Killed):
            run(tmp_path, kill_at=step, defense=defense)
    resumed, resumed_curve = run(tmp_path, defense=defense)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert resumed_curve == whole_curve


def test_it_goes_on_where_it_was(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, kill_at=18)
    steps = []
    net = small_cnn()
    train(
        net,
        defenses.create("gradient_penalty"),
        toy_data(),
        CONFIG,
        seed=3,
        progress=lambda event: steps.append(event["step"]),
        checkpoint=Checkpoint(tmp_path),
    )
    assert steps == [16, 18, 20, 22, 24]


@pytest.mark.parametrize("damage", [b"", b"\x00" * 100, None])
def test_a_damaged_state_is_no_state(tmp_path, damage):
    with pytest.raises(Killed):
        run(tmp_path, kill_at=8)
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2] if damage is None else damage)
    whole, _ = run()
    again, _ = run(tmp_path)
    assert all(torch.equal(whole[name], again[name]) for name in whole)
