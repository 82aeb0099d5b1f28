"""Parameters: from the catalogue where it has the same networks, else counted in the newest state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facegan import catalog, layout
from facegan.reporting import networks as counting
from facegan.reporting.networks import count, networks
from facegan.storage.memory import MemoryStore
from tests.reporting import world as here
from tests.unit.jobs import world

STATE = here.safetensors(
    {
        "generator/dense/kernel": ("F32", [3, 4]),
        "generator/dense/bias": ("F32", [4]),
        "discriminator/out/kernel": ("BF16", [5, 1]),
        "discriminator/dropout/seed": ("U32", [2]),
        "generator-adam/iteration": ("I64", []),
        "generator-adam/kernel_momentum": ("F32", [3, 4]),
        "step": ("I64", []),
    }
)


def test_a_state_is_counted_without_optimisers_and_counters() -> None:
    assert count(STATE) == {"generator": 16, "discriminator": 5}


def test_what_is_counted_stands_in_the_catalogue_s_order() -> None:
    alphabetical = {f"{role}/kernel": ("F32", [2]) for role in sorted(counting.ROLES)}
    assert tuple(count(here.safetensors(alphabetical))) == counting.ROLES
    assert all(
        tuple(entry.networks) in (("generator", "discriminator"), ("generators", "discriminators"))
        for entry in catalog.CATALOG.values()
    )


@pytest.mark.parametrize("state", [b"", b"\xff" * 20, b'{"step": 5}', b"\x02\0\0\0\0\0\0\0[]", b"\x02\0\0\0\0\0\0\0{}"])
def test_what_is_no_state_counts_nothing(state: bytes) -> None:
    assert count(state) == {}


def test_the_numbers_of_the_catalogue_are_taken_for_the_same_networks(store: MemoryStore) -> None:
    ledger = world.create(store, "a", here.experiment("data.name=mnist", "seed=9"))
    found = networks(ledger, ledger.created())
    assert found.parameters == catalog.find("dcgan-mnist").networks
    assert found.known_from == "as in the catalogue's dcgan-mnist"
    assert found.named == "dcgan-mnist"
    assert {role: sum(layer.parameters for layer in table) for role, table in found.layers.items()} == found.parameters


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_of_several_with_the_same_networks_it_is_the_run_s_own(store: MemoryStore, name: str) -> None:
    own = catalog.find(name).experiment
    found = networks(world.create(store, "a", here.experiment()), own)
    assert (found.named, found.known_from) == (name, f"as in the catalogue's {name}")
    (other,) = {networks(world.ledger(store, "a"), replace(own, name="mine")).named}
    assert catalog.find(other).networks == found.parameters


def test_of_other_networks_the_newest_whole_state_is_counted(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(here.DrawingToy, "snapshot", lambda self: lambda: STATE + str(self.step).encode())
    ledger = here.finished(store, "a", here.experiment("model.latent=7"))
    ledger.refresh()
    assert networks(ledger, ledger.created()).known_from == "counted in checkpoint 40"
    store.delete(f"{ledger.entry(ledger.fold.good[-1][0]).body['key']}{layout.STATE}")
    found = networks(ledger, ledger.created())
    assert found.known_from == "counted in checkpoint 30"
    assert found.parameters == {"generator": 16, "discriminator": 5}


def test_a_large_state_is_not_fetched_to_be_counted(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = here.finished(store, "a", here.experiment("model.latent=7"))
    ledger.refresh()
    monkeypatch.setattr(counting, "LARGEST", 1)
    read: list[str] = []
    get = store.get
    monkeypatch.setattr(store, "get", lambda key, **more: read.append(key) or get(key, **more))
    found = networks(ledger, ledger.created())
    assert (found.parameters, found.layers) == ({}, {})
    assert found.known_from.startswith("not counted: its states have ")
    assert not [key for key in read if key.endswith(layout.STATE)]


def test_before_the_first_checkpoint_they_are_not_known(store: MemoryStore) -> None:
    ledger = world.create(store, "a", here.experiment("model.latent=7"))
    found = networks(ledger, ledger.created())
    assert (found.parameters, found.known_from) == ({}, "not known before the first checkpoint")
