"""`--backend auto`: over what is set up here, in the order of a plan that is made anew before each session."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from facegan.storage import ObjectStore
from facegan.storage.memory import MemoryStore
from jobs.context import Context
from jobs.supervision import experience, resolving
from jobs.supervision.actions import Leave, Wait
from jobs.supervision.experience import Had
from jobs.supervision.policy import Allowed
from jobs.supervision.watching import Watch
from tests.planning.backends import HOUR_S, Places, Says
from tests.relay.world import Told, World
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli
from tests.unit.jobs.world import RUN, WALL_S

LENGTH = 400_000
CELEBA = ("submit", "dcgan-celeba", "--gpu", "t4", "--backend", "auto", "--name", "r", "--dry-run")


def relay_of(cli: Cli, *more: str) -> dict[str, object]:
    said = cli(*CELEBA, *more)
    assert said.code == 0, said.err
    relay: dict[str, object] = said.json()["intent"]["relay"]
    return relay


def test_auto_is_what_is_set_up_here_and_the_ledger_is_told_both(cli: Cli, places: Places) -> None:
    places.put(local=Says(gpus=("L4",)), kaggle=Says(cap_h=12, left_h=30), colab=Says(cap_h=0.5))
    said = cli(*CELEBA)
    assert said.json()["intent"]["relay"] == {"backends": ["kaggle", "colab"], "gpu": "t4", "auto": True}
    assert said.json()["intent"]["backend"] == "kaggle"
    assert 'not on local: backend "local" has no GPU "t4"' in said.err
    assert "not on docker: it is not set up here" in said.err
    assert "backends: kaggle, colab" in said.err


def test_this_machine_is_first_where_it_has_what_is_asked_for(cli: Cli, places: Places) -> None:
    places.put(kaggle=Says(cap_h=12, left_h=30))
    places.put(local=Says(gpus=("T4",)))
    assert relay_of(cli)["backends"] == ["local", "kaggle"]


def test_what_is_paid_is_not_for_auto_without_a_budget(cli: Cli, places: Places) -> None:
    places.put(local=Says(gpus=()), ec2=Says(cap_h=23))
    said = cli(*CELEBA)
    assert said.code == 2
    assert "no backend that is set up here can run it for nothing" in said.err
    assert "--budget USD allows what is paid" in said.hint
    assert relay_of(cli, "--budget", "5") == {"backends": ["ec2"], "gpu": "t4", "auto": True, "budget_usd": 5.0}


def test_nothing_is_set_up(cli: Cli, places: Places) -> None:
    places.put(local=Says(gpus=()))
    said = cli(*CELEBA)
    assert said.code == 2
    assert "no backend that is set up here can run it" in said.err
    assert said.hint == "hint: facegan-job doctor shows what is set up"


def test_auto_may_be_the_setting(cli: Cli, places: Places, folder: Path) -> None:
    places.put(kaggle=Says(cap_h=12, left_h=30), local=Says(gpus=()))
    (folder / "facegan.toml").write_text('backend = "auto"\n')
    said = cli("submit", "dcgan-celeba", "--gpu", "t4", "--name", "r", "--dry-run")
    assert said.json()["intent"]["relay"]["backends"] == ["kaggle"]


def test_auto_is_no_name_beside_others(cli: Cli) -> None:
    said = cli("submit", "dcgan-mnist", "--backend", "auto,local", "--dry-run")
    assert said.code == 2
    assert '"auto" is all that are set up here, not "auto,local"' in said.err


def test_without_any_rate_what_costs_nothing_comes_first(cli: Cli, places: Places) -> None:
    places.put(local=Says(gpus=()), ec2=Says(), kaggle=Says(left_h=30))
    said = cli("submit", "dcgan-mnist", "--backend", "auto", "--budget", "3", "--name", "r", "--dry-run")
    assert said.json()["intent"]["relay"]["backends"] == ["local", "kaggle", "ec2"]


def measured(monkeypatch: pytest.MonkeyPatch, **rates: float) -> None:
    """So many steps a second is what sessions of the user's own made."""
    work = experience.work(world.experiment())
    had = [Had(run="earlier", backend=name, gpu="T4", work=work, rate=rate) for name, rate in rates.items()]
    monkeypatch.setattr(experience, "_newest", lambda _context: ["earlier"])
    monkeypatch.setattr(experience, "_of", lambda _context, _run: had)


@pytest.fixture
def context(home: Path) -> Context:
    store = MemoryStore()
    world.create(store, chosen=world.experiment(f"training.steps={LENGTH}"))
    return world.context(home, store)


def watched(context: Context, *, auto: bool = True, **more: object) -> tuple[World, Watch]:
    told = World(home=context.settings.home, store=context.store)
    allowed = Allowed(settings=context.settings, backends=("local", "kaggle", "ec2"), gpu="T4", auto=auto)
    allowed = dataclasses.replace(allowed, **more)
    return told, Watch(context=context, allowed=allowed, voice=Told(told), names=[RUN])


def asked(store: ObjectStore) -> list[tuple[str, bool]]:
    entries = [entry for entry in world.entries(store) if entry["kind"] == "intent"]
    return [(entry["backend"], entry["relay"].get("auto", False)) for entry in entries]


def test_a_watch_asks_the_one_that_the_plan_begins_with(
    context: Context, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(monkeypatch, local=1.0, kaggle=10.0)
    places.put(local=Says(), kaggle=Says(cap_h=12, left_h=30), ec2=Says())
    _, watch = watched(context)
    assert isinstance(watch.once()[RUN], Leave)
    assert asked(context.store) == [("kaggle", True)]


def test_without_auto_it_asks_the_first(context: Context, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, local=1.0, kaggle=10.0)
    places.put(local=Says(), kaggle=Says(cap_h=12, left_h=30), ec2=Says())
    _, watch = watched(context, auto=False)
    watch.once()
    assert asked(context.store) == [("local", False)]


def test_a_watch_waits_where_the_plan_does(context: Context, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a hundred hours this machine is done; in eleven and a day Kaggle is, from when its quota begins anew."""
    measured(monkeypatch, local=1.0, kaggle=10.0)
    resets_at = WALL_S + 24 * HOUR_S
    places.put(local=Says(), kaggle=Says(cap_h=12, left_h=0, resets_at=resets_at))
    _, watch = watched(context)
    rest = watch.once()[RUN]
    assert isinstance(rest, Wait)
    assert rest.until == pytest.approx(resets_at)
    assert asked(context.store) == []
    measured(monkeypatch, local=5.0, kaggle=10.0)
    _, watch = watched(context)
    watch.once()
    assert asked(context.store) == [("local", True)]


def test_a_watch_is_told_by_the_ledger_that_it_was_auto(
    context: Context, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(monkeypatch, local=1.0, kaggle=10.0)
    places.put(local=Says(), kaggle=Says(cap_h=12, left_h=30))
    relay = {"backends": ["local", "kaggle"], "gpu": "T4", "auto": True}
    world.ask(context.store, relay=relay)
    world.append(context.store, "lost", session=1, why="gone")
    _, watch = watched(context, backends=None, gpu=None, auto=False)
    watch.once()
    assert asked(context.store) == [("local", True), ("kaggle", True)]


def test_a_watch_that_is_told_auto_looks_for_what_is_set_up(context: Context, places: Places) -> None:
    places.put(kaggle=Says(left_h=30))
    told = resolving.allowed(context, Allowed(settings=context.settings, backends=("auto",)))
    assert (told.backends, told.auto) == (("local", "kaggle"), True)
    assert told.policy(None).auto
    settings = dataclasses.replace(context.settings, backend="auto")
    policy = resolving.allowed(context, Allowed(settings=settings)).policy(None)
    assert (policy.backends, policy.auto) == (("local", "kaggle"), True)
