"""What every dataset's arrays are, whoever made them."""

import numpy as np

from engine.datasets import Data


def held(data: Data) -> Data:
    """Return the data after asserting types, shapes and memory layout of all splits."""
    for split in (data.train, data.valid, data.test):
        assert split.pixels.dtype == np.uint8
        assert split.labels.dtype == np.int64
        assert split.pixels.shape == (len(split), *data.shape)
        assert split.labels.shape == (len(split),)
        assert split.pixels.flags.c_contiguous
        assert split.labels.flags.c_contiguous
        # What networks are given.
        assert split.images.flags.c_contiguous
        assert 0 <= split.labels.min() <= split.labels.max() < len(data.class_names)
    return data
