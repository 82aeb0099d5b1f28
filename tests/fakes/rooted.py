"""A root of one's own for what plays a place's machine: a mount and a process namespace, and what stands in them.

`/usr` and `/etc` of this machine are read-only there, and the Python that runs the tests has its packages, but not this
project's; changes to them are lost with the root. So nothing that the place would not have can be imported or read, and
several run at once. Being root is not needed where user namespaces are allowed. When the first process of the PID
namespace is killed, the kernel kills all others, in whatever process group they hide.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from facegan.process import identify
from tests.waiting import until

PATH = "/opt/bin:/usr/local/nvidia/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64")
NO_NETWORK = "--net"


def require() -> None:
    """Skip where no such machine can be played; on CI it has to be."""
    if reason := why_not():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def root(new: Path) -> list[str]:
    """The shell commands that make a root at `new`: this machine's system, its devices and processes. No Python yet."""
    steps = ["set -e", words("mount", "-t", "tmpfs", "none", new)]
    for name in SYSTEM:
        steps += _system(Path("/") / name, new)
    return [
        *steps,
        *_etc(new),
        words("mkdir", "-p", *(new / name for name in ("dev", "proc", "sys", "var/tmp", "run", "mnt"))),
        words("mount", "--rbind", "/dev", new / "dev"),
        words("mount", "-t", "proc", "proc", new / "proc"),
        words("mount", "--rbind", "/sys", new / "sys"),
    ]


@functools.cache
def why_not() -> str | None:
    """Why no session can run on this machine, or `None`."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return "machines of stand-ins need Linux and unshare"
    tried = subprocess.run(
        [*unshare(), NO_NETWORK, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return None if tried.returncode == 0 else f"unshare: {tried.stderr.decode(errors='replace').strip()}"


def kill(process: subprocess.Popen[bytes]) -> None:
    """The whole session at once, without a word to it: when this returns, nothing of it does anything any more."""
    first = children(process.pid) if process.poll() is None else []
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: all(identify(pid) is None for pid in first))  # the first of a namespace dies after all others of it


def children(pid: int) -> list[int]:
    """Its processes; of `unshare` the one that is the first of a namespace."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has ended meanwhile
        return []


def unshare() -> list[str]:
    """The command that makes the namespaces. What it starts dies with it, and it with the thread that starts it."""
    rootless = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    alone = ["--mount", "--pid", "--fork", "--kill-child=KILL"]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *rootless, *alone]


def _system(path: Path, new: Path) -> list[str]:
    if path.is_symlink():
        return [words("ln", "-s", path.readlink(), new / path.name)]
    return bound(path, new / path.name, read_only=True) if path.is_dir() else []


def _etc(new: Path) -> list[str]:
    """The machine's own by links, so that there can be a folder in it that the machine has not."""
    names = [path.name for path in sorted(Path("/etc").iterdir()) if path.name != "secrets"]
    links = words("ln", "-s", "-t", new / "etc", *(f"/.etc/{name}" for name in names))
    return [*bound(Path("/etc"), new / ".etc", read_only=True), words("mkdir", new / "etc"), links]


def python(new: Path) -> list[str]:
    """The Python of the tests at its own place. Its packages can be changed, and this project is not among them."""
    steps: list[str] = []
    base = Path(sys.base_prefix)
    if not base.is_relative_to("/usr"):
        steps += bound(base, new / str(base)[1:], read_only=True)
    upper, work, over = new / ".upper", new / ".work", new / str(prefix())[1:]
    steps.append(words("mkdir", "-p", upper, work, over))
    steps.append(
        words("mount", "-t", "overlay", "none", "-o", f"lowerdir={prefix()},upperdir={upper},workdir={work}", over)
    )
    packages = over / Path(sysconfig.get_path("purelib")).relative_to(prefix())
    ours = [packages / name for name in ("facegan", "jobs", "infra", "bench")]
    steps.append(f"rm -rf {shlex.quote(str(packages))}/*facegan_job* {words(*ours, over / 'bin/facegan-job')}")
    return steps


def bound(source: Path, target: Path, *, read_only: bool = False) -> list[str]:
    steps = [words("mkdir", "-p", target), words("mount", "--bind", source, target)]
    return [*steps, words("mount", "-o", "remount,bind,ro", target)] if read_only else steps


def prefix() -> Path:
    return Path(sys.prefix)


def words(*parts: object) -> str:
    return shlex.join(str(part) for part in parts)
