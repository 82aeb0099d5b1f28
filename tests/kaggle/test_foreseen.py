"""What `submit --dry-run` shows of a session on a copy of the run is what it then takes along."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from facegan import layout
from facegan.ledger.entry import decode
from facegan.prepared import Manifest
from jobs import launch, orders, recipe
from jobs.context import Context
from jobs.orders import Place
from jobs.shelf import shelf
from tests.fakes import datasets
from tests.fakes.kaggle import Kaggle
from tests.kaggle import world
from tests.kaggle.world import QUICK, RUN
from tests.unit.jobs import world as toy
from tests.unit.jobs.typed import Cli

SETTINGS = (*QUICK, "training.steps=12", "checkpoint.every_steps=4", "data.name=my-faces", "data.crop=none")


@pytest.fixture
def context(service: Kaggle, boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    service.set(queue_s=1e6)  # nothing is to begin
    return world.signed_in(service, f"file://{boring_environment}/store", boring_environment, monkeypatch)


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capfd)


@pytest.fixture
def pictures(context: Context) -> Manifest:
    """What the run is trained on, and what it is not."""
    datasets.fill(context.store, context.settings.home, name="others", side=64)
    return datasets.fill(context.store, context.settings.home, side=64)


def place(context: Context) -> Place:
    """What was typed, less the waiting."""
    return dataclasses.replace(orders.place(context, "kaggle", None), backend=world.place(context).backend)


def sent(kaggle: Kaggle, number: int, context: Context) -> Mapping[str, bytes]:
    """What is in the data set of that session."""
    kaggle.clock.skip(hours=1)  # it is hidden at first
    files = kaggle.datasets.readable(kaggle.account, f"ada/{world.name(context, number)}-1").files
    with zipfile.ZipFile(files / "luggage.bin") as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def dry(cli: Cli) -> dict[str, object]:
    settings = [part for each in SETTINGS for part in ("--set", each)]
    said = cli("submit", "dcgan-celeba", "--backend", "kaggle", "--name", RUN, *settings, "--dry-run")
    assert said.code == 0, said.err
    return said.json()  # type: ignore[no-any-return]


def require_foreseen(shown: dict[str, object], along: Mapping[str, bytes]) -> None:
    luggage = json.loads(json.dumps(shown["luggage"]))
    assert luggage["objects"].keys() | luggage["entries"].keys() == along.keys()
    assert all(len(along[key]) == size for key, size in luggage["objects"].items())
    for key, kind in luggage["entries"].items():
        entry = decode(along[key], key)
        assert entry.kind == kind
        said = {name: item for name, item in dict(entry.body).items() if item is not None}
        shown_body = json.loads(json.dumps(shown[kind]))
        wanted = {name: item for name, item in shown_body.items() if item is not None and name != "relay"}
        assert {name: said[name] for name in wanted} == wanted


def begin(context: Context) -> None:
    look = shelf(context.settings.home, context.store, print)
    launch.create(context, RUN, recipe.resolve("dcgan-celeba", SETTINGS, device="cpu", cores=4, look=look), 40)


def test_of_a_run_that_has_not_begun(service: Kaggle, context: Context, cli: Cli, pictures: Manifest) -> None:
    shown = dry(cli)
    assert not list(context.store.list("runs/"))
    assert not list(service.kernels.all())
    begin(context)
    launch.submit(context, context.ledger(RUN), place(context), print)
    along = sent(service, 1, context)
    require_foreseen(shown, along)
    assert {key.split("/")[1:3] == ["my-faces", pictures.digest] for key in along if "runs/" not in key} == {True}


@pytest.mark.usefixtures("pictures")
def test_of_one_that_goes_on_it_is_the_next_session_with_the_newest_checkpoint(
    service: Kaggle, context: Context, cli: Cli
) -> None:
    begin(context)
    toy.ask(context.store, RUN)
    toy.die(context.store, 1, RUN, machine=toy.alive())
    toy.append_as_holder(context.store, "report", RUN, session=1, outcome="interrupted", step=4, why="received SIGTERM")
    shown = dry(cli)
    assert f"/{world.name(context, 2)}" in str(shown["session"])
    launch.submit(context, context.ledger(RUN), place(context), print)
    along = sent(service, 2, context)
    require_foreseen(shown, along)
    assert any(key.endswith(layout.STATE) for key in along)
