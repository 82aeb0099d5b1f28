"""The port to a place where sessions run."""

from __future__ import annotations

import contextlib
import hashlib
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from facegan.accounts import Credentials
from facegan.errors import BadInputError, FaceganError
from facegan.experiment import Json
from facegan.process import Life
from jobs.carrying.packing import Luggage

LAST_WORDS_CHARACTERS = 4000

SPARED_S = 900.0
"""A machine without a session that is not older is left alone: when its session ends early, it removes itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One session to be started: `number` of the run at `run_url`, on a GPU of this name or on none.

    `bundle` is what is shipped, pinned by its digest; `grace_s` how long the session may take between the wish to
    stop it and its end, for a last checkpoint. `prepares` is the data set that it has to prepare first, because no
    array of it is in the store; `replicas` on how many of the place's cards it trains. One that is `carried` works on a
    copy of the run, because it cannot reach the store; `luggage` is what it takes along, when it is really sent.
    `limit_s` is how long all of it may take, a machine's start included, where the user's budget says so.
    `is_open` looks whether its number still is, for who has much to do before it sends anything.
    """

    run: str
    run_url: str
    number: int
    gpu: str | None = None
    bundle: Json = field(default_factory=dict)
    grace_s: float = 60.0
    prepares: str | None = None
    replicas: int = 1
    carried: bool = False
    luggage: Luggage | None = None
    limit_s: float | None = None
    is_open: Callable[[], bool] = field(default=lambda: True, compare=False)

    def within(self, session_s: float, margin_s: float = 0.0) -> float:
        """The longest session, in seconds, of a place that lets one take `session_s` and keeps `margin_s` of that."""
        return session_s if self.limit_s is None else min(session_s, self.limit_s + margin_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a session would train on: `cpu` or `gpu`, how many cores, and how many GPUs, where the place can tell."""

    device: str
    cores: int
    gpus: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What has become of a session. `why` is said of one that is gone: the words of its `lost` entry.

    One that is gone is `missing` where its place does not know it, and does not say that it has ended.
    """

    life: Life
    why: str = ""
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can do. `gpus` by the names its users type; `stores` by URL scheme.

    `instead` says what to do about a store that it could reach in other circumstances, by scheme. `absent` are GPUs
    that its users may ask for, each with the reason why there is none; `session_s` is its longest session, where it
    has a limit. `data_there` are the known data sets that it has itself, so that a session can prepare them, and what
    they are called there. Sessions cannot reach stores of the schemes that it `carries`: they are given a copy of the
    run. To sessions `elsewhere` this machine's loopback is their own.
    """

    summary: str
    gpus: Sequence[str]
    stores: Sequence[str]
    data_is_here: bool
    instead: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    session_s: float | None = None
    data_there: Mapping[str, str] = field(default_factory=dict)
    carries: Sequence[str] = ()
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What an account may still use of a place: `left_s` of `of_s` seconds of `what`; it begins anew at `resets_at`."""

    what: str
    left_s: float
    of_s: float
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What `doctor` has looked at and found. `ok` is `None` for what is good to know and no fault."""

    name: str
    ok: bool | None
    found: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A machine of ours that is at its place, by what it is marked with: for session `number` of `run`.

    `digest` tells apart runs of one id in two stores. `ref` is what `cancel` takes; `age_s` how long it
    is there, by its place's clock and ours; `state` its place's own word; `where` the region or zone that it is in.
    """

    ref: Json
    run: str
    digest: str
    number: int
    age_s: float
    state: str
    where: str


def digest(run_url: str) -> str:
    """What a machine is marked with, beside its run's id: that alone is the same in two stores."""
    return hashlib.sha256(run_url.encode()).hexdigest()[:16]


Hand = Callable[[], Credentials | None]
"""Makes what a session needs to reach the store; `None` where nothing is needed. Called when one is really made."""


class Backend(Protocol):
    """Starts sessions and knows of them. A session's name is (run, number).

    A `ref` is what the backend gave for a session it started: JSON, without any secret. `host` is which of its
    engines, regions or accounts this one speaks to, where there are several.
    """

    name: str
    host: str | None

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """May ask the machine, never a network."""

    @abstractmethod
    def machine(self, gpu: str | None) -> Machine:
        """What a session would train on. May ask the place."""

    def fetch(self, gpu: str | None) -> None:
        """Bring to the place what would be shipped, where it has to be brought there first. May take minutes.

        Raises:
            BadInputError: it cannot be had.
        """
        del gpu

    @abstractmethod
    def bundle(self, gpu: str | None) -> Json:
        """What would be shipped, pinned by its digest. May ask the place.

        Raises:
            BadInputError: there is nothing to ship; says how to make it.
        """

    @abstractmethod
    def launching(self, run: str) -> AbstractContextManager[object]:
        """Keep this machine's other commands from launching a session of the run meanwhile."""

    @abstractmethod
    def command(self, order: Order) -> Json:
        """Exactly what `submit` would send. Sends nothing."""

    @abstractmethod
    def submit(self, order: Order, hand: Hand) -> Json:
        """Start the session, and return its ref at once. Idempotent: looks the name up first.

        Raises:
            Refusal: the place will not run it, or has not answered.
        """

    def ref(self, order: Order) -> Json | None:
        """The ref that this session will have, where that is known before it is started.

        It has to be where sessions are carried: nothing can be written down while one is.
        """
        del order
        return None

    def ending(self, run: str) -> AbstractContextManager[bool]:
        """As `launching`, but wait for nobody: whether no other command is launching a session of the run.

        It has to tell where sessions are carried, whose refs are known before they are there.
        """
        del run
        return nullcontext(enter_result=True)

    def left(self, order: Order) -> bytes | None:
        """What a carried session has left at its place when it ended, whole; `None` if nothing, for certain.

        Raises:
            Uncertain: no answer, or it is not all there yet.
        """
        del order
        return None

    @abstractmethod
    def look_up(self, order: Order) -> Json | None:
        """The ref of the living session of this name, or `None` when the backend, answering, knows none.

        Raises:
            Uncertain: it does not answer.
        """

    @abstractmethod
    def fate(self, ref: Json) -> Fate:
        """Whether that session lives. Unknown, when the backend cannot tell, is no answer. Never raises."""

    def last_words(self, order: Order) -> str:
        """The end of what the session printed outside the store: all there is of one that never took its lease.

        Nothing, where its place does not answer.
        """
        with contextlib.suppress(FaceganError):
            return "".join(self.printed(order))[-LAST_WORDS_CHARACTERS:]
        return ""

    @abstractmethod
    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Remove what ended sessions of the run left behind there; `keep` are the numbers that have not ended."""

    def give_back(self, run_url: str, ended: Callable[[int], bool]) -> None:
        """Give back what was asked for and never begun of the numbers that have `ended` for certain.

        For places where `sweep` has to wait with that, because others may be about to begin it.
        """
        del run_url, ended

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """End a session at once, for certain. Of one that has ended, it is no error. It may take some seconds.

        With `delete` also where that destroys what the place keeps of the session.

        Raises:
            BadInputError: it cannot be ended from here as asked; the hint says how it can.
            Uncertain: the place does not answer.
        """
        del ref, delete
        raise BadInputError(f"sessions on {self.name} cannot be ended from here", hint="end it where it runs")

    def kill(self, ref: Json) -> None:
        """Kill the session without a word, as a machine does that fails: for `chaos` alone.

        Raises:
            BadInputError: no session of this place is killed.
        """
        del ref
        raise BadInputError(f'sessions on "{self.name}" are not killed', hint="chaos is for those on local and docker")

    def hosts(self) -> Sequence[str | None]:
        """Where machines of ours may be there, as far as it is set up on this machine; nowhere, if it makes none.

        Raises:
            FaceganError: it is set up, and does not say where.
        """
        return ()

    def machines(self) -> Sequence[Found]:
        """The machines of ours that are at this `host` now, whoever made them. None where sessions need none.

        Raises:
            FaceganError: no answer, or not to us.
        """
        return ()

    def quota(self) -> Allowance | None:
        """What is left of the account's quota; `None` where there is none. May ask the network, for some seconds.

        Raises:
            FaceganError: no answer.
        """
        return None

    def checks(self) -> Sequence[Check]:
        """Preconditions that can be looked at. None for a place that is not set up here. May ask the network."""
        return ()

    def printed(self, order: Order) -> Iterator[str]:
        """The whole lines that the session has printed at its place from its start until now, each with its end.

        Nothing where the place keeps none.

        Raises:
            FaceganError: no answer; what was given is right as far as it goes.
        """
        del order
        return iter(())
