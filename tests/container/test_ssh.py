"""An engine on another machine, by SSH: a real server, which lets one key in and runs what it is asked to."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.ledger import State
from tests.cloud.servers import free_port
from tests.container.conftest import require
from tests.container.runs import Docked, submission

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine one can log in to: its URL as an engine, and a folder with an `ssh` that knows the way."""

    url: str
    programs: Path
    log: Path


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """This one, behind a server of SSH."""
    require(SSHD, "sshd is not installed (openssh-server)")
    port, me = free_port(), pwd.getpwuid(os.geteuid()).pw_name
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / key], check=True)
    (tmp_path / "authorized").write_text((tmp_path / "user.pub").read_text())
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\n"
        "PermitRootLogin prohibit-password\nPidFile none\nLogLevel VERBOSE\n"
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    ssh = programs / "ssh"
    options = f"-i {tmp_path}/user -o UserKnownHostsFile={tmp_path}/known -o IdentitiesOnly=yes -o BatchMode=yes"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F none {options} "$@"\n')
    ssh.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself up before a login
    log = tmp_path / "sshd.log"
    command = [str(SSHD), "-D", "-f", str(tmp_path / "sshd_config"), "-E", str(log)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            found = Machine(url=f"ssh://{me}@127.0.0.1:{port}", programs=programs, log=log)
            wait_for(server, found)
            yield found
        finally:
            server.terminate()


def wait_for(server: subprocess.Popen[bytes], machine: Machine) -> None:
    asked = [str(machine.programs / "ssh"), machine.url, "true"]
    for _ in range(1_000):
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return
        assert server.poll() is None, machine.log.read_text()
        time.sleep(0.1)
    raise AssertionError(machine.log.read_text())


def test_a_session_on_a_machine_that_is_logged_in_to(
    user: Docked, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submitted there, followed, and swept up after, by the machine that the ledger names."""
    monkeypatch.setenv("PATH", str(machine.programs), prepend=os.pathsep)
    answer = user.command(*submission("training.steps=16"), "--host", machine.url)
    assert answer.code == 0, answer.err
    assert user.wait().code == 0
    assert user.fold().state is State.FINISHED
    (intent,) = [entry for entry in user.entries() if entry["kind"] == "intent"]
    assert (intent["backend"], intent["host"]) == ("docker", machine.url)
    assert user.containers() == []
    assert user.volumes() == []
    assert "Accepted publickey" in machine.log.read_text()


def test_a_machine_that_lets_nobody_in_is_said(user: Docked, machine: Machine) -> None:
    """The user's own `ssh` has no key for it."""
    answer = user.command(*submission(), "--host", machine.url)
    assert answer.code == 1
    said, hint = answer.err.splitlines()[-2:]
    assert said.startswith(f'error: the Docker engine at "{machine.url}" does not answer: ')
    assert hint == f"hint: this must answer without a password: ssh {machine.url} docker version"
    assert not any((user.home / "store").rglob("*"))
