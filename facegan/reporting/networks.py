"""How many parameters the networks of a run have, found without building them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from facegan import catalog, layout
from facegan.catalog import datasets
from facegan.catalog.layers import Layer, of
from facegan.checkpoints import ObjectDamagedError, read
from facegan.errors import BadInputError
from facegan.experiment import Experiment
from facegan.ledger import Entry, Ledger

ROLES = ("generator", "generators", "discriminator", "discriminators")
LARGEST = 64 << 20  # bytes of a state that is read to count parameters, of which only its beginning tells
HEADER_BYTES = 8  # of a safetensors file: the length of the JSON that follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Parameters by kind of network, and where the numbers come from; none, and why.

    `layers` are those of the catalogue's `named` experiment, which builds the same networks; none, and "", where
    none does.
    """

    parameters: Mapping[str, int] = field(default_factory=dict)
    known_from: str
    layers: Mapping[str, Sequence[Layer]] = field(default_factory=dict)
    named: str = ""


def networks(ledger: Ledger, experiment: Experiment) -> Networks:
    """The numbers of the catalogue where an experiment of it has the same networks, else those of the newest state.

    Of several that have, it is the one that the run's own was named after.

    Raises:
        UnreachableError: the storage did not answer.
    """
    for name in sorted(catalog.CATALOG, key=lambda name: name != experiment.name):
        entry = catalog.CATALOG[name]
        if _build_alike(entry.experiment, experiment):
            known_from = f"as in the catalogue's {name}"
            return Networks(parameters=entry.networks, known_from=known_from, layers=of(name), named=name)
    for seq, step in reversed(ledger.fold.good):
        checkpoint = ledger.entry(seq)
        if _size(checkpoint) > LARGEST:
            return Networks(known_from=f"not counted: its states have {_size(checkpoint) / 1e6:,.0f} MB")
        try:
            counted = count(read(ledger.store, checkpoint, layout.STATE))
        except ObjectDamagedError:
            continue
        return Networks(parameters=counted, known_from=f"counted in checkpoint {step:,}" if counted else "not known")
    return Networks(known_from="not known before the first checkpoint")


def count(state: bytes) -> dict[str, int]:
    """Parameters by kind, in the order of `ROLES`, in a safetensors file of `role/…` tensors; empty when it is none.

    Only real numbers count: what a Dropout draws from is in the state, and is no parameter.
    """
    counted: dict[str, int] = {}
    for name, tensor in _header(state).items():
        role = name.partition("/")[0]
        if role in ROLES and "F" in str(tensor["dtype"]):
            counted[role] = counted.get(role, 0) + math.prod(tensor["shape"])
    return {role: counted[role] for role in ROLES if role in counted}


def _size(checkpoint: Entry) -> int:
    return int(checkpoint.body["objects"][layout.STATE]["size"])


def _header(state: bytes) -> Mapping[str, Any]:
    length = int.from_bytes(state[:HEADER_BYTES], "little")
    try:
        found = json.loads(state[HEADER_BYTES : HEADER_BYTES + length])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _build_alike(one: Experiment, other: Experiment) -> bool:
    """Whether the same networks are built: the same family on images of the same shape."""
    if dataclasses.replace(one.model, noise="", range="") != dataclasses.replace(other.model, noise="", range=""):
        return False
    try:
        return datasets.shape(one.data) == datasets.shape(other.data)
    except BadInputError:  # of an experiment of an earlier version, which says no size
        return False
