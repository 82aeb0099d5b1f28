"""This machine: a session is a detached process that outlives the terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from facegan import process
from facegan.experiment import Json
from facegan.home import VARIABLE
from facegan.process import Life
from jobs import heavy
from jobs.backends.base import Backend, Capabilities, Order
from jobs.errors import JobError
from jobs.settings import Settings

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LAST_WORDS_BYTES = 4000


class LocalBackend(Backend):
    """Processes of this machine. What they print before their lease goes to files under FACEGAN_HOME."""

    name = "local"

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home

    def capabilities(self) -> Capabilities:
        return Capabilities(
            summary="a process on this machine that outlives the terminal",
            gpus=_gpus(),
            stores=("file", "s3", "gs"),
            data_is_here=True,
        )

    def device(self, gpu: str | None) -> str:
        return "gpu" if gpu or _gpus() else "cpu"

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        """Hold a lock file. The operating system lets go of it when this process dies, however it dies."""
        path = self._folder(run) / "launching"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            _lock(file.fileno())
            yield

    def command(self, order: Order) -> Json:
        arguments = heavy.command("run", order.run_url, "--session", str(order.number))
        return {"arguments": arguments, "environment": self._environment(order)}

    def submit(self, order: Order) -> Json:
        """Start the process, unless it is there.

        The crash argument: this is called with `launching` held. A command killed before the start leaves
        an intent that `look_up`, under the same lock, finds no process for; killed after it, the process
        is found by its arguments, and takes its lease whether or not anybody wrote down its id.
        """
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

    def life(self, ref: Json) -> Life:
        return process.life(ref)

    def last_words(self, order: Order) -> str:
        try:
            data = self._output(order).read_bytes()
        except FileNotFoundError:
            return ""
        return data[-LAST_WORDS_BYTES:].decode(errors="replace")

    def _environment(self, order: Order) -> Json:
        chosen = {VARIABLE: str(self._home), "PYTHONUNBUFFERED": "1"}
        if order.gpu is not None:
            chosen["CUDA_VISIBLE_DEVICES"] = str(_gpus().index(order.gpu))
        return chosen

    def _folder(self, run: str) -> Path:
        return self._home / "local" / run

    def _output(self, order: Order) -> Path:
        folder = self._folder(order.run)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{order.number}.txt"


def _gpus() -> list[str]:
    """The machine's NVIDIA GPUs, by the short names that users type: `T4`, `A100`."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    return [_short(line) for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _short(name: str) -> str:
    words = name.replace("NVIDIA", "").replace("Tesla", "").replace("GeForce", "").split()
    return words[0].split("-")[0] if words else name


def _detached() -> Json:
    """How a child is kept from dying with the terminal, or with this process."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    return {"start_new_session": True}


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX)
