"""How many images a class has is said, and what that does to its accuracy."""

import numpy as np
import pytest

from engine.datasets import Data, Split, class_counts, describe_counts, doubt_counts


def data(train, valid, test):
    def split(counts):
        labels = np.repeat(np.arange(len(counts)), counts)
        return Split(np.zeros((len(labels), 1, 2, 2), np.uint8), labels)

    names = tuple("abcdefghij"[: len(train)])
    return Data(split(train), split(valid), split(test), names)


def test_images_are_counted_by_class_and_split():
    counts = class_counts(data([500, 5], [20, 1], [30, 2]))
    assert counts == {"train": [500, 5], "valid": [20, 1], "test": [30, 2]}
    assert describe_counts(counts, ("cat", "dog")) == (
        "cat 500 / 20 / 30, dog 5 / 1 / 2 images (train / valid / test)"
    )
    assert doubt_counts(counts, ("cat", "dog")) == (
        "1 class has fewer than 20 test images (dog 2): accuracies by class are rough there",
        "the classes differ by more than 10 times in training images (cat 500, dog 5): an accuracy "
        "over all images says little of the small ones; read those by class",
    )


def test_many_classes_are_summed_up():
    counts = class_counts(data([50] * 10, [5] * 10, list(range(11, 21))))
    assert describe_counts(counts, "abcdefghij") == (
        "10 classes, each with 50 training, 5 validation, 11 to 20 test images"
    )
    assert doubt_counts(counts, "abcdefghij") == (
        "9 classes have fewer than 20 test images (a 11, b 12, c 13, d 14, e 15, f 16, …): "
        "accuracies by class are rough there",
    )


@pytest.mark.parametrize(
    ("counts", "doubted"),
    [
        ({"train": [200, 20], "test": [20, 20]}, 0),
        ({"train": [201, 20], "test": [20, 20]}, 1),
        ({"train": [201, 20], "test": [20, 19]}, 2),
        ({"test": [201, 20]}, 1),  # of runs that do not know how many they were trained on
    ],
)
def test_where_doubt_begins(counts, doubted):
    assert len(doubt_counts(counts, "ab")) == doubted
