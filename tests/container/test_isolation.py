"""What a session's container may do: write into its own volume, and nothing else.

Other programs are run in containers of the very configuration that sessions have, and tell what they could do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from facegan import layout
from facegan.ledger import State
from jobs.backends.base import Order
from jobs.backends.docker import container
from jobs.backends.docker.container import Limits, Surroundings
from jobs.errors import Exit
from tests.container.conftest import require
from tests.container.runs import WITHIN_S, Docked, submission
from tests.e2e.runs import RUN, TYPED, User

SOMEBODY = 12345
PYTHON = "/opt/facegan/bin/python"
PROBE = """
import errno, json, os, resource, threading

def may_write(folder):
    path = os.path.join(folder, "probe")
    try:
        open(path, "x").close()
    except OSError:
        return False
    os.unlink(path)
    return True

def threads():
    go, count = threading.Event(), 0
    try:
        for count in range(3000):
            threading.Thread(target=go.wait, daemon=True).start()
    except RuntimeError:
        pass
    go.set()
    return count

def tried(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

seen = [top for top, _, _ in os.walk("/")]
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({
    "user": [os.getuid(), os.getgid(), os.getgroups()],
    "written": sorted(top for top in seen if not top.startswith(("/proc", "/sys")) and may_write(top)),
    "folders": len(seen),
    "capabilities": [status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "no new privileges": status["NoNewPrivs"].strip(),
    "chown": tried(lambda: os.chown("/scratch", 0, 0)),
    "setuid": tried(lambda: os.setuid(0)),
    "remount": tried(lambda: os.rename("/opt/facegan", "/opt/mine")),
    "environment": dict(os.environ),
    "threads": threads(),
}))
"""


def probed(engine: Any, image: str, program: str = PROBE, **around: Any) -> tuple[int, str]:
    """Exit code and words of this program, in the place of a session."""
    order = Order(run="probe", run_url="s3://bucket/runs/probe", number=os.getpid(), bundle={"id": image})
    config = container.config(order, Surroundings(run_url=order.run_url, **around))
    config |= {"Entrypoint": [PYTHON, "-c", program], "Cmd": []}
    made = engine.api.create_container_from_config(config, container.name(order))["Id"]
    try:
        engine.api.start(made)
        code = engine.api.wait(made, timeout=WITHIN_S)["StatusCode"]
        return code, engine.api.logs(made).decode()
    finally:
        engine.api.remove_container(made, force=True)
        engine.api.remove_volume(container.name(order))


@pytest.fixture(scope="module")
def told(engine: Any, image: str) -> dict[str, Any]:
    code, said = probed(engine, image)
    assert code == 0, said
    found: dict[str, Any] = json.loads(said)
    return found


def test_it_is_nobody_on_the_engines_machine(told: dict[str, Any]) -> None:
    user, group, groups = told["user"]
    assert (user, group) == (container.USER, container.USER)
    assert set(groups) <= {container.USER}, "some engines list a user's own group among the others, some do not"


def test_it_writes_into_its_own_volume_and_nowhere_else(told: dict[str, Any]) -> None:
    """`/dev/shm` and `/dev/mqueue` are memory of the container's own, and end with it."""
    assert told["folders"] > 500, "it has not looked"
    assert [folder for folder in told["written"] if not folder.startswith("/dev/")] == [container.SCRATCH]
    assert set(told["written"]) <= {container.SCRATCH, "/dev/shm", "/dev/mqueue"}
    assert told["remount"] == "EROFS"


def test_it_has_no_capability_and_gets_none(told: dict[str, Any]) -> None:
    assert {int(each, 16) for each in told["capabilities"]} == {0}
    assert told["no new privileges"] == "1"
    assert (told["chown"], told["setuid"]) == ("EPERM", "EPERM")


def test_it_has_only_so_many_processes(told: dict[str, Any]) -> None:
    assert 100 < told["threads"] < container.MOST_PROCESSES


def test_its_home_and_its_temporary_files_are_in_the_volume(told: dict[str, Any]) -> None:
    for name in ("HOME", "TMPDIR", "FACEGAN_HOME"):
        assert told["environment"][name] == container.SCRATCH


def test_it_has_no_more_memory_and_cores_than_it_was_given(engine: Any, image: str) -> None:
    greedy = "held = bytearray(512 << 20); print(len(held))"
    assert probed(engine, image, greedy) == (0, f"{512 << 20}\n")
    assert probed(engine, image, greedy, limits=Limits(memory=256 << 20)) == (137, "")
    cores = """
import pathlib
first, second = pathlib.Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), pathlib.Path("/sys/fs/cgroup/cpu.max")
print((second if second.exists() else first).read_text().split()[0])
"""
    assert probed(engine, image, cores, limits=Limits(cpus=0.5)) == (0, "50000\n")


def test_a_gpu_that_the_engine_has_not_is_refused_with_what_to_look_at(user: Docked, engine: Any) -> None:
    require("nvidia" not in engine.info()["Runtimes"], "this engine has the NVIDIA runtime")
    answer = user.command(*submission(), "--gpu", "all")
    assert answer.code == Exit.ERROR
    error, hint = answer.err.splitlines()[-2:]
    assert error.startswith('error: the engine refuses the container: could not select device driver "" with cap')
    assert hint == (
        "hint: the engine's machine needs the NVIDIA Container Toolkit; docker run --gpus all shows whether it works"
    )
    assert user.kinds() == ["created", "intent", "refused"]
    assert user.entries()[-1]["refusal"] == "invalid"
    assert user.containers() == []
    assert user.volumes() == [], "what it was handed is in there"
    assert user.fold().state is State.INTERRUPTED


@pytest.fixture
def somebodys_home(tmp_path: Path) -> Path:
    """A home of an ordinary user of this machine."""
    home = tmp_path / "somebody"
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(home, SOMEBODY, SOMEBODY)
    return home


def typed_by_somebody(home: Path, image: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of a user who may use Docker and is not root, and who may read this Python, wherever it is."""
    me = [sys.executable, "-c", TYPED, *arguments]
    if os.geteuid() == 0:
        group = Path("/var/run/docker.sock").stat().st_gid
        who = [f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", f"--groups={group}"]
        reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        me = ["setpriv", *who, *reads, "--", *me]
    mine = {"FACEGAN_HOME": str(home), "HOME": str(home), "FACEGAN_IMAGE": image, "FACEGAN_BACKEND": "docker"}
    return subprocess.run(
        me, env={**os.environ, **mine}, cwd=home, capture_output=True, text=True, check=False, timeout=WITHIN_S
    )


def test_a_folder_is_a_store_for_whoever_owns_it(engine: Any, image: str, somebodys_home: Path) -> None:
    """The session is its owner there, and all it writes is theirs."""
    follow = [word for word in submission() if word != "-d"]
    done = typed_by_somebody(somebodys_home, image, *follow)
    assert done.returncode == 0, done.stderr
    store = somebodys_home / "store"
    owners = {path.stat().st_uid for path in store.rglob("*")}
    assert owners == {SOMEBODY if os.geteuid() == 0 else os.geteuid()}
    assert User(home=somebodys_home).is_whole()
    left = {"label": f"facegan.url={layout.run_url(store.as_uri(), RUN)}"}
    assert not engine.containers.list(all=True, filters=left)
    assert not engine.volumes.list(filters=left), "what it was handed goes with its volume"


@pytest.mark.skipif(os.geteuid() != 0, reason="it is about root")
def test_root_is_told_why_a_folder_of_its_own_is_no_store(user: Docked) -> None:
    where = (user.home / "store").as_uri()
    answer = user.command(*submission(), "--store", where)
    assert answer.code == Exit.USAGE
    error, hint = answer.err.splitlines()[-2:]
    assert error == f'error: sessions on backend "docker" cannot reach the store "{where}"'
    assert hint == (
        "hint: you are root, and a session in a container never is: type the same as another user of the group docker, "
        "or choose --store s3://… or gs://…"
    )
    assert user.containers() == []
