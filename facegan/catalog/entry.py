"""One experiment of the catalogue, and what a person wants to know before choosing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facegan.experiment import Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A recipe with where it comes from and what became of it.

    `reproduces` is the place in the thesis, or in another source, that the experiment stands for. `networks` maps each
    network to its parameter count: data here, because counting needs TensorFlow; a test builds every
    network and compares. `settled`: where the sources are wrong or at odds with each other, and what
    was chosen. `notes`: how it differs from its source, and what an epoch is there. `believed`: what is
    from memory or inferred, and was not read in a source. `takes`: how long it took, where; `outcome`: what came out.
    Both are empty where nothing has been measured.
    """

    experiment: Experiment
    summary: str
    reproduces: str
    source: str
    networks: Mapping[str, int]
    settled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    believed: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    outcome: str = ""
