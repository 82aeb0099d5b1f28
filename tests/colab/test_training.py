"""A run that really trains, in three sessions of the stand-in: told to stop, cut off, and to its end."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan.ledger import Fold, Ledger, State
from facegan.storage import open_store
from facegan.verify import verify
from jobs import context as contexts
from jobs import launch, orders, recipe, settings
from jobs.backends.colab import naming
from jobs.backends.colab.backend import Times
from jobs.context import Context
from jobs.orders import Place
from tests.cloud import servers
from tests.cloud.proxy import Proxy, proxy
from tests.cloud.test_killed_training import copied
from tests.colab.submitting import SOON, backend
from tests.container.moments import Moment
from tests.e2e import outcome
from tests.e2e.runs import RUN, SHORT, STEPS, User
from tests.fakes.colab import Colab
from tests.fakes.colab.fake import BEFORE, Rules
from tests.waiting import until

PATIENCE_S = 600.0
CANARY = "canary-7d30a1f4"
KEYS = {"AWS_ACCESS_KEY_ID": f"id-{CANARY}", "AWS_SECRET_ACCESS_KEY": f"key-{CANARY}"}
GRACE_S = 600.0  # in which the first session begins at all, however slow this machine is
USED_S = 12.0
HURRIED = Times(session_s=2 * GRACE_S + USED_S, margin_s=1.0)  # hardly a second of it is for training


@pytest.fixture
def between() -> Iterator[Proxy]:
    with proxy(servers.shared_moto()) as found:
        yield found


@pytest.fixture
def store(between: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that sessions reach as they would any other service that speaks S3."""
    servers.require("tensorflow", "boto3")
    for name, value in {**servers.NOBODY, **KEYS}.items():
        monkeypatch.setenv(name, value)
    return servers.bucket().replace(between.upstream, between.url)


@pytest.fixture
def context(store: str, boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr(orders, "SHORTEST_GRACE_S", GRACE_S)
    return contexts.real(settings.load(environment={"FACEGAN_HOME": str(boring_environment), "FACEGAN_STORE": store}))


def place(colab: Colab, context: Context, times: Times = SOON) -> Place:
    here = backend(context.settings.home, colab.bin, store=context.store.url, times=times)
    return Place(backend=here, gpu=None, bundle=here.bundle(None))


@functools.cache
def ledger_of(context: Context) -> Ledger:
    """One for all that is asked of it: a new one reads every entry again, and a test that waits asks often."""
    return context.ledger(RUN)


def fold(context: Context) -> Fold:
    return ledger_of(context).refresh()


def log(colab: Colab) -> str:
    """What the machine that was given back last, or the one that is there, has printed."""
    machine = [*colab.ended, *colab.machines.values()][-1]
    (found,) = (machine.folder / "content").glob(f"facegan-*/{naming.LOG}")
    return found.read_text()


def canaries_sent(colab: Colab) -> list[bool]:
    """Of every session that is begun from now on: whether a canary is in what it is handed."""
    sent: list[bool] = []

    def look(number: int, when: str) -> None:
        words = colab.calls[number - 1]
        if words[-1].endswith(naming.HANDED) and when == BEFORE:
            sent.append(CANARY.encode() in Path(words[-2]).read_bytes())

    colab.watcher = look
    return sent


def kept(*folders: Path) -> list[Path]:
    """The files with a canary in them."""
    return shown(*(path for folder in folders for path in folder.rglob("*") if path.is_file()))


def shown(*files: Path) -> list[Path]:
    """Those of these with a canary in them."""
    found = []
    for path in files:
        with contextlib.suppress(OSError):  # it is gone, or its process has ended
            found += [path] if CANARY.encode() in path.read_bytes() else []
    return found


def exposed(colab: Colab) -> list[Path]:
    """Where others on the machine could read a key: of any process there, and in any file of it."""
    processes = (each / name for each in colab.machine.processes_at() for name in ("cmdline", "environ"))
    return kept(*(colab.machine.folder / name for name in ("content", "tmp", "root"))) + shown(*processes)


def untouched(home: Path) -> outcome.Outcome:
    home.mkdir()
    alone = User(home=home)
    alone.create("session.heartbeat_s=0.5")
    assert alone.session() == 0
    return alone.outcome()


def test_it_ends_like_an_untouched_run(
    colab: Colab, context: Context, between: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast it is: the first session has no second checkpoint before its time is used, nor the next one ever."""
    submitted, taken = threading.Event(), threading.Event()
    chosen = recipe.resolve("dcgan-mnist", [*SHORT, "session.heartbeat_s=0.5"], device="cpu", cores=1)
    ledger = launch.create(context, RUN, chosen)
    later = place(colab, context).backend
    sent = canaries_sent(colab)
    monkeypatch.setattr(launch, "open_backend", lambda *_, **__: later)

    between.plan = Moment(kind="state", count=2, act=lambda: submitted.wait(PATIENCE_S) and time.sleep(USED_S))
    launch.submit(context, ledger, place(colab, context, HURRIED), str)
    submitted.set()
    colab.rules.idle_s = 3.0  # nobody is connected while it trains
    assert not colab.ended, "submit does not wait for it"
    until(lambda: not fold(context).open)
    colab.rules.idle_s = Rules().idle_s
    first = fold(context)
    assert first.state is State.INTERRUPTED, log(colab)
    assert "are used" in str(first.end), first.end
    until(lambda: colab.ended)
    assert colab.ended[-1].why == "unassigned", "a session that ended well gives its machine back by itself"

    between.plan = Moment(kind="state", count=2, act=lambda: taken.wait(PATIENCE_S))
    launch.resume(context, ledger, place(colab, context), None, str)
    until(lambda: fold(context).reached > first.reached)
    assert len(colab.machine.processes()) > 2, "it trains"
    assert not exposed(colab)
    colab.take(colab.machine.endpoint, "cap")
    taken.set()
    assert fold(context).reached < STEPS
    assert fold(context).open, "nobody has told us"
    until(lambda: not launch.bury(context, ledger).open)
    assert "not at Colab any more" in str(fold(context).end)

    launch.resume(context, ledger, place(colab, context), None, str)
    until(lambda: fold(context).state is State.FINISHED)
    assert fold(context).reached == STEPS
    assert not verify(context.ledger(RUN)).wrong
    assert colab.verbs().count("new") == 3
    assert sent == [True, True, True]
    assert not kept(context.settings.home, *(machine.folder for machine in colab.ended))

    copied(open_store(context.store.url), tmp_path / "colab" / "store")
    monkeypatch.delenv("FACEGAN_STORE", raising=False)
    assert outcome.outcome(tmp_path / "colab", RUN) == untouched(tmp_path / "alone")
