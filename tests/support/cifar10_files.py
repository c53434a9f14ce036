"""CIFAR-10 in small, in the true file format."""

import io
import tarfile

import numpy as np

RANDOM = np.random.default_rng(0)


NAMES = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]


IMAGES = {name: RANDOM.integers(0, 256, (20, 3, 32, 32), np.uint8) for name in NAMES}


LABELS = np.arange(20) % 10


def batch(images):
    return b"".join(
        bytes([label]) + image.tobytes() for label, image in zip(LABELS, images, strict=True)
    )


BATCHES = {name: batch(images) for name, images in IMAGES.items()}


def write(folder, **changed):
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        contents = {**BATCHES, "batches.meta.txt": b"airplane\n", **changed}
        for name, content in contents.items():
            if content is not None:
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
