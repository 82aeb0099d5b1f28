"""What it costs to make pictures an array: ours, and the plain loop of the thesis' references.

Measured is processor time, of this process and of those it starts: other work on the machine lengthens it less than
it does the time on the clock. Two cores can halve ours at best, and never the plain loop.
The plain loop is theirs: one process, every file opened, cut, resized, and all of them stacked. The pictures are
real faces of CelebA (`FACEGAN_TEST_DATA`, or `../shared/data` beside the checkout), which are there at 128x128 only.
For the size of the originals, 178x218, they are enlarged into a temporary folder, at JPEG quality 90 with colours
at half the resolution: the bytes and the work of a decoder are those of the originals, the pictures are not.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from facegan.data.crop import ALIGNED, REFERENCE
from facegan.data.preparing import Options, prepare
from facegan.data.sources import open_source

COUNT = 16_000
ROUNDS = 3
CORES = 2
CASES = (
    # are they enlarged, crop, size
    (False, "none", 64),
    (True, "none", 64),
    (True, "center", 64),
    (True, "reference", 64),
    (True, "none", 128),
)


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Pictures and what is done to them, µs an image of the plain loop, of ours, and at best how many times as fast."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = _faces(Path(folder))
        for enlarged, crop, size in CASES:
            files = large if enlarged else small
            plain_s, ours_s = [], []
            for number in range(ROUNDS):  # taking turns, since other work on the machine comes and goes
                plain_s.append(_timed_plain(files, crop, size))
                ours_s.append(_timed_ours(files, crop, size, Path(folder) / f"{crop}-{size}-{enlarged}-{number}"))
            plain, ours = (1e6 * min(seconds) / COUNT for seconds in (plain_s, ours_s))
            kind = "178x218, enlarged" if enlarged else "128x128"
            yield f"{kind}, {crop}, to {size}", f"{plain:,.0f}", f"{ours:,.0f}", f"{CORES * plain / ours:.1f}"


def _faces(folder: Path) -> tuple[Path, Path]:
    """Write the faces as files, as they are and enlarged."""
    data = Path(os.environ.get("FACEGAN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    source = open_source("celeba", data / "celeba_test_faces")
    small, large = folder / "small", folder / "large"
    small.mkdir()
    large.mkdir()
    for item in source.items[:COUNT]:
        encoded = bytes(source.picture(item))
        (small / item.name).write_bytes(encoded)
        face = Image.open(io.BytesIO(encoded)).resize(ALIGNED, Image.Resampling.BICUBIC)
        face.save(large / item.name, quality=90)
    return small, large


def _timed_plain(folder: Path, crop: str, size: int) -> float:
    began = _processor_s()
    images = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as picture:
            cut = picture
            if crop == "reference":
                cut = picture.crop(REFERENCE)
            elif crop == "center":
                cut = picture.crop((0, 20, 178, 198))
            images.append(np.array(cut.resize((size, size))))
    assert np.array(images).shape == (COUNT, size, size, 3)
    return _processor_s() - began


def _timed_ours(folder: Path, crop: str, size: int, into: Path) -> float:
    """Everything that the command does: listing, starting the processes, writing, syncing, hashing."""
    began = _processor_s()
    source = open_source("faces", folder)
    made = prepare(Options(name="faces", size=size, crop=crop), source, into, lambda _: None, processes=CORES)
    assert (made.count, made.shape) == (COUNT, (size, size, 3))
    return _processor_s() - began


def _processor_s() -> float:
    """Of this process, and of those it started that have ended: in user mode and in the system."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
