"""One machine: a root of its own with Colab's folders, its kernel, and whatever the kernel starts.

Built from the same parts as the stand-in for Kaggle's (tests/fakes/rooted.py): a mount and a process namespace
of its own, this machine's system read-only, and the Python of the tests without this project.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fakes import rooted
from tests.fakes.rooted import bound, python, unshare, words

LAUNCHER = Path(__file__).parent / "kernel_launcher.py"
INSIDE = "/opt/colab/colab_kernel_launcher.py"  # [F] the kernel's process has such a name
CARDS = {"T4": "Tesla T4", "L4": "NVIDIA L4", "A100": "NVIDIA A100-SXM4-40GB"}
NVIDIA_SMI = """#!/bin/sh
for word in "$@"; do case "$word" in --query-gpu=name) echo "@NAME@"; exit 0 ;;
--query-gpu=driver_version) echo "580.82.07"; exit 0 ;; esac; done
echo "| NVIDIA-SMI 580.82.07    Driver Version: 580.82.07    CUDA Version: 13.0 |"
"""
Printed = Callable[[str, str], object]


class Machine:
    """Assigned to an account until it is ended: by its user, by itself, for doing nothing, or at the cap."""

    def __init__(self, endpoint: str, accelerator: str, folder: Path, environment: dict[str, str]) -> None:
        self.endpoint, self.accelerator, self.folder = endpoint, accelerator, folder
        self.began = self.active = time.monotonic()
        self.why = ""
        self.ready = threading.Event()
        self._lock = threading.Lock()
        self._cells: dict[int, tuple[Printed | None, threading.Event]] = {}
        self._count = 0
        self._lay_out()
        self._environment = environment
        self._started = threading.Event()
        threading.Thread(target=self._live, daemon=True).start()
        self._started.wait()

    @property
    def is_over(self) -> bool:
        return bool(self.why)

    @property
    def is_busy(self) -> bool:
        return any(not done.is_set() for _, done in list(self._cells.values()))

    def end(self, why: str) -> None:
        """All of it at once, without a word."""
        with self._lock:
            if self.is_over:
                return
            self.why = why
        rooted.kill(self._process)
        for _, done in list(self._cells.values()):
            done.set()

    def run(self, code: str, timeout_s: float, printed: Printed) -> None:
        """Run a cell, after those before it. Raises `TimeoutError`, and the cell goes on."""
        done = threading.Event()
        with self._lock:
            self._count += 1
            number = self._count
            self._cells[number] = (printed, done)
            if self.is_over:
                done.set()
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps({"number": number, "code": code}).encode() + b"\n")
                self._process.stdin.flush()
        if not done.wait(timeout_s):
            self._cells[number] = (None, done)
            raise TimeoutError
        self.active = time.monotonic()

    def path(self, remote: str) -> Path:
        """Where a file of `/content` lies outside. Hidden ones are not shown, as Jupyter's are not."""
        parts = Path(remote.strip("/")).parts
        if parts[:1] != ("content",) or ".." in parts or any(part.startswith(".") for part in parts):
            raise FileNotFoundError
        return self.folder.joinpath(*parts)

    def processes(self) -> list[list[str]]:
        """The arguments of every process on it, as anybody there may see them."""
        found = []
        for each in self.processes_at():
            with contextlib.suppress(OSError):
                found.append((each / "cmdline").read_bytes().decode().rstrip("\0").split("\0"))
        return found

    def processes_at(self) -> list[Path]:
        """Where the kernel shows each process on it."""
        first, *_ = rooted.children(self._process.pid)
        space = Path(f"/proc/{first}/ns/pid").readlink()
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                found += [each] if (each / "ns" / "pid").readlink() == space else []
        return found

    def _live(self) -> None:
        """In a thread that lives as long: what `unshare` starts dies with the thread that starts it."""
        self._process = subprocess.Popen(
            [*unshare(), "/bin/sh", str(self.folder / "start.sh")],
            env={"HOME": "/root", "PATH": f"{Path(sys.prefix) / 'bin'}:{rooted.PATH}", **self._environment},
            cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(self.folder / "errors.txt").open("wb"),
            start_new_session=True,
        )  # fmt: skip
        self._started.set()
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if answer.get("ready"):
                self.began = self.active = time.monotonic()
                self.ready.set()
                continue
            printed, done = self._cells[answer["number"]]
            if answer.get("done"):
                self.active = time.monotonic()
                done.set()
            elif printed is not None:
                printed(answer["stream"], answer["text"])

    def _lay_out(self) -> None:
        for name in ("content/sample_data", "root", "tmp", "bin", "new", "colab"):
            (self.folder / name).mkdir(parents=True)
        shutil.copy(LAUNCHER, self.folder / "colab" / Path(INSIDE).name)
        if self.accelerator in CARDS:
            tool = self.folder / "bin" / "nvidia-smi"
            tool.write_text(NVIDIA_SMI.replace("@NAME@", CARDS[self.accelerator]))
            tool.chmod(0o755)
        (self.folder / "start.sh").write_text("\n".join(self._steps()) + "\n")

    def _steps(self) -> list[str]:
        folder, new = self.folder, self.folder / "new"
        steps = rooted.root(new)
        for name, where in (("content", "content"), ("root", "root"), ("tmp", "tmp"), ("bin", "opt/bin")):
            steps += bound(folder / name, new / where)
        steps += bound(folder / "colab", new / "opt/colab", read_only=True)
        steps += python(new)
        inside = f"cd /content && exec {words('python3', '-S', INSIDE)}"
        return [*steps, words("cd", new), f"exec {words('chroot', '.', '/bin/sh', '-c', inside)}"]


def environment(manager: str, accelerator: str) -> dict[str, str]:
    """A kernel's variables [F]."""
    return {
        "COLAB_GPU": "" if accelerator == "NONE" else "1",
        "COLAB_RELEASE_TAG": "release-colab-external_20261110-060115_RC00",
        "TBE_RUNTIME_ADDR": manager,
        "TBE_EPHEM_CREDS_ADDR": "172.28.0.1:8009",
        "LANG": "en_US.UTF-8",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        **({"NO_PROXY": os.environ["NO_PROXY"]} if "NO_PROXY" in os.environ else {}),
    }
