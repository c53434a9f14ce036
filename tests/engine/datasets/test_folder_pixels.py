"""Image files of every mode become 8-bit pixels that show what the file shows."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from engine.datasets._folder_pixels import RangeNeededError, Reading, is_grey, read
from engine.datasets._images import UnreadableError

WHITE = (255, 255, 255)
RAMP = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (4, 1))
RAMP_16 = np.tile(np.linspace(0, 65535, 64).round().astype(np.uint16), (4, 1))
ROUNDED = (RAMP_16 / 257).round().astype(np.uint8)


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def tiff(array):
    return encoded(Image.fromarray(array), "TIFF")


def png_of_16_bits(samples, colour_type, transparent=None):
    """Write uint16 samples (H, W, channels) as PNG, which Pillow does for grey ones alone."""

    def chunk(name, content):
        checked = name + content
        size, checksum = len(content), zlib.crc32(checked)
        return struct.pack(">I", size) + checked + struct.pack(">I", checksum)

    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (b"" if transparent is None else chunk(b"tRNS", struct.pack(">H", transparent)))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def with_tag(content, tag, old, new):
    """Change the value of a TIFF's tag."""
    before, after = (struct.pack("<HHIH", tag, 3, 1, value) for value in (old, new))
    assert content.count(before) == 1
    return content.replace(before, after)


def shown(content, *, grey=True, span=None, background=WHITE, size=None):
    picture = read(content, Reading(grey, size, span, background))
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    return picture


@pytest.mark.parametrize(
    "content",
    [
        encoded(Image.fromarray(RAMP_16)),
        tiff(RAMP_16),
        tiff(RAMP_16.astype(">u2")),
        encoded(Image.fromarray(RAMP_16), "TIFF", compression="tiff_lzw"),
        png_of_16_bits(RAMP_16[..., None], 0),
    ],
    ids=["PNG", "TIFF", "TIFF, big end first", "TIFF, compressed", "PNG by hand"],
)
def test_grey_of_16_bits_keeps_its_levels(content):
    picture = shown(content)
    assert np.array_equal(picture.pixels[0], ROUNDED)
    assert len(np.unique(picture.pixels)) == 64
    assert picture.traits == frozenset()
    colour = shown(content, grey=False).pixels
    assert np.array_equal(colour, np.stack([ROUNDED] * 3))


def test_every_16_bit_value_is_rounded_to_the_nearest_level():
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    exact = (2 * every.astype(np.int64) * 255 + 65535) // (2 * 65535)
    assert np.array_equal(shown(tiff(every)).pixels[0], exact)


def test_a_range_says_what_is_black_and_what_is_white():
    twelve = tiff(RAMP_16 >> 4)
    assert len(np.unique(shown(twelve).pixels)) < 20
    assert np.array_equal(shown(twelve, span=(0, 4095)).pixels[0], RAMP)
    for values, span in (
        ((RAMP.astype(np.float32) / 255), (0, 1)),
        (RAMP_16.astype(np.int32) * 1000 - 5_000_000, (-5_000_000, 60_535_000)),
    ):
        picture = shown(tiff(values), span=span)
        assert np.abs(picture.pixels[0].astype(int) - RAMP).max() <= 1
        assert len(np.unique(picture.pixels)) == 64
        assert "clipped" not in picture.traits
    beyond = shown(tiff(RAMP_16), span=(0, 30_000))
    assert "clipped" in beyond.traits
    assert beyond.values == (0, 65535)
    assert beyond.pixels[0, 0, -1] == 255


def test_32_bits_without_a_range_and_values_that_are_no_numbers_are_refused():
    with pytest.raises(RangeNeededError) as caught:
        shown(tiff(RAMP.astype(np.float32) / 255))
    assert caught.value.values == (0, 1)
    with pytest.raises(RangeNeededError):
        shown(tiff(RAMP_16.astype(np.int32)))
    broken = RAMP.astype(np.float32)
    broken[0, 0] = np.nan
    with pytest.raises(UnreadableError) as caught:
        shown(tiff(broken), span=(0, 255))
    assert caught.value.fault == "not finite"


def test_what_a_tiff_says_of_its_values_counts():
    inverted = with_tag(tiff(RAMP_16), 262, 1, 0)
    assert np.array_equal(shown(inverted).pixels[0], 255 - ROUNDED)
    large = np.array([[0, 2**31 + 2**30]], np.uint32).repeat(4, axis=0)
    unsigned = with_tag(tiff(large.view(np.int32)), 339, 2, 1)
    picture = shown(unsigned, span=(0, 2**32 - 1))
    assert picture.pixels[0, 0].tolist() == [0, 191]
    # Samples of 64 bits, which Pillow does not read: the file is an image all the same.
    wide = with_tag(tiff(RAMP.astype(np.float32)), 258, 32, 64)
    with pytest.raises(UnreadableError) as caught:
        shown(wide, span=(0, 1))
    assert caught.value.fault == "colours"


def test_colours_of_16_bits_are_read_by_their_upper_8_and_said():
    picture = shown(png_of_16_bits(np.stack([RAMP_16] * 3, -1), 2), grey=False)
    assert np.array_equal(picture.pixels, np.stack([RAMP_16 >> 8] * 3))
    assert picture.traits == {"16-bit colour"}


def test_grey_of_16_bits_with_transparency_is_grey():
    opaque = np.full_like(RAMP_16, 65535)
    content = png_of_16_bits(np.stack([RAMP_16, opaque], -1), 4)
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "RGBA"
        assert is_grey(image, WHITE)
        assert not is_grey(image, (255, 0, 0))
    assert len(np.unique(shown(content).pixels)) == 64
    # One value stands for transparency.
    hidden = png_of_16_bits(RAMP_16[..., None], 0, transparent=int(RAMP_16[0, 5]))
    expected = ROUNDED.copy()
    expected[:, 5] = 255
    picture = shown(hidden)
    assert np.array_equal(picture.pixels[0], expected)
    assert picture.traits == {"transparent"}


def letter(mode):
    """A black bar on transparent ground under which everything is black too."""
    alpha = np.zeros((6, 6), np.uint8)
    alpha[:, 2] = 255
    alpha[:, 3] = 51
    image = Image.new("RGB", (6, 6))
    image.putalpha(Image.fromarray(alpha))
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_the_background(mode):
    content = encoded(letter(mode))
    picture = shown(content)
    assert picture.traits == {"transparent"}
    assert picture.pixels[0, 0].tolist() == [255, 255, 0, 204, 255, 255]
    on_red = shown(content, grey=False, background=(200, 0, 10)).pixels
    assert on_red[:, 0, 0].tolist() == [200, 0, 10]
    assert on_red[:, 0, 3].tolist() == [160, 0, 8]


def test_transparency_of_a_palette_and_of_one_colour_shows_the_background():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putpixel((0, 0), 0)
    picture = shown(encoded(palette, transparency=0), grey=False, background=(1, 2, 3))
    assert picture.pixels[:, 0, 0].tolist() == [1, 2, 3]
    assert picture.pixels[:, 0, 1].tolist() == [0, 255, 0]
    single = Image.new("RGB", (4, 4), (7, 7, 7))
    single.putpixel((1, 0), (9, 9, 9))
    picture = shown(encoded(single, transparency=(7, 7, 7)), grey=False)
    assert picture.pixels[:, 0, :2].tolist() == [[255, 9]] * 3
    alpha = letter("RGBA").quantize(4).convert("PA")
    alpha.putalpha(letter("RGBA").getchannel("A"))
    assert shown(encoded(alpha, "TIFF")).pixels[0, 0, 0] == 255


def test_an_opaque_image_with_a_channel_for_transparency_is_as_it_is():
    colours = np.random.default_rng(0).integers(0, 256, (5, 5, 4)).astype(np.uint8)
    colours[..., 3] = 255
    picture = shown(encoded(Image.fromarray(colours)), grey=False, background=(0, 0, 0))
    assert np.array_equal(picture.pixels, colours[..., :3].transpose(2, 0, 1))
    assert picture.traits == frozenset()


def test_other_modes_show_what_they_hold():
    corner = np.zeros((8, 8), np.uint8)
    corner[0, 0] = 255
    two_levels = shown(encoded(Image.fromarray(corner).convert("1")))
    assert np.array_equal(two_levels.pixels[0], corner)
    print_colours = Image.fromarray(np.stack([RAMP] * 3, -1)).convert("CMYK")
    read_back = shown(encoded(print_colours, "TIFF"), grey=False).pixels
    assert np.abs(read_back.astype(int) - RAMP).max() <= 1
    lab = encoded(Image.fromarray(np.stack([RAMP] * 3, -1)).convert("LAB"), "TIFF")
    for grey in (True, False):
        assert np.abs(shown(lab, grey=grey).pixels.astype(int) - RAMP).max() <= 4


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_pictures_of_cameras_are_upright_also_with_16_bits(form):
    turned = Image.Exif()
    turned[0x0112] = 6
    content = encoded(Image.fromarray(RAMP_16), form, exif=turned)
    assert np.array_equal(shown(content).pixels[0], np.rot90(ROUNDED, -1))


def test_of_several_pictures_in_a_file_the_first_is_read_and_it_is_said():
    pages = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (10, 20)]
    for form in ("TIFF", "GIF"):
        picture = shown(encoded(pages[0], form, save_all=True, append_images=pages[1:]))
        assert picture.pixels.max() == 10
        assert picture.traits == {"several", "one colour"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b"no image", "no image"),
        (encoded(Image.fromarray(RAMP))[:60], "damaged"),
    ],
)
def test_why_a_file_gives_no_picture_is_told(content, fault):
    with pytest.raises(UnreadableError) as caught:
        shown(content)
    assert caught.value.fault == fault


def test_more_pixels_than_pillow_takes_for_harmless_are_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnreadableError) as caught:
        shown(encoded(Image.fromarray(RAMP)))
    assert caught.value.fault == "too large"
