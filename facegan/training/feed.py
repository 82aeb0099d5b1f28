"""Batches of real images: each a function of (seed, step) alone, wherever the images lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from facegan.data import Images
from facegan.data.domains import Domain
from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.models.network import Shape
from facegan.training.randomness import ALGORITHM, Purpose, batch_indices, seed_at

DEVICE_BYTES = 2 << 30  # what all domains together may take of the device's memory

Gather = Callable[[Any], Any]


def shape(images: Images, data: Data) -> Shape:
    """Height, width and channels of an image as the networks see it.

    Raises:
        BadInputError: the window that `data.cut` asks for is larger than the images.
    """
    height, width, channels = images.shape
    if data.cut is None:
        return height, width, channels
    if data.cut > min(height, width):
        raise BadInputError(
            f'data.cut is "{data.cut}", and the images are {height}x{width}',
            hint=f"--set data.cut={min(height, width)} or less",
        )
    return data.cut, data.cut, channels


class Feed:
    """The batches of every domain.

    Images of up to `DEVICE_BYTES` lie on the device as a whole. More than that stay where they are, perhaps in a
    memory-mapped file, and each batch is gathered there. The bits are the same either way.
    """

    def __init__(self, domains: Sequence[Domain], data: Data, seed: int) -> None:
        fits = sum(domain.nbytes for domain in domains) <= DEVICE_BYTES
        self._gathers = [_on_device(domain) if fits else _on_host(domain) for domain in domains]
        self._counts = [len(domain) for domain in domains]
        self._data, self._seed = data, seed

    def batch(self, step: Any, size: int, purpose: Purpose = Purpose.ORDER) -> tuple[Any, ...]:  # noqa: ANN401
        """A batch a domain, uint8 `(size, h, w, c)`. Not for XLA."""
        return tuple(
            self._shown(gather(batch_indices(self._seed, purpose, step, size, count)), step, place)
            for place, (gather, count) in enumerate(zip(self._gathers, self._counts, strict=True))
        )

    def _shown(self, images: Any, step: Any, domain: int) -> Any:  # noqa: ANN401 - tensors
        """The images as `data.cut` and `data.mirror` show them."""
        if self._data.cut is not None:
            images = _cut(images, self._data.cut, self._key(Purpose.CUT, step, domain))
        if self._data.mirror:
            images = _mirrored(images, self._key(Purpose.MIRROR, step, domain))
        return images

    def _key(self, purpose: Purpose, step: Any, domain: int) -> Any:  # noqa: ANN401 - tensors
        return tf.random.fold_in(seed_at(self._seed, purpose, step), domain, alg=ALGORITHM)


def _on_device(domain: Domain) -> Gather:
    images = tf.constant(domain.whole())
    return lambda places: tf.gather(images, places)


def _on_host(domain: Domain) -> Gather:
    def gather(places: Any) -> Any:  # noqa: ANN401 - tensors
        images = tf.numpy_function(domain.take, [places], tf.uint8, stateful=False)
        images.set_shape((*places.shape, *domain.images.shape[1:]))
        return images

    return gather


def _cut(images: Any, size: int, key: Any) -> Any:  # noqa: ANN401 - tensors
    """A window of `size` pixels both ways out of each image, anywhere in it."""
    for axis in (1, 2):
        room = images.shape[axis] - size + 1
        own = tf.random.fold_in(key, axis, alg=ALGORITHM)
        first = tf.random.stateless_uniform(images.shape[:1], own, 0, room, tf.int32, alg=ALGORITHM)
        images = tf.gather(images, first[:, tf.newaxis] + tf.range(size), axis=axis, batch_dims=1)
    return images


def _mirrored(images: Any, key: Any) -> Any:  # noqa: ANN401 - tensors
    """Each image or, as likely, its mirror image."""
    chosen = tf.random.stateless_uniform(images.shape[:1], key, 0, 2, tf.int32, alg=ALGORITHM)
    return tf.where(chosen[:, tf.newaxis, tf.newaxis, tf.newaxis] == 1, images[:, :, ::-1], images)


def scaled(images: Any, value_range: str) -> Any:  # noqa: ANN401 - tensors
    """From uint8 to float32 in a model's range: `tanh` is [-1, 1], `unit` is [0, 1]."""
    images = tf.cast(images, tf.float32)
    return images / 127.5 - 1.0 if value_range == "tanh" else images / 255.0
