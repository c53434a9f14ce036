"""The loop: equal seeds give equal weights; divergence is named."""

import numpy as np
import pytest
import torch
from networks import small_cnn

from engine import defenses
from engine.datasets import Data, Split
from engine.errors import PlausiblyError
from engine.training import TrainingConfig, accuracy, train


def toy_data() -> Data:
    """Four classes: which quarter of a 12x12 picture is bright."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % 4
        pixels = rng.integers(0, 60, (count, 1, 12, 12)).astype(np.uint8)
        for image, label in zip(pixels, labels, strict=True):
            top, left = divmod(int(label), 2)
            image[0, 6 * top : 6 * top + 6, 6 * left : 6 * left + 6] += 150
        return Split(pixels, labels)

    return Data(split(80), split(20), split(20), tuple("abcd"))


def run(defense="none", *, seed=0, steps=30, **params):
    net = small_cnn()
    config = TrainingConfig(steps=steps, batch_size=16, lr=5e-3, report_every=10)
    curve = train(net, defenses.create(defense, **params), toy_data(), config, seed=seed)
    return net, curve


def test_it_learns_and_reports():
    net, curve = run(steps=60)
    assert accuracy(net, toy_data().test) > 0.9
    assert [point["step"] for point in curve] == [10, 20, 30, 40, 50, 60]
    assert curve[-1]["loss"] < curve[0]["loss"]
    assert not net.training


@pytest.mark.parametrize("defense", ["none", "gradient_penalty", "adversarial_training"])
def test_equal_seeds_give_equal_weights_and_others_do_not(defense):
    torch.manual_seed(123)
    one, _ = run(defense)
    torch.manual_seed(456)
    two, _ = run(defense)
    other, _ = run(defense, seed=1)
    same = [torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_the_callers_random_state_is_untouched():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    run()
    assert torch.equal(torch.rand(3), expected)


def test_divergence_names_the_step_and_the_term():
    with pytest.raises(PlausiblyError, match=r"diverged: penalty is inf at step 1;"):
        run("gradient_penalty", strength=1e38)
