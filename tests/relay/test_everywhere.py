"""One run over every kind of place, cut off without a word at each: nobody can tell it from an untouched one."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import jobs.backends
from facegan.errors import FaceganError
from facegan.ledger import State
from jobs import launch, recipe
from jobs.supervision.policy import Allowed
from jobs.supervision.watching import Watch
from tests.cloud import servers
from tests.container import conftest as container
from tests.container.moments import Moment
from tests.container.runs import RUN, SHORT, STEPS, Docked
from tests.e2e.outcome import Outcome
from tests.ec2 import cloud as clouds
from tests.fakes import colab as colabs
from tests.fakes import ec2 as ec2s
from tests.fakes import kaggle as kaggles
from tests.fakes import rooted
from tests.kaggle.world import name as kernel_of
from tests.waiting import until

engine, image, moto, users, untouched = (
    container.engine,
    container.image,
    container.moto,
    container.users,
    container.untouched,
)
credentials = container.credentials

QUICK = MappingProxyType(
    {
        **jobs.backends.BACKENDS,
        "colab": "tests.relay.quick:QuickColab",
        "kaggle": "tests.relay.quick:QuickKaggle",
    }
)


class Silent:
    """Nobody is told of anything but what went wrong."""

    def say(self, run: str, text: str) -> None:
        """Said."""

    def complain(self, run: str, error: FaceganError) -> None:
        raise AssertionError(f"{run}: {error.message}")

    def give_up(self, run: str, why: str) -> None:
        raise AssertionError(f"{run} is given up: {why}")

    def sync(self, names: list[str]) -> None:
        """Copied by a command of its own."""


@dataclass(kw_only=True)
class Everywhere:
    """A user who has everything: this machine, an engine, a Kaggle account, Colab, and machines of EC2."""

    user: Docked
    kaggle: kaggles.Kaggle
    colab: colabs.Colab
    cloud: clouds.Cloud

    def watch(self, backend: str) -> None:
        """Look until the next session is asked of it: some places say only at the second look that one is gone."""
        context, newest = self.user.context, self.user.fold().newest
        allowed = Allowed(settings=context.settings, backends=(backend,))
        watching = Watch(context=context, allowed=allowed, voice=Silent(), names=[RUN])
        until(lambda: watching.once() and self.user.fold().newest > newest)

    def kill(self, backend: str) -> None:
        """Cut off the session that runs there, as whoever owns the place would."""
        (session,) = self.user.fold().open
        match backend:
            case "local":
                assert session.machine is not None
                os.kill(int(session.machine["pid"]), signal.SIGKILL)
            case "docker":
                self.user.container(session.number).kill("SIGKILL")
            case "kaggle":
                kernel = kernel_of(self.user.context, session.number, RUN)
                self.kaggle.session(kernel).cancel()
                self.kaggle.over(kernel)
            case "colab":
                self.colab.take(self.colab.machine.endpoint, "cap")
            case "ec2":
                self.cloud.take()


@pytest.fixture
def everywhere(
    users: Callable[[str], Docked],
    boring_environment: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Everywhere]:
    servers.require("tensorflow", "mlflow")
    rooted.require()
    folder = tmp_path_factory.mktemp("places")
    for name in ("kaggle", "colab"):
        (folder / name).mkdir()
    user = users("everywhere").with_settings(ami="/facegan/ami")
    monkeypatch.setattr(jobs.backends, "BACKENDS", QUICK)
    with (
        kaggles.running(folder / "kaggle") as kaggle,
        colabs.running(folder / "colab") as colab,
        ec2s.serving() as aws,
        clouds.living(aws, folder / "ec2") as cloud,
    ):
        kaggle.set(queue_s=1.0, dataset_hidden_s=1.0, dataset_processing_s=1.0)
        variables = {
            **kaggle.client_environment(),
            "no_proxy": "127.0.0.1,172.16.0.0/12," + user.proxy.url.partition("://")[2].partition(":")[0],
            "AWS_ENDPOINT_URL": aws.url,
            "PATH": f"{colab.bin}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(boring_environment),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield Everywhere(user=user, kaggle=kaggle, colab=colab, cloud=cloud)


def of_mlflow(home: Path, question: str) -> list[Any]:
    with sqlite3.connect(home / "mlflow" / "mlflow.db") as database:
        return database.execute(question).fetchall()


def test_cut_off_at_every_place_it_ends_like_the_untouched(untouched: Outcome, everywhere: Everywhere) -> None:
    user = everywhere.user
    chosen = recipe.resolve("dcgan-mnist", [*SHORT, "session.heartbeat_s=0.5"], device="cpu", cores=1)
    launch.create(user.context, RUN, chosen)
    places = ("local", "docker", "kaggle", "colab", "ec2")
    for backend in places:
        mine = user.with_settings(image=clouds.IMAGE) if backend == "ec2" else user
        everywhere.user = mine
        before = mine.fold().reached
        moment = Moment(kind="state", count=2, act=lambda backend=backend: everywhere.kill(backend))
        user.proxy.plan = moment
        everywhere.watch(backend)
        assert moment.over.wait(600), f"{backend}: {mine.fold()}"
        assert mine.fold().reached == before + 8, f"{backend}: one checkpoint was committed, and one was not"
    user.proxy.plan = lambda _asked: None
    assert user.command("sync", RUN).code == 0
    everywhere.user = user
    everywhere.watch("local")
    until(lambda: user.fold().state is State.FINISHED)
    assert user.command("sync", RUN).code == 0

    assert user.outcome() == untouched
    assert user.is_whole()
    entries = user.entries()
    assert [entry["backend"] for entry in entries if entry["kind"] == "intent"] == [*places, "local"]
    assert {entry["join"] for entry in entries if entry["kind"] == "restored"} == {"exact"}
    assert not [entry for entry in entries if "over" in entry], "one waited for the lease of the dead"
    assert len(of_mlflow(user.home, "SELECT run_uuid FROM runs")) == 1
    counted = of_mlflow(user.home, "SELECT key, COUNT(*), COUNT(DISTINCT step) FROM metrics GROUP BY key")
    assert counted
    assert all(points == steps for _, points, steps in counted)
    assert {key: steps for key, _, steps in counted}["d_loss"] == STEPS
