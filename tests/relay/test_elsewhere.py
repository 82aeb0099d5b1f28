"""What is lacking where a run is watched is no word on the run: it waits, or goes on at a place that can be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facegan.errors import BadInputError, FaceganError
from facegan.ledger import State
from jobs import heavy, launch, orders, settings
from jobs.backends import open_backend
from jobs.budget import Budget
from jobs.errors import NotSetUpError
from jobs.notices.events import notices
from jobs.refusals import Auth, InvalidJob
from jobs.supervision import places
from jobs.supervision.actions import GiveUp, Leave, Wait
from tests.relay.world import RUN, Spot, World
from tests.unit.jobs import world

IMAGE = "facegan-job image push REGISTRY/NAME prints the line for facegan.toml"


@pytest.fixture
def here(boring_environment: Path) -> World:
    made = World(home=boring_environment)
    world.create(made.store, RUN, world.experiment("training.steps=16", "samples.every_steps=8"))
    return made


def lacking(here: World, monkeypatch: pytest.MonkeyPatch, **errors: FaceganError) -> None:
    """Places of which these cannot be asked, for these reasons."""

    class Lacking(Spot):
        def bundle(self, gpu: str | None) -> Any:
            if self.name in errors:
                raise errors[self.name]
            return super().bundle(gpu)

    for module in (launch, orders):
        monkeypatch.setattr(module, "open_backend", lambda name, _settings, host=None: Lacking(here, name))  # noqa: ARG005


NOT_SET_UP = NotSetUpError("no image is set", hint=IMAGE)


@pytest.mark.parametrize("error", [NOT_SET_UP, Auth("there is no key", hint="set KEY")])
def test_a_run_that_cannot_be_asked_for_from_here_waits_and_the_visit_fails(
    here: World, monkeypatch: pytest.MonkeyPatch, error: FaceganError
) -> None:
    lacking(here, monkeypatch, ec2=error)
    watch = here.watch(None, "ec2")
    rest = watch.once()[RUN]
    assert isinstance(rest, Wait)
    assert [notice.event for notice in notices(here.fold(), rest, rest.until - 300.0, Budget(), None)] == ["waiting"]
    assert rest.why.startswith(f"ec2: {error.message} ({error.hint}); looks again ")
    assert watch.troubles[RUN].message == f"no session can be asked for from here: ec2: {error.message}"
    assert watch.troubles[RUN].hint == error.hint
    assert sum("error:" in line for line in here.said) == 1
    assert world.kinds(here.store) == ["created"]
    lacking(here, monkeypatch)
    assert here.watch(None, "ec2").until_over()[RUN] == Leave(why="all 16 steps are committed", over=True)


def test_another_backend_goes_on_and_it_is_said_once(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(here, monkeypatch, ec2=NOT_SET_UP)
    here.spell.answers = ["capacity"]
    watch = here.watch(None, "ec2", "kaggle")
    watch.until_over()
    assert here.fold().state is State.FINISHED
    assert {name for name, _ in here.asked} == {"kaggle"}
    assert [line for line in here.said if "no image" in line and "looks again" not in line] == [
        f"{RUN}: not on ec2: no image is set ({IMAGE})"
    ]
    assert not watch.troubles


def test_while_another_backend_is_waited_for_no_visit_fails(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(here, monkeypatch, ec2=NOT_SET_UP)
    here.spell.answers = ["quota"]
    here.watch(None, "ec2", "kaggle").once()
    watch = here.watch(None, "ec2", "kaggle")
    rest = watch.once()[RUN]
    assert isinstance(rest, Wait)
    assert not rest.lacking
    assert not watch.troubles


@pytest.mark.parametrize("name", ["local", "docker"])
def test_what_this_machine_cannot_run_is_another_ones(here: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    lacking(here, monkeypatch, **{name: BadInputError('this machine has no GPU "T4"')})
    watch = here.watch(None, name)
    assert isinstance(watch.once()[RUN], Wait)
    assert RUN in watch.troubles


@pytest.mark.parametrize("error", [BadInputError('there is no GPU "X"'), InvalidJob("it is too large")])
def test_what_the_run_cannot_have_there_still_ends_it(
    here: World, monkeypatch: pytest.MonkeyPatch, error: FaceganError
) -> None:
    lacking(here, monkeypatch, kaggle=error)
    assert here.watch(None, "kaggle").once()[RUN] == GiveUp(why=f"no backend is left. kaggle: {error.message}")


def test_of_what_is_lacking_and_what_cannot_be_only_the_first_is_waited_for(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking(here, monkeypatch, ec2=NOT_SET_UP, kaggle=InvalidJob("it is too large"))
    watch = here.watch(None, "ec2", "kaggle")
    assert isinstance(watch.once()[RUN], Wait)
    assert RUN in watch.troubles


def test_a_number_that_was_asked_for_elsewhere_is_left_for_there(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that was killed after its intent; its session is at its place, and nobody has written that down."""
    lacking(here, monkeypatch)
    world.append(here.store, "intent", session=1, backend="ec2", host=None, resume=False)
    here.living["ec2", 1] = {"place": "ec2", "number": 1}
    lacking(here, monkeypatch, ec2=NOT_SET_UP)
    watch = here.watch(None, "ec2")
    rest = watch.once()[RUN]
    assert isinstance(rest, Wait)
    assert rest.why == f"no image is set ({IMAGE})"
    assert RUN in watch.troubles
    assert world.kinds(here.store) == ["created", "intent"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ec2", {"AWS_REGION": "us-east-1"}),
        ("ec2", {"FACEGAN_IMAGE": "r.example/i@sha256:0"}),
        ("ec2", {"AWS_REGION": "us-east-1", "FACEGAN_MARKET": "flea"}),
        ("batch", {}),
        ("gce", {}),
        ("gce", {"FACEGAN_IMAGE": "r.example/i@sha256:0"}),
        ("gradient", {}),
        ("gradient", {"FACEGAN_IMAGE": "r.example/i@sha256:0"}),
        ("kaggle", {}),
        ("colab", {"PATH": "/nowhere"}),
    ],
)
def test_what_backends_say_of_settings_that_are_not_there_is_known(
    boring_environment: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: dict[str, str]
) -> None:
    monkeypatch.setenv("HOME", str(boring_environment))
    for each in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "KAGGLE_API_TOKEN", "PAPERSPACE_API_KEY"):
        monkeypatch.delenv(each, raising=False)
    for each, value in said.items():
        monkeypatch.setenv(each, value)
    with pytest.raises(FaceganError) as raised:
        open_backend(name, settings.load()).bundle(None)
    assert places._is_lacking(name, raised.value)
    assert raised.value.hint


def test_where_tensorflow_is_not_installed_nothing_trains(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    local = open_backend("local", settings.load())
    monkeypatch.setattr(heavy, "has", lambda package: package == "tensorflow")
    assert local.bundle(None) == {}
    monkeypatch.setattr(heavy, "has", lambda package: package != "tensorflow")
    with pytest.raises(NotSetUpError, match="TensorFlow is not installed here"):
        local.bundle(None)
    monkeypatch.setattr(orders, "open_backend", lambda name, _settings, host=None: Plain(name, here, local))  # noqa: ARG005
    watch = here.watch(None, "local", "kaggle")
    watch.until_over()
    assert {name for name, _ in here.asked} == {"kaggle"}


class Plain(Spot):
    """A place of the world, whose bundle is that of the real one where it is `local`."""

    def __init__(self, name: str, here: World, local: Any) -> None:
        super().__init__(here, name)
        self._local = local

    def bundle(self, gpu: str | None) -> Any:
        return self._local.bundle(gpu) if self.name == "local" else super().bundle(gpu)
