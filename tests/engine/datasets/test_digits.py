"""The built-in digits: real, split without overlap, and the same on every machine."""

import numpy as np
import pytest
import torch
from dataset_contract import held
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from engine import datasets
from engine.datasets import _stratified
from engine.datasets.digits import upsample

DATA = held(datasets.create("digits").load())


def test_splits_are_stratified_and_share_no_image():
    assert [len(s) for s in (DATA.train, DATA.valid, DATA.test)] == [1200, 200, 397]
    assert DATA.shape == (1, 28, 28)
    for split in (DATA.train, DATA.valid, DATA.test):
        shares = np.bincount(split.labels, minlength=10) / len(split)
        assert np.abs(shares - 0.1).max() < 0.02
    everything = [p.tobytes() for s in (DATA.train, DATA.valid, DATA.test) for p in s.pixels]
    # The source itself has no duplicates after upsampling, so neither may the splits.
    assert len(set(everything)) == len(everything) == 1797


def test_upsampling_is_bilinear_as_torch_does_it():
    source = torch.from_numpy(load_digits().images).double()[:, None] / 16
    reference = torch.nn.functional.interpolate(source, (28, 28), mode="bilinear")[:, 0] * 255
    ours = upsample(load_digits().images.astype(np.int64)).astype(float)
    assert np.abs(ours - reference.numpy()).max() <= 0.5 + 1e-9


def test_the_checksum_is_the_recorded_one():
    assert DATA.sha256 == "e57f28b611a7fa85262bcab18aa72359d4d446fa8279f85c2c2e4f108e6d2037"


def test_images_are_the_pixels_in_the_unit_range():
    assert DATA.test.images.dtype == np.float32
    assert np.array_equal(np.rint(DATA.test.images * 255).astype(np.uint8), DATA.test.pixels)


@pytest.mark.parametrize("seed", range(20))
def test_the_split_is_the_one_that_scikit_learn_draws(seed):
    draws = np.random.default_rng(seed)
    labels = draws.permutation(np.concatenate([np.arange(4), draws.integers(0, 4, 50 + seed)]))
    labels = np.concatenate([labels, np.arange(4)])
    indices = np.arange(len(labels))
    theirs = train_test_split(indices, test_size=17, stratify=labels, random_state=seed)
    for ours, expected in zip(_stratified.split(labels, 17, seed), theirs, strict=True):
        assert ours.tolist() == expected.tolist()
