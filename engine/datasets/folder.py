"""A user's own images: one folder per class."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.datasets import SPLITS, Data, Dataset, Split, register
from engine.datasets._images import UnreadableError, count, decode
from engine.errors import PlausiblyError, UsageError

_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"))
_GREY = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "F"))

Side = Annotated[int, Field(ge=4, le=1024)]
Share = Annotated[float, Field(gt=0, lt=0.5)]


@dataclass
class _Found:
    """The images of one split or of all, by class, and what was left out."""

    images: dict[str, list[tuple[str, NDArray[np.uint8]]]] = field(default_factory=dict)
    unreadable: list[Path] = field(default_factory=list)
    repeated: int = 0


@register
class Folder(Dataset):
    """Images in one folder per class, grey or RGB, all of one size or scaled to one.

    Either `root/CLASS/*.png` and so on: images are then divided within each class by the SHA-256
    of their pixels, which depends on nothing but the images. Or `root/train/CLASS/…`,
    `root/valid/CLASS/…` and `root/test/CLASS/…`: the user's own division. Class names are the
    folders' names, sorted. Files that cannot be read are skipped, as are repetitions of an image
    within its class; the notes count both. Names that start with a dot are not looked at.

    Attributes:
        root: the folder.
        size: (height, width) to scale every image to (Lanczos); None: all have the same already.
        colour: "auto" is grey if every image is, else RGB; transparency is dropped.
        valid_share, test_share: of each class, where the user made no division.
    """

    root: str | None = None
    size: tuple[Side, Side] | None = None
    colour: Literal["auto", "grey", "rgb"] = "auto"
    valid_share: Share = 0.15
    test_share: Share = 0.25

    def load(self) -> Data:
        """Return the dataset.

        Raises:
            UsageError: no root, fewer than two classes, a class with too few images, images of
                different sizes, a split without a class, one image in two classes or two splits.
            PlausiblyError: the folder cannot be read.
        """
        if self.root is None:
            raise UsageError("folder: root is missing: name the folder that holds the images")
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise PlausiblyError(f"folder: {root} is not a folder")
        given = [split for split in SPLITS if (root / split).is_dir()]
        if given and len(given) < len(SPLITS):
            missing = [split for split in SPLITS if split not in given]
            raise UsageError(
                f"folder: {root} has {' and '.join(given)} but no {' and no '.join(missing)}; "
                "give all three splits, or one folder per class and no splits"
            )
        files = {part: _files(root / part if given else root) for part in given or ("",)}
        names = sorted({name for classes in files.values() for name in classes})
        if len(names) < 2:
            raise UsageError(
                f"folder: {root} has {len(names)} folders with images; expected one for each "
                "class, and two classes or more"
            )
        grey = self._is_grey(files)
        found = {part: self._read(classes, grey) for part, classes in files.items()}
        self._require_one_size(root, found)
        self._require_apart(found)
        divided = found if given else self._divide(found[""])
        for part, contents in divided.items():
            for name in names:
                if not contents.images.get(name):
                    raise UsageError(f"folder: {root} leaves no image of {name} for {part}")
        train, valid, test = (_split(divided[part], names) for part in SPLITS)
        return Data(train, valid, test, tuple(names), _notes(root, found))

    def _is_grey(self, files: dict[str, dict[str, list[Path]]]) -> bool:
        if self.colour != "auto":
            return self.colour == "grey"
        from PIL import Image

        for path in (p for classes in files.values() for paths in classes.values() for p in paths):
            try:
                with Image.open(path) as image:
                    if image.mode not in _GREY:
                        return False
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                continue
        return True

    def _read(self, classes: dict[str, list[Path]], grey: bool) -> _Found:
        from PIL import Image

        found = _Found()
        for name, paths in classes.items():
            images: dict[str, NDArray[np.uint8]] = {}
            for path in paths:
                try:
                    image = decode(path.read_bytes())
                except (UnreadableError, OSError):
                    found.unreadable.append(path)
                    continue
                image = image.convert("L" if grey else "RGB")
                if self.size is not None:
                    image = image.resize(self.size[::-1], Image.Resampling.LANCZOS)
                pixels = np.asarray(image)
                pixels = pixels[None] if grey else pixels.transpose(2, 0, 1)
                key = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
                found.repeated += key in images
                images[key] = pixels
            found.images[name] = sorted(images.items(), key=lambda item: item[0])
        return found

    def _require_one_size(self, root: Path, found: dict[str, _Found]) -> None:
        sizes = sorted(
            {
                pixels.shape[1:]
                for contents in found.values()
                for images in contents.images.values()
                for _, pixels in images
            }
        )
        if len(sizes) > 1:
            shown = ", ".join(f"{height}x{width}" for height, width in sizes[:4])
            raise UsageError(
                f"folder: {root} has images of {len(sizes)} sizes ({shown}"
                f"{', …' if len(sizes) > 4 else ''}); give size: [height, width] to scale them"
            )

    def _require_apart(self, found: dict[str, _Found]) -> None:
        places: dict[str, str] = {}
        for part, contents in found.items():
            for name, images in contents.images.items():
                place = f"{part}/{name}" if part else name
                for key, _ in images:
                    if key in places:
                        raise UsageError(
                            f"folder: the same image is in {places[key]} and in {place}; "
                            "keep it in one"
                        )
                    places[key] = place

    def _divide(self, found: _Found) -> dict[str, _Found]:
        divided: dict[str, _Found] = {part: _Found() for part in SPLITS}
        for name, images in found.images.items():
            test = max(1, round(self.test_share * len(images)))
            valid = max(1, round(self.valid_share * len(images)))
            divided["test"].images[name] = images[:test]
            divided["valid"].images[name] = images[test : test + valid]
            divided["train"].images[name] = images[test + valid :]
        return divided


def _files(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of each class folder."""
    try:
        classes = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
        listed = {
            c.name: sorted(
                p for p in c.iterdir() if p.suffix.lower() in _SUFFIXES and p.name[0] != "."
            )
            for c in classes
        }
    except OSError as error:
        raise PlausiblyError(f"folder: {error.filename} cannot be read: {error.strerror}") from None
    return {name: paths for name, paths in listed.items() if paths}


def _split(found: _Found, names: list[str]) -> Split:
    """Return the images in the order of their hashes, whatever their class."""
    items = sorted(
        (key, label, pixels)
        for label, name in enumerate(names)
        for key, pixels in found.images[name]
    )
    return Split(
        np.stack([pixels for _, _, pixels in items]),
        np.array([label for _, label, _ in items], dtype=np.int64),
    )


def _notes(root: Path, found: dict[str, _Found]) -> tuple[str, ...]:
    unreadable = [path for contents in found.values() for path in contents.unreadable]
    repeated = sum(contents.repeated for contents in found.values())
    notes = []
    if unreadable:
        shown = ", ".join(str(path.relative_to(root)) for path in unreadable[:3])
        more = ", …" if len(unreadable) > 3 else ""
        notes.append(f"skipped {count(len(unreadable), 'file')} that cannot be read: {shown}{more}")
    if repeated:
        notes.append(f"skipped {count(repeated, 'repeated image')}")
    return tuple(notes)
