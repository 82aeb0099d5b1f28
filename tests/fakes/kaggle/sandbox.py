"""One session's machine: a root of its own with Kaggle's folders, its own processes, and no network unless asked for.

The root is a new one, in a mount namespace of its own: `/usr` and `/etc` of this machine read-only, the Python that
runs the tests with its packages but without this project's (changes to them are lost with the session), and `/kaggle`,
`/tmp` and `/root` private. So nothing that Kaggle would not have can be imported or read, and several sessions run at
once. Being root is not needed where user namespaces are allowed. When the first process of the session's PID namespace
is killed, the kernel kills all others, in whatever process group they hide.
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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPT = "/kaggle/src/script.py"  # [F]
WORKING = "/kaggle/working"
TOKEN_FILE = "/etc/secrets/kaggle/api-v1-token"  # [S] named by a variable, where kagglehub looks for it
PATH = "/opt/bin:/usr/local/nvidia/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME = "/root"  # of Kaggle's machine: sessions there are root's, here in a root of their own
ARGUMENTS = ("-f", f"{HOME}/.local/share/jupyter/runtime/kernel-0.json")  # [F] a notebook's, never the script's own
SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64")
NO_NETWORK = "--net"

NVIDIA_SMI = """#!/bin/sh
# The stand-in for two T4s: `nvidia-smi`, `-L`, and `--query-gpu=A,B --format=csv,noheader[,nounits]`.
fields=; header=yes; units=yes
for word in "$@"; do
  case "$word" in
    -L|--list-gpus)
      for n in 0 1; do echo "GPU $n: Tesla T4 (UUID: GPU-00000000-0000-0000-0000-00000000000$n)"; done; exit 0 ;;
    --query-gpu=*) fields=$(echo "${word#*=}" | tr ',' ' ') ;;
    --format=*) case "$word" in *noheader*) header=no ;; esac; case "$word" in *nounits*) units=no ;; esac ;;
  esac
done
if [ -z "$fields" ]; then
  echo "| NVIDIA-SMI 580.65.06    Driver Version: 580.65.06    CUDA Version: 13.0 |"
  for n in 0 1; do echo "|   $n  Tesla T4    Off |   0000000$n:00:04.0 Off |        0MiB / 15360MiB |"; done
  exit 0
fi
[ $header = no ] || echo "$fields" | sed 's/ /, /g'
mib=' MiB'; percent=' %'; [ $units = yes ] || { mib=; percent=; }
for n in 0 1; do
  line=
  for field in $fields; do
    case "$field" in
      index) value=$n ;; count) value=2 ;; name|gpu_name) value='Tesla T4' ;;
      uuid|gpu_uuid) value=GPU-00000000-0000-0000-0000-00000000000$n ;;
      memory.total|memory.free) value="15360$mib" ;; memory.used) value="0$mib" ;;
      utilization.gpu) value="0$percent" ;; driver_version) value=580.65.06 ;; compute_cap) value=7.5 ;;
      *) echo "Field \\"$field\\" is not a valid field to query."; exit 2 ;;
    esac
    line="$line${line:+, }$value"
  done
  echo "$line"
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a session gets. `inputs` are mounted read-only at their absolute paths inside."""

    folder: Path
    source: str
    inputs: Mapping[str, Path]
    environment: Mapping[str, str]
    token: str
    gpus: bool
    internet: bool

    @property
    def working(self) -> Path:
        """`/kaggle/working`, seen from outside."""
        return self.folder / "kaggle" / "working"


@functools.cache
def why_not() -> str | None:
    """Why no session can run on this machine, or `None`."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return "sessions of the stand-in for Kaggle need Linux and unshare"
    tried = subprocess.run(
        [*_unshare(), NO_NETWORK, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return None if tried.returncode == 0 else f"unshare: {tried.stderr.decode(errors='replace').strip()}"


def start(machine: Machine) -> subprocess.Popen[bytes]:
    """Build the machine, in a process group of its own; `go` has it run the source. It prints into the pipes."""
    _lay_out(machine)
    network = () if machine.internet else (NO_NETWORK,)
    return subprocess.Popen(
        [*_unshare(), *network, "/bin/sh", str(machine.folder / "start.sh")],
        env={"HOME": HOME, "PATH": f"{_prefix() / 'bin'}:{PATH}", **machine.environment},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def is_ready(machine: Machine, process: subprocess.Popen[bytes]) -> bool:
    """Whether it is built, or failed to be: then going on shows why."""
    return (machine.folder / "ready").exists() or process.poll() is not None


def go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(b"\n")
        process.stdin.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """The whole session at once, without a word to it."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _unshare() -> list[str]:
    """The command that makes the namespaces. What it starts dies with it, and it with the thread that starts it."""
    rootless = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    alone = ["--mount", "--pid", "--fork", "--kill-child=KILL"]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *rootless, *alone]


def _lay_out(machine: Machine) -> None:
    for name in ("kaggle/working", "kaggle/src", "kaggle/input", "kaggle/temp", "root", "tmp", "bin", "new", "secrets"):
        (machine.folder / name).mkdir(parents=True)
    (machine.folder / "kaggle/src/script.py").write_text(machine.source, encoding="utf-8")
    (machine.folder / "secrets/token").write_text(machine.token)
    if machine.gpus:
        tool = machine.folder / "bin/nvidia-smi"
        tool.write_text(NVIDIA_SMI)
        tool.chmod(0o755)
    (machine.folder / "start.sh").write_text("\n".join(_steps(machine)) + "\n")


def _steps(machine: Machine) -> list[str]:
    """The shell commands that build the root and enter it; any that fails ends the session with its words."""
    folder, new = machine.folder, machine.folder / "new"
    steps = ["set -e", _words("mount", "-t", "tmpfs", "none", new)]
    for name in SYSTEM:
        steps += _system(Path("/") / name, new)
    steps += _etc(new)
    steps += [
        _words("mkdir", "-p", *(new / name for name in ("dev", "proc", "sys", "var/tmp", "opt/bin", "run", "mnt"))),
        _words("mount", "--rbind", "/dev", new / "dev"),
        _words("mount", "-t", "proc", "proc", new / "proc"),
        _words("mount", "--rbind", "/sys", new / "sys"),
    ]
    for name, where in (("kaggle", "kaggle"), ("root", "root"), ("tmp", "tmp"), ("bin", "opt/bin")):
        steps += _bound(folder / name, new / where)
    steps += _bound(folder / "kaggle/src", new / "kaggle/src", read_only=True)
    steps += [
        _words("mkdir", "-p", (new / TOKEN_FILE[1:]).parent),
        _words("cp", folder / "secrets/token", new / TOKEN_FILE[1:]),
    ]
    steps += _python(new)
    for path, files in machine.inputs.items():
        steps += _bound(files, new / path[1:], read_only=True)
    inside = f"cd {WORKING} && exec {_words('python3', SCRIPT, *ARGUMENTS)}"
    steps += [_words("cd", new), _words("touch", folder / "ready"), "read -r _", "set +e"]
    return [*steps, f"{_words('chroot', '.', '/bin/sh', '-c', inside)} </dev/null"]


def _system(path: Path, new: Path) -> list[str]:
    if path.is_symlink():
        return [_words("ln", "-s", path.readlink(), new / path.name)]
    return _bound(path, new / path.name, read_only=True) if path.is_dir() else []


def _etc(new: Path) -> list[str]:
    """The machine's own by links, so that there can be a folder in it that the machine has not."""
    names = [path.name for path in sorted(Path("/etc").iterdir()) if path.name != "secrets"]
    links = _words("ln", "-s", "-t", new / "etc", *(f"/.etc/{name}" for name in names))
    return [*_bound(Path("/etc"), new / ".etc", read_only=True), _words("mkdir", new / "etc"), links]


def _python(new: Path) -> list[str]:
    """The Python of the tests at its own place. Its packages can be changed, and this project is not among them."""
    steps: list[str] = []
    prefix, base = _prefix(), Path(sys.base_prefix)
    if not base.is_relative_to("/usr"):
        steps += _bound(base, new / str(base)[1:], read_only=True)
    upper, work, over = new / ".upper", new / ".work", new / str(prefix)[1:]
    steps.append(_words("mkdir", "-p", upper, work, over))
    steps.append(
        _words("mount", "-t", "overlay", "none", "-o", f"lowerdir={prefix},upperdir={upper},workdir={work}", over)
    )
    packages = over / Path(sysconfig.get_path("purelib")).relative_to(prefix)
    ours = [packages / name for name in ("facegan", "jobs", "infra", "bench")]
    steps.append(f"rm -rf {shlex.quote(str(packages))}/*facegan_job* {_words(*ours, over / 'bin/facegan-job')}")
    return steps


def _bound(source: Path, target: Path, *, read_only: bool = False) -> list[str]:
    steps = [_words("mkdir", "-p", target), _words("mount", "--bind", source, target)]
    return [*steps, _words("mount", "-o", "remount,bind,ro", target)] if read_only else steps


def _prefix() -> Path:
    return Path(sys.prefix)


def _words(*parts: object) -> str:
    return shlex.join(str(part) for part in parts)
