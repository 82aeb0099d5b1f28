"""What `--limit` and `--domains` leave over is counted, and kept in the manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from facegan import layout, prepared
from facegan.data import preparing
from facegan.data.preparing import Options
from facegan.data.sources import folder
from tests.fakes import datasets


@pytest.mark.parametrize(
    ("options", "left", "part"),
    [
        (Options(name="kinds", size=8), 0, ""),
        (Options(name="kinds", size=8, limit=3), 6, "limit 3"),
        (Options(name="kinds", size=8, limit=9), 0, ""),
        (Options(name="kinds", size=8, domains="label"), 5, "domains label"),
        (Options(name="kinds", size=8, domains="label", limit=3), 7, "domains label, limit 3"),
    ],
)
def test_every_picture_is_an_image_skipped_or_left_over(options: Options, left: int, part: str, tmp_path: Path) -> None:
    for kind, count in (("a", 2), ("b", 6)):
        (tmp_path / "in" / kind).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / "in" / kind / f"{number}.png")
    (tmp_path / "in" / "b" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    source = folder.open_source(tmp_path / "in")
    made = preparing.prepare(options, source, tmp_path / "out", lambda _text: None, processes=1)
    assert (made.left_over, made.part) == (left, part)
    assert made.count + left + sum(made.skipped.values()) == 9


def test_an_earlier_version_counted_nothing_and_is_read(tmp_path: Path) -> None:
    made = datasets.prepare(tmp_path, limit=5, left_over=3)
    there = datasets.folder_of(tmp_path, made)
    assert prepared.read_local(there) == made
    tree = json.loads((there / layout.MANIFEST).read_bytes())
    del tree["left_over"]
    (there / layout.MANIFEST).write_text(json.dumps(tree))
    earlier = prepared.read_local(there)
    assert (earlier.left_over, earlier.part) == (None, "limit 5")
