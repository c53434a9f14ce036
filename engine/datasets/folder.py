"""A user's own images: one folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat, field_validator

from engine.datasets import SPLITS, Data, Dataset, Split, register
from engine.datasets._folder_colours import HexColour
from engine.datasets._folder_files import Part, find
from engine.datasets._folder_notes import Account
from engine.datasets._folder_pixels import Reading
from engine.datasets._folder_reading import (
    Images,
    Item,
    Reader,
    are_grey,
    require_apart,
    require_one_size,
)
from engine.errors import PlausiblyError, UsageError

Side = Annotated[int, Field(ge=4, le=1024)]
Share = Annotated[float, Field(gt=0, lt=0.5)]
_LATER = ("range", "background", "follow_links")


@register
class Folder(Dataset):
    """Images in one folder per class, grey or RGB, all of one size or scaled to one.

    Either `root/CLASS/*.png` and so on: images are then divided within each class by the SHA-256
    of their pixels, which depends on nothing but the images. Or `root/train/CLASS/…` and
    `root/test/CLASS/…`, the user's own division, with `root/valid/CLASS/…` (or `val`,
    `validation`) or without: images to validate are then taken from those to train in the same
    way. Class names are the folders' names, sorted. What is no image, cannot be read or repeats an
    image of its class is left out and counted in the notes; so are pictures that were changed.

    Attributes:
        root: the folder.
        size: (height, width) to scale every image to (Lanczos); None: all have the same already.
        colour: "auto" is grey if every image is, else RGB.
        valid_share, test_share: of each class, where the user made no division.
        range: the values of grey images of 16 or 32 bits that become black and white; values
            beyond are cut off. None: 0 and 65535 for 16 bits, while images of 32 bits are refused.
        background: what shows through where images are transparent: a name, "#rrggbb", or
            [red, green, blue].
        follow_links: whether symbolic links that lead out of the folder are read.
    """

    root: str | None = None
    size: tuple[Side, Side] | None = None
    colour: Literal["auto", "grey", "rgb"] = "auto"
    valid_share: Share = 0.15
    test_share: Share = 0.25
    range: tuple[FiniteFloat, FiniteFloat] | None = None
    background: HexColour = "#ffffff"
    follow_links: bool = False

    @field_validator("range")
    @classmethod
    def _require_rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError("range is [low, high], and low must be below high")
        return value

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration as JSON.

        Parameters that came later stand in it only where they are used: the keys of models that
        were trained before then stay what they were, and the models are found again.
        """
        fields = type(self).model_fields
        unused = {name for name in _LATER if getattr(self, name) == fields[name].default}
        return {name: value for name, value in super().config().items() if name not in unused}

    def load(self) -> Data:
        """Return the dataset.

        Raises:
            UsageError: no root, fewer than two classes, a class with too few images, images of
                different sizes, a split without a class, one image in two classes or two splits,
                values without black and white, classes whose names look the same, pictures that
                would be lost (see `_folder_files.find`).
            PlausiblyError: the folder cannot be read.
        """
        if self.root is None:
            raise UsageError("folder: root is missing: name the folder that holds the images")
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise PlausiblyError(f"folder: {root} is not a folder")
        account = Account(root)
        layout = find(root, account, follow_links=self.follow_links)
        red, green, blue = bytes.fromhex(self.background[1:])
        ground = (red, green, blue)
        grey = are_grey(layout, ground) if self.colour == "auto" else self.colour == "grey"
        reader = Reader(Reading(grey, self.size, self.range, ground), account)
        found = {
            part: reader.read(layout.folders[part], classes)
            for part, classes in layout.files.items()
        }
        reader.finish()
        require_one_size(root, found)
        require_apart(root, found)
        divided = self._divided(found, account)
        notes = account.notes(background=self.background, range=str(list(self.range or ())))
        for part, images in divided.items():
            for name in layout.names:
                if not images.get(name):
                    why = f"; {'; '.join(notes)}" if notes else ""
                    raise UsageError(f"folder: {root} leaves no image of {name} for {part}{why}")
        train, valid, test = (_split(divided[part], layout.names) for part in SPLITS)
        return Data(train, valid, test, layout.names, notes)

    def _divided(self, found: dict[Part, Images], account: Account) -> dict[Part, Images]:
        """Return the images by split; what the user did not divide is divided by their keys."""
        if "valid" in found:
            return found
        whole = found["train" if "train" in found else ""]
        divided: dict[Part, Images] = {
            "train": {},
            "valid": {},
            "test": dict(found.get("test", {})),
        }
        for name, images in whole.items():
            test = 0 if "test" in found else self._share(self.test_share, images)
            valid = self._share(self.valid_share, images)
            if test:
                divided["test"][name] = images[:test]
            divided["valid"][name] = images[test : test + valid]
            divided["train"][name] = images[test + valid :]
        if "test" in found:
            account.further.append(
                f"there is no valid: {self.valid_share:.0%} of each class were taken from train"
            )
        return divided

    @staticmethod
    def _share(share: float, images: list[Item]) -> int:
        return max(1, round(share * len(images)))


def _split(found: Images, names: tuple[str, ...]) -> Split:
    """Return the images in the order of their hashes, whatever their class."""
    items = sorted(
        ((item, label) for label, name in enumerate(names) for item in found[name]),
        key=lambda each: (each[0].key, each[1]),
    )
    return Split(
        np.stack([item.pixels for item, _ in items]),
        np.array([label for _, label in items], dtype=np.int64),
    )
