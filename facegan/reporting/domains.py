"""Which domain a picture shows: a page knows the pictures of coupled networks as `grid-a`."""

from __future__ import annotations

from facegan.catalog.domains import LETTERS, named
from facegan.experiment import Data


def shown(data: Data, picture: str) -> str:
    """What domain a picture of that name shows, in words; "" of a plain GAN's."""
    letter = picture.rpartition("-")[2]
    return named(data, letter) if letter in LETTERS else ""
