"""Everything that the world puts between good pictures, in one folder: each is left out by its reason, or is right.

Good ones before, between and behind them come out as they do alone, whether their message is whole or not.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan.data import readers, skipping
from facegan.data.preparing import Options, prepare
from facegan.data.sources import imdb_wiki, open_source
from tests.data.hostile import colours, encoded, fill, jpeg, png_of
from tests.data.test_archive import zipped

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
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


def told(beginning: str) -> set[str]:
    """The reasons in the paragraph of the page on data that begins so; options stand between backticks as well."""
    paragraph = next(part for part in PAGE.split("\n\n") if part.startswith(beginning))
    listed = paragraph.partition("In a folder, ")[0].partition("When these are")[0]
    return {found for found in re.findall("`([^`]+)`", listed) if not found.startswith("--")}


def test_the_page_tells_each_reason_and_whether_it_may_stop_the_work(tmp_path: Path) -> None:
    """What is an item of the source is looked at, and what was looked at may be too much; all else is only counted."""
    stopping, counted = told("What cannot be used"), told("What was not even looked at")
    reasons = {
        value for module in (skipping, imdb_wiki) for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }  # fmt: skip
    assert stopping | counted == reasons
    assert stopping & counted == set()
    it = fill(tmp_path / "it", {name: data for name, (data, _) in unusable().items()})
    looked_at = {item.name for item in open_source("it", it).items}
    for name, (_, reason) in unusable().items():
        assert reason in (stopping if name in looked_at else counted), reason


def test_whatever_an_archive_holds_that_is_not_looked_at_stops_nothing(tmp_path: Path) -> None:
    names = [f"../{n}.png" for n in range(20)] + [f"new\nline {n}.png" for n in range(20)]
    good = {f"{n}.png": encoded(colours(n)) for n in range(4)}
    source = open_source("it", zipped(tmp_path / "it.zip", dict.fromkeys(names, encoded(colours(1))) | good))
    manifest = prepare(Options(name="it"), source, tmp_path / "out", lambda _: None, processes=1)
    assert (manifest.count, manifest.skipped) == (4, {skipping.OUTSIDE: 20, skipping.UNNAMEABLE: 20})
    assert manifest.skipped.keys() <= told("What was not even looked at")
