"""The networks, by family: plain Keras 3 layers with nothing of one framework in them."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from facegan.catalog import families
from facegan.experiment import Model
from facegan.models import (
    cogan_28,
    cogan_dense,
    cogan_faces,
    dcgan_28,
    dcgan_64,
    dcgan_plain,
    dcgan_slim,
    dcgan_upsampling,
)
from facegan.models.network import Networks, Shape

FAMILIES: MappingProxyType[str, Callable[[Model, Shape, int], Networks]] = MappingProxyType(
    {
        "cogan-28": cogan_28.build,
        "cogan-dense": cogan_dense.build,
        "cogan-faces": cogan_faces.build,
        "dcgan-28": dcgan_28.build,
        "dcgan-64": dcgan_64.build,
        "dcgan-plain": dcgan_plain.build,
        "dcgan-slim": dcgan_slim.build,
        "dcgan-upsampling": dcgan_upsampling.build,
    }
)


def build(model: Model, shape: Shape, seed: int) -> Networks:
    """The networks of `model.family` for images of `shape`, their weights a function of `seed`.

    Raises:
        BadInputError: there is no such family, it cannot make images of that shape, or it has no place for
            `model.first_dropout`.
    """
    families.require(model, shape)
    return FAMILIES[model.family](model, shape, seed)
