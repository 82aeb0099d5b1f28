"""The port to a place where sessions run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from facegan.accounts import Credentials
from facegan.experiment import Json
from facegan.process import Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One session to be started: `number` of the run at `run_url`, on a GPU of this name or on none.

    `bundle` is what is shipped, pinned by its digest; `grace_s` how long the session may take between the wish to
    stop it and its end, for a last checkpoint.
    """

    run: str
    run_url: str
    number: int
    gpu: str | None = None
    bundle: Json = field(default_factory=dict)
    grace_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a session would train on: `cpu` or `gpu`, and how many cores."""

    device: str
    cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What has become of a session. `why` is said of one that is gone: the words of its `lost` entry."""

    life: Life
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can do. `gpus` by the names its users type; `stores` by URL scheme.

    `instead` says what to do about a store that it could reach in other circumstances, by scheme.
    """

    summary: str
    gpus: Sequence[str]
    stores: Sequence[str]
    data_is_here: bool
    instead: Mapping[str, str] = field(default_factory=dict)


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

    @abstractmethod
    def look_up(self, order: Order) -> Json | None:
        """The ref of the living session of this name, or `None` when the backend, answering, knows none.

        Raises:
            Uncertain: it does not answer.
        """

    @abstractmethod
    def fate(self, ref: Json) -> Fate:
        """Whether that session lives. Unknown, when the backend cannot tell, is no answer. Never raises."""

    @abstractmethod
    def last_words(self, order: Order) -> str:
        """What the session printed outside the store: all there is of one that never took its lease."""

    @abstractmethod
    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Remove what ended sessions of the run left behind there; `keep` are the numbers that have not ended."""
