"""What is linear of what a network computes is told apart from what is not."""

import pytest
import torch
from networks import Own
from torch import nn
from torch.nn import functional as F

from engine.networks import structure
from engine.networks.stochastic import Expectation


class Lambda(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: (x - 0.5) / 0.2, {}),
        (lambda x: 3 * x + x.flip(3).mean(1, keepdim=True), {}),
        (lambda x: F.conv2d(x, torch.ones(2, 1, 3, 3)).flatten(1) @ torch.ones(32, 3), {}),
        (lambda x: x * x, {"Mul": 1}),
        (lambda x: x / (1 + x), {"Div": 1}),
        (lambda x: 1 / (1 + x), {"Reciprocal": 1, "Mul": 0}),
        (lambda x: x @ x, {"Bmm": 1}),
        (lambda x: x.relu() + x.relu(), {"Relu": 2}),
        (lambda x: F.relu6(x).abs(), {"Hardtanh": 1, "Abs": 1}),
    ],
)
def test_operations_that_are_not_linear_are_counted(function, expected):
    found = structure.of(Lambda(function), torch.rand(2, 1, 6, 6)).nonlinear
    assert found == {name: times for name, times in expected.items() if times}


def test_relus_that_are_functions_are_told_from_modules():
    found = structure.of(Own().eval(), torch.rand(2, 1, 6, 6))
    assert (found.functional_relus, found.nonlinear, found.draws) == (3, {"Relu": 3}, 1)
    six = structure.of(nn.Sequential(nn.ReLU6(), nn.ReLU()), torch.rand(2, 1, 6, 6))
    assert (six.functional_relus, six.nonlinear) == (0, {"Hardtanh": 1, "Relu": 1})


def test_the_draws_of_a_mean_are_told():
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    assert structure.of(Expectation(net, 4).eval(), torch.rand(2, 1, 6, 6)).draws == 4
