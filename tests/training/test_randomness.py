"""Random numbers and data order are functions of (seed, purpose, step)."""

from __future__ import annotations

import numpy as np
import pytest

from facegan.training.randomness import Purpose, batch_indices, latents, pixels, seed_at


def order(seed: int, steps: int, batch: int, count: int) -> list[int]:
    return [
        index
        for step in range(steps)
        for index in batch_indices(seed, Purpose.ORDER, step, batch, count).numpy().tolist()
    ]


@pytest.mark.parametrize(("batch", "count"), [(7, 20), (8, 8), (5, 3), (1, 4), (64, 1_000)])
def test_every_image_once_an_epoch(batch: int, count: int) -> None:
    epochs = 2
    steps = -(-epochs * count // batch)
    seen = order(3, steps, batch, count)
    shuffles = [seen[e * count : (e + 1) * count] for e in range(epochs)]
    for shuffle in shuffles:
        assert sorted(shuffle) == list(range(count))
    if count >= 8:
        assert len({tuple(shuffle) for shuffle in [*shuffles, list(range(count))]}) == epochs + 1


def test_the_steps_before_the_first_have_epochs_of_their_own() -> None:
    """A warm-up's steps are -n to -1: each epoch below 0 shows every image once too."""
    before = [batch_indices(3, Purpose.ORDER, step, 5, 20).numpy().tolist() for step in range(-4, 0)]
    assert sorted(index for batch in before for index in batch) == list(range(20))
    assert before != [batch_indices(3, Purpose.ORDER, step, 5, 20).numpy().tolist() for step in range(4)]


def test_noise_fills_the_range() -> None:
    for value_range, least in (("tanh", -1.0), ("unit", 0.0)):
        drawn = [pixels(seed_at(0, Purpose.WARM_UP, -1), d, (50, 8, 8, 3), value_range).numpy() for d in (0, 1)]
        assert not np.array_equal(*drawn)
        for each in drawn:
            assert least <= each.min() < least + 0.01
            assert 0.99 < each.max() < 1.0


def test_order_depends_on_seed_and_purpose() -> None:
    orders = [
        batch_indices(seed, purpose, 0, 50, 50).numpy().tolist()
        for seed in (0, 1, 2**31 - 1)
        for purpose in (Purpose.ORDER, Purpose.LATENT)
    ]
    assert len({tuple(one) for one in orders}) == len(orders)


def test_latents_differ_by_seed_purpose_and_step() -> None:
    keys = [seed_at(s, p, t) for s in (0, 1, 2**31 - 1) for p in Purpose for t in (0, 1, 10**6)]
    drawn = {latents(key, 2, 3, "normal").numpy().tobytes() for key in keys}
    assert len(drawn) == len(keys)
    again = {latents(key, 2, 3, "normal").numpy().tobytes() for key in keys}
    assert drawn == again


def test_latents_have_their_distribution() -> None:
    normal = latents(seed_at(0, Purpose.LATENT, 0), 400, 100, "normal").numpy()
    uniform = latents(seed_at(0, Purpose.LATENT, 0), 400, 100, "uniform").numpy()
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1.0) < 0.02
    assert uniform.min() >= -1.0
    assert uniform.max() < 1.0
    assert abs(uniform.std() - np.sqrt(1 / 3)) < 0.01
