"""The port to a place where sessions run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from facegan.experiment import Json
from facegan.process import Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One session to be started: `number` of the run at `run_url`, on a GPU of this name or on none."""

    run: str
    run_url: str
    number: int
    gpu: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can do. `gpus` by the names its users type; `stores` by URL scheme."""

    summary: str
    gpus: Sequence[str]
    stores: Sequence[str]
    data_is_here: bool


class Backend(Protocol):
    """Starts sessions and knows of them. A session's name is (run, number).

    A `ref` is what the backend gave for a session it started: JSON, without any secret.
    """

    name: str

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """May ask the machine, never a network."""

    @abstractmethod
    def device(self, gpu: str | None) -> str:
        """`cpu` or `gpu`: what a session would train on."""

    @abstractmethod
    def launching(self, run: str) -> AbstractContextManager[object]:
        """Keep this machine's other commands from launching a session of the run meanwhile."""

    @abstractmethod
    def command(self, order: Order) -> Json:
        """Exactly what `submit` would send. Sends nothing."""

    @abstractmethod
    def submit(self, order: Order) -> Json:
        """Start the session, and return its ref at once. Idempotent: looks the name up first."""

    @abstractmethod
    def look_up(self, order: Order) -> Json | None:
        """The ref of the session of this name, or `None` when the backend, answering, knows none."""

    @abstractmethod
    def life(self, ref: Json) -> Life:
        """Whether that session lives. Unknown, when the backend cannot tell, is no answer."""

    @abstractmethod
    def last_words(self, order: Order) -> str:
        """What the session printed outside the store: all there is of one that never took its lease."""
