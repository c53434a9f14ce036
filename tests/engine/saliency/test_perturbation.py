"""Occlusion is that of explicit loops; RISE is the difference of means over its masks."""

import numpy as np
import pytest
import torch
from networks import Counted, Scaled, small_cnn
from torch import nn

from engine import saliency
from engine.errors import UsageError
from engine.networks.memory import Memory
from engine.saliency import Target
from engine.saliency.rise import Masks

RNG = np.random.default_rng(0)
IMAGES, BASELINE = RNG.random((2, 3, 2, 9, 12), dtype=np.float32)
TARGET = Target(np.array([0, 1, 2]), np.array([1, 2, 3]))
SEEDS = np.array([5, 6, 7])


class Linear(nn.Module):
    """Two logits, w.x and 0."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights))

    def forward(self, x):
        value = (x * self.weights).sum((1, 2, 3))
        return torch.stack([value, 0 * value], 1)


def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(280, 4)).eval()


def scalar(network, image, row):
    with torch.no_grad():
        logits = network(torch.from_numpy(image[None]))[0].numpy()
    return logits[TARGET.classes[row]] - logits[TARGET.against[row]]


def attributed(method, network, **params):
    made = saliency.create(method, **params)
    return made.attribute(network, IMAGES, TARGET, seeds=SEEDS, baseline=BASELINE).maps


@pytest.mark.parametrize(
    ("params", "tops", "lefts", "side"),
    [
        ({}, range(8), range(11), 2),
        ({"window": 4}, [0, 2, 4, 5], [0, 2, 4, 6, 8], 4),
        ({"window": 3, "stride": 3}, [0, 3, 6], [0, 3, 6, 9], 3),
    ],
)
def test_occlusion_is_the_mean_fall_over_the_windows_on_a_pixel(params, tops, lefts, side):
    network = net()
    maps = attributed("occlusion", network, **params)
    for row, (image, blank) in enumerate(zip(IMAGES, BASELINE, strict=True)):
        falls = [[[] for _ in range(12)] for _ in range(9)]
        for top in tops:
            for left in lefts:
                occluded = image.copy()
                for y in range(top, top + side):
                    for x in range(left, left + side):
                        occluded[:, y, x] = blank[:, y, x]
                fall = scalar(network, image, row) - scalar(network, occluded, row)
                for y in range(top, top + side):
                    for x in range(left, left + side):
                        falls[y][x].append(fall)
        expected = [[np.mean(each) for each in line] for line in falls]
        assert np.allclose(maps[row, 0], expected, atol=1e-6)


def test_occlusion_is_captums_where_windows_fit():
    from captum.attr import Occlusion

    network = net()
    maps = attributed("occlusion", network, window=3)
    with torch.no_grad():
        expected = Occlusion(
            lambda x: (z := network(x))[range(3), TARGET.classes] - z[range(3), TARGET.against]
        ).attribute(
            torch.from_numpy(IMAGES),
            sliding_window_shapes=(2, 3, 3),
            strides=(2, 2, 2),
            baselines=torch.from_numpy(BASELINE),
        )
    # Captum's last windows hang over the border; ours end at it.
    assert np.allclose(maps[:, :, :6, :9], expected[:, :1, :6, :9].numpy(), atol=1e-6)


def test_windows_that_leave_pixels_out_are_refused():
    with pytest.raises(UsageError, match="stride 3 is above the window's side 2"):
        saliency.create("occlusion", window=2, stride=3)
    with pytest.raises(UsageError, match="windows of 2x2 pixels, 5 apart, do not cover"):
        attributed("occlusion", net(), stride=5)
    with pytest.raises(UsageError, match=r"windows of 10x10 pixels.*9x12; give a window up to 9"):
        attributed("occlusion", net(), window=10)


def test_rise_is_the_difference_of_means_over_its_masks():
    network = net()
    method = saliency.create("rise", masks=40, grid=3, p=0.3)
    maps = attributed("rise", network, masks=40, grid=3, p=0.3)
    for row, (image, blank) in enumerate(zip(IMAGES, BASELINE, strict=True)):
        drawn = Masks.draw(method, int(SEEDS[row]), torch.device("cpu"))
        masks = np.concatenate([part.numpy() for part in drawn.parts((9, 12), 7)])[:, 0]
        values = np.array([scalar(network, image * m + blank * (1 - m), row) for m in masks])
        values = values[:, None, None]
        kept = (values * masks).sum(0) / masks.sum(0)
        replaced = (values * (1 - masks)).sum(0) / (1 - masks).sum(0)
        assert np.allclose(maps[row, 0], kept - replaced, atol=1e-5)


def test_masks_are_random_grids_drawn_out_and_shifted():
    method = saliency.create("rise", masks=3000, grid=4, p=0.3)
    drawn = Masks.draw(method, 1, torch.device("cpu"))
    (masks,) = drawn.parts((8, 12), 5000)
    assert masks.shape == (3000, 1, 8, 12)
    assert (masks.min(), masks.max()) == (0, 1)
    assert (masks.mean(0) - 0.3).abs().max() < 0.04
    # A shift of nothing is a resized grid; 2x3 pixels are a cell.
    still = Masks(drawn.cells[:5], torch.zeros(5, 2))
    (found,) = still.parts((8, 12), 5)
    resized = nn.functional.interpolate(still.cells[:, None], (10, 15), mode="bilinear")
    assert torch.allclose(found, resized[..., :8, :12], atol=1e-6)
    # A shift of half a cell in height is one pixel here.
    (moved,) = Masks(drawn.cells[:5], torch.tensor([[0.5, 0.0]]).expand(5, 2)).parts((8, 12), 5)
    assert torch.allclose(moved, resized[..., 1:9, :12], atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_both_find_the_only_pixel_that_matters(sign):
    weights = np.zeros((1, 12, 12), np.float32)
    weights[0, 4, 7] = sign
    image = np.ones((1, 1, 12, 12), np.float32)
    # A mask is between two cells along each side: what it keeps varies by 2/3 of a cell, twice.
    for method, share in (
        (saliency.create("rise", grid=6), 4 / 9),
        (saliency.create("occlusion"), 1),
    ):
        maps = method.attribute(
            Linear(weights), image, Target(np.zeros(1, np.int64)), baseline=0 * image
        ).maps
        assert np.unravel_index((sign * maps[0, 0]).argmax(), (12, 12)) == (4, 7)
        assert abs(sign * maps[0, 0, 4, 7] - share) < 0.05
        far = np.ones((12, 12), bool)
        far[1:8, 4:11] = False
        assert abs(maps[0, 0, far]).max() < 0.1


@pytest.mark.parametrize(("method", "asked"), [("rise", 3 * 100), ("occlusion", 3 * (1 + 8 * 11))])
def test_the_network_is_asked_so_often_and_never_with_more_than_fits(method, asked):
    sizes = []

    class Watched(Counted):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    watched = Watched(net())
    with Memory(None, largest=16).applied():
        attributed(method, watched, **({"masks": 100} if method == "rise" else {}))
    assert watched.images == asked
    assert max(sizes) <= 16
    assert len(sizes) <= asked / 16 * 1.4 + 3


def test_a_network_with_masked_gradients_has_the_map_of_what_it_does():
    network = small_cnn().eval()
    images = RNG.random((2, 1, 12, 12), dtype=np.float32)
    maps = [
        saliency.create("rise", masks=64).attribute(
            Scaled(network, factor), images, Target(np.array([0, 1])), baseline=0 * images
        )
        for factor in (1, 1e4)
    ]
    assert np.allclose(maps[1].maps, 1e4 * maps[0].maps, rtol=1e-3, atol=1e-2)
