"""A session that has too little memory or disk, says so, or has it said of it, and goes on where there is more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from facegan import layout
from facegan.ledger import State
from jobs.backends.base import Order
from jobs.backends.docker import container
from tests.container.conftest import require
from tests.container.runs import DONE, Docked, at_once
from tests.e2e.outcome import Outcome
from tests.e2e.runs import RUN, STEPS

DATA = Path(os.environ.get("FACEGAN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def out_of_memory(user: Docked, untouched: Outcome) -> None:
    poor = user.with_settings(memory="120m")
    poor.submit()
    assert poor.ended() == "session 1: its container was killed for want of memory of 0.1 GiB; nothing is committed yet"
    assert poor.fold().state is State.INTERRUPTED
    assert user.with_settings(memory="3g").resume() == DONE
    assert user.outcome() == untouched
    assert user.is_whole()


@contextlib.contextmanager
def scratch_of(user: Docked, size: str) -> Iterator[None]:
    """A first session's volume, made before it, with an end. It is there as long as something has it mounted."""
    order = Order(run=RUN, run_url=layout.run_url(user.store_url, RUN), number=1)
    called = container.name(order)
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={size},mode=1777"}
    volume = user.engine.volumes.create(called, driver="local", driver_opts=options, labels=container.labels(order))
    mounted = user.engine.containers.run(
        user.image, ["300"], entrypoint=["sleep"], volumes={called: {"bind": "/scratch"}}, detach=True
    )
    try:
        yield
    finally:
        mounted.remove(force=True)
        volume.remove(force=True)


def out_of_disk(user: Docked) -> None:
    prepared = user.command("data", "prepare", "mnist", "--source", str(DATA / "mnist" / "mnist.npz"))
    assert prepared.code == 0, prepared.err
    with scratch_of(user, "64m"):
        user.submit("data.name=mnist")
        assert user.ended() == (
            'session 1: the data need 148 MB in "/scratch/data/mnist", and 67 MB are free; nothing is committed yet'
        )
        assert user.fold().state is State.FAILED
        assert user.resume() == DONE
    assert user.fold().reached == STEPS
    assert user.is_whole()


def test_with_more_a_session_goes_on(users: Callable[[str], Docked], untouched: Outcome) -> None:
    require(DATA.is_dir(), f"no {DATA}")
    forgetful, crowded = users("forgetful"), users("crowded")
    at_once(lambda: out_of_memory(forgetful, untouched), lambda: out_of_disk(crowded))
