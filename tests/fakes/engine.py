"""A Docker for a machine of `tests.fakes.vm`: it writes down what it is told, and its container does what a test says.

And the ways in which it fails on whatever cloud's machine: each breaks a machine before it is switched on.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.fakes import metadata
from tests.fakes.vm import Vm

ENGINE = """#!/bin/bash
echo "$*" >>{folder}/engine
case "$1" in
login) cat >{folder}/password ;;
cp) tar -xf - -C {folder} ;;
start) {start} ;;
inspect) case "$3" in *OOM*) echo "{state}" ;; *) echo "{error}" ;; esac ;;
{more}
esac
"""


def engine(folder: Path, *, start: str = "exit 0", state: str = "false false", error: str = "", more: str = "") -> str:
    """Its text; `folder` is the machine's."""
    return ENGINE.format(folder=shlex.quote(str(folder)), start=start, state=state, error=error, more=more)


def no_driver(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.has_gpu = False


def disk_full(machine: Vm, _cloud: metadata.Machine) -> None:
    said = "failed to register layer: write /usr/lib/libcudnn.so: no space left on device"
    machine.docker = engine(machine.folder, more=f'pull) echo "{said}"; exit 1 ;;')


def slow_pull(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.docker = engine(machine.folder, more="pull) /bin/sleep 60 ;;")


def crash(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.docker = engine(machine.folder, start="echo Segmentation fault; exit 139")


def out_of_memory(machine: Vm, _cloud: metadata.Machine) -> None:
    machine.docker = engine(machine.folder, start="exit 137", state="true false")
