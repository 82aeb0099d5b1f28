"""`submit` and `resume`, killed for real at each request to Kaggle and each entry of the ledger, and typed again."""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from facegan.ledger import Fold
from facegan.storage.base import ObjectStore
from facegan.storage.file import FileStore
from facegan.storage.retry import PatientStore
from jobs import cli, credentials
from jobs import context as contexts
from jobs.backends.kaggle import backend
from jobs.backends.kaggle.api import Api
from jobs.backends.kaggle.backend import Times, World
from jobs.context import Context
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import AFTER, BEFORE
from tests.fakes.kaggle.sessions import Session
from tests.kaggle import world
from tests.kaggle.submitting import STORE, hand, soon

SUBMIT = ("submit", "dcgan-mnist", "--backend", "kaggle", "--detach", "--name")
RESUME = ("resume", "--backend", "kaggle", "--detach")
REQUEST, ENTRY = "request", "entry"


@dataclass(kw_only=True)
class Doom:
    """The one request, or entry, that a process does not outlive: its `nth`, counted from 1; none, where that is 0."""

    kind: str = ""
    nth: int = 0
    when: str = ""
    seen: int = 0

    def around(self, kind: str, act: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(act)
        def watched(*arguments: Any, **named: Any) -> Any:
            self.seen += kind == self.kind
            dies = kind == self.kind and self.seen == self.nth
            if dies and self.when == BEFORE:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return act(*arguments, **named)
            finally:
                if dies:
                    os.kill(os.getpid(), signal.SIGKILL)

        return watched


@pytest.fixture
def context(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, boring_environment: Path, tmp_path: Path) -> Context:
    """Sessions wait for their machines for ever: what one would do is none of the question.

    The store is a folder that goes by the name of a bucket, because an SDK takes longer to load than all the rest.
    """

    def wait(session: Session) -> None:
        session._thread = threading.Thread(target=str)
        session._thread.start()

    def open_store(url: str) -> ObjectStore:
        store = FileStore(tmp_path / "bucket")
        store.url = url
        return store

    monkeypatch.setattr(Session, "start", wait)
    monkeypatch.setattr(contexts, "open_store", open_store)
    monkeypatch.setattr(credentials, "mint", lambda *_: hand())
    monkeypatch.setattr(backend, "World", functools.partial(World, sleep=soon, times=Times(missing_s=0.05)))
    monkeypatch.setattr(backend, "wheel", functools.cache(backend.wheel))
    monkeypatch.setenv("FACEGAN_STORE", STORE)
    kaggle.set(dataset_hidden_s=0.0, dataset_processing_s=0.0)
    return world.signed_in(kaggle, STORE, boring_environment, monkeypatch)


@pytest.fixture
def at_home(context: Context, kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Context:
    """The same folder by its own name: sessions cannot reach it, and are sent with a copy of the run."""
    url = f"file://{tmp_path}/bucket"
    monkeypatch.setenv("FACEGAN_STORE", url)
    return world.signed_in(kaggle, url, context.settings.home, monkeypatch)


@pytest.fixture
def doom(monkeypatch: pytest.MonkeyPatch) -> Doom:
    doom = Doom()
    monkeypatch.setattr(Api, "_open", doom.around(REQUEST, Api._open))
    monkeypatch.setattr(PatientStore, "put_new", doom.around(ENTRY, PatientStore.put_new))
    return doom


def is_killed(arguments: Sequence[str], doom: Doom, kind: str, nth: int, when: str) -> bool:
    """Type it in a process of its own, which is killed there; whether it came so far."""
    if (child := os.fork()) == 0:
        doom.kind, doom.nth, doom.when = kind, nth, when
        os._exit(cli.run(list(arguments)))
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def moments() -> Iterator[tuple[int, str]]:
    nth = 0
    while True:
        nth += 1
        yield from ((nth, BEFORE), (nth, AFTER))


def kernels(kaggle: Kaggle, run: str) -> list[int]:
    """How often each kernel of the run was pushed."""
    return [len(each.versions) for each in kaggle.kernels.all() if f"-{run}-" in each.ref]


def end(kaggle: Kaggle, context: Context, number: int, run: str) -> None:
    kaggle.session(world.name(context, number, run)).status = "ERROR"


def require_one_session(kaggle: Kaggle, context: Context, run: str, number: int, where: str) -> None:
    fold: Fold = world.fold(context, run)
    assert [each.number for each in fold.open] == [number], where
    assert kernels(kaggle, run) == [1] * number, where
    assert world.said(context, "launched", run)[-1]["session"] == number, where
    end(kaggle, context, number, run)


@pytest.mark.parametrize(("kind", "least"), [(REQUEST, 6), (ENTRY, 2)])
@pytest.mark.parametrize("resumes", [False, True], ids=["submit", "resume"])
def test_killed_anywhere_and_typed_again_it_makes_one_session(
    kaggle: Kaggle, context: Context, doom: Doom, kind: str, least: int, *, resumes: bool
) -> None:
    for nth, when in moments():
        run = f"r{nth}{when}"
        command = [*RESUME, run] if resumes else [*SUBMIT, run]
        if resumes:
            assert cli.run([*SUBMIT, run]) == 0
            end(kaggle, context, 1, run)
        killed = is_killed(command, doom, kind, nth, when)
        where = f"killed {when} {kind} {nth}"
        assert cli.run(command) == 0, where
        require_one_session(kaggle, context, run, 2 if resumes else 1, where)
        if not killed:
            break
    assert nth > least, "every one was its turn"


@pytest.mark.parametrize(("kind", "least"), [(REQUEST, 6), (ENTRY, 2)])
def test_killed_anywhere_and_typed_again_it_makes_one_session_on_a_copy(
    kaggle: Kaggle, at_home: Context, doom: Doom, kind: str, least: int
) -> None:
    """Typed once more after that, it is the same one."""
    for nth, when in moments():
        run, where = f"r{nth}{when}", f"killed {when} {kind} {nth}"
        killed = is_killed([*SUBMIT, run], doom, kind, nth, when)
        for _ in range(2):
            assert cli.run([*SUBMIT, run]) == 0, where
            assert kernels(kaggle, run) == [1], where
        ledger = at_home.ledger(run)
        assert [each.number for each in ledger.refresh().open] == [1], where
        assert [entry.kind for entry in ledger.entries()] == ["created", "intent"], where
        end(kaggle, at_home, 1, run)
        if not killed:
            break
    assert nth > least, "every one was its turn"
