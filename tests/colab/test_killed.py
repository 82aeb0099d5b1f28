"""`submit` and `resume` at Colab, killed for real around each entry of the ledger, and typed again.

Killed at each call of the `colab` command, it is `test_backend.py`'s.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from facegan.storage.base import ObjectStore
from facegan.storage.file import FileStore
from facegan.storage.retry import PatientStore
from jobs import cli, credentials, loopback, settings
from jobs import context as contexts
from jobs.backends.colab import backend as module
from jobs.backends.colab.backend import World
from jobs.context import Context
from tests.colab.submitting import QUICK, SOON, STORE, hand
from tests.fakes.colab import Colab
from tests.kaggle import world
from tests.kaggle.test_killed import ENTRY, Doom, is_killed

SUBMIT = ("submit", "dcgan-mnist", "--backend", "colab", "--detach", "--name")
RESUME = ("resume", "--backend", "colab", "--detach")
MOMENTS = ((2, "after"), (3, "before"))
"""After a new run's `intent`, and before its `launched`, which follows its session; its first entry is `created`."""


@pytest.fixture
def context(colab: Colab, monkeypatch: pytest.MonkeyPatch, boring_environment: Path, tmp_path: Path) -> Context:
    """Sessions find no store, and end at once. The store is a folder that goes by the name of a bucket."""

    def open_store(_url: str) -> ObjectStore:
        store = FileStore(tmp_path / "bucket")
        store.url = STORE
        return store

    monkeypatch.setattr(contexts, "open_store", open_store)
    monkeypatch.setattr(loopback, "of_store", lambda *_: None)
    monkeypatch.setattr(credentials, "mint", lambda *_: hand())
    monkeypatch.setattr(module, "World", functools.partial(World, sleep=lambda _: None, limits=QUICK, times=SOON))
    monkeypatch.setattr(module, "wheel", functools.cache(module.wheel))
    monkeypatch.setenv("PATH", f"{colab.bin}:/usr/bin:/bin")
    monkeypatch.setenv("FACEGAN_STORE", STORE)
    monkeypatch.setenv("HOME", str(boring_environment))
    return contexts.real(settings.load(environment={"FACEGAN_HOME": str(boring_environment), "FACEGAN_STORE": STORE}))


@pytest.fixture
def doom(monkeypatch: pytest.MonkeyPatch) -> Doom:
    doom = Doom()
    monkeypatch.setattr(PatientStore, "put_new", doom.around(ENTRY, PatientStore.put_new))
    return doom


@pytest.mark.parametrize("resumes", [False, True], ids=["submit", "resume"])
def test_killed_around_each_entry_and_typed_again_it_makes_one_session(
    colab: Colab, context: Context, doom: Doom, *, resumes: bool
) -> None:
    for nth, when in MOMENTS:
        run = f"r{nth}{when}"
        command = [*RESUME, run] if resumes else [*SUBMIT, run]
        if resumes:
            assert cli.run([*SUBMIT, run]) == 0
            colab.take(colab.machine.endpoint, "cap")
        asked = colab.verbs().count("new")
        where = f"killed {when} entry {nth - resumes}"
        assert is_killed(command, doom, ENTRY, nth - resumes, when), where
        assert cli.run(command) == 0, where
        assert colab.verbs().count("new") == asked + 1, where
        assert world.said(context, "launched", run)[-1]["session"] == 1 + resumes, where
        colab.take(colab.machine.endpoint, "cap")
