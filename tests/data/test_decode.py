"""Every kind of picture that people have becomes upright RGB pixels, or a reason why not."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from facegan.data import decode, skipping
from facegan.data.rendering import Rendering
from facegan.data.skipping import Skip
from facegan.data.source import Item
from tests.data.hostile import SIDE, Memory, colours, encoded, jpeg, png_of

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's, of odd pictures; a reader ignores them as well

PICTURE = colours(1)
RGB = np.asarray(PICTURE)
WHITE = (255, 255, 255)
CUT_SHORT = (skipping.EMPTY, skipping.NOT_A_PICTURE, skipping.BROKEN, skipping.TOO_SMALL)


def render(data: object, size: int | None = None, crop: str = "none") -> np.ndarray:
    source = Memory({"it": data})
    return Rendering(crop=crop, size=size).pixels(source, Item(name="it", values=(), at="it"))


def reason(data: object, size: int | None = None, crop: str = "none") -> str:
    with pytest.raises(Skip) as skip:
        render(data, size, crop)
    return skip.value.reason


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_files_keep_every_bit(kind: str) -> None:
    assert np.array_equal(render(encoded(PICTURE, kind)), RGB)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_lossy_files_come_close(kind: str) -> None:
    assert np.abs(render(encoded(PICTURE, kind)).astype(int) - RGB).mean() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_was_photographed_lying_stands(orientation: int) -> None:
    """Written by hand from the EXIF standard: where row 0 and column 0 of what is stored belong."""
    upright = np.asarray(colours(2, SIDE, SIDE + 16))
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(render(encoded(Image.fromarray(stored), kind, exif=exif)), upright)


def test_a_png_may_say_how_it_lies_behind_its_pixels() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    whole = encoded(PICTURE, exif=exif)
    at = whole.index(b"eXIf") - 4
    chunk = whole[at : at + 12 + int.from_bytes(whole[at : at + 4], "big")]
    moved = whole.replace(chunk, b"").replace(whole[-12:], chunk + whole[-12:])
    assert moved.index(b"IDAT") < moved.index(b"eXIf")
    assert np.array_equal(render(moved), RGB[::-1, ::-1])


def test_a_lying_photograph_is_decoded_small_and_cut_as_it_will_stand() -> None:
    """The crop and the fraction at which a JPEG is decoded follow the upright picture, not the stored one."""
    upright = colours(3, 300, 800)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    for crop in ("none", "center", "reference"):
        straight = render(encoded(upright), 32, crop)
        assert np.abs(render(lying, 32, crop).astype(int) - straight).max() < 12


def test_grey_palette_cmyk_and_alpha_become_rgb() -> None:
    grey = np.asarray(PICTURE.convert("L"))
    assert np.array_equal(render(encoded(PICTURE.convert("L"))), np.repeat(grey[..., None], 3, axis=2))
    assert np.abs(render(encoded(PICTURE.convert("CMYK"), "JPEG", quality=95)).astype(int) - RGB).mean() < 8
    palette = PICTURE.quantize(200)
    assert np.array_equal(render(encoded(palette)), np.asarray(palette.convert("RGB")))
    assert np.array_equal(np.unique(render(encoded(PICTURE.convert("1")))), [0, 255])


def test_transparent_pixels_are_white() -> None:
    clear = PICTURE.convert("RGBA")
    clear.putalpha(Image.fromarray(np.triu(np.full((SIDE, SIDE), 255, np.uint8))))
    shown = render(encoded(clear))
    assert np.array_equal(shown[np.triu_indices(SIDE)], RGB[np.triu_indices(SIDE)])
    assert (shown[np.tril_indices(SIDE, -1)] == WHITE).all()
    palette = PICTURE.quantize(8)
    hole = palette.getpixel((0, 0))
    assert tuple(render(encoded(palette, "PNG", transparency=hole))[0, 0]) == WHITE


def test_sixteen_bits_keep_the_upper_eight() -> None:
    deep = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE) * 100
    shown = render(encoded(Image.fromarray(deep)))
    assert np.array_equal(shown, np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=2))
    assert reason(encoded(Image.fromarray(deep.astype(np.float32)), "TIFF")) == skipping.DEPTH
    assert reason(encoded(Image.fromarray(deep.astype(np.int32) * 100), "TIFF")) == skipping.DEPTH


def test_of_an_animation_the_first_picture_is_taken() -> None:
    others = [colours(seed).quantize(64) for seed in (4, 5)]
    first = colours(1).quantize(64)
    moving = encoded(first, "GIF", save_all=True, append_images=others)
    assert np.abs(render(moving).astype(int) - np.asarray(first.convert("RGB"))).mean() < 1
    pages = encoded(PICTURE, "TIFF", save_all=True, append_images=[colours(4)])
    assert np.array_equal(render(pages), RGB)


def test_what_cannot_be_used_says_why() -> None:
    assert reason(b"") == skipping.EMPTY
    assert reason(b"<html>404</html>") == skipping.NOT_A_PICTURE
    assert reason(bytes(1000)) == skipping.NOT_A_PICTURE
    assert reason(encoded(PICTURE, "EPS")) == skipping.NOT_A_PICTURE  # it would start Ghostscript
    assert reason(encoded(Image.new("RGB", (1, 1)))) == skipping.TOO_SMALL
    assert reason(encoded(Image.new("RGB", (500, decode.FEWEST_PIXELS - 1)))) == skipping.TOO_SMALL
    assert reason(encoded(Image.new("RGB", (2049, 2048)))) == skipping.BOMB
    assert render(encoded(Image.new("RGB", (2049, 2048))), 32).shape == (32, 32, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_wherever_a_file_ends_too_early_it_is_left_out_or_whole(kind: str) -> None:
    """At each of many places; what is nevertheless shown has lost nothing but a trailer."""
    whole = encoded(PICTURE, kind)
    shown = render(whole)
    reasons = set()
    for end in range(0, len(whole), max(1, len(whole) // 40)):
        try:
            found = render(whole[:end])
        except Skip as skip:
            reasons.add(skip.reason)
        else:
            assert np.array_equal(found, shown)
    assert skipping.EMPTY in reasons
    assert reasons <= {*CUT_SHORT}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_damaged_bytes_never_end_in_anything_but_pixels_or_a_reason(kind: str) -> None:
    random = np.random.default_rng(0)
    whole = np.frombuffer(encoded(PICTURE, kind), np.uint8)
    for _ in range(150):
        damaged = whole.copy()
        at = random.integers(0, min(len(whole), 400), 6)
        damaged[at] = random.integers(0, 256, 6)
        with contextlib.suppress(Skip):
            assert render(damaged.tobytes(), 8).shape == (8, 8, 3)


@pytest.mark.parametrize("asks", ["getexif", "load"])
def test_too_little_memory_is_no_property_of_the_picture(asks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the machine would decide which pictures there are, and which way up."""

    def full(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PngImageFile, asks, full)
    with pytest.raises(MemoryError):
        render(encoded(PICTURE), 8)


@pytest.mark.parametrize(("width", "height"), [(10_000, 9_000), (16_000, 16_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_never_decoded(width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.core, "new", lambda *_: pytest.fail("memory for the pixels was asked for"))
    assert reason(png_of(width, height), 64) == skipping.BOMB


def test_pixels_pass_as_they_are_and_grey_stays_grey() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8)
    assert np.array_equal(render(grey), grey)
    assert np.array_equal(render(grey, 28), grey)
    assert render(grey, 32).shape == (32, 32, 1)
    assert np.array_equal(render(RGB), RGB)
    for wrong in (grey[..., 0], grey.astype(np.float32), np.zeros((28, 28, 2), np.uint8)):
        assert reason(wrong) == skipping.BROKEN
    assert reason(np.zeros((1, 1, 3), np.uint8)) == skipping.TOO_SMALL


def test_the_reference_crop_is_what_the_notebook_makes_bit_for_bit() -> None:
    """gans.md 1c: `crop((30, 55, 150, 175))`, `resize((64, 64))`, of the aligned 178x218 images."""
    aligned = jpeg(6, 178, 218)
    notebook = Image.open(io.BytesIO(aligned)).crop((30, 55, 150, 175)).resize((64, 64))
    assert np.array_equal(render(aligned, 64, "reference"), np.asarray(notebook))
    assert render(aligned, None, "reference").shape == (120, 120, 3)
    twice = encoded(Image.open(io.BytesIO(aligned)).resize((356, 436), Image.Resampling.BICUBIC))
    assert np.abs(render(twice, 64, "reference").astype(int) - np.asarray(notebook)).max() < 6


def test_the_centre_is_the_largest_square_in_the_middle() -> None:
    wide = colours(7, 101, 60)
    assert np.array_equal(render(encoded(wide), None, "center"), np.asarray(wide)[:, 20:80])
    tall = colours(7, 60, 101)
    assert np.array_equal(render(encoded(tall), None, "center"), np.asarray(tall)[20:80])


def test_a_jpeg_decoded_at_a_fraction_is_close_to_one_decoded_whole() -> None:
    for width, height in ((178, 218), (128, 128), (500, 700), (1999, 3001)):
        data = jpeg(8, width, height)
        whole = Image.open(io.BytesIO(data)).resize((64, 64), Image.Resampling.BICUBIC)
        assert np.abs(render(data, 64).astype(int) - np.asarray(whole)).max() <= 6
