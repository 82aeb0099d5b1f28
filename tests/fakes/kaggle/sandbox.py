"""One session's machine: a root of its own with Kaggle's folders, its own processes, and no network unless asked for.

It is a root as `tests/fakes/rooted.py` makes them, in which `/kaggle`, `/tmp` and `/root` are private.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fakes import rooted

SCRIPT = "/kaggle/src/script.py"  # [F]
WORKING = "/kaggle/working"
TOKEN_FILE = "/etc/secrets/kaggle/api-v1-token"  # [S] named by a variable, where kagglehub looks for it
HOME = "/root"  # of Kaggle's machine: sessions there are root's, here in a root of their own
ARGUMENTS = ("-f", f"{HOME}/.local/share/jupyter/runtime/kernel-0.json")  # [F] a notebook's, never the script's own

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


def start(machine: Machine) -> subprocess.Popen[bytes]:
    """Build the machine, in a process group of its own; `go` has it run the source. It prints into the pipes."""
    _lay_out(machine)
    network = () if machine.internet else (rooted.NO_NETWORK,)
    return subprocess.Popen(
        [*rooted.unshare(), *network, "/bin/sh", str(machine.folder / "start.sh")],
        env={"HOME": HOME, "PATH": f"{rooted.prefix() / 'bin'}:{rooted.PATH}", **machine.environment},
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
    steps = rooted.root(new)
    for name, where in (("kaggle", "kaggle"), ("root", "root"), ("tmp", "tmp"), ("bin", "opt/bin")):
        steps += rooted.bound(folder / name, new / where)
    steps += rooted.bound(folder / "kaggle/src", new / "kaggle/src", read_only=True)
    steps += [
        rooted.words("mkdir", "-p", (new / TOKEN_FILE[1:]).parent),
        rooted.words("cp", folder / "secrets/token", new / TOKEN_FILE[1:]),
    ]
    steps += rooted.python(new)
    for path, files in machine.inputs.items():
        steps += rooted.bound(files, new / path[1:], read_only=True)
    inside = f"cd {WORKING} && exec {rooted.words('python3', SCRIPT, *ARGUMENTS)}"
    steps += [rooted.words("cd", new), rooted.words("touch", folder / "ready"), "read -r _", "set +e"]
    return [*steps, f"{rooted.words('chroot', '.', '/bin/sh', '-c', inside)} </dev/null"]
