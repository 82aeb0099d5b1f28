"""The port, held against the stand-in: one session for a number, whatever breaks, and nothing concluded too early."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from facegan.accounts import Credentials
from facegan.process import Life
from facegan.storage.memory import MemoryStore
from jobs import launch
from jobs.backends.colab import naming
from jobs.backends.colab.backend import ColabBackend, Times
from jobs.backends.colab.notes import Notes
from jobs.refusals import Uncertain
from tests.cloud import servers
from tests.colab.submitting import CANARY, backend, hand, nobody, order
from tests.fakes.colab import Colab
from tests.fakes.colab.fake import AFTER, BEFORE, Fault
from tests.fakes.colab.machine import Machine
from tests.unit.jobs import world
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
NAME = naming.name(order())
CALLS = ("whoami", "sessions", "sessions", "new", "sessions", "exec", "upload", "upload", "exec", "exec")


def content(machine: Machine, name: str) -> Path:
    return machine.folder / "content" / NAME / name


def ended(colab: Colab) -> None:
    """Wait until the session has said how it ended: it finds no store."""
    until(content(colab.machine, naming.ENDED).exists)


def without_folders(words: Sequence[str]) -> list[str]:
    """The same call: of files here that are made and gone, what they are called; of cells, none."""
    inside = "/content/"
    bare = [word if word.startswith(inside) else word.rpartition("/")[2] for word in words]
    return ["…" if word.endswith(".py") else word for word in bare]


def begun(machine: Machine) -> int:
    """How often a session's process was begun on it."""
    return content(machine, naming.LOG).read_text().count("facegan-start: GPUs")


# --- one session for a number ---------------------------------------------------------------------


def test_a_session_is_submitted_once(colab: Colab, here: ColabBackend, tmp_path: Path) -> None:
    shown = here.command(order())["calls"]
    ref = here.submit(order(), hand)
    assert [without_folders(words) for words in colab.calls] == [without_folders(words[1:]) for words in shown]
    assert ref == {"session": NAME, "endpoint": colab.machine.endpoint, "account": "ada@example.com"}
    assert tuple(colab.verbs()) == CALLS
    assert here.submit(order(), nobody) == ref
    assert backend(tmp_path, colab.bin).submit(order(), nobody) == ref
    assert colab.verbs().count("new") == 1
    ended(colab)
    assert begun(colab.machine) == 1
    assert here.host == "ada@example.com"


def test_one_that_has_ended_is_not_started_again(colab: Colab, here: ColabBackend) -> None:
    assert here.look_up(order()) is None
    ref = here.submit(order(), hand)
    ended(colab)
    assert here.look_up(order()) is None
    assert here.submit(order(), nobody) == ref
    assert begun(colab.machine) == 1


def kill_at(colab: Colab, home: Path, place: int, when: str) -> bool:
    """Submit in a process that is killed at its call of that number; whether it came so far."""
    first = len(colab.calls)

    def watch(number: int, now: str) -> bool:
        """Whether the call goes on. Before its effect it does not: the machine that it was typed on is switched off."""
        if (number, now) != (first + place, when):
            return True
        child.kill()
        child.wait()
        return when == AFTER

    colab.watcher = watch
    with colab.lock:  # no call of it is heard before it is known
        child = submitting(colab, home)
    killed = child.wait(timeout=PATIENCE_S) != 0
    colab.watcher = None
    return killed


def submitting(colab: Colab, home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.colab.submitting", str(home), str(colab.bin)], cwd=ROOT)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("place", range(1, len(CALLS) + 1), ids=[f"{n}-{verb}" for n, verb in enumerate(CALLS, 1)])
def test_killed_at_any_call_and_repeated_there_is_one_session(
    colab: Colab, tmp_path: Path, place: int, when: str
) -> None:
    assert kill_at(colab, tmp_path, place, when)
    here = backend(tmp_path, colab.bin)
    here.submit(order(), hand)
    ended(colab)
    assert begun(colab.machine) == 1
    assert not colab.ended
    assert not list((tmp_path / "colab" / NAME).glob(f"{naming.HANDED}*"))


def test_a_call_of_the_command_that_outlives_us_is_waited_for(colab: Colab, tmp_path: Path) -> None:
    """The first command is killed while Colab looks for a machine; the second one finds that call at work."""
    found, release = threading.Event(), threading.Event()

    def hold(number: int, when: str) -> None:
        if colab.calls[number - 1][3] == "new" and when == BEFORE:
            first.kill()
            first.wait()
            found.set()
            assert release.wait(PATIENCE_S)

    colab.watcher = hold
    with colab.lock:
        first = submitting(colab, tmp_path)
    assert found.wait(PATIENCE_S)
    threading.Timer(0.5, release.set).start()
    backend(tmp_path, colab.bin).submit(order(), hand)
    assert colab.verbs().count("new") == 1
    assert len(colab.machines) == 1


def test_a_machine_whose_command_did_not_live_to_name_it_is_found_untouched(colab: Colab, here: ColabBackend) -> None:
    colab.rules.dies_in_new = True
    with pytest.raises(Uncertain):
        here.submit(order(gpu="T4"), hand)
    endpoint = colab.machine.endpoint
    assert here.submit(order(gpu="T4"), hand)["endpoint"] == endpoint
    ended(colab)
    assert begun(colab.machine) == 1


def test_a_machine_that_somebody_works_on_is_not_taken(colab: Colab, here: ColabBackend) -> None:
    colab.rules.machines, colab.rules.dies_in_new = 2, True
    with pytest.raises(Uncertain):
        here.submit(order(gpu="T4"), hand)
    theirs = colab.machine
    (theirs.folder / "content" / "thesis.ipynb").write_text("{}")
    colab.rules.dies_in_new = False
    ref = here.submit(order(gpu="T4"), hand)
    assert ref["endpoint"] != theirs.endpoint
    assert not content(theirs, naming.BUNDLE).exists()


def test_one_that_was_there_before_is_not_taken_for_ours(colab: Colab, here: ColabBackend) -> None:
    colab.rules.machines = 2
    theirs = colab.assign("T4")
    colab.faults = [Fault(verb="new", kind="die")]
    with pytest.raises(Uncertain):
        here.submit(order(gpu="T4"), hand)
    assert here.submit(order(gpu="T4"), hand)["endpoint"] != theirs.endpoint


def test_one_that_was_only_looked_at_is_not_ours(colab: Colab, here: ColabBackend, tmp_path: Path) -> None:
    """A command is killed between giving somebody's machine the name, and looking whether it is used."""
    colab.rules.machines = 2
    theirs = colab.assign("T4")
    (theirs.folder / "content" / "thesis.ipynb").write_text("{}")
    notes = Notes(tmp_path, NAME)
    notes.creating([])
    notes.trying()
    notes.adopt(theirs.endpoint)
    assert here.submit(order(gpu="T4"), hand)["endpoint"] != theirs.endpoint


# --- what becomes of it ---------------------------------------------------------------------------


def test_a_session_that_could_not_begin_says_why(colab: Colab, here: ColabBackend) -> None:
    ref = here.submit(order(gpu="T4"), hand)
    ended(colab)
    fate = here.fate(ref)
    assert fate.life is Life.GONE
    assert "could not begin at Colab: this session cannot reach its store at 127.0.0.1:1" in fate.why
    assert "cannot reach its store" in here.last_words(order())
    printed = list(here.printed(order()))
    assert printed[0] == "facegan-start: GPUs: Tesla T4\n"
    here.sweep(order().run_url, keep=())
    assert not colab.machines
    assert list(here.printed(order())) == printed, "kept when its machine is given back"


def test_one_that_failed_gives_its_machine_back_when_nobody_comes(colab: Colab, tmp_path: Path) -> None:
    here = backend(tmp_path, colab.bin, times=Times(missing_s=0.1, linger_s=0.2))
    colab.lets_go.clear()  # its process is over soon: not before `submit` is
    ref = here.submit(order(), hand)
    colab.lets_go.set()
    until(lambda: colab.ended)
    assert colab.ended[0].why == "unassigned"
    assert here.fate(ref).life is Life.UNKNOWN, "not on the first look"
    time.sleep(0.2)
    assert here.fate(ref).life is Life.GONE


def test_a_machine_of_another_computer_is_known_by_its_endpoint(colab: Colab, tmp_path: Path) -> None:
    ref = backend(tmp_path / "one", colab.bin).submit(order(), hand)
    ended(colab)
    there = backend(tmp_path / "two", colab.bin)
    assert there.look_up(order()) is None, "Colab keeps no names"
    assert there.fate(ref).life is Life.GONE
    there.cancel(ref)
    assert not colab.machines


def test_a_second_computer_begins_no_second_machine_for_a_number(
    colab: Colab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session has said nothing yet: that it was started is in the ledger alone."""
    monkeypatch.setattr(launch, "open_backend", lambda _name, settings, **_: backend(settings.home, colab.bin))
    monkeypatch.setattr(launch, "_hand", lambda *_: lambda: Credentials(environment=servers.NOBODY))
    colab.rules.machines = 2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bucket = MemoryStore()
        bucket.url = f"s3://bucket/prefix?endpoint=http://127.0.0.1:{silent.getsockname()[1]}"
        one, two = (world.context(tmp_path / name, bucket) for name in ("one", "two"))
        first = world.submit(one, backend(one.settings.home, colab.bin))
        known = world.kinds(bucket)
        assert known == ["created", "intent", "launched"]

        assert world.submit(two, backend(two.settings.home, colab.bin)) == first
        assert world.resume(two, backend(two.settings.home, colab.bin)) == first
        assert world.kinds(bucket) == known
        assert len(colab.machines) == 1
        assert colab.verbs().count("new") == 1


def test_it_is_cancelled_for_certain_and_more_than_once(colab: Colab, here: ColabBackend) -> None:
    ref = here.submit(order(), hand)
    here.cancel(ref)
    assert not colab.machines
    here.cancel(ref)


def test_a_sweep_leaves_what_has_not_ended(colab: Colab, tmp_path: Path) -> None:
    here = backend(tmp_path, colab.bin)
    colab.faults = [Fault(verb="upload", kind="die")]
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    here.sweep(order().run_url, keep=())
    assert colab.machines, "another command may be about to start it"
    hours_ago = time.time() - 7200
    os.utime(Notes(tmp_path, NAME).begun, (hours_ago, hours_ago))
    here.sweep(order().run_url, keep=(1,))
    here.sweep(order(run="another").run_url, keep=())
    assert colab.machines
    here.sweep(order().run_url, keep=())
    assert not colab.machines


def test_what_doctor_looks_at(colab: Colab, here: ColabBackend) -> None:
    assert [(each.name, each.ok) for each in here.checks()] == [
        ("colab", True), ("colab account", True), ("colab balance", None),
    ]  # fmt: skip
    colab.rules.sign_in = "absent"
    assert [(each.name, each.ok) for each in here.checks()] == [("colab", True), ("colab account", False)]
    assert here.quota() is None


# --- secrets --------------------------------------------------------------------------------------


def test_no_secret_stays_anywhere(colab: Colab, here: ColabBackend, tmp_path: Path) -> None:
    """Not in a file here or there, what was typed, what the command keeps, the ref, or the process list."""
    shown = json.dumps(here.command(order()))
    modes: list[int] = []

    def look(number: int, when: str) -> None:
        words = colab.calls[number - 1]
        if "upload" in words and naming.HANDED in words[-1] and when == BEFORE:
            local = Path(words[-2])
            modes.extend([local.stat().st_mode & 0o777, local.parent.stat().st_mode & 0o777])

    colab.watcher = look
    ref = here.submit(order(), hand)
    processes = json.dumps(colab.machine.processes())
    ended(colab)
    assert modes == [0o600, 0o700]
    assert content(colab.machine, "").stat().st_mode & 0o777 == 0o700
    kept = [path for folder in (tmp_path, colab.machine.folder / "content", colab.machine.folder / "tmp")
            for path in folder.rglob("*") if path.is_file()]  # fmt: skip
    assert content(colab.machine, naming.BUNDLE) in kept
    texts = [path.read_bytes().decode(errors="replace") for path in kept]
    everything = [shown, processes, json.dumps(ref), json.dumps(colab.calls), *colab.rules.history, *texts]
    assert not [text for text in everything if CANARY in text]
