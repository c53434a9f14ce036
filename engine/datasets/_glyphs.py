"""Glyphs from font files, drawn from their outlines in exact arithmetic.

No rasteriser of the system takes part: FreeType's pixels differ between its versions, and a
dataset must not. Outlines are flattened to polygons whose coordinates are integers, filled by the
nonzero rule on a fine grid, and sampled through integer affine maps.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets._draws import Integers
from engine.errors import PlausiblyError, UsageError

MASTER = 256
"""Side of the grid on which a glyph is drawn."""
EXTENT = 208
"""The longer side of the glyph's box in it; what remains is empty margin."""
SUBPIXELS = 4
"""Samples per pixel and axis: coverage runs from 0 to 16."""
COVERED = SUBPIXELS**2

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Fonts without names for their glyphs number them: there is nothing to go by.
_NUMBERED = re.compile(r"(glyph|gid|cid|uni|u)[0-9A-F]+")
_STEPS = 8
_UNIT = 1024
_FINE = 64
_SHIFT = 12
ONE = 1 << _SHIFT
"""1 in the fixed-point numbers of an affine map."""


@dataclass(frozen=True)
class Font:
    """A font file with the split that its family belongs to.

    Attributes:
        file: its name in matplotlib's folder, or a path.
        sha256: of the file.
        split: "train", "valid" or "test"; a family is in one split only.
        has_digits: its characters 0-9 are lining digits.
    """

    file: str
    sha256: str
    split: str
    has_digits: bool = True


FONTS = (
    # DejaVu Sans
    Font(
        "DejaVuSans.ttf",
        "3fdf69cabf06049ea70a00b5919340e2ce1e6d02b0cc3c4b44fb6801bd1e0d22",
        "train",
    ),
    Font(
        "DejaVuSans-Bold.ttf",
        "b184b89e3c1075f22f6b71575b6fc20d4972b3cfd3b23322ca6fd596dcaef167",
        "train",
    ),
    Font(
        "DejaVuSans-Oblique.ttf",
        "ccdf74b350f11fd3dd5774de50e5e6346a1a5da1f5b7d5fb83590665e97a5213",
        "train",
    ),
    Font(
        "DejaVuSans-BoldOblique.ttf",
        "6edf0283160186af451cbee71e7b845f2e4cabf264bb992ce668c83c25465e6f",
        "train",
    ),
    # DejaVu Serif
    Font(
        "DejaVuSerif.ttf",
        "107244956e9962b9e96faccdc551825e0ae0898ae13737133e1b921a2fd35ffa",
        "train",
    ),
    Font(
        "DejaVuSerif-Bold.ttf",
        "c3753f2ed6bc673f15846dc45addbeb3b9c872f32fb18fd53a21f1bef1ed7676",
        "train",
    ),
    Font(
        "DejaVuSerif-Italic.ttf",
        "3e7994fbc54fa10ce3352a42d548fadd7d9cadb69cb1109bc9d960f6dac57f04",
        "train",
    ),
    Font(
        "DejaVuSerif-BoldItalic.ttf",
        "d93efec7a9d2e826768d1a2ee95b95870e15e29599a84f3484af1de1cec2e181",
        "train",
    ),
    # Computer Modern Roman, its italics, and its script capitals
    Font("cmr10.ttf", "4dd9761b058c009db9b2145f55ee6617d093c273dd3d6c5b3e43ff6110fa9bf6", "train"),
    Font("cmb10.ttf", "074497b50c43ea57597181591f9893d38fc12a87e95104f5657fc2481f61a23a", "train"),
    Font("cmti10.ttf", "f9f1f9f654308ae82f7be4441ae89b080896b34cc220bbea173c5e9adcfe3ef7", "train"),
    Font(
        "cmmi10.ttf",
        "3092965b8811fd6a6765799664845181fc1dd1330b937f915808c485d316234d",
        "train",
        has_digits=False,
    ),
    Font(
        "cmsy10.ttf",
        "bb226ed932f3f100cd0e52f5e4912ee553b41b69e7bfdb8d3854db0eb6605232",
        "train",
        has_digits=False,
    ),
    # DejaVu Sans Mono and Computer Modern Typewriter
    Font(
        "DejaVuSansMono.ttf",
        "602ec86b8948cfcd956482fe64f94c36c867770149ef2f791d4613f443bcecb3",
        "valid",
    ),
    Font(
        "DejaVuSansMono-Bold.ttf",
        "baada9a5172fe20886251aff0433fc38461912d5daf07287e7bee56620a8da96",
        "valid",
    ),
    Font(
        "DejaVuSansMono-Oblique.ttf",
        "28052813f7a709fc89f52d192dc995ef4f0fdc5c3d7b73a49d6849b1916d0cd0",
        "valid",
    ),
    Font(
        "DejaVuSansMono-BoldOblique.ttf",
        "a69081c15c76c827e0a27a5a7f5c74b6135c843499955495ffa8c20d3a98288b",
        "valid",
    ),
    Font("cmtt10.ttf", "6211f09ae93599991afda970c24669dad1a77e253d915624fbf212f702f071d7", "valid"),
    # STIX General and Computer Modern Sans
    Font(
        "STIXGeneral.ttf",
        "167378031e2dddc6216d67819c9260e9a06ffc4c478e4e23cb98a6fd44b183c2",
        "test",
    ),
    Font(
        "STIXGeneralBol.ttf",
        "e8533dc7083fa346bda1933d60ea4a83b67d0945bceaf1b3541f82b4a0e2c6a0",
        "test",
    ),
    Font(
        "STIXGeneralItalic.ttf",
        "6cfcb333d22b7c3c623bdfd40174f14c85c3d6731ca6166c1edc80140eae8527",
        "test",
    ),
    Font(
        "STIXGeneralBolIta.ttf",
        "98788fd4ba48dfbb2bd026c0e20a247a8b06c7372879628b7a6bb0d5bb09736c",
        "test",
    ),
    Font("cmss10.ttf", "7df91a83d05b2e471ec638cb0b435a360a3c792b09fc42a7da67e91f2e79115a", "test"),
)
"""The fonts that matplotlib 3.9 and later carry and whose capitals are letters: its symbol fonts
(STIXSize…, STIXNonUni…, cmex10, the Display fonts) and the last-resort font, which draws one glyph
for every letter, are out."""


@dataclass(frozen=True)
class Glyphs:
    """Drawn characters of one font.

    Attributes:
        masters: uint8 (K, MASTER, MASTER), 1 inside; the box is centred, its longer side EXTENT.
        widths: int64 (K,), width of each box in master pixels.
    """

    masters: NDArray[np.uint8]
    widths: Integers


def matplotlib_font(file: str) -> Path:
    """Return the path of a font that matplotlib carries."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / file


@lru_cache(maxsize=128)
def draw(path: Path, sha256: str, characters: str) -> Glyphs:
    """Draw `characters` of a font file.

    Raises:
        PlausiblyError: the file is missing or is another than `sha256` says.
        UsageError: it is no font, or is not a font of these characters: one is missing, is empty,
            is another sign, or looks like another one of them.
    """
    from fontTools.ttLib import TTLibError

    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlausiblyError(f"font {path} cannot be read: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise PlausiblyError(
            f"font {path} has SHA-256 {found}, expected {sha256}: "
            "other letters would make another dataset"
        )
    try:
        with _open(path) as font:
            named = font.getBestCmap() or {}
            _require_letters(path, named, characters)
            outlines = font.getGlyphSet()
            drawn = [_fit(_flatten(outlines, named[ord(c)])) for c in characters]
    except (TTLibError, OSError, AssertionError) as error:
        raise UsageError(f"{path} is not a font that can be read: {error}") from None
    empty = [c for c, (mask, _) in zip(characters, drawn, strict=True) if not mask.any()]
    if empty or len({mask.tobytes() for mask, _ in drawn}) < len(characters):
        why = f"draws nothing for {', '.join(empty)}" if empty else "draws two of them alike"
        raise UsageError(f"font {path} is not a font of {characters}: it {why}; leave it out")
    return Glyphs(
        np.stack([mask for mask, _ in drawn]), np.array([w for _, w in drawn], dtype=np.int64)
    )


def family(path: Path) -> str:
    """Return the family that a font file names."""
    with _open(path) as font:
        return str(font["name"].getBestFamilyName())


def sample(glyphs: Glyphs, which: Integers, maps: Integers, shift: Integers, size: int) -> Integers:
    """Return how much of each pixel the glyph covers: int32 (N, size, size), 0..COVERED.

    Args:
        glyphs: drawn characters.
        which: (N,) indices into them.
        maps: (N, 2, 2) fixed point (ONE is 1): from an offset (x, y) in pixels from the glyph's
            centre in the image to an offset in master pixels.
        shift: (N, 2) position (x, y) of the glyph's centre relative to the image's, in 1/64 pixel.
        size: side of the image in pixels.
    """
    # Twice the offset of each subpixel's centre from the image's, in subpixels: whole numbers.
    offsets = 2 * np.arange(size * SUBPIXELS) + 1 - size * SUBPIXELS
    covered = np.empty((len(which), size, size), dtype=np.int32)
    per_pixel = 2 * SUBPIXELS
    for start in range(0, len(which), 128):
        part = slice(start, start + 128)
        # In 64ths of a pixel; then through the map, whose products stay below 2**31.
        x, y = (
            (offsets * (64 // per_pixel) - shift[part, axis, None]).astype(np.int32)
            for axis in (0, 1)
        )
        m = maps[part].astype(np.int32)
        columns = (m[:, 0, 0, None] * x)[:, None, :] + (m[:, 0, 1, None] * y)[:, :, None]
        rows = (m[:, 1, 0, None] * x)[:, None, :] + (m[:, 1, 1, None] * y)[:, :, None]
        for axis in (columns, rows):
            axis >>= _SHIFT + 6
            axis += MASTER // 2
            np.clip(axis, 0, MASTER - 1, out=axis)
        flat = (which[part, None, None].astype(np.int32) * MASTER + rows) * MASTER + columns
        fine = glyphs.masters.reshape(-1).take(flat)
        rows_summed = fine.reshape(len(fine), size, SUBPIXELS, -1).sum(axis=2, dtype=np.uint8)
        covered[part] = sum(rows_summed[:, :, k::SUBPIXELS] for k in range(SUBPIXELS))
    return covered


def affine(height: Integers, stretch: Integers, slant: Integers, turn: Integers) -> Integers:
    """Return the maps that `sample` takes, (N, 2, 2).

    Args:
        height: length of the glyph's longer side in 1/64 pixel.
        stretch: width relative to the drawn one, fixed point.
        slant: x shift per y, fixed point.
        turn: sine of the rotation, counterclockwise, fixed point; small.
    """
    scale = (EXTENT * ONE * 64) // height
    # cos = sqrt(1 - sin^2), to second order: exact enough below 15 degrees, and in integers.
    cosine = ONE - turn * turn // (2 * ONE)
    across, down = scale * ONE // stretch, scale
    rows = [
        [
            across * (cosine + slant * turn // ONE) // ONE,
            across * (slant * cosine // ONE - turn) // ONE,
        ],
        [down * turn // ONE, down * cosine // ONE],
    ]
    return np.moveaxis(np.array(rows, dtype=np.int64), -1, 0)


def _open(path: Path) -> Any:
    from fontTools.ttLib import TTFont

    # The dates in Computer Modern's headers are off, which matters to nobody here.
    logging.getLogger("fontTools.ttLib.tables._h_e_a_d").setLevel(logging.ERROR)
    return TTFont(path, fontNumber=0, lazy=True)


def _require_letters(path: Path, named: dict[int, str], characters: str) -> None:
    """Refuse a font whose character map names other signs than these."""
    for character in characters:
        glyph = named.get(ord(character), "")
        usual = _DIGITS[int(character)] if character.isdigit() else character
        if glyph.split(".")[0] != usual and not _NUMBERED.fullmatch(glyph):
            raise UsageError(
                f"font {path} is not a font of {characters}: it has {glyph or 'no sign'} for "
                f"{character}; leave it out"
            )


def _flatten(outlines: Any, name: str) -> list[list[tuple[float, float]]]:
    """Return the closed polygons of a glyph; curves become 8 chords, all coordinates dyadic."""
    from fontTools.pens.basePen import BasePen

    polygons: list[list[tuple[float, float]]] = []

    class Flattener(BasePen):  # type: ignore[misc]
        def _moveTo(self, point: tuple[float, float]) -> None:  # noqa: N802
            polygons.append([point])

        def _lineTo(self, point: tuple[float, float]) -> None:  # noqa: N802
            polygons[-1].append(point)

        def _qCurveToOne(self, *points: tuple[float, float]) -> None:  # noqa: N802
            self._curve(list(points))

        def _curveToOne(self, *points: tuple[float, float]) -> None:  # noqa: N802
            self._curve(list(points))

        def _curve(self, points: list[tuple[float, float]]) -> None:
            hull = [self._getCurrentPoint(), *points]
            binomial = (1, 2, 1) if len(hull) == 3 else (1, 3, 3, 1)
            degree = len(hull) - 1
            for k in range(1, _STEPS + 1):
                weights = [
                    b * k**i * (_STEPS - k) ** (degree - i) / _STEPS**degree
                    for i, b in enumerate(binomial)
                ]
                # Weights and coordinates are dyadic fractions: the sums are exact.
                x = sum(w * p[0] for w, p in zip(weights, hull, strict=True))
                y = sum(w * p[1] for w, p in zip(weights, hull, strict=True))
                polygons[-1].append((x, y))

    outlines[name].draw(Flattener(outlines))
    return polygons


def _fit(polygons: Sequence[Sequence[tuple[float, float]]]) -> tuple[NDArray[np.uint8], int]:
    """Fill polygons, scaled to EXTENT and centred, on the master grid; return it and the width."""
    mask = np.zeros((MASTER, MASTER), dtype=np.uint8)
    rings = [np.rint(np.array(p) * _UNIT).astype(np.int64) for p in polygons if len(p) > 2]
    if not rings:
        return mask, 0
    points = np.concatenate(rings)
    low, high = points.min(axis=0), points.max(axis=0)
    longer = int((high - low).max())
    if longer == 0:
        return mask, 0
    middle = MASTER * _FINE // 2

    def place(ring: Integers) -> Integers:
        # Twice the offset from the box's centre, to fixed-point master pixels; y points down.
        fitted: Integers = (2 * ring - low - high) * (EXTENT * _FINE) // (2 * longer)
        fitted[:, 1] *= -1
        return fitted + middle

    start = np.concatenate([place(ring) for ring in rings])
    end = np.concatenate([np.roll(place(ring), -1, axis=0) for ring in rings])
    x0, y0, x1, y1 = start[:, 0], start[:, 1], end[:, 0], end[:, 1]
    centres = np.arange(MASTER)[:, None] * _FINE + _FINE // 2
    up = (y0 <= centres) & (centres < y1)
    down = (y1 <= centres) & (centres < y0)
    rows, edges = np.nonzero(up | down)
    rise = y1[edges] - y0[edges]
    crossing = x0[edges] + (centres[rows, 0] - y0[edges]) * (x1 - x0)[edges] // rise
    column = np.clip((crossing + _FINE // 2 - 1) // _FINE, 0, MASTER - 1)
    winding = np.zeros((MASTER, MASTER), dtype=np.int64)
    np.add.at(winding, (rows, column), np.where(up[rows, edges], 1, -1))
    mask[np.cumsum(winding, axis=1) != 0] = 1
    return mask, int((high - low)[0]) * EXTENT // longer
