"""The layers of every experiment's networks: data here, because building them needs TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from facegan.experiment import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: its Keras class, the shape of one image's output, and its parameters, moving statistics included.

    `domains` are the letters of the domains that it serves, "ab" where they share it; empty where there is one.
    """

    kind: str
    shape: tuple[int, ...]
    parameters: int
    domains: str = ""

    def to_json(self) -> Json:
        shown = {"kind": self.kind, "shape": list(self.shape), "parameters": self.parameters}
        return {**shown, "domains": self.domains} if self.domains else shown


def of(name: str) -> Mapping[str, Sequence[Layer]]:
    """The networks of the catalogue's experiment of that name, each with its layers, first to last."""
    return {role: [_layer(layer) for layer in table] for role, table in _all()[name].items()}


def _layer(said: Json) -> Layer:
    return Layer(**{**said, "shape": tuple(said["shape"])})


@cache
def _all() -> Json:
    """As `facegan.models.summary` wrote it."""
    found: Json = json.loads((resources.files(__package__) / "layers.json").read_text(encoding="utf-8"))
    return found
