"""Machines of a cloud that really live: each that is asked for runs its script, and is gone when that has ended.

The script's container is what `docker` says: with `SESSION` a process here, in which `program` says what Python runs.
"""

from __future__ import annotations

import shlex
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes import metadata
from tests.fakes.vm import Vm

ROOT = Path(__file__).parents[2]
REAL = "-P -m facegan"
TOY = f"-c 'import sys; sys.path.insert(0, \"{ROOT}\"); from tests.ec2.toys import main; main()'"
SESSION = """#!/bin/bash
case "$1" in
create) printf '%s\\n' "$@" >{folder}/create ;;
cp) tar -xf - -C {folder} ;;
login) cat >{folder}/password ;;
start)
  mapfile -t words <{folder}/create
  while [ "${{words[0]}}" != run ]; do words=("${{words[@]:1}}"); done
  words[-1]={folder}/handed.json
  export FACEGAN_HOME={folder}/scratch
  cd {folder} && exec {python} {program} "${{words[@]}}" ;;
inspect) case "$3" in *OOM*) echo false false ;; esac ;;
esac
"""


@dataclass(kw_only=True)
class Living(ABC):
    """Those of one cloud, each in a folder below this one, and the metadata service that they share."""

    folder: Path
    metadata: metadata.Machine
    program: str = REAL
    docker: str = SESSION
    machines: list[Vm] = field(default_factory=list)
    ended: list[threading.Thread] = field(default_factory=list)
    taken: list[Vm] = field(default_factory=list)

    @abstractmethod
    def gone(self, machine: Vm) -> None:
        """Tell the cloud that a machine has shut down."""

    def switch_on(self, make: Callable[[Path, str], Vm], script: str) -> None:
        """A machine that is made in its folder, with that for a Docker."""
        folder = self.folder / f"machine-{len(self.machines)}"
        docker = self.docker.format(folder=shlex.quote(str(folder)), python=sys.executable, program=self.program)
        made = make(folder, docker)
        self.machines.append(made)
        made.start(script)
        self.ended.append(threading.Thread(target=self._end, args=(made,), daemon=True))
        self.ended[-1].start()

    def wait(self) -> None:
        """Until the newest machine is gone."""
        self.ended[-1].join(600)
        assert not self.ended[-1].is_alive()

    def clear(self) -> None:
        for machine in self.machines:
            machine.clear()

    def _end(self, machine: Vm) -> None:
        assert machine.process is not None
        machine.process.wait(600)
        if machine not in self.taken:  # else nothing is left of it that would shut it down
            machine.wait()
            self.gone(machine)
