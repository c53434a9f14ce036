"""Which files of a folder are the images of which class and split. None of them is opened."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from engine.datasets._dataset import SPLITS, SplitName
from engine.datasets._folder_notes import Account, Entry
from engine.datasets._images import count
from engine.errors import PlausiblyError, UsageError

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp")
)
_OTHER_PICTURES = frozenset(
    (".heic", ".heif", ".avif", ".svg", ".jp2", ".jxl", ".ppm", ".pgm", ".psd", ".dng", ".cr2",
     ".cr3", ".nef", ".arw", ".raw", ".dcm", ".exr", ".tga", ".npy")
)  # fmt: skip
"""What a folder of pictures holds whose owner believes that they are read."""

_VALID = ("valid", "val", "validation")
Part: TypeAlias = Literal["train", "valid", "test", ""]
"""A split, or "" for all images where the user made no division."""

Classes: TypeAlias = dict[str, list[Path]]


@dataclass(frozen=True)
class Layout:
    """The image files of a folder.

    Attributes:
        files: by split and class, sorted; the split is "" where there is no division.
        folders: the folder of each split, by split.
        names: of the classes, sorted.
    """

    files: dict[Part, Classes]
    folders: dict[Part, Path]
    names: tuple[str, ...]


def find(root: Path, account: Account, *, follow_links: bool) -> Layout:
    """Return the image files of `root`, and note in `account` what else is there.

    Args:
        root: the folder.
        account: where to note it.
        follow_links: whether symbolic links may lead out of `root`.

    Raises:
        UsageError: fewer than two classes, classes whose names look the same, splits that are
            incomplete or there twice, a folder whose pictures would be lost.
        PlausiblyError: a folder cannot be read.
    """
    search = _Search(root, account, follow_links)
    folders = _splits(root, search.folders(root))
    files: dict[Part, Classes] = {part: search.classes(folder) for part, folder in folders.items()}
    if "" not in folders:
        for beside in search.folders(root, quiet=True):
            if beside not in folders.values():
                account.skip("beside the splits", beside)
    names = tuple(sorted({name for classes in files.values() for name in classes}))
    if len(names) < 2:
        raise UsageError(
            f"folder: {root} has {count(len(names), 'folder')} with images; expected one for each "
            "class, and two classes or more"
        )
    _require_different(names)
    _note_alike(names, account)
    return Layout(files, folders, names)


def _splits(root: Path, folders: list[Path]) -> dict[Part, Path]:
    """Return the folder of each split; the root itself where there is no division."""
    by_name = {folder.name: folder for folder in folders}
    if not any(split in by_name for split in SPLITS):
        return {"": root}
    valid = [name for name in _VALID if name in by_name]
    if len(valid) > 1:
        raise UsageError(
            f"folder: {root} has {' and '.join(valid)}, which all mean valid; keep one of them"
        )
    called: dict[SplitName, str] = {"train": "train", "test": "test"}
    called |= {"valid": valid[0]} if valid else {}
    found: dict[Part, Path] = {
        split: by_name[called[split]]
        for split in SPLITS
        if split in called and called[split] in by_name
    }
    if "train" not in found or "test" not in found:
        missing = [split for split in SPLITS if split not in found]
        there = [folder.name for folder in found.values()]
        raise UsageError(
            f"folder: {root} has {' and '.join(there)} but no {' and no '.join(missing)}; give "
            "train and test, and valid unless it is to be taken from train, or one folder per "
            "class and no splits"
        )
    return found


class _Search:
    """Looks through folders.

    Args:
        root: where symbolic links may lead to; beyond it only with `follow_links`.
        account: where to note what is no image.
        follow_links: see `find`.
    """

    def __init__(self, root: Path, account: Account, follow_links: bool) -> None:
        self._root = root.resolve()
        self._account = account
        self._follow = follow_links

    def folders(self, parent: Path, *, quiet: bool = False) -> list[Path]:
        """Return the folders in `parent`; note everything else unless `quiet`."""
        found = []
        for path in _entries(parent):
            kind = self._kind(path)
            if kind == "folder":
                found.append(path)
            elif quiet:
                continue
            elif kind == "link outside" and path.is_dir():
                raise UsageError(
                    f"folder: {path} is a symbolic link that leads out of the folder, to "
                    f"{path.resolve()}; give follow_links: true to read it, or put a copy there"
                )
            elif kind == "file":
                image = path.suffix.lower() in SUFFIXES
                self._account.skip("stray image" if image else "other kind", path)
            else:
                self._account.skip(kind, path)
        return found

    def classes(self, parent: Path) -> Classes:
        """Return the image files of each class's folder in `parent`.

        Raises:
            UsageError: a folder has pictures, none of which would be read.
        """
        found = {}
        for folder in self.folders(parent, quiet=parent.resolve() == self._root):
            files, nested = self._images(folder)
            self._require_few_links(folder, len(files))
            if files:
                found[folder.name] = files
                for inner in nested:
                    self._account.skip("nested", inner)
                    self._account.nested_images += _count_images(inner)
                continue
            self._require_no_loss(folder, nested)
            self._account.skip("without images", folder)
        return found

    def _images(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Return the image files and the folders in a class's folder; note everything else."""
        files, nested = [], []
        for path in _entries(folder):
            kind = self._kind(path)
            if kind == "folder" or (kind == "link outside" and path.is_dir()):
                nested.append(path)
            elif kind == "file" and path.suffix.lower() in SUFFIXES:
                files.append(path)
            else:
                self._account.skip("other kind" if kind == "file" else kind, path)
        return files, nested

    def _require_no_loss(self, folder: Path, nested: list[Path]) -> None:
        others = Counter(
            path.suffix.lower()
            for path in self._account.within("other kind", folder)
            if path.suffix.lower() in _OTHER_PICTURES
        )
        if others:
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(others.items()))
            raise UsageError(
                f"folder: {folder} has pictures, but none of a kind that is read ({kinds}); save "
                "them as PNG, JPEG or TIFF, or move the folder away"
            )
        deeper = sum(_count_images(inner) for inner in nested)
        if deeper:
            raise UsageError(
                f"folder: {folder} has no image itself, but {deeper} in the folders inside it "
                f"({self._account.named(nested)}); move the images up, move the folder away, or "
                "give the folder of the classes as root"
            )

    def _require_few_links(self, folder: Path, files: int) -> None:
        """Refuse a class of which links that are not followed would take more than a tenth."""
        outside = self._account.within("link outside", folder)
        require_few(
            outside,
            files + len(outside),
            "are symbolic links that lead out of the folder; give follow_links: true to read them",
            self._account,
        )
        broken = self._account.within("broken link", folder)
        require_few(
            broken,
            files + len(broken),
            "are symbolic links that lead nowhere; mend or remove them",
            self._account,
        )

    def _kind(self, path: Path) -> Entry | Literal["folder", "file"]:
        """Say what an entry is, by its name and its inode: opening a FIFO would wait for ever."""
        if path.name.startswith("."):
            return "hidden"
        link = path.is_symlink()
        try:
            mode = path.stat().st_mode
        except OSError:
            return "broken link" if link else "closed"
        if link:
            target = path.resolve()
            if target == self._root or target in path.parent.resolve().parents:
                return "looping link"
            if not self._follow and not target.is_relative_to(self._root):
                return "link outside"
        if stat.S_ISDIR(mode):
            return "folder"
        return "file" if stat.S_ISREG(mode) else "special"


def require_few(paths: list[Path], files: int, why: str, account: Account) -> None:
    """Refuse to leave out more than one file in ten of a class for a reason that has a remedy.

    Args:
        paths: the files that are to be left out.
        files: how many the class has with them.
        why: what they are, and the remedy.
        account: names them.
    """
    if len(paths) * 10 > files:
        raise UsageError(
            f"folder: {len(paths)} of {count(files, 'file')} in {paths[0].parent} {why} "
            f"({account.named(paths)})"
        )


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise PlausiblyError(f"folder: {folder} cannot be read: {error.strerror}") from None


def _count_images(folder: Path) -> int:
    return sum(
        Path(name).suffix.lower() in SUFFIXES for _, _, names in os.walk(folder) for name in names
    )


def _require_different(names: Iterable[str]) -> None:
    """Refuse two names that nobody can tell apart, and one that is no text."""
    seen: dict[str, str] = {}
    for name in names:
        if any(unicodedata.category(each) == "Cs" for each in name):
            raise UsageError(
                f"folder: the name of the class {name!a} is not UTF-8; rename its folder"
            )
        visible = "".join(each for each in name if unicodedata.category(each) != "Cf")
        shown = unicodedata.normalize("NFC", " ".join(visible.split()))
        if shown in seen:
            raise UsageError(
                f"folder: two classes have names that look the same, {shown!r}: "
                f"{seen[shown]!a} and {name!a}; put their images into one folder"
            )
        seen[shown] = name


def _note_alike(names: Iterable[str], account: Account) -> None:
    """Note names that differ in case alone, which may be meant: letters are such classes."""
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        if folded in seen:
            account.further.append(
                f"the names of two classes differ in case or width alone: {seen[folded]}, {name}"
            )
        seen.setdefault(folded, name)
