"""The stack, in a folder, project and ports of its own, and a user who has typed what `make up` said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jobs.errors import Exit
from tests.cloud.servers import free_port

ROOT = Path(__file__).parents[2]
SERVICES = ("store", "database", "mlflow")
SHORT = (
    "training.steps=48",
    "training.batch_size=8",
    "training.threads=1",
    "checkpoint.every_steps=24",
    "samples.every_steps=24",
    "samples.count=4",
    "evaluation.metric=none",
)
PATIENCE_S = 900  # what the whole of a test may take on a machine that is slow and has much else to do


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A copy of infra/ and the Makefile below `at`, started and spoken to as a user does."""

    at: Path
    home: Path
    image: str
    ports: Mapping[str, int] = field(default_factory=lambda: {"store": free_port(), "mlflow": free_port()})
    project: str = field(default_factory=lambda: f"facegan-test-{uuid.uuid4().hex[:8]}")

    @classmethod
    def copied(cls, at: Path, home: Path, image: str) -> Stack:
        shutil.copytree(ROOT / "infra", at / "infra", ignore=shutil.ignore_patterns(".env*", ".secrets", "__pycache__"))
        shutil.copy(ROOT / "Makefile", at)
        return cls(at=at, home=home, image=image)

    @cached_property
    def environment(self) -> dict[str, str]:
        local = {"COMPOSE_FILE": "compose.yaml:compose.local.yaml"} if os.environ.get("FACEGAN_TEST_BASE") else {}
        return {
            **os.environ,
            **local,
            "COMPOSE_PROJECT_NAME": self.project,
            "FACEGAN_STORE_PORT": str(self.ports["store"]),
            "FACEGAN_MLFLOW_PORT": str(self.ports["mlflow"]),
            "FACEGAN_IMAGE": self.image,
        }

    def make(self, target: str) -> str:
        return self._done(["make", "--silent", target], self.environment)

    def compose(self, *arguments: str) -> str:
        return self._done(["infra/stack/compose", *arguments], self.environment)

    @cached_property
    def typed(self) -> dict[str, str]:
        """The environment of a shell in which the lines that `make up` printed were typed."""
        lines = [line[2:] for line in self.make("up").splitlines() if line.startswith("  ")]
        shown = self._done(["bash", "-ec", "\n".join([*lines, "env -0"])], {"PATH": os.environ["PATH"]})
        return dict(line.split("=", 1) for line in shown.split("\0") if "=" in line)

    @cached_property
    def user(self) -> dict[str, str]:
        """That of the user: as tests run, with what was typed, and a home."""
        root = {"PYTHONPATH": str(ROOT), "FACEGAN_HOME": str(self.home), "FACEGAN_IMAGE": self.image}
        return {**os.environ, **self.typed, **root, "PATH": os.environ["PATH"]}

    def command(self, *arguments: str, code: int = Exit.OK) -> str:
        """What a command of the user's says on standard output."""
        program = "from jobs.cli import main; main()"
        return self._done([sys.executable, "-P", "-c", program, *arguments], self.user, code)

    def containers(self) -> list[dict[str, Any]]:
        """What the engine tells everyone who may ask it."""
        found = self._done(["docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}"])
        listed: list[dict[str, Any]] = json.loads(self._done(["docker", "inspect", *found.split()]))
        return listed

    def volumes(self) -> set[str]:
        found = self._done(
            ["docker", "volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={self.project}"]
        )
        return {name.removeprefix(f"{self.project}_") for name in found.split()}

    def _done(self, command: list[str], environment: Mapping[str, str] = os.environ, code: int = 0) -> str:
        done = subprocess.run(
            command, env=environment, cwd=self.at, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout


@contextmanager
def stack(at: Path, home: Path, image: str) -> Iterator[Stack]:
    """The stack, up. At the end it is stopped, which takes less than it is given, and then nothing of it is left."""
    made = Stack.copied(at, home, image)
    try:
        assert made.typed
        yield made
        said = made.make("down")
        assert "--volumes" in said
        assert made.volumes() == {"store", "database"}
    finally:
        made.compose("down", "--volumes", "--remove-orphans")
