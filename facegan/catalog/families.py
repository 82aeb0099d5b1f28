"""The families of networks, as far as they are known without building one: what can be asked of each.

Building takes a framework, and `submit` has none. So this is data, and a test builds every family and compares.
"""

from __future__ import annotations

from dataclasses import dataclass

from facegan.errors import BadInputError
from facegan.experiment import Model
from facegan.setting import unknown

DIGIT = (28, 28, 1)
FACE = (64, 64, 3)
GREY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family of networks.

    Attributes:
        name: What `model.family` calls it.
        shapes: Height, width and channels of the images that it makes, the smallest first; empty: of any.
        domains: How many image domains it sees, each with a generator and a discriminator: 2 where they are coupled.
        first_dropout: Whether it has a place for `model.first_dropout`.
        works_on: What it spends its time on, `convolution` or `dense` layers.

    """

    name: str
    shapes: tuple[tuple[int, int, int], ...]
    domains: int = 1
    first_dropout: bool = False
    works_on: str = "convolution"


FAMILIES = {
    family.name: family
    for family in (
        Family(name="cogan-28", shapes=(DIGIT,), domains=2),
        Family(name="cogan-dense", shapes=(), domains=2, works_on="dense"),
        Family(name="cogan-faces", shapes=(FACE, (128, 128, 3)), domains=2),
        Family(name="dcgan-28", shapes=(DIGIT,)),
        Family(name="dcgan-64", shapes=(FACE,)),
        Family(name="dcgan-plain", shapes=((32, 32, 3), FACE), first_dropout=True),
        Family(name="dcgan-slim", shapes=(FACE,)),
        Family(name="dcgan-upsampling", shapes=(DIGIT,)),
    )
}


def find(name: str) -> Family:
    """The family of that name.

    Raises:
        BadInputError: there is none; the known ones are listed.
    """
    if name not in FAMILIES:
        raise unknown("model family", name, FAMILIES)
    return FAMILIES[name]


def require(model: Model, shape: tuple[int, int, int], *, cut: bool = False) -> None:
    """Refuse what a family cannot be built for. `cut`: the images have their shape from `data.cut`.

    Raises:
        BadInputError: there is no such family, it makes no images of that shape, or it has no place for
            `model.first_dropout`.
    """
    family = find(model.family)
    if model.first_dropout and not family.first_dropout:
        raise BadInputError(
            f'"{model.family}" has no place for a model.first_dropout of "{model.first_dropout}"',
            hint="--set model.first_dropout=0",
        )
    if family.shapes and shape not in family.shapes:
        raise BadInputError(
            f'"{model.family}" makes images of {" or ".join(map(_spelled, family.shapes))}, not "{_spelled(shape)}"',
            hint=f"choose data of that shape: --set {_instead(family.shapes[0], shape, cut=cut)}",
        )


def _instead(wanted: tuple[int, int, int], shape: tuple[int, int, int], *, cut: bool) -> str:
    """What to set for data of the wanted shape: colour comes first, as no size brings it."""
    height, _, channels = wanted
    uncut = ["data.cut=none"] if cut else []
    if channels != shape[-1]:
        other = ["data.name=mnist"] if channels == GREY else ["data.name=celeba", f"data.size={height}"]
        return " --set ".join([*other, *uncut])
    if channels == GREY:  # the digits have that shape as they come
        return "data.cut=none" if cut else "data.size=none"
    return f"data.cut={height}" if cut else f"data.size={height}"


def _spelled(shape: tuple[int, int, int]) -> str:
    return "x".join(map(str, shape))
