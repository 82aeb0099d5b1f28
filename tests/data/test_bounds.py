"""Memory and progress of preparing: bounded, and told as it is."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.data import preparing, readers
from facegan.data.handing import Slots
from facegan.data.preparing import Options
from facegan.data.rendering import Rendering
from facegan.errors import BadInputError
from facegan.prepared import MOST_PIXELS
from tests.data.hostile import Memory


class Pool:
    """Answers at once with pictures of one size; knows how many pictures were ever under way."""

    def __init__(self, side: int) -> None:
        self.side, self.sent, self.chunks = side, 0, []

    def submit(self, _: Any, items: list[Any], _slot: str) -> Future[Any]:
        self.sent += len(items)
        self.chunks.append(len(items))
        rendered: Future[Any] = Future()
        rendered.set_result([np.broadcast_to(np.uint8(0), (self.side, self.side, 3)) for _ in items])
        return rendered


def under_way(side: int, size: int | None, count: int = 400) -> tuple[int, Pool]:
    """The most bytes of pictures that were under way at a time, with four processes."""
    pool, most = Pool(side), 0
    started = readers.Readers(pool, Rendering(crop="none", size=size), 4, Slots(Path()))  # type: ignore[arg-type]
    source = Memory({f"{number:03d}": b"" for number in range(count)})
    for got, (item, _) in enumerate(started.outcomes(source.items)):
        assert item.name == f"{got:03d}"
        most = max(most, pool.sent - got)
    assert pool.sent == count
    return most * side * side * 3, pool


@pytest.mark.parametrize("side", [28, 64, 256, 1_024, 2_048, MOST_PIXELS])
@pytest.mark.parametrize("is_asked", [True, False])
def test_fewer_pictures_are_under_way_where_they_are_large(side: int, is_asked: bool) -> None:
    most, pool = under_way(side, side if is_asked else None)
    messages = 4 * readers.AHEAD + 1
    if is_asked or side <= 2_048:  # larger ones that keep their size are skipped by the reader
        assert most <= max(messages * readers.MESSAGE_BYTES, 2 * side * side * 3) + readers.MESSAGE_BYTES
    if side <= 64:
        assert readers.CHUNK in pool.chunks, "small ones travel as they did"


def test_no_size_is_beyond_what_a_manifest_takes() -> None:
    Options(name="it", size=MOST_PIXELS)
    with pytest.raises(BadInputError, match='the size must be at most 16,384 pixels, not "16385"'):
        Options(name="it", size=MOST_PIXELS + 1)


def test_the_start_of_the_readers_is_no_part_of_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(preparing.time, "monotonic", lambda: now[0])
    said: list[str] = []
    pace = preparing._Pace("it", 1_000, said.append)
    for at, rows in ((9.0, 32), (10.0, 132), (11.0, 232)):
        now[0] = at
        pace.at(rows, 0)
    assert said == [
        "preparing it: 32 of 1,000 images",
        "preparing it: 132 of 1,000 images, 100 images/s, 9 s to go",
        "preparing it: 232 of 1,000 images, 100 images/s, 8 s to go",
    ]
