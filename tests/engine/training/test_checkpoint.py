"""A training stopped anywhere and resumed ends with the same bits as one that was not."""

from __future__ import annotations

import pytest
import torch
from networks import small_cnn
from safetensors.torch import load_file
from toy_data import toy_data

from engine import defenses
from engine.training import checkpoint
from engine.training.checkpoint import Checkpoint
from engine.training.loop import TrainingConfig, train

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


def weights(folder):
    """The kept files' bytes, by name."""
    return {path.name: path.read_bytes() for path in Checkpoint(folder).kept()}


@pytest.mark.parametrize("kill_at", [(4,), (8, 18), (6, 12, 14, 22)], ids=str)
def test_weights_kept_on_the_way_have_the_same_bits_after_kills(tmp_path, kill_at):
    final, _ = run(tmp_path / "whole", keep_every=5)
    whole = weights(tmp_path / "whole")
    assert list(whole) == [f"weights-0000{step:02}.safetensors" for step in (5, 10, 15, 20)]
    for step in kill_at:
        with pytest.raises(Killed):
            run(tmp_path / "killed", kill_at=step, keep_every=5)
        kept = weights(tmp_path / "killed")
        assert list(kept) == [name for name in whole if int(name[8:14]) <= step]
    resumed, _ = run(tmp_path / "killed", keep_every=5)
    assert weights(tmp_path / "killed") == whole
    assert all(torch.equal(final[name], resumed[name]) for name in final)
    # Nothing half-written is taken for one of them.
    (tmp_path / "killed" / ".weights-000005.safetensors-1").write_bytes(b"half")
    assert weights(tmp_path / "killed") == whole


def test_weights_kept_in_the_last_step_are_the_final_ones(tmp_path):
    final, _ = run(tmp_path, keep_every=12)
    last = load_file(tmp_path / "weights-000024.safetensors")
    assert last.keys() == final.keys()
    assert all(torch.equal(last[name], final[name]) for name in final)
