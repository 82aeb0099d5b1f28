"""Sessions with TensorFlow in child processes that come to harm at a chosen moment.

The children are forked from a server that has imported TensorFlow and run none of its operations: one is
ready in a moment, and is a process of its own, with signals, threads and a death of its own. What runs in
it is `python -m facegan run`, on a store that does the harm.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from facegan import layout, runtime
from facegan.ledger import Ledger, Wish, Writer
from facegan.storage import ObjectStore, open_store
from facegan.storage.file import FileStore
from tests.fakes.cutting import die_in_the_next_request
from tests.fakes.killing import Death, WatchedStore, tear_write
from tests.waiting import until

T = TypeVar("T")
GO = "go"  # in the home of a session that waits for it
ROOT = Path(__file__).parents[2]
PRELOADED = (
    "facegan.training.gan",
    "facegan.runtime",
    "facegan.data",
    "facegan.storage.s3",
    "facegan.storage.gcs",
    "tests.e2e.children",
)
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


class Harm(Enum):
    """What a session comes to at its moment."""

    KILL = "SIGKILL"
    TERM = "SIGTERM"
    FREEZE = "SIGSTOP"
    STOP = "the user's stop"
    WAIT = "nothing, until there is a file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The `count`-th operation of a kind, counted from 1, and when it is seen from there."""

    kind: str
    count: int
    when: Death = Death.BEFORE
    harm: Harm = Harm.KILL

    def __str__(self) -> str:
        return f"{self.when.value} {self.kind} {self.count}"


def kind_of(verb: str, key: str) -> str:
    """The kind of a store operation, by what it does to what."""
    if verb not in {"put", "put_new"}:
        return verb
    for kind, part in (
        ("ledger", "/ledger/"),
        ("state", layout.STATE),
        ("metrics", layout.METRICS),
        ("sample", "/samples/"),
        ("heartbeat", "/heartbeat.json"),
        ("output", "/output/"),
        ("data", f"/{layout.DATASETS}"),
    ):
        if part in key:
            return kind
    raise AssertionError(f"no kind of operation is known for {verb} {key}")


class HarmingStore(WatchedStore):
    """A store whose process comes to harm at a moment."""

    def __init__(self, store: ObjectStore, moment: Moment) -> None:
        super().__init__(store)
        self._moment = moment
        self._seen = 0
        self._beat = {"counter": 0, "step": 0}

    def put(self, key: str, data: bytes) -> None:
        super().put(key, data)
        if key.endswith("/heartbeat.json"):
            self._beat = json.loads(data)

    def _do(self, verb: str, key: str, act: Callable[[], T], tear: Callable[[], None]) -> T:
        del tear
        moment = self._moment
        self._count(verb, key)
        with self._counting:
            if kind_of(verb, key) == moment.kind:
                self._seen += 1
            is_now = kind_of(verb, key) == moment.kind and self._seen == moment.count
        if not is_now:
            return act()
        if moment.when is Death.AFTER:
            done = act()
            self._harm(key)
            return done
        if moment.when is Death.TORN and not isinstance(self.store, FileStore):
            die_in_the_next_request()
            act()
        if moment.when is Death.TORN:
            tear_write(self.store, b"cut short")
        self._harm(key)
        return act()

    def _harm(self, key: str) -> None:
        harm = self._moment.harm
        if harm is Harm.WAIT:
            until((Path(os.environ["FACEGAN_HOME"]) / GO).exists)
            return
        if harm is Harm.STOP:
            run = key.split("/")[1]
            user = Ledger(self.store, run, Writer(holder="user", wall_s=time.time, new_id=runtime.new_id))
            wishes = [Wish(kind="stop", body={})]
            user.append(lambda _fold: wishes.pop() if wishes else None)
            heard = self._beat["counter"] + 2  # the second one began after it, and the session listens before each
            until(lambda: self._beat["counter"] >= heard)
            return
        if harm is Harm.TERM:  # the training goes on beside this: there is something new to commit
            saved = int(key.rpartition("/checkpoints/")[2].partition("-")[0])
            until(lambda: self._beat["step"] > saved)
        os.kill(os.getpid(), getattr(signal, harm.value))
        time.sleep(1.0)  # long enough for the session to hear of it before it gets further


def session(environment: Mapping[str, str], run_url: str, number: int | None, moment: Moment | None) -> None:
    """The child: one session, then its exit code."""
    os.environ.update(environment)
    if moment is not None:
        runtime.open_store = lambda url: HarmingStore(open_store(url), moment)  # type: ignore[assignment]
    sys.exit(int(runtime.main([run_url, *(["--session", str(number)] if number else [])])))


@functools.cache
def ready() -> None:
    """Have the server started, in an environment of its own."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOADED))
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


def start(
    home: Path,
    run_url: str,
    number: int | None = None,
    moment: Moment | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> ForkServerProcess:
    """Start one session beside the caller, with something more in its environment."""
    ready()
    child = multiprocessing.get_context("forkserver").Process(
        target=session, args=({**environment, "FACEGAN_HOME": str(home)}, run_url, number, moment), daemon=True
    )
    child.start()
    return child


def end_of(child: ForkServerProcess, timeout_s: float = 600) -> int:
    """Wait for a session's end; its exit code, or the negative number of the signal that ended it."""
    child.join(timeout_s)
    assert child.exitcode is not None, "the session hangs"
    return child.exitcode
