"""One experiment of the catalogue, and what a person wants to know before choosing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facegan.experiment import Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A recipe with where it comes from.

    `networks` maps each network to its parameter count: data here, because counting needs TensorFlow;
    a test builds every network and compares. `notes` says where it departs from its source, and why.
    """

    experiment: Experiment
    summary: str
    source: str
    networks: Mapping[str, int]
    notes: tuple[str, ...] = ()
