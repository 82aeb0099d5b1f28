"""A machine of a cloud, played by a folder: its script really runs, and finds the programs of that folder alone.

`shutdown`, `nvidia-smi` and, where a test wants it, `docker` are played; the rest are this machine's own. So the
script reaches neither this machine's power switch nor its GPU. A machine that shuts down takes its watcher with it: so
the process that the script starts by `setsid` is known.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.waiting import until

OWN = (
    "base64", "bash", "cat", "curl", "cut", "grep", "head", "mktemp", "paste", "sed", "seq", "sh", "sleep", "tail",
    "tar", "tee", "timeout",
)  # fmt: skip
POWER = """#!/bin/sh
echo "$*" >>{folder}/power
[ "$*" = "-h now" ] || exit 0
watcher=$(cat {folder}/watcher 2>/dev/null) || exit 0
/bin/rm {folder}/watcher
kill -9 "$watcher"
"""
SETSID = """#!/bin/bash
echo $$ >{folder}/watcher
grep -qx -e "-h now" {folder}/power && exit
exec {setsid} "$@"
"""
GPU = '#!/bin/sh\ncase "$*" in *driver_version*) echo 595.12 ;; *) echo "Tesla T4" ;; esac\n'
SHORT = "#!/bin/sh\nexec /bin/sleep 0.05\n"
NO_GPU = '#!/bin/sh\necho "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver."\nexit 9\n'


@dataclass(kw_only=True)
class Vm:
    """One machine; `environment` is where its metadata service is. `hurries`: what it waits for is short."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    has_gpu: bool = True
    docker: str | None = None
    hurries: bool = False
    process: subprocess.Popen[bytes] | None = None

    def start(self, script: str) -> None:
        """Switch it on: from here on it is on its own."""
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        for name in OWN:
            if found := shutil.which(name):
                (programs / name).symlink_to(found)
        if self.hurries:
            (programs / "sleep").unlink()
            self._play("sleep", SHORT)
        self._play("shutdown", POWER.format(folder=self.folder))
        self._play("setsid", SETSID.format(folder=self.folder, setsid=shutil.which("setsid")))
        self._play("nvidia-smi", GPU if self.has_gpu else NO_GPU)
        if self.docker is not None:
            self._play("docker", self.docker)
        elif found := shutil.which("docker"):
            (programs / "docker").symlink_to(found)
        text = self.folder / "user-data"
        text.write_text(script)
        with (self.folder / "console").open("wb") as console:
            self.process = subprocess.Popen(
                [programs / "bash", text],
                env={"PATH": str(programs), "HOME": str(self.folder), "TMPDIR": str(self.folder), **self.environment},
                stdout=console,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def wait(self, timeout_s: float = 300.0) -> None:
        """Until its script has ended, and the machine is told to shut down."""
        assert self.process is not None
        self.process.wait(timeout_s)
        until(lambda: "-h now" in self.power(), lambda: f"the machine is still there:\n{self.console()}")

    def kill(self) -> None:
        """End the script without a word, as a machine does that is short of memory."""
        assert self.process is not None
        self.process.kill()

    def power(self) -> list[str]:
        """How the machine was told to shut down, each time."""
        return self.written("power").splitlines()

    def written(self, name: str) -> str:
        """What is in a file of the machine by now."""
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def console(self) -> str:
        return self.written("console")

    def clear(self) -> None:
        """Nothing of it goes on."""
        if self.process is not None:
            for _ in range(2):
                try:
                    os.killpg(self.process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    break
            if watcher := self.written("watcher").strip():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(int(watcher), signal.SIGKILL)
            self.process.wait()

    def _play(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
