"""Batches are functions of (seed, step), wherever the images lie, and windows and mirror images of them too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from facegan.data import Images, domains
from facegan.errors import BadInputError
from facegan.experiment import Data, Experiment
from facegan.training import feed
from facegan.training.feed import Feed
from facegan.training.gan import build
from facegan.training.randomness import Purpose

BOTH = Data(name="faces", cut=4, mirror=True)


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """Twelve images in a file that is read as it is looked at; every value tells image, row and column."""
    count, height, width = 12, 6, 7
    pixels = np.arange(count * height * width, dtype=np.uint16).reshape(count, height, width, 1)
    np.save(tmp_path / "images.npy", np.concatenate([pixels % 256, pixels // 256], axis=-1).astype(np.uint8))
    column = np.arange(count, dtype=np.uint8) % 3 == 0
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    return Images(images=mapped, columns={"third": column.astype(np.uint8)})


def batches(images: Images, data: Data, steps: int = 5) -> list[np.ndarray]:
    made = Feed(domains.pair(images, "third"), data, seed=3)
    inside = tf.function(lambda step: made.batch(step, 5))
    return [each.numpy() for step in range(steps) for each in inside(tf.constant(step, tf.int64))]


@pytest.mark.parametrize("data", [Data(name="faces"), BOTH], ids=["whole", "cut and mirrored"])
def test_the_host_gathers_the_same_batches_as_the_device(
    images: Images, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_device = batches(images, data)
    monkeypatch.setattr(feed, "DEVICE_BYTES", images.images.nbytes - 1)
    monkeypatch.setattr(domains.Domain, "whole", lambda _: pytest.fail("too much to be taken as a whole"))
    on_host = batches(images, data)
    assert all(np.array_equal(one, other) for one, other in zip(on_device, on_host, strict=True))


def test_each_domain_is_shuffled_over_its_own_count(images: Images) -> None:
    """A domain of 4 images is over sooner than one of 8: each is shown once an epoch of its own."""
    found = batches(images, Data(name="faces"), steps=8)
    first, second = (np.concatenate(found[start::2])[:, 0, 0, 0] + 0 for start in (0, 1))
    for seen, rows in ((first, [1, 2, 4, 5, 7, 8, 10, 11]), (second, [0, 3, 6, 9])):
        corners = sorted(row * 42 % 256 for row in rows)
        for epoch in range(len(seen) // len(rows)):
            assert sorted(seen[epoch * len(rows) : (epoch + 1) * len(rows)].tolist()) == corners


def test_windows_lie_anywhere_and_half_of_them_are_mirrored(images: Images) -> None:
    made = Feed(domains.single(images), BOTH, seed=3)
    corners, mirrored = set(), 0
    for step in range(40):
        for window in made.batch(step, 5)[0].numpy().astype(int):
            numbers = window[..., 0] + 256 * window[..., 1]
            is_mirrored = numbers[0, 0] > numbers[0, 1]
            plain = numbers[:, ::-1] if is_mirrored else numbers
            row, column = plain[0, 0] % 42 // 7, plain[0, 0] % 7
            whole = plain[0, 0] - 7 * row - column + np.arange(42).reshape(6, 7)
            assert np.array_equal(plain, whole[row : row + 4, column : column + 4])
            corners.add((row, column))
            mirrored += is_mirrored
    assert corners == {(row, column) for row in range(3) for column in range(4)}
    assert 60 < mirrored < 140


def test_windows_depend_on_seed_step_domain_and_nothing_else(images: Images) -> None:
    def drawn(seed: int, step: int, place: int) -> bytes:
        twice = domains.single(images) * 2
        return Feed(twice, BOTH, seed).batch(step, 12, Purpose.SAMPLES)[place].numpy().tobytes()

    asked = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert len({drawn(*one) for one in asked}) == len(asked)
    assert [drawn(*one) for one in asked] == [drawn(*one) for one in asked]


def test_networks_are_built_for_the_window(make_tiny: Callable[..., Experiment], few: Images) -> None:
    larger = Images(images=np.pad(few.images, ((0, 0), (2, 2), (2, 2), (0, 0))), columns=few.columns)
    trainer = build(make_tiny("dcgan-mnist", "training.compile=graph", "data.cut=28", "data.mirror=true"), larger)
    assert trainer.advance(1)
    with pytest.raises(BadInputError, match=r'data\.cut is "29", and the images are 28x28'):
        build(make_tiny("dcgan-mnist", "training.compile=graph", "data.cut=29"), few)


def test_a_training_on_the_host_is_the_one_on_the_device(
    make_tiny: Callable[..., Experiment], few: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside the loop of one call too."""
    settings = ("training.compile=graph", "data.mirror=true", "training.steps_per_call=5")
    on_device = build(make_tiny("dcgan-mnist", *settings), few)
    on_device.advance(7)
    monkeypatch.setattr(feed, "DEVICE_BYTES", 0)
    on_host = build(make_tiny("dcgan-mnist", *settings), few)
    on_host.advance(7)
    assert on_host.snapshot()() == on_device.snapshot()()
    assert on_host.samples() == on_device.samples()
