"""What a session is handed is in one file of its volume, and in no other place that anybody could look at."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.ledger import State
from facegan.storage import open_store
from jobs.backends.docker import container
from tests.container.moments import Moment
from tests.container.runs import WITHIN_S, Docked, submission
from tests.e2e.runs import RUN
from tests.security.canaries import Haystack, arguments_of_everyone, canary

SLOTS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
SECRETS = {slot: canary(slot) for slot in SLOTS}
SOMEBODY = 12345
LOOK = """
import pathlib, sys
for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
    try:
        sys.stdout.buffer.write(path.read_bytes())
    except OSError:
        pass
"""


@pytest.fixture
def haystack() -> Haystack:
    return Haystack(secrets=SECRETS)


@pytest.fixture
def planted(user: Docked, monkeypatch: pytest.MonkeyPatch) -> Docked:
    """A user whose own credentials are what sessions are handed: their store makes no others."""
    for slot, secret in SECRETS.items():
        monkeypatch.setenv(slot, secret)
    return dataclasses.replace(user, typed={**user.typed, **SECRETS})


def described(engine: Any, user: Docked) -> Iterator[tuple[str, Any]]:
    """Everything that the engine tells of the session to whoever may ask it."""
    found = user.container()
    yield "docker inspect of the container", engine.api.inspect_container(found.id)
    yield "docker ps", engine.api.containers(all=True)
    yield "docker top", found.top()
    yield "docker diff", found.diff()
    yield "docker inspect of the image", engine.api.inspect_image(found.image.id)
    yield "docker history", engine.api.history(found.image.id)
    yield "docker volume ls", engine.api.volumes()
    yield "docker volume inspect", [volume.attrs for volume in user.volumes()]
    yield "docker network inspect", [network.attrs for network in engine.networks.list()]


def test_no_secret_of_a_session_can_be_seen(engine: Any, planted: Docked, haystack: Haystack) -> None:
    """Looked for while the session runs, and in all that is left of it."""
    seen: dict[str, Any] = {}

    def look() -> None:
        """At the session's second state, in the middle of its life."""
        for where, what in described(engine, planted):
            haystack.search(where, json.dumps(what).encode())
        process = planted.container().attrs["State"]["Pid"]
        if os.geteuid() == 0:  # nobody else may
            seen["environ"] = Path(f"/proc/{process}/environ").read_bytes()
            haystack.search("the environment that the session was started with", seen["environ"])
            others = subprocess.run(
                [sys.executable, "-c", LOOK], stdout=subprocess.PIPE, check=True, env={}, **nobody()
            )
            haystack.search("the environment of processes, as somebody else reads it", others.stdout)
        packed, _ = planted.container().get_archive(f"{container.SCRATCH}/{container.HANDED}")
        with tarfile.open(fileobj=io.BytesIO(b"".join(packed))) as tar:
            (seen["file"],) = tar.getmembers()
            seen["handed"] = tar.extractfile(seen["file"]).read()  # type: ignore[union-attr]

    moment = Moment(kind="state", count=2, act=look, hold=WITHIN_S)
    planted.proxy.plan = moment
    with arguments_of_everyone() as arguments:
        said = planted.command(*submission())
        assert moment.over.wait(WITHIN_S), "nothing was looked at"
        words = planted.container().logs()
        followed = planted.command("wait", RUN, "--timeout", str(WITHIN_S))
    assert planted.fold().state is State.FINISHED
    for name, answer in (("submit", said), ("wait", followed), ("logs", planted.command("logs", RUN))):
        haystack.search(f"what {name} says", (answer.out + answer.err).encode())
    haystack.search("docker logs", words)
    haystack.search("the arguments of processes", b"\n".join(arguments))
    store: Any = open_store(planted.direct)
    for key in store.list(""):
        haystack.search(key, store.get(key))
    planted.command("sync", RUN)
    haystack.search_below(planted.home)
    assert haystack.searched > 1_000_000
    assert not haystack.found

    assert any(f"/runs/{RUN}\0--session\0".encode() in line for line in arguments), "the session was not seen"
    assert b"FACEGAN_HOME=/scratch" in seen.get("environ", b"FACEGAN_HOME=/scratch")
    assert list((planted.home / "mlflow").rglob("*")), "nothing was copied to MLflow"
    haystack.search("what it is handed", seen["handed"])
    assert {found.partition(" ")[0] for found in haystack.found} == set(SLOTS), "nothing was planted"
    assert (seen["file"].mode & 0o777, seen["file"].uid) == (0o600, container.USER)


def nobody() -> dict[str, Any]:
    """Whoever reads it has a Python that they may start: root's may lie where only root reads."""
    return {"executable": "/usr/bin/python3", "user": SOMEBODY, "group": SOMEBODY, "extra_groups": []}


def test_what_a_session_was_handed_goes_with_its_volume(engine: Any, planted: Docked, haystack: Haystack) -> None:
    """Killed before its end, it leaves the file behind; the command that follows it removes it."""
    planted.proxy.plan = Moment(kind="state", count=1, act=lambda: planted.container().kill("SIGKILL"))
    assert planted.command(*submission()).code == 0
    volumes = planted.volumes()
    assert [volume.name for volume in volumes] == [planted.container().name]
    assert planted.exit_code() == container.KILLED
    planted.command("wait", RUN, "--timeout", str(WITHIN_S))
    assert planted.fold().state is State.INTERRUPTED
    assert planted.containers() == []
    assert planted.volumes() == []
    listed = json.dumps(engine.api.volumes()).encode()
    haystack.search("docker volume ls", listed)
    assert volumes[0].name.encode() not in listed
    assert not haystack.found
