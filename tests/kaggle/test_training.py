"""A run that trains in real sessions of the stand-in: cut by its budget, continued, and stopped by its user."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan.ledger import Fold, State
from facegan.verify import verify
from jobs import context as contexts
from jobs import launch, recipe, settings, word
from jobs.backends.kaggle import kernel
from jobs.backends.kaggle.backend import KaggleBackend, Times, World
from jobs.context import Context
from jobs.launch import Place
from tests.cloud import servers
from tests.fakes.kaggle import Kaggle

RUN = "a-run"
SESSION_S = 80.0
MARGIN_S = 20.0
GRACE_S = 10.0
LONG = (
    "training.steps=1000000",
    "training.batch_size=8",
    "training.threads=1",
    "checkpoint.every_steps=1000000",
    "samples.every_steps=1000000",
    "evaluation.metric=none",
    "session.heartbeat_s=0.5",
    "session.stall_s=60",
)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket that sessions reach as they would any other service that speaks S3."""
    for name, value in servers.NOBODY.items():
        monkeypatch.setenv(name, value)
    with servers.moto() as endpoint:
        yield f"s3://{servers.BUCKET}/gans?endpoint={endpoint}"


@pytest.fixture
def context(kaggle: Kaggle, store: str, monkeypatch: pytest.MonkeyPatch, boring_environment: Path) -> Context:
    servers.require("tensorflow", "boto3")
    for name, value in kaggle.client_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # the store's; `localhost` is Kaggle's
    monkeypatch.setattr(launch, "SHORTEST_GRACE_S", GRACE_S)
    kaggle.cap(seconds=SESSION_S)
    kaggle.set(queue_s=10.0)
    return contexts.real(settings.load(environment={"FACEGAN_HOME": str(boring_environment), "FACEGAN_STORE": store}))


def place(context: Context) -> Place:
    times = Times(session_s=SESSION_S, margin_s=MARGIN_S, missing_s=0.1)
    backend = KaggleBackend(
        context.settings, world=World(times=times, sleep=lambda seconds: time.sleep(min(seconds, 0.1)))
    )
    return Place(backend=backend, gpu=None, bundle=backend.bundle(None))


def name(context: Context, number: int) -> str:
    return f"{kernel.prefix(RUN, f'{context.store.url}/runs/{RUN}')}-{number}"


def fold(context: Context) -> Fold:
    return context.ledger(RUN).refresh()


def restored(context: Context) -> list[int]:
    """The steps that sessions went on from."""
    ledger = context.ledger(RUN)
    ledger.refresh()
    return [entry.body["step"] for entry in ledger.entries() if entry.kind == "restored"]


@pytest.mark.timeout(280)
def test_a_session_ends_before_its_cap_and_the_next_one_goes_on_from_its_last_step(
    kaggle: Kaggle, context: Context
) -> None:
    said: list[str] = []
    ledger = launch.create(context, RUN, recipe.resolve("dcgan-mnist", LONG, device="cpu", cores=1))
    launch.submit(context, ledger, place(context), said.append)

    kaggle.until(lambda: fold(context).lease is not None, seconds=60)
    (open_session,) = fold(context).open
    assert open_session.ref is not None
    assert open_session.ref["session_id"] == kaggle.session(name(context, 1)).number

    kaggle.until(lambda: kaggle.session(name(context, 1)).over, seconds=90)
    first = kaggle.session(name(context, 1))
    assert (first.status, first.why) == ("COMPLETE", "ended"), first.log.plain()
    done = fold(context)
    assert done.state is State.INTERRUPTED
    reached = done.reached
    assert reached > 0

    launch.resume(context, ledger, place(context), None, said.append)
    kaggle.until(lambda: reached in restored(context), seconds=90)
    word.stop(context, ledger)
    kaggle.until(lambda: kaggle.session(name(context, 2)).over, seconds=90)
    assert fold(context).state is State.STOPPED
    assert len(kaggle.kernels.sessions()) == 2
    assert not verify(context.ledger(RUN)).wrong
