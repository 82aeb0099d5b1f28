"""`python -m facegan run <run-url>`: a session in the real world, with its clock, threads and signals."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import cast

from facegan import handed, layout, preemption, process
from facegan.attended import Attendant
from facegan.committer import Wait
from facegan.deadline import LOOK_EVERY_S, Deadline
from facegan.experiment import Data, Experiment
from facegan.home import home
from facegan.noise import is_noise
from facegan.output import Output
from facegan.prepared import Manifest
from facegan.progress import Seldom
from facegan.stopping import StopCause, StopSignal
from facegan.storage import ObjectStore, open_store
from facegan.storage.retry import PatientStore
from facegan.trainer import Trainer
from facegan.worker import Surroundings, run_session

TRAINER = "facegan.training.gan:build"
DATA = "facegan.data:load"
SETTLE = "facegan.data.settling:settle"
REQUIRE_GPU = "facegan.training.device:require_gpu"
REQUIRE_SEVERAL = "facegan.training.device:several"
STOPS = ("SIGTERM", "SIGINT", "SIGBREAK")
PROGRESS_EVERY_S = 15.0  # each piece of a session's output is a request
GRACE_S = 25.0  # what most places leave between the first signal and the last, where nobody says how long


def main(arguments: Sequence[str]) -> int:
    """Run one session of the run at this URL."""
    parser = argparse.ArgumentParser(prog="python -m facegan run", description=main.__doc__)
    parser.add_argument("run_url", help="where the run is: <store>/runs/<run>")
    parser.add_argument("--session", type=int, help="the number this session was asked for under")
    parser.add_argument("--handed", type=Path, metavar="FILE", help="what whoever started it hands to it")
    parser.add_argument("--handed-in", metavar="VARIABLE", help="the variable that this is in, where it is in no file")
    parser.add_argument("--budget-s", type=float, metavar="SECONDS", help="how long it may take, from its beginning on")
    asked = parser.parse_args(arguments)
    given = _given(asked.handed, asked.handed_in)
    stop = StopSignal()
    _stop_on_signals(stop, given.grace_s or GRACE_S)  # first: the first process of a container hears no other way
    handed.apply(given, os.environ, home())
    store_url, run = layout.split_run_url(asked.run_url)
    store = PatientStore(open_store(store_url), time.sleep)
    console = Console()
    repeat(Deadline(stop, time.monotonic, os._exit, console.say).look, LOOK_EVERY_S)  # to the end of the process
    if given.cloud is not None:
        watch = preemption.Watch(preemption.metadata(given.cloud, os.environ, time.time), stop, console.say)
        repeat(watch.look, watch.every_s)  # to the end of the process
    code = run_session(
        Surroundings(
            store=store,
            run=run,
            number=asked.session,
            holder=new_id(),
            machine={**given.found, **process.this_process()},
            origin=given.origin,
            settle=lambda experiment: settle(
                experiment.data, given.source, store, attendant(experiment, stop, console.say)
            ),
            budget_s=shorter(given.budget_s, asked.budget_s, given.left_s(datetime.now(UTC))),
            build=lambda experiment: build_trainer(
                experiment, run, store, attendant(experiment, stop, console.say), gpu=given.gpu
            ),
            clock=time.monotonic,
            wall_s=time.time,
            sleep=time.sleep,
            new_id=new_id,
            spawn=spawn,
            repeat=repeat,
            abandon=os._exit,
            began=time.monotonic() - process.age_s(),
            stop=stop,
            output=console.output,
            say=console.say,
        )
    )
    _ignore_signals()
    console.close()
    return code


def _given(file: Path | None, variable: str | None) -> handed.Handed:
    if variable is not None:
        return handed.take(variable, os.environ)
    return handed.read(file) if file else handed.Handed()


def shorter(*limits: float | None) -> float | None:
    """The strictest of these limits, where there are any."""
    return min((limit for limit in limits if limit is not None), default=None)


def new_id() -> str:
    return secrets.token_hex(8)


def build_trainer(
    experiment: Experiment, run: str, store: ObjectStore, attendant: Attendant, *, gpu: str | None = None
) -> Trainer:
    """The real trainer: TensorFlow and the data are loaded here, when the lease is already held.

    Data that are not on this machine come from the run's store, and say how far they are. A session that was
    asked for on a GPU, and is shown none, says so before it trains a week on the CPU; one of several replicas that
    is shown too few says so before it fetches gigabytes.
    """
    if gpu is not None:
        _named(REQUIRE_GPU)(gpu)
    if experiment.training.replicas > 1:
        _named(REQUIRE_SEVERAL)(experiment.training.replicas)
    images = attendant.attend(lambda say: _named(DATA)(experiment.data, home(), store, say))
    return cast("Trainer", _named(TRAINER)(experiment, images, run=run))


def settle(data: Data, source: Path | None, store: ObjectStore, attendant: Attendant) -> Manifest | None:
    """See to it that data that nobody has prepared are one array in the store; `None` where there is nothing to do."""
    if data.digest is not None and source is None:
        return None
    return cast("Manifest | None", attendant.attend(lambda say: _named(SETTLE)(data, source, home(), store, say)))


def attendant(experiment: Experiment, stop: StopSignal, say: Callable[[str], object]) -> Attendant:
    """Who listens for a stop while the data come, and passes on now and then how far they are."""
    return Attendant(
        stop=stop,
        spawn=spawn,
        clock=time.monotonic,
        say=Seldom(say, time.monotonic, PROGRESS_EVERY_S),
        silence_s=experiment.session.stall_s,
    )


def spawn(work: Callable[[], None]) -> Wait:
    thread = threading.Thread(target=work, name="beside", daemon=True)
    thread.start()

    def wait(seconds: float | None) -> bool:
        thread.join(seconds)
        return not thread.is_alive()

    return wait


def repeat(work: Callable[[], None], every_s: float) -> Callable[[], None]:
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(every_s):
            work()

    thread = threading.Thread(target=loop, name="pulse", daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join()

    return end


class Console:
    """Everything the process prints, to where it was printed to before and into the session's output.

    File descriptors are caught, not `sys.stdout`, because TensorFlow prints from C++. `say` goes around
    the pipe, so that the last words are in the output before the last flush.
    """

    def __init__(self) -> None:
        self.output = Output()
        sys.stdout.flush()
        self._screen = os.dup(1)
        self._before = (os.dup(1), os.dup(2))
        source, sink = os.pipe()
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.close(sink)
        self._reader = threading.Thread(target=self._copy, args=(source,), name="console", daemon=True)
        self._reader.start()

    def say(self, text: str) -> None:
        now = datetime.now(UTC).strftime("%H:%M:%S")
        self._write("".join(f"{now} {line}\n" for line in text.splitlines()).encode())

    def close(self) -> None:
        """Give the process its own file descriptors back."""
        sys.stdout.flush()
        sys.stderr.flush()
        for number, before in enumerate(self._before, 1):
            os.dup2(before, number)
        self._reader.join(timeout=1.0)

    def _copy(self, source: int) -> None:
        with os.fdopen(source, "rb") as lines:
            for line in lines:
                if not is_noise(line):
                    self._write(line)

    def _write(self, data: bytes) -> None:
        self.output.write(data)
        with contextlib.suppress(OSError):  # the terminal is gone; the output goes on into the store
            os.write(self._screen, data)


def _stop_on_signals(stop: StopSignal, grace_s: float) -> None:
    """Ask for a stop at the first signal; the second one ends the process as it would any other."""

    def ask(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        name = signal.Signals(number).name
        stop.give(StopCause(outcome="interrupted", why=f"received {name}", grace_s=grace_s))

    for name in STOPS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), ask)


def _ignore_signals() -> None:
    """Everything is said: a stop that comes while the process ends would only take the place of its exit code."""
    for name in STOPS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _named(name: str) -> Callable[..., object]:
    module, _, attribute = name.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(module), attribute)
    return found
