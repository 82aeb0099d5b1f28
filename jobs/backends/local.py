"""This machine: a session is a detached process that outlives the terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from facegan import process
from facegan.errors import BadInputError
from facegan.experiment import Json
from facegan.home import VARIABLE
from facegan.lock import alone
from facegan.process import Life
from jobs import heavy
from jobs.backends import nvidia
from jobs.backends.base import Backend, Capabilities, Fate, Hand, Machine, Order
from jobs.errors import JobError, NotSetUpError
from jobs.settings import Settings

LAST_WORDS_BYTES = 4000
LOOK_EVERY_S = 0.002
GRACE_S = 30.0  # for a last checkpoint, before the process is killed: a session plans with less
KILLED_S = 5.0
ENDINGS = ((signal.SIGTERM, GRACE_S), (getattr(signal, "SIGKILL", signal.SIGTERM), KILLED_S))


class LocalBackend(Backend):
    """Processes of this machine. What they print before their lease goes to files under FACEGAN_HOME."""

    name = "local"
    host = None

    def __init__(self, settings: Settings, host: str | None = None) -> None:
        if host is not None:
            raise BadInputError(f'backend "local" is this machine alone, not "{host}"', hint="leave --host out")
        self._home = settings.home

    def capabilities(self) -> Capabilities:
        return Capabilities(
            summary="a process on this machine that outlives the terminal",
            gpus=nvidia.names(),
            stores=("file", "s3", "gs"),
            data_is_here=True,
        )

    def machine(self, gpu: str | None) -> Machine:
        there = nvidia.names()
        gpus = len(there) if gpu is None else there.count(gpu)
        return Machine(device="gpu" if gpu or there else "cpu", cores=os.cpu_count() or 1, gpus=gpus)

    def bundle(self, gpu: str | None) -> Json:
        """Nothing: a session runs the code that is here.

        Raises:
            NotSetUpError: it could not train here.
        """
        del gpu
        if not heavy.has("tensorflow"):
            raise NotSetUpError("TensorFlow is not installed here", hint="pip install 'facegan-job[train]'")
        return {}

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        with alone(self._folder(run) / "launching"):
            yield

    def command(self, order: Order) -> Json:
        limit = () if order.limit_s is None else ("--budget-s", str(order.limit_s))
        arguments = heavy.command("run", order.run_url, "--session", str(order.number), *limit)
        return {"arguments": arguments, "environment": self._environment(order)}

    def submit(self, order: Order, hand: Hand) -> Json:
        """Start the process, unless it is there. It has this machine's own credentials.

        The crash argument: this is called with `launching` held. A command killed before the start leaves
        an intent that `look_up`, under the same lock, finds no process for; killed after it, the process
        is found by its arguments, and takes its lease whether or not anybody wrote down its id.
        """
        del hand
        known = self.look_up(order)
        if known is not None:
            return known
        sent = self.command(order)
        output = self._output(order)
        with output.open("ab") as sink:
            child = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments made above
                sent["arguments"],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, **sent["environment"]},
                cwd=self._home,
                **_detached(),
            )
        while child.poll() is None and self.look_up(order) is None:
            time.sleep(LOOK_EVERY_S)  # the kernel shows no arguments for the first moment after a start
        ref = process.identify(child.pid)
        if ref is None:
            raise JobError(f"session {order.number} ended as it started", hint=f'read "{output}"')
        return dataclasses.asdict(ref)

    def look_up(self, order: Order) -> Json | None:
        wanted = self.command(order)["arguments"][1:]
        for pid, arguments in process.everyone():
            if arguments[1:] == wanted and (found := process.identify(pid)):
                return dataclasses.asdict(found)
        return None

    def fate(self, ref: Json) -> Fate:
        return Fate(life=process.life(ref), why="its process is gone")

    def last_words(self, order: Order) -> str:
        try:
            data = self._output(order).read_bytes()
        except FileNotFoundError:
            return ""
        return data[-LAST_WORDS_BYTES:].decode(errors="replace")

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        del run_url, keep  # what a process leaves is its output, which is kept

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """Ask the process to end, and kill it where it does not; only a process that is certainly the session's."""
        del delete
        for number, patience_s in ENDINGS:
            known = process.send(ref, number)
            if known is Life.UNKNOWN:
                raise BadInputError(f'its process is on "{ref.get("host")}", not here', hint="end it there")
            deadline = time.monotonic() + patience_s
            while process.life(ref) is Life.ALIVE and time.monotonic() < deadline:
                time.sleep(LOOK_EVERY_S)
            if process.life(ref) is Life.GONE:
                return
        raise JobError(f"process {ref.get('pid')} does not end, not even killed", hint="is its disk hanging?")

    def kill(self, ref: Json) -> None:
        process.send(ref, ENDINGS[-1][0])

    def _environment(self, order: Order) -> Json:
        chosen = {VARIABLE: str(self._home), "PYTHONUNBUFFERED": "1"}
        if order.gpu is not None:
            those = [str(place) for place, name in enumerate(nvidia.names()) if name == order.gpu]
            chosen["CUDA_VISIBLE_DEVICES"] = ",".join(those[: order.replicas])
        return chosen

    def _folder(self, run: str) -> Path:
        return self._home / "local" / run

    def _output(self, order: Order) -> Path:
        folder = self._folder(order.run)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{order.number}.txt"


def _detached() -> Json:
    """How a child is kept from dying with the terminal, or with this process."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    return {"start_new_session": True}
