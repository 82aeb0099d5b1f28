"""Machines that nobody needs any more: of numbers that ended before they began, and of processes that are gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facegan.accounts import Credentials
from facegan.errors import BadInputError
from facegan.ledger import State
from facegan.process import Life
from facegan.storage.memory import MemoryStore
from jobs import launch, sweeping, word
from jobs.backends.colab import cells, facts, naming
from jobs.backends.colab.backend import ColabBackend
from jobs.backends.colab.notes import Notes
from jobs.refusals import Refusal, Uncertain
from tests.cloud import servers
from tests.colab.submitting import STORE, backend, hand, order
from tests.colab.test_backend import NAME, content, ended
from tests.fakes.colab import Colab
from tests.fakes.colab.fake import Fault
from tests.unit.jobs import world
from tests.waiting import until

RUN_URL = order().run_url


def created(colab: Colab, here: ColabBackend) -> None:
    """Killed between the machine, and the start on it."""
    colab.faults = [Fault(verb="upload", kind="die")]
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    colab.faults = []
    assert colab.machines


# --- a number that ended before it began ----------------------------------------------------------


def test_a_cancelled_run_leaves_no_machine(colab: Colab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number was asked for, its machine was there, and nothing was started on it: it is paid for."""
    monkeypatch.setattr(launch, "_hand", lambda *_: lambda: Credentials(environment=servers.NOBODY))
    for module in (launch, word, sweeping):
        monkeypatch.setattr(module, "open_backend", lambda _name, settings, **_: backend(settings.home, colab.bin))
    store = MemoryStore()
    store.url = STORE
    context = world.context(tmp_path, store)
    colab.faults = [Fault(verb="upload", kind="die")]
    with pytest.raises(Uncertain):
        world.submit(context, backend(tmp_path, colab.bin))
    assert colab.machines
    ledger = context.ledger(world.RUN)
    word.cancel(context, ledger)
    assert not word.end(context, ledger, str)
    assert ledger.refresh().state is State.CANCELLED
    assert not colab.machines


def test_a_number_that_has_ended_for_certain_is_not_waited_for(colab: Colab, here: ColabBackend) -> None:
    created(colab, here)
    here.sweep(RUN_URL, keep=())
    here.give_back(RUN_URL, lambda _: False)
    here.give_back(order(run="another").run_url, lambda _: True)
    assert colab.machines, "it has not"
    here.give_back(RUN_URL, lambda number: number == 1)
    assert not colab.machines


def test_one_that_was_started_is_not_given_back_before_it_has_ended(colab: Colab, here: ColabBackend) -> None:
    """Its number was declared lost; it has taken another, and trains."""
    ref = here.submit(order(), hand)
    ended(colab)
    content(colab.machine, naming.ENDED).unlink()
    here.give_back(RUN_URL, lambda _: True)
    assert here.fate(ref).life is Life.ALIVE


def test_a_machine_that_was_only_looked_at_is_never_given_back(
    colab: Colab, here: ColabBackend, tmp_path: Path
) -> None:
    theirs = colab.assign("T4")
    notes = Notes(tmp_path, NAME)
    notes.creating([])
    notes.trying()
    notes.adopt(theirs.endpoint)
    here.give_back(RUN_URL, lambda _: True)
    assert colab.machine is theirs
    assert Notes(tmp_path, NAME).endpoint() is None


# --- a process that is gone -----------------------------------------------------------------------


def test_a_process_that_could_not_be_begun_leaves_no_mark(tmp_path: Path) -> None:
    """A full disk, or no more processes: the same again begins it."""
    folder = tmp_path / "content"
    folder.mkdir()
    for name in (naming.BUNDLE, naming.HANDED):
        (folder / name).write_bytes(b"")
    (folder / naming.LOG).mkdir()  # cannot be opened
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    code = cells.start(NAME, empty).replace(repr(naming.folder(NAME)), repr(str(folder)))
    done = subprocess.run(["python3", "-c", code], capture_output=True, text=True, check=True)
    (answer,) = cells.answers(done.stdout)
    assert answer["began"] is False
    assert naming.LOG in answer["why"]
    assert not (folder / naming.STARTED).exists()


def silenced(colab: Colab, home: Path) -> None:
    """Its process is gone, it has said nothing, and nobody stays."""
    for each in colab.machine.processes_at():
        if naming.BUNDLE.encode() in (each / "cmdline").read_bytes():
            os.kill(int(each.name), signal.SIGKILL)
    until(lambda: not colab.machine.is_busy)
    content(colab.machine, naming.ENDED).unlink()
    (home / "colab" / NAME / "stays.json").unlink(missing_ok=True)


def test_a_process_that_is_gone_without_a_word_is_found_so(colab: Colab, tmp_path: Path) -> None:
    """Nobody stays on its machine: the command was killed before, or the kernel was."""
    here = backend(tmp_path, colab.bin)
    ref = here.submit(order(), hand)
    ended(colab)
    silenced(colab, tmp_path)
    until(lambda: here.fate(ref).life is Life.GONE)
    assert "gone at Colab, without a word" in here.fate(ref).why
    here.sweep(RUN_URL, keep=())
    assert not colab.machines


def test_a_mark_without_a_process_is_found_so(colab: Colab, here: ColabBackend, tmp_path: Path) -> None:
    ref = here.submit(order(), hand)
    ended(colab)
    content(colab.machine, naming.STARTED).write_text("")
    silenced(colab, tmp_path)
    until(lambda: here.fate(ref).life is Life.GONE)


# --- what the command says, and what it is told ----------------------------------------------------


@pytest.mark.parametrize("version", ["0.6.0", "0.7.2"])
def test_a_version_that_keeps_machines_from_being_idle_is_refused(
    colab: Colab, here: ColabBackend, version: str
) -> None:
    colab.rules.version = version
    with pytest.raises(BadInputError, match="leaves a process here") as caught:
        here.bundle("T4")
    assert caught.value.hint == facts.NEWER
    assert [(each.name, each.ok) for each in here.checks()] == [("colab", False)]
    assert not colab.machines


def test_a_token_without_the_scope_is_our_own_fault(colab: Colab, here: ColabBackend) -> None:
    colab.rules.sign_in = "scope"
    with pytest.raises(Refusal) as caught:
        here.submit(order(), hand)
    assert "colaboratory" in str(caught.value.hint)


def test_a_session_is_told_its_cards_and_when_its_credentials_end(colab: Colab, here: ColabBackend) -> None:
    until = datetime.now(UTC) + timedelta(hours=3)
    seen: list[dict[str, object]] = []

    def look(number: int, _when: str) -> None:
        words = colab.calls[number - 1]
        if words[-1].endswith(naming.HANDED) and Path(words[-2]).exists():
            seen.append(json.loads(Path(words[-2]).read_bytes()))

    colab.watcher = look
    here.submit(order(gpu="T4"), lambda: Credentials(environment=servers.NOBODY, until=until))
    assert seen[0]["until"] == until.isoformat()


def test_a_machines_age_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a killed command asked for hours ago is not new."""
    from infra.colab import start

    ages = {"self": 3.0, "1": 7200.0}
    monkeypatch.setattr(start.machine, "since_start_s", ages.__getitem__)
    assert start.age_s() == 7200.0


def test_the_cards_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.colab import start

    monkeypatch.setattr(start.machine, "of_cards", {"name": ["Tesla T4"], "driver_version": ["580.82.07"]}.__getitem__)
    found = start.given_cards({"shows": "T4", "gpu": "T4"})
    assert found == {"gpus": ["Tesla T4"], "driver": "580.82.07"}
    with pytest.raises(RuntimeError, match="Colab gave a Tesla T4"):
        start.given_cards({"shows": "L4", "gpu": "L4"})
