"""A real Jupyter kernel with an exported notebook open in it, and the person who runs its cells."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager

LONGEST_S = 200.0


@dataclass(kw_only=True)
class Ran:
    """What a cell has printed so far, and how it ended: the error's words, or none."""

    printed: str = ""
    error: str | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def end(self) -> Ran:
        assert self.over.wait(LONGEST_S), self.printed
        return self

    def hear(self, message: Mapping[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            self.printed += content["text"]
        elif message["msg_type"] == "error":
            self.error = str(content["evalue"])
            self.printed += "\n".join(content["traceback"])


class Jupyter:
    """One kernel on a machine with this home."""

    def __init__(self, notebook: Path, home: Path, variables: Mapping[str, str]) -> None:
        self.cells = {cell["id"]: cell["source"] for cell in opened(notebook)["cells"]}
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if name not in {"FACEGAN_HOME", "PYTHONPATH"}}
        self._sockets = tempfile.TemporaryDirectory(prefix="jupyter-")
        self._manager = KernelManager(kernel_name="python3", **over(self._sockets.name))
        self._manager.start_kernel(
            env={**kept, "HOME": str(home), "TMPDIR": str(home), "IPYTHONDIR": str(home / "ipython"), **variables},
            cwd=str(home),
        )
        self._client = self._manager.client()
        self._is_closed = False
        self._client.start_channels()
        self._client.wait_for_ready(timeout=LONGEST_S)

    def begin(self, source: str, answers: Sequence[str] | None = None) -> Ran:
        """Run this, and do not wait for its end; `answers` are typed when it asks."""
        ran = Ran()
        given = iter(answers or ())

        def run() -> None:
            try:
                self._client.execute_interactive(
                    source,
                    allow_stdin=answers is not None,
                    output_hook=ran.hear,
                    stdin_hook=lambda _asked: self._client.input(next(given)),
                    timeout=LONGEST_S,
                )
            except RuntimeError as error:  # the kernel is dead
                ran.error = str(error)
            except Exception as error:
                if not self._is_closed:  # else what it listened to was taken from it
                    raise
                ran.error = str(error)
            finally:
                ran.over.set()

        threading.Thread(target=run, daemon=True).start()
        return ran

    def run(self, cell: str, answers: Sequence[str] | None = None) -> Ran:
        return self.begin(self.cells[cell], answers).end()

    def make_ready(self) -> None:
        """Run all cells but the last on a machine without a GPU, as its person is told to."""
        self.cells["machine"] = "machine = look(cpu=True)"
        for cell in ("program", "machine", "access"):
            ran = self.run(cell)
            assert ran.error is None, ran.printed

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        """As a machine kills it: with its children, but for those that are a group of their own."""
        os.killpg(self.pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        provisioner: Any = self._manager.provisioner
        return int(provisioner.process.pid)

    def close(self) -> None:
        self._is_closed = True
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._sockets.cleanup()


def over(folder: str) -> dict[str, str]:
    """How to reach a kernel: by sockets in this folder, and not by free ports, which somebody else may take first."""
    return {"transport": "ipc", "ip": f"{folder}/kernel"}


@contextmanager
def jupyter(notebook: Path, home: Path, variables: Mapping[str, str]) -> Iterator[Jupyter]:
    kernel = Jupyter(notebook, home, variables)
    try:
        yield kernel
    finally:
        kernel.close()


def opened(notebook: Path) -> Any:
    """The notebook as a Jupyter reads it, once it is one."""
    found = nbformat.read(notebook, as_version=nbformat.NO_CONVERT)
    nbformat.validate(found)
    return found
