"""docs/docker.md is true: what it shows is typed, and what it quotes is what is said."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import FaceganError
from facegan.ledger import State
from jobs import address, orders, settings
from jobs import context as contexts
from jobs.backends.base import Order
from jobs.backends.docker import DockerBackend, container, reach
from jobs.settings import KEYS
from tests.cloud import servers
from tests.container.conftest import plan, require
from tests.container.moments import Moment
from tests.container.runs import WITHIN_S, Docked
from tests.docs.test_commands import ROOT, commands
from tests.waiting import until

servers.require("docker")

from jobs import engine as engines  # noqa: E402 - only where its SDK is installed
from jobs import image as images  # noqa: E402

PAGE = ROOT / "docs" / "docker.md"
STACKS = ("set -a", "export FACEGAN_")  # how the shell gets to know the stack: here it is another store
SHORT = {
    "training.steps=1000": "training.steps=60 --set samples.every_steps=30 --set evaluation.metric=none",
    "checkpoint.every_s=2": "checkpoint.every_steps=5 --set training.batch_size=8",
}
OF_NO_GPU = "the engine refuses the container: could not select device driver"
COMMITTED = "until facegan-job status boxed --json | grep --quiet '\"checkpoint\": [1-9]'; do sleep 0.2; done"
KILLED = "touch killed"


def test_from_a_clone_to_a_resumed_run(user: Docked) -> None:
    """Typed into one shell, and shortened; the session is killed once it has committed something.

    It commits no second time before it is killed, however fast it is.
    """
    require(shutil.which("docker"), "the docker command is not installed")
    lines = [line for line in commands(PAGE) if not line.startswith(STACKS)]
    assert [line.split()[:2] for line in lines] == [
        ["facegan-job", "submit"], ["sleep", "10"], ["docker", "kill"], ["facegan-job", "resume"],
        ["facegan-job", "status"], ["facegan-job", "verify"], ["facegan-job", "sync"],
    ]  # fmt: skip
    (kill,) = (line for line in lines if line.startswith("docker kill"))
    text = "\n".join(["set -e", *lines]).replace("sleep 10", COMMITTED).replace(kill, f"{kill}\n{KILLED}")
    killed = user.home / "killed"
    user.proxy.plan = Moment(kind="state", count=2, act=lambda: until(killed.exists), hold=WITHIN_S)
    for long, short in SHORT.items():
        assert long in text
        text = text.replace(long, short)
    mine = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", text],
        env={**user.environment(), **mine},
        cwd=user.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "boxed: " in done.stdout
    assert killed.exists()
    ledger = user.context.ledger("boxed")
    assert ledger.refresh().state is State.FINISHED
    assert ledger.fold.newest == 2
    assert not user.engine.containers.list(all=True, filters={"label": "facegan.run=boxed"})


def quoted() -> list[str]:
    """What the table of errors has in its first column, `…` standing for what differs each time."""
    table = PAGE.read_text().partition("| it says | do |")[2]
    return re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)


@pytest.fixture(scope="module")
def said(engine: Any, image: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:  # noqa: PLR0915 - a line each
    """Every one of those errors, as it is said when it happens."""
    messages: list[str] = []
    home = tmp_path_factory.mktemp("page")
    settled = settings.load({"store": "file:///nowhere"}, {"FACEGAN_HOME": str(home)}, home)
    order = Order(run="page", run_url="s3://bucket/runs/page", number=os.getpid(), gpu="all", bundle={"id": image})
    taken = {"Image": image, "HostConfig": {}}

    def says(act: Callable[[], object]) -> None:
        with pytest.raises(FaceganError) as raised:
            act()
        messages.append(raised.value.message)

    def fails(url: str | None, error: OSError) -> None:
        with engines.errors(url):
            raise error

    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("DOCKER_HOST", raising=False)
        backend = DockerBackend(settled)
        says(lambda: fails(None, FileNotFoundError(2, "No such file or directory")))
        says(lambda: fails(None, PermissionError(13, "Permission denied")))
        says(lambda: fails("ssh://me@gpu-box", ConnectionResetError()))
        says(lambda: engines.connect("gpu-box"))
        says(lambda: address.of(None, {"DOCKER_CONTEXT": "gone", "DOCKER_CONFIG": str(home)}))
        with secure() as url:
            says(lambda: engines.connect(url))
        with pytest.MonkeyPatch.context() as broken:  # the line ends between two of the engine's words
            broken.setattr(engine.api, "build", lambda **_: iter([{"stream": "Step 1/9 : FROM"}]))
            says(lambda: images.build(engine, plan(image), lambda _line: None))
        gone = dataclasses.replace(order, bundle={"id": f"sha256:{0:064}", "image": "facegan-job:gone"})
        says(lambda: backend.submit(gone, lambda: None))
        says(lambda: DockerBackend(dataclasses.replace(settled, image="facegan-job:none")).bundle(None))
        says(lambda: reach.from_inside("s3://bucket?endpoint=http://127.0.0.1:9000", {}, []))
        says(lambda: orders.place(contexts.real(settled), "docker", None, "ssh://me@gpu-box"))
        if "nvidia" not in engine.info()["Runtimes"]:
            says(lambda: backend.submit(order, lambda: None))
        made = engine.api.create_container_from_config(taken, container.name(order))["Id"]
        patched.setattr(backend, "_clear", lambda _name: None)  # as it is for the second of two that begin at once
        says(lambda: backend.submit(order, lambda: None))
        engine.api.remove_container(made, v=True)
        patched.setitem(sys.modules, "docker", None)  # type: ignore[arg-type]
        patched.delitem(sys.modules, "jobs.engine")
        says(lambda: DockerBackend(settled).bundle(None))
    killed = {"State": {"OOMKilled": True, "ExitCode": 137}, "HostConfig": {"Memory": 1 << 30}}
    return [*messages, container.end(killed)]


def test_errors_are_quoted_as_they_are_said(said: list[str], engine: Any) -> None:
    """But for one, where it cannot come: what an engine without GPUs says is said by an engine without GPUs."""
    assert len(quoted()) > 8
    unlike = [row for row in quoted() if not any(is_said(row, message) for message in said)]
    assert unlike == ([OF_NO_GPU] if "nvidia" in engine.info()["Runtimes"] else [])


@contextlib.contextmanager
def secure() -> Iterator[str]:
    """Says what an engine that speaks TLS says to who does not."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = b"Client sent an HTTP request to an HTTPS server.\n"
            self.send_response(400)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def is_said(row: str, message: str) -> bool:
    return re.match(".+".join(re.escape(piece) for piece in row.split("…")), message) is not None


def test_what_is_said_of_settings_is_so() -> None:
    """The page's names of settings and options are the program's."""
    text = PAGE.read_text()
    of_the_stack = set(re.findall(r"\bFACEGAN_[A-Z_]+", (ROOT / "infra" / "stack" / "up").read_text()))
    named = set(re.findall(r"\bFACEGAN_[A-Z_]+", text))
    assert named <= {f"FACEGAN_{key.upper()}" for key in KEYS} | of_the_stack
    assert {"memory", "cpus", "host", "image"} <= set(KEYS)


def test_every_target_of_make_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = re.findall(r"^\$ make (.*)$|`make ([^`]*)`", PAGE.read_text(), re.MULTILINE)
    assert {word for pair in typed for words in pair for word in words.split()} <= targets
