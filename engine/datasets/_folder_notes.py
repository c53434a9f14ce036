"""What is said of a folder of images: files that were left out, and pictures that were changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from engine.datasets._folder_pixels import Trait
from engine.datasets._images import Fault, count

Entry: TypeAlias = Literal[
    "closed",
    "special",
    "broken link",
    "looping link",
    "link outside",
    "hidden",
    "other kind",
    "nested",
    "stray image",
    "beside the splits",
    "without images",
]
"""Why an entry of a folder is no image of a class."""

Reason: TypeAlias = Fault | Entry | Literal["repeated"]

_SKIPPED: dict[Reason, tuple[str, str]] = {
    "empty": ("empty file", "empty files"),
    "no image": ("file that is no image", "files that are no images"),
    "damaged": ("file that is damaged or cut short", "files that are damaged or cut short"),
    "too large": (
        "file that has more pixels than Pillow takes for harmless",
        "files that have more pixels than Pillow takes for harmless",
    ),
    "colours": (
        "file whose kind of colours or samples is not read",
        "files whose kinds of colours or samples are not read",
    ),
    "range": (
        "file with 32-bit values, which need range: [low, high]",
        "files with 32-bit values, which need range: [low, high]",
    ),
    "not finite": (
        "file with values that are not finite",
        "files with values that are not finite",
    ),
    "closed": ("file that cannot be opened", "files that cannot be opened"),
    "special": ("FIFO, socket or device", "FIFOs, sockets or devices"),
    "broken link": ("symbolic link that leads nowhere", "symbolic links that lead nowhere"),
    "looping link": (
        "symbolic link to a folder that holds it",
        "symbolic links to folders that hold them",
    ),
    "link outside": (
        "symbolic link that leads out of the folder, which needs follow_links: true",
        "symbolic links that lead out of the folder, which need follow_links: true",
    ),
    "hidden": ("hidden entry", "hidden entries"),
    "nested": ("folder inside a class's folder", "folders inside the classes' folders"),
    "stray image": ("image outside of a class's folder", "images outside of the classes' folders"),
    "beside the splits": ("folder beside the splits", "folders beside the splits"),
    "without images": ("folder without images", "folders without images"),
    "repeated": ("repeated image", "repeated images"),
}  # fmt: skip
_CHANGED: dict[Trait, tuple[str, str]] = {
    "transparent": (
        "image is transparent and was put on the background {background}",
        "images are transparent and were put on the background {background}",
    ),
    "16-bit colour": (
        "image has 16 bits a colour, of which the upper 8 were read",
        "images have 16 bits a colour, of which the upper 8 were read",
    ),
    "clipped": (
        "image has values beyond range {range}, which became black or white",
        "images have values beyond range {range}, which became black or white",
    ),
    "several": (
        "file holds several pictures, of which the first was read",
        "files hold several pictures, of which the first was read",
    ),
    "one colour": ("image has one colour all over", "images have one colour all over"),
}
_SHOWN = 3


@dataclass
class Account:
    """Collects what is to be said of one folder.

    Attributes:
        root: the folder; paths are named from it on.
        skipped: files and folders that were left out, by reason.
        changed: images with a trait to be said, by trait.
        further: whole sentences.
        nested_images: how many images the folders hold that are skipped as nested.
    """

    root: Path
    skipped: dict[Reason, list[Path]] = field(default_factory=dict)
    changed: dict[Trait, list[Path]] = field(default_factory=dict)
    further: list[str] = field(default_factory=list)
    nested_images: int = 0

    def skip(self, reason: Reason, path: Path) -> None:
        """Note that `path` is left out."""
        self.skipped.setdefault(reason, []).append(path)

    def mark(self, trait: Trait, path: Path) -> None:
        """Note what is to be said of an image that is read."""
        self.changed.setdefault(trait, []).append(path)

    def within(self, reason: Reason, folder: Path) -> list[Path]:
        """Return what was left out of `folder` itself for this reason."""
        return [path for path in self.skipped.get(reason, []) if path.parent == folder]

    def named(self, paths: Sequence[Path]) -> str:
        """Return the first few of these paths, from the root on, as text that can be stored."""
        shown = ", ".join(str(path.relative_to(self.root)) for path in paths[:_SHOWN])
        # Linux takes any bytes as a name; those that are not UTF-8 cannot be written as JSON.
        written = shown.encode("utf-8", "backslashreplace").decode("utf-8")
        return written + (", …" if len(paths) > _SHOWN else "")

    def notes(self, **words: str) -> tuple[str, ...]:
        """Return a sentence per reason and trait that there is.

        Args:
            words: what the sentences on traits name: `background` and `range`.
        """
        skipped = [
            f"skipped {_count(paths, _SKIPPED[reason])}{self._held(reason)}: {self.named(paths)}"
            for reason in _SKIPPED
            if (paths := self.skipped.get(reason))
        ]
        changed = [
            f"{_count(paths, _CHANGED[trait]).format(**words)}: {self.named(paths)}"
            for trait in _CHANGED
            if (paths := self.changed.get(trait))
        ]
        return (*skipped, *self._other_kinds(), *changed, *self.further)

    def _held(self, reason: Reason) -> str:
        return f" with {count(self.nested_images, 'image')}" if reason == "nested" else ""

    def _other_kinds(self) -> list[str]:
        paths = self.skipped.get("other kind", [])
        if not paths:
            return []
        kinds = Counter(path.suffix.lower() or "without a suffix" for path in paths)
        counted = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        of = _count(paths, ("file of a kind that is not read", "files of kinds that are not read"))
        return [f"skipped {of} ({counted}): {self.named(paths)}"]


def _count(paths: Sequence[Path], words: tuple[str, str]) -> str:
    return f"{len(paths)} {words[len(paths) != 1]}"
