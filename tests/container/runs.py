"""A user whose sessions run in containers, and whose store is one that containers reach.

The store is moto's S3, behind a proxy at the engine's own address in its default network: a session there and a
command here reach it by one URL, and every request can be caught on its way.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import ipaddress
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan import layout
from facegan.ledger import Fold, Ledger, Writer
from facegan.storage import open_store
from jobs import context as contexts
from jobs import settings
from jobs.context import Context
from tests.cloud import servers
from tests.cloud.proxy import Proxy, proxy
from tests.cloud.test_killed_training import copied, store_url
from tests.e2e import outcome
from tests.e2e.runs import RUN, SHORT, STEPS, Answer, User

DONE = f"all {STEPS} steps are committed"
ENDING_S = 30.0  # see the backend
WITHIN_S = 600.0  # what one session may take on a machine that has much else to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Docked(User):
    """A user at a Docker engine. `direct` is the store without the proxy; `typed` is more of their environment.

    Their home's own store is where the objects are copied to, to be read.
    """

    engine: Any
    image: str
    store_url: str
    direct: str
    proxy: Proxy
    typed: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {**User.environment(self), **self.variables}

    @property
    def variables(self) -> dict[str, str]:
        mine = {"HOME": str(self.home), "STORE": self.store_url, "BACKEND": "docker", "IMAGE": self.image}
        return {**{f"FACEGAN_{key}": value for key, value in mine.items()}, **self.typed}

    @property
    def context(self) -> Context:
        return contexts.real(settings.load(environment=self.variables, folder=self.home))

    def with_settings(self, **more: str) -> Docked:
        """The same user, who has set more: `memory="400m"`, say."""
        return dataclasses.replace(
            self, typed={**self.typed, **{f"FACEGAN_{key.upper()}": v for key, v in more.items()}}
        )

    def submit(self, *more: str) -> None:
        """Type `submit`, and do not follow."""
        answer = self.command(*submission(*more))
        assert answer.code == 0, answer.err

    def resume(self) -> str:
        """Type `resume`, and wait for the end of the session, which then is the only one; why it ended."""
        answer = self.command("resume", RUN, "-d")
        assert answer.code == 0, answer.err
        return self.ended()

    def ended(self) -> str:
        """Wait for the end of the run's session; why it ended, as `status` says it."""
        waited = self.wait()
        assert waited.code in {0, 100, 101}, waited.err
        return self.status()["why"]

    def wait(self) -> Answer:
        """Type `wait`; again if a process that had said that it ends took longer than a command waits for it."""
        waited = self.command("wait", RUN, "--timeout", str(WITHIN_S))
        if waited.took_s < ENDING_S:
            return waited
        for found in self.containers():
            found.wait(timeout=WITHIN_S)
        return self.command("wait", RUN, "--timeout", str(WITHIN_S))

    def status(self) -> dict[str, Any]:
        answer = self.command("status", RUN, "--json")
        assert answer.code == 0, answer.err
        found: dict[str, Any] = json.loads(answer.out)
        return found

    def containers(self, number: int | None = None) -> list[Any]:
        """The run's containers on the engine, or those of one session."""
        marks = [f"facegan.url={layout.run_url(self.store_url, RUN)}"]
        marks += [f"facegan.session={number}"] if number else []
        found: list[Any] = self.engine.containers.list(all=True, filters={"label": marks})
        return found

    def container(self, number: int = 1) -> Any:
        (found,) = self.containers(number)
        return found

    def living(self) -> list[str]:
        return [found.name for found in self.containers() if found.status in {"running", "paused", "restarting"}]

    def volumes(self) -> list[Any]:
        marked = {"label": f"facegan.url={layout.run_url(self.store_url, RUN)}"}
        found: list[Any] = self.engine.volumes.list(filters=marked)
        return found

    def exit_code(self, number: int = 1) -> int:
        """Wait for the end of a session's container, without a command: nobody sweeps it."""
        return int(self.container(number).wait(timeout=WITHIN_S)["StatusCode"])

    def outcome(self) -> outcome.Outcome:
        self.copy()
        return outcome.outcome(self.home, RUN)

    def entries(self) -> list[dict[str, Any]]:
        self.copy()
        return outcome.entries(self.home, RUN)

    def heartbeat(self, number: int) -> dict[str, Any]:
        """What a session said of itself last."""
        found: dict[str, Any] = json.loads(open_store(self.direct).get(layout.heartbeat(RUN, number)))
        return found

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.entries()]

    def copy(self) -> None:
        copied(open_store(self.direct), self.home / "store")

    def fold(self) -> Fold:
        return ledger_at(self.direct).refresh()

    def remove(self) -> None:
        """Remove every container and volume of the run."""
        for found in self.containers():
            found.remove(force=True, v=True)
        for volume in self.volumes():
            volume.remove(force=True)


@functools.cache
def ledger_at(store_url: str) -> Ledger:
    """One for all that is asked: tests that wait ask often, and a new one makes a client and reads every entry."""
    return Ledger(open_store(store_url), RUN, Writer(holder="who asks", wall_s=time.time, new_id=str))


def submission(*more: str) -> list[str]:
    """`submit` of a short run, as it is typed, whose heartbeat leaves room for other requests."""
    changes = (*SHORT, "session.heartbeat_s=0.5", *more)
    return ["submit", "dcgan-mnist", "--name", RUN, "-d", *(word for one in changes for word in ("--set", one))]


def address_of(engine: Any) -> str:
    """The engine's machine, as the containers of its default network see it."""
    (subnet,) = (at["Subnet"] for at in engine.networks.get("bridge").attrs["IPAM"]["Config"] if "." in at["Subnet"])
    return str(next(ipaddress.ip_network(subnet).hosts()))


@contextlib.contextmanager
def at_an_engine(engine: Any, address: str, image: str, moto: str, home: Path) -> Iterator[Docked]:
    """A user of this engine with an empty store at this address, and no container left behind."""
    prefix = uuid.uuid4().hex
    home.mkdir(parents=True, exist_ok=True)
    with proxy(moto, address) as between:
        user = Docked(
            home=home,
            engine=engine,
            image=image,
            store_url=store_url(f"s3://{servers.BUCKET}?endpoint={between.url}", prefix),
            direct=store_url(f"s3://{servers.BUCKET}?endpoint={moto}", prefix),
            proxy=between,
        )
        try:
            yield user
        finally:
            user.remove()


def untouched(user: Docked) -> outcome.Outcome:
    """What becomes of the run when nobody touches it."""
    user.submit()
    assert user.ended() == DONE
    assert user.is_whole()
    found = user.outcome()
    assert found.step == STEPS
    assert sorted(found.metrics) == list(range(1, STEPS + 1))
    return found


def at_once(*scenes: Callable[[], object]) -> None:
    """Two at a time: while one waits for its container, the other works."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for scene in [pool.submit(scene) for scene in scenes]:
            scene.result()
