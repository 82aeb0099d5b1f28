"""What a run was created with: a bound that came later breaks no run, and what is no experiment is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from facegan.errors import BadInputError, DamagedError
from facegan.experiment import Experiment, Json, from_json, frozen, to_json
from facegan.ledger import fold as folding
from facegan.ledger.entry import GENESIS, Entry, encode
from facegan.storage.memory import MemoryStore
from tests.unit.jobs import world

RUN = "old"
LATENT = 10**12


def old() -> Experiment:
    """As it could be typed before sizes had an end."""
    chosen = world.experiment()
    return replace(chosen, model=replace(chosen.model, latent=LATENT), samples=replace(chosen.samples, count=100_000))


def begun(kind: str, body: Json) -> MemoryStore:
    """A store with a run whose first entry somebody wrote who is not this program."""
    fold = folding.to_json(world.create(MemoryStore(), RUN).fold)
    entry = Entry(seq=0, prev=GENESIS, at="", by="x", nonce="x", kind=kind, body=body, fold=fold)
    store = MemoryStore()
    store.put(f"runs/{RUN}/ledger/00000000.json", encode(entry))
    return store


def created(change: Callable[[Json], object]) -> MemoryStore:
    body: Json = {"run": RUN, "experiment": to_json(world.experiment()), "data": {"digest": None}}
    change(body)
    return begun("created", body)


def test_a_size_that_may_not_be_typed_any_more_is_read_as_it_was_accepted() -> None:
    with pytest.raises(BadInputError, match="must be less than 100000"):
        from_json(to_json(old()))
    assert frozen(to_json(old())) == old()
    store = MemoryStore()
    world.create(store, RUN, old())
    assert world.ledger(store, RUN).created() == old()


@pytest.mark.parametrize(
    ("group", "key", "value", "how"),
    [
        ("model", "latent", 2**53, f'model.latent must be less than {2**53}, not "{2**53}"'),
        ("model", "latent", 0, 'model.latent must be at least 1, not "0"'),
        ("training", "batch_size", "64", 'training.batch_size takes a whole number, not "64"'),
        ("training", "batch_size", 10**4000, f"training.batch_size must be less than {2**53}"),
        ("generator", "beta_1", 1, 'generator.beta_1 must be less than 1.0, not "1.0"'),
        ("training", "schedule", "both", 'unknown training.schedule "both"'),
        ("model", "depth", 3, 'unknown key "model.depth"'),
        ("model", "family", "dcgan-99", 'unknown model family "dcgan-99"'),
        ("data", "name", None, 'data.name takes a text, not "None"'),
    ],
)
def test_what_no_run_was_created_with_is_refused_and_names_the_run(group: str, key: str, value: Any, how: str) -> None:
    store = created(lambda body: body["experiment"][group].update({key: value}))
    with pytest.raises(DamagedError, match=f'the experiment of run "{RUN}"') as refused:
        world.ledger(store, RUN).created()
    assert how in refused.value.message
    assert "who may write to the store" in str(refused.value.hint)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(data=[1]),
        lambda body: body.update(data={"count": "many"}),
        lambda body: body.update(experiment=5),
        lambda body: body["experiment"].update(model=5),
        lambda body: body["experiment"].pop("data"),
    ],
    ids=["data", "count", "experiment", "model", "no data"],
)
def test_what_is_no_experiment_at_all_is_damage(change: Any) -> None:
    with pytest.raises(DamagedError, match=RUN):
        world.ledger(created(change), RUN).created()


def test_a_ledger_that_begins_with_something_else_holds_no_experiment() -> None:
    with pytest.raises(DamagedError, match=f'the experiment of run "{RUN}" is none'):
        world.ledger(begun("stop", {}), RUN).created()
