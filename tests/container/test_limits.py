"""A session that has too little memory or disk, says so, or has it said of it, and goes on where there is more."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from facegan import layout
from facegan.ledger import State
from jobs.backends.base import Order
from jobs.backends.docker import container
from tests.container.conftest import require
from tests.container.moments import Moment
from tests.container.runs import DONE, WITHIN_S, Docked, at_once, submission
from tests.container.test_isolation import SOMEBODY, typed_by_somebody
from tests.e2e.outcome import Outcome
from tests.e2e.runs import RUN, STEPS, User
from tests.fakes.disks import tiny_disk
from tests.waiting import until

DATA = Path(os.environ.get("FACEGAN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
CADENCE = 8  # steps from one checkpoint to the next
ROOM = 7 << 20  # bytes: for one checkpoint, and not for two


FILL = """
import os
with open("/scratch/filler", "wb", buffering=0) as file:
    try:
        while file.write(bytes(1 << 20)):
            pass
    except OSError as error:
        print(error.strerror)
"""


def fill(user: Docked, number: int) -> str:
    """Have all the room of a session's scratch taken by somebody else; what they are told at its end."""
    answer = user.container(number).exec_run(["/opt/facegan/bin/python", "-S", "-c", FILL])
    return str(answer.output.decode().strip())


def out_of_memory(user: Docked, untouched: Outcome) -> None:
    """At its start; then in the middle, where a scratch in memory takes what it needs, and the kernel ends it."""
    poor, fair = user.with_settings(memory="120m"), user.with_settings(memory="1g")
    poor.submit()
    assert poor.ended() == "session 1: its container was killed for want of memory of 0.1 GiB; nothing is committed yet"
    assert poor.fold().state is State.INTERRUPTED
    fair.proxy.plan = moment = Moment(kind="state", count=3, act=lambda: fill(fair, 2))
    with scratch_of(fair, 2, "2g"):
        why = fair.resume()
    assert why == "session 2: its container was killed for want of memory of 1.0 GiB; checkpoint 16 is committed"
    assert moment.came.is_set()
    assert fair.fold().state is State.INTERRUPTED
    out_of_scratch(user.with_settings(memory="3g"), untouched)


def out_of_scratch(user: Docked, untouched: Outcome) -> None:
    """Full to the last byte in the middle: what a training needs of it is there from its start, and it goes on."""
    told: list[str] = []
    user.proxy.plan = Moment(kind="state", count=1, act=lambda: told.append(fill(user, 3)))
    with scratch_of(user, 3, "64m"):
        assert user.resume() == DONE
    assert told == ["No space left on device"]
    assert user.outcome() == untouched
    assert user.is_whole()


def allocate(path: Path, size: int) -> None:
    """A file that takes so many bytes."""
    with path.open("wb") as file:
        if size:
            os.posix_fallocate(file.fileno(), 0, size)


@contextlib.contextmanager
def scratch_of(user: Docked, number: int, size: str) -> Iterator[None]:
    """A session's volume, made before it, in memory, with an end. It is there as long as something has it mounted."""
    order = Order(run=RUN, run_url=layout.run_url(user.store_url, RUN), number=number)
    called = container.name(order)
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={size},mode=1777"}
    volume = user.engine.volumes.create(called, driver="local", driver_opts=options, labels=container.labels(order))
    mounted = user.engine.containers.run(
        user.image, ["900"], entrypoint=["sleep"], volumes={called: {"bind": "/scratch"}}, detach=True
    )
    try:
        yield
    finally:
        mounted.remove(force=True)
        volume.remove(force=True)


def out_of_disk(user: Docked) -> None:
    prepared = user.command("data", "prepare", "mnist", "--source", str(DATA / "mnist" / "mnist.npz"))
    assert prepared.code == 0, prepared.err
    with scratch_of(user, 1, "64m"):
        user.submit("data.name=mnist")
        assert user.ended() == (
            'session 1: the data need 148 MB in "/scratch/data/mnist", and 67 MB are free; nothing is committed yet'
        )
        assert user.fold().state is State.FAILED
        assert user.resume() == DONE
    assert user.fold().reached == STEPS
    assert user.is_whole()


def test_a_full_disk_below_the_store_is_waited_for(engine: Any, image: str, untouched: Outcome, tmp_path: Path) -> None:
    """It fills up in the middle, below a store that is a folder: the session says so, waits, and goes on by itself."""
    require(os.geteuid() == 0, "mounting a disk takes root")
    home = tmp_path / "somebody"
    with tiny_disk(home, size_kib=400 << 10):
        os.chown(home, SOMEBODY, SOMEBODY)
        taken = home / "taken"
        allocate(taken, shutil.disk_usage(home).free - ROOM)
        me, marks = User(home=home), {"label": f"facegan.url={layout.run_url((home / 'store').as_uri(), RUN)}"}
        began = typed_by_somebody(home, image, *submission())
        assert began.returncode == 0, began.stderr
        until(lambda: me.fold().reached)
        (container,) = engine.containers.list(filters=marks)
        container.pause()
        allocate(filler := home / "filler", shutil.disk_usage(home).free)
        container.unpause()
        until(lambda: b"is full" in container.logs())
        assert me.fold().state is State.RUNNING
        assert me.fold().reached == CADENCE, "what there was room for, and nothing else"
        filler.unlink()
        taken.unlink()
        ended = typed_by_somebody(home, image, "wait", RUN, "--timeout", str(WITHIN_S))
        assert ended.returncode == 0, ended.stderr
        assert me.fold().newest == 1
        assert me.outcome() == untouched
        assert me.is_whole()
        assert not engine.containers.list(all=True, filters=marks)


def test_with_more_a_session_goes_on(users: Callable[[str], Docked], untouched: Outcome) -> None:
    require(DATA.is_dir(), f"no {DATA}")
    forgetful, crowded = users("forgetful"), users("crowded")
    at_once(lambda: out_of_memory(forgetful, untouched), lambda: out_of_disk(crowded))
