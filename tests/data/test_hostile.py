"""Everything that the world puts between good pictures, in one folder: each is left out by its reason, or is right.

Good ones before, between and behind them come out as they do alone, whether their message is whole or not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan.data import readers, skipping
from facegan.data.preparing import Options, prepare
from facegan.data.sources import open_source
from tests.data.hostile import colours, encoded, fill, jpeg, png_of

GOOD = 2 * readers.CHUNK + 3
LYING = Image.Exif()
LYING[0x0112] = 6


def unusable() -> dict[str, tuple[bytes, str]]:
    return {
        "005-empty.jpg": (b"", skipping.EMPTY),
        "006-page.jpg": (b"<html>404</html>", skipping.NOT_A_PICTURE),
        "007-cut.jpg": (jpeg(7, 64, 64)[:600], skipping.BROKEN),
        "008-bomb.png": (png_of(60_000, 60_000), skipping.BOMB),
        "009-one-pixel.png": (encoded(Image.new("RGB", (1, 1))), skipping.TOO_SMALL),
        "010-notes.txt": (b"taken in 1999", skipping.OTHER_FILE),
        ".011.jpg": (jpeg(11), skipping.HIDDEN),
    }


def odd() -> dict[str, tuple[bytes, Image.Image]]:
    """Pictures that can be used, each with what it shows."""
    picture = colours(1)
    lying = encoded(picture.transpose(Image.Transpose.ROTATE_90), exif=LYING)
    return {
        "020-grey.png": (encoded(picture.convert("L")), picture.convert("L").convert("RGB")),
        "021-cmyk.tif": (encoded(picture.convert("CMYK"), "TIFF"), picture.convert("CMYK").convert("RGB")),
        "022-lying.png": (lying, picture),
        "023-a-png.jpg": (encoded(picture), picture),
    }


@pytest.mark.parametrize("processes", [1, 2])
def test_whatever_lies_between_good_pictures(processes: int, tmp_path: Path) -> None:
    good = {f"{n:03d}-good.png": encoded(colours(n)) for n in range(GOOD)}
    usable = good | {name: data for name, (data, _) in odd().items()}
    files = usable | {name: data for name, (data, _) in unusable().items()}
    source = open_source("it", fill(tmp_path / "in", files))
    into = tmp_path / f"out-{processes}"
    manifest = prepare(Options(name="it", size=24), source, into, lambda _: None, processes=processes)
    assert manifest.skipped == {reason: 1 for _, reason in unusable().values()}
    shown = {name: colours(int(name[:3])) for name in good} | {name: picture for name, (_, picture) in odd().items()}
    images = np.load(into / "images.npy")
    names = [line.split(",")[0] for line in (into / "attributes.csv").read_text().splitlines()[1:]]
    assert names == sorted(usable)
    assert all(np.array_equal(pixels, shown[name]) for name, pixels in zip(names, images, strict=True))
