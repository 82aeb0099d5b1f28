"""Sessions as processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from facegan.ledger.fold import OpenSession
from facegan.process import Life
from jobs import context as contexts
from jobs import orders, settings
from jobs.backends.base import Order
from jobs.backends.local import LocalBackend
from tests.waiting import until


@pytest.fixture
def backend(home: Path) -> LocalBackend:
    assert home.exists()
    return LocalBackend(settings.load())


@pytest.fixture
def order(home: Path) -> Order:
    """A session of a run that is not there: its process ends by itself, soon and without TensorFlow."""
    assert home.exists()
    return orders.order(contexts.real(settings.load()), "no-such-run", OpenSession(number=1, backend="local"))


def nothing() -> None:
    """A session of this machine has this machine's credentials."""
    raise AssertionError


def wait_until_gone(backend: LocalBackend, ref: dict[str, object]) -> None:
    until(lambda: _reap() or backend.fate(ref).life is not Life.ALIVE)


def _reap() -> None:
    """Of processes that were killed nothing stays, whose parent these tests are."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sessions wait before their first line until somebody has opened this to write, and closed it."""
    fifo, hook = tmp_path / "held", tmp_path / "hook"
    os.mkfifo(fifo)
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(f"open({str(fifo)!r}).read()\n")
    monkeypatch.setenv("PYTHONPATH", str(hook), prepend=os.pathsep)
    return fifo


@pytest.mark.usefixtures("held")
def test_a_repeated_submit_makes_one_process(backend: LocalBackend, order: Order) -> None:
    assert backend.look_up(order) is None
    ref = backend.submit(order, nothing)
    assert backend.fate(ref).life is Life.ALIVE
    assert backend.submit(order, nothing) == backend.look_up(order) == ref
    os.kill(int(ref["pid"]), signal.SIGKILL)
    wait_until_gone(backend, ref)
    assert backend.fate(ref).life is Life.GONE
    assert backend.look_up(order) is None


def test_a_session_outlives_the_terminal(backend: LocalBackend, order: Order, held: Path) -> None:
    ref = backend.submit(order, nothing)
    assert os.getsid(int(ref["pid"])) != os.getsid(0), "it would die with this terminal"
    held.open("w").close()
    wait_until_gone(backend, ref)
    assert 'there is no run "no-such-run"' in backend.last_words(order)


def test_of_a_session_that_never_was_there_are_no_last_words(backend: LocalBackend, order: Order) -> None:
    assert backend.last_words(order) == ""


def test_what_is_sent_holds_no_more_than_it_needs(backend: LocalBackend, order: Order, home: Path) -> None:
    sent = backend.command(order)
    assert sent["arguments"][-6:] == ["-m", "facegan", "run", order.run_url, "--session", "1"]
    assert sent["environment"] == {"FACEGAN_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def hold(home: str, run: str, held: object) -> None:
    """Take the lock, say so, and never let go."""
    backend = LocalBackend(settings.load(environment={"FACEGAN_HOME": home}))
    with backend.launching(run):
        held.set()  # type: ignore[attr-defined]
        time.sleep(600)


def test_one_command_launches_at_a_time_and_a_killed_one_holds_up_nobody(backend: LocalBackend, home: Path) -> None:
    spawned = multiprocessing.get_context("spawn")
    held, mine = spawned.Event(), spawned.Event()
    holder = spawned.Process(target=hold, args=(str(home), "a-run", held), daemon=True)
    holder.start()
    assert held.wait(60)
    other = spawned.Process(target=hold, args=(str(home), "a-run", mine), daemon=True)
    other.start()
    elsewhere = spawned.Event()
    third = spawned.Process(target=hold, args=(str(home), "another-run", elsewhere), daemon=True)
    third.start()
    assert elsewhere.wait(60), "another run is launched meanwhile"
    assert not mine.wait(0.3), "two launch one run at once"
    holder.kill()
    assert mine.wait(60), "the killed one still holds the lock"
    for child in (holder, other, third):
        child.kill()
        child.join()
    with backend.launching("a-run"):
        pass


def test_a_gpu_the_machine_has_is_found_whatever_its_case(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\nprintf "NVIDIA A100-SXM4-40GB\\nTesla T4\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    context = contexts.real(settings.load())
    assert home.exists()
    where = orders.place(context, "local", "t4")
    assert (where.gpu, where.backend.machine(where.gpu).device) == ("T4", "gpu")
    order = orders.order(context, "a-run", orders.first(where))
    assert where.backend.command(order)["environment"]["CUDA_VISIBLE_DEVICES"] == "1"


def test_a_driver_that_does_not_answer_is_no_gpu(
    backend: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert list(backend.capabilities().gpus) == []
    assert backend.machine(None).device == "cpu"
