"""A Docker engine of our own, which may be stopped and killed: with data, sockets and a bridge of its own.

Nobody's else: the engine of the machine it runs on goes on as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from docker.errors import DockerException

from facegan.process import everyone
from tests.waiting import until

ADDRESS = "172.31.251.1"
BRIDGE = "facegan-test0"
MEMORY, ROOM = Path("/dev/shm"), 6 * 10**9
ENDS_WITHIN_S = 600.0  # it waits for its containers


class Daemon:
    """`url` is its socket's. Started again, it finds the containers of the one before.

    containerd runs beside it, as on a machine where both are services: containers outlive an engine that is killed.
    """

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder}/docker.sock"
        self._folder = folder
        (folder / "containerd.toml").write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        command = ["containerd", "--config", folder / "containerd.toml", "--address", self._containerd]
        self._beside = self._run([*command, "--root", folder / "containerd", "--state", folder / "state"])

    def start(self) -> None:
        at = self._folder
        (at / "docker.pid").unlink(missing_ok=True)  # of one that was killed
        command = ["dockerd", "--host", self.url, "--containerd", self._containerd, "--pidfile", at / "docker.pid"]
        command += ["--data-root", at / "data", "--exec-root", at / "exec"]
        self._process = self._run([*command, "--bridge", BRIDGE, "--iptables=false", "--ip-forward=false"])
        until(lambda: self._answers() or self._process.poll() is not None, self._said)
        assert self._process.poll() is None, self._said()

    def _said(self) -> str:
        return (self._folder / "log").read_text()[-2000:]

    @property
    def _containerd(self) -> Path:
        return self._folder / "containerd.sock"

    def _run(self, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> None:
        self._process.wait(timeout=ENDS_WITHIN_S)

    def close(self) -> None:
        """End it, and every container it has."""
        with contextlib.suppress(DockerException, OSError):  # it may be dead already: that is what the test is about
            for container in self.client().containers.list(all=True):
                container.remove(force=True)
        for process in (self._process, self._beside):
            process.terminate()
            process.wait(timeout=ENDS_WITHIN_S)
        for pid, arguments in everyone():  # what watched the containers of an engine that never came back
            if str(self._folder) in " ".join(arguments):
                os.kill(pid, signal.SIGKILL)

    def client(self) -> Any:
        import docker

        return docker.DockerClient(base_url=self.url, timeout=600)

    def _answers(self) -> bool:
        import docker

        try:
            return bool(self.client().ping())
        except (docker.errors.DockerException, OSError):
            return False


@contextlib.contextmanager
def daemon() -> Iterator[Daemon]:
    """An engine without images, in a folder whose name is short enough for sockets; in memory where that has room."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="facegan-engine-", dir=MEMORY if in_memory else None))
    _ip("link", "add", "name", BRIDGE, "type", "bridge")
    try:
        _ip("addr", "add", f"{ADDRESS}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        found = Daemon(folder)
        try:
            found.start()
            yield found
        finally:
            found.close()
    finally:
        _ip("link", "delete", BRIDGE)
        _unmount(folder)
        shutil.rmtree(folder)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _unmount(folder: Path) -> None:
    """What an engine that was killed left mounted, one over the other."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in reversed(mounted):
        if Path(point).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", point], check=True)


def can_be_started() -> bool:
    return os.geteuid() == 0 and all(shutil.which(name) for name in ("dockerd", "containerd", "ip"))
