"""What one process puts into a file, the other takes out, however often the file was used before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegan.data.handing import Slots, collect, hand_over


def test_a_file_is_used_again_and_shows_only_what_was_handed_over_last(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    kept = []
    for seed, shape in enumerate([(4, 5, 5, 3), (2, 5, 5, 1), (9, 8, 8, 3)]):
        pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        slot = slots.take()
        hand_over(pixels[..., ::-1], slot)
        kept.append((pixels[..., ::-1], collect(slot, shape)))
        slots.free(slot)
    assert all(np.array_equal(given, got) for given, got in kept), "what was taken out is a copy"
    assert len(list(tmp_path.iterdir())) == 1


def test_no_two_messages_share_a_file(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    first, second = slots.take(), slots.take()
    slots.free(first)
    assert len({first, second}) == 2
    assert slots.take() == first
    assert slots.take() not in {first, second}


def test_a_full_disk_is_an_error_of_the_system() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match="No space left on device"):
        hand_over(np.zeros((1, 2, 2, 3), np.uint8), "/dev/full")
