"""The layers of networks as tables, as Keras' own summary has them: what figures 37 to 47 of the thesis show.

`python -m facegan.models.summary > facegan/catalog/layers.json` writes them for every experiment of the
catalogue, where they are read without TensorFlow. A test builds every network and compares.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from facegan.catalog import CATALOG, datasets
from facegan.catalog.layers import Layer
from facegan.models import build
from facegan.models.network import DOMAINS, Networks


def layers(networks: Networks) -> dict[str, list[Layer]]:
    """Each kind of network with its layers, in the order in which they are passed; a shared one comes once."""
    return {role: _rows(models) for role, models in networks.roles.items()}


def _rows(models: Sequence[keras.Model]) -> list[Layer]:
    leaves = [list(_leaves(model)) for model in models]
    where: dict[int, str] = {}
    for letter, each in zip(DOMAINS, leaves, strict=False):
        for leaf in each:
            where[id(leaf)] = where.get(id(leaf), "") + letter
    once = {id(leaf): leaf for each in leaves for leaf in each}
    return [
        Layer(
            kind=type(leaf).__name__,
            shape=tuple(leaf.output.shape[1:]),
            parameters=sum(math.prod(weight.shape) for weight in getattr(leaf, "weights", ())),
            domains=where[key] if len(models) > 1 else "",
        )
        for key, leaf in once.items()
    ]


def _leaves(model: keras.Model) -> Iterator[Any]:
    """The layers of a model and of the models in it, without those that only say where the input comes in.

    And what is computed between layers, as where one logit is the difference of two.
    """
    for layer in model.layers if isinstance(model, keras.Sequential) else model.operations:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def _text(found: Mapping[str, Mapping[str, Sequence[Layer]]]) -> str:
    """As JSON, a line a layer, so that a change of the file can be read."""
    experiments = []
    for name, roles in found.items():
        tables = [
            f"  {json.dumps(role)}: [\n" + ",\n".join(f"   {json.dumps(layer.to_json())}" for layer in table) + "\n  ]"
            for role, table in roles.items()
        ]
        experiments.append(f" {json.dumps(name)}: {{\n" + ",\n".join(tables) + "\n }")
    return "{\n" + ",\n".join(experiments) + "\n}\n"


def main() -> None:
    """Write the tables of the whole catalogue."""
    found = {}
    for name, entry in CATALOG.items():
        chosen = entry.experiment
        found[name] = layers(build(chosen.model, datasets.shape(chosen.data), seed=0))
    sys.stdout.write(_text(found))


if __name__ == "__main__":
    main()
