"""The networks, by family: plain Keras 3 layers with nothing of one framework in them."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from facegan.experiment import Model, unknown
from facegan.models import cogan, dcgan
from facegan.models.network import Networks, Shape

FAMILIES: MappingProxyType[str, Callable[[Model, Shape, int], Networks]] = MappingProxyType(
    {"dcgan-28": dcgan.build, "cogan-dense": cogan.build}
)


def build(model: Model, shape: Shape, seed: int) -> Networks:
    """The networks of `model.family` for images of `shape`, their weights a function of `seed`.

    Raises:
        BadInputError: there is no such family, or it cannot make images of that shape.
    """
    if model.family not in FAMILIES:
        raise unknown("model family", model.family, FAMILIES)
    return FAMILIES[model.family](model, shape, seed)
