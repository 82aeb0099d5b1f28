"""What the two image domains of coupled networks are called: on a page, and beside an exported model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from facegan.catalog.datasets import DATASETS
from facegan.experiment import Data

LETTERS = ("a", "b")
HALVES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "quarter-turn": ("as they are", "turned by 90 degrees"),
        "edges": ("as they are", "edges"),
        "negative": ("as they are", "negatives"),
    }
)
"""Where both domains are halves of one set, what each shows of its images."""


def named(data: Data, letter: str) -> str:
    """What domain `letter` shows, in words: "without Eyeglasses", "turned by 90 degrees".

    Of a column that counts or names (an age, a label), the first domain has 0.
    """
    known = DATASETS.get(data.name)
    column = data.domains.replace("_", " ")
    if data.domains in HALVES:
        pair = HALVES[data.domains]
    elif known is not None and data.domains in known.columns:
        pair = (f"{column} 0", f"{column} not 0")
    else:
        pair = (f"without {column}", f"with {column}")
    return pair[LETTERS.index(letter)]
