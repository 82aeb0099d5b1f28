"""What the engine says of a session, and that there is one of it: whoever asks for it, how often, and killed where."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facegan.accounts import Credentials
from facegan.process import Life
from jobs import address, launch, orders
from jobs import engine as engines
from jobs.backends.base import Fate
from jobs.backends.docker import DockerBackend
from tests.container.moments import Moment
from tests.container.runs import WITHIN_S, Docked, submission
from tests.e2e.runs import RUN
from tests.fakes.killing import Killed
from tests.security.canaries import canary, forms
from tests.waiting import until

STEPS = ("create_container_from_config", "put_archive", "start")


@pytest.fixture
def waiting(user: Docked) -> Iterator[Docked]:
    """A user whose sessions, once they have their lease, wait: they are there, and cost next to nothing."""
    released = threading.Event()
    user.proxy.plan = Moment(kind="heartbeat", act=released.wait, hold=900)
    yield user
    for found in user.containers():
        found.remove(force=True)
    released.set()


def test_the_engine_knows_what_has_become_of_a_session(waiting: Docked, tmp_path: Path) -> None:
    waiting.submit()
    backend = DockerBackend(waiting.context.settings)
    ref = waiting.fold().open[0].ref
    assert ref is not None
    container = waiting.container()
    assert backend.fate(ref) == Fate(life=Life.ALIVE)
    container.pause()
    assert backend.fate(ref) == Fate(life=Life.ALIVE), "paused is not dead"
    container.unpause()
    assert backend.fate({**ref, "engine": "another"}) == Fate(life=Life.UNKNOWN)
    nowhere = DockerBackend(waiting.context.settings, f"unix://{tmp_path}/nowhere.sock")
    assert nowhere.fate(ref) == Fate(life=Life.UNKNOWN)
    container.kill()
    container.wait()
    assert backend.fate(ref) == Fate(life=Life.GONE, why="its container was killed")
    container.remove()
    assert backend.fate(ref) == Fate(life=Life.GONE, why="its container was removed")
    assert waiting.ended() == "session 1: its container was removed; nothing is committed yet"


def test_a_session_that_is_asked_for_again_is_the_one_that_lives(
    waiting: Docked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a secret made, or shown, for it: `docker inspect` and the process list are everybody's."""
    secret = canary("docker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    waiting.submit()
    until(lambda: waiting.fold().holder)
    shown = json.dumps([waiting.container().attrs, waiting.container().top()]).encode()
    assert not [name for name, form in forms(secret).items() if form in shown]
    again = waiting.command(*submission())
    assert again.code == 0, again.err
    assert "session 1 is alive on docker" in again.err

    def hand() -> Credentials | None:
        raise AssertionError("nothing is made for a session that is there")

    context = waiting.context
    session = waiting.fold().open[0]
    backend = DockerBackend(context.settings)
    assert backend.submit(orders.order(context, RUN, session), hand) == session.ref
    assert len(waiting.containers()) == 1


def dying(act: Callable[..., object], *, after: bool) -> Callable[..., object]:
    """A step of a start at which the command's process is killed."""

    def die(*arguments: object, **more: object) -> object:
        if after:
            act(*arguments, **more)
        raise Killed

    return die


def resume(user: Docked) -> None:
    context = user.context
    launch.resume(context, context.ledger(RUN), orders.place(context, None, None), None, print)


def test_killed_at_any_step_and_repeated_a_command_has_started_one_container(
    waiting: Docked, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.create()
    api = engines.connect(address.of(None)).api  # the commands' own, too
    moments = [(step, after) for step in STEPS for after in (False, True)]
    for number, (step, after) in enumerate(moments, 1):
        when = f"{'after' if after else 'before'} {step}"
        with monkeypatch.context() as patched:
            patched.setattr(api, step, dying(getattr(api, step), after=after))
            with pytest.raises(Killed):
                resume(waiting)
        resume(waiting)
        resume(waiting)
        assert waiting.living() == [waiting.container(number).name], when
        assert waiting.fold().newest == number, when
        until(lambda: waiting.fold().holder)
        assert waiting.fold().holder.number == number, when  # what it was handed is whole
        waiting.container(number).kill()
        waiting.container(number).wait()


def test_commands_at_once_start_one_container(waiting: Docked) -> None:
    """From two machines, too, between which there is no lock: the engine gives a name once."""
    elsewhere = dataclasses.replace(waiting, home=waiting.home / "elsewhere")
    elsewhere.home.mkdir()
    commands = [one.type(*submission()) for one in (waiting, elsewhere, waiting)]
    said = [command.communicate(timeout=WITHIN_S)[1] for command in commands]
    codes = [command.returncode for command in commands]
    assert 0 in codes, said
    for code, words in zip(codes, said, strict=True):
        assert code == 0 or "type the same again" in words, words
    until(lambda: waiting.fold().holder)
    assert len(waiting.living()) == 1
    assert len(waiting.containers()) == 1
    assert waiting.kinds().count("intent") == 1
