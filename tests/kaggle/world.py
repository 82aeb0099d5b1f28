"""What it takes to train in sessions of the stand-in: a bucket, an account, and a command's own view of both."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from facegan.experiment import Json
from facegan.ledger import Fold, Ledger
from jobs import context as contexts
from jobs import launch, settings
from jobs.backends.kaggle import kernel
from jobs.backends.kaggle.backend import KaggleBackend, Times, World
from jobs.context import Context
from jobs.orders import Place
from tests.cloud import servers
from tests.fakes.kaggle import Kaggle

RUN = "a-run"
QUICK = (
    "training.threads=1",
    "samples.every_steps=1000000",
    "evaluation.metric=none",
    "session.heartbeat_s=0.5",
    "session.stall_s=60",
)


@contextmanager
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a store in a bucket that sessions reach as they would any other service that speaks S3."""
    servers.require("tensorflow", "boto3")
    for name, value in servers.NOBODY.items():
        monkeypatch.setenv(name, value)
    yield servers.bucket()


def signed_in(kaggle: Kaggle, store: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """What a command of the user's sees, signed in to the stand-in."""
    for name, value in kaggle.client_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # the store's; `localhost` is Kaggle's
    return contexts.real(settings.load(environment={"FACEGAN_HOME": str(home), "FACEGAN_STORE": store}))


def place(context: Context, gpu: str | None = None, **times: float) -> Place:
    """The stand-in as a place for sessions; `times` are Kaggle's own as this machine knows them, in real seconds."""
    world = World(times=Times(missing_s=0.1, **times), sleep=lambda seconds: time.sleep(min(seconds, 0.1)))
    backend = KaggleBackend(context.settings, world=world)
    return Place(backend=backend, gpu=gpu, bundle=backend.bundle(gpu))


def name(context: Context, number: int, run: str = RUN) -> str:
    """What the kernel of a session is called."""
    return kernel.session_name(run, f"{context.store.url}/runs/{run}", number)


@functools.cache
def ledger(context: Context, run: str) -> Ledger:
    """One for all that is asked of it: a new one reads every entry again, and tests that wait ask often."""
    return context.ledger(run)


def fold(context: Context, run: str = RUN) -> Fold:
    return ledger(context, run).refresh()


def said(context: Context, kind: str, run: str = RUN) -> list[Json]:
    """What the entries of one kind say."""
    told = ledger(context, run)
    told.refresh()
    return [dict(entry.body) for entry in told.entries() if entry.kind == kind]


def newest_state(context: Context, run: str = RUN) -> str:
    """The SHA-256 of the newest checkpoint's state."""
    return str(said(context, "checkpoint", run)[-1]["objects"]["state.safetensors"]["sha256"])


def end(context: Context, number: int, kaggle: Kaggle, *, seconds: float = 600) -> str:
    """What the session has printed, when it is over and was not cut off."""
    session = kaggle.over(name(context, number), seconds=seconds)
    printed = session.log.plain()
    assert session.why == "ended", printed
    return printed


def submit(context: Context, where: Place, run: str = RUN) -> None:
    launch.submit(context, context.ledger(run), where, lambda _text: None)


def resume(context: Context, where: Place, run: str = RUN) -> None:
    launch.resume(context, context.ledger(run), where, None, lambda _text: None)
