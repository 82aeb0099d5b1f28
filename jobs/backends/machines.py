"""What backends share whose sessions have a machine each, in the user's own account of a cloud."""

from __future__ import annotations

import contextlib
import functools
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from facegan.errors import FaceganError
from facegan.experiment import Json
from facegan.storage import ObjectStore, open_store
from jobs.backends import vm
from jobs.backends.base import SPARED_S, Backend, Machine, Order
from jobs.backends.outside import Outside
from jobs.refusals import InvalidJob
from jobs.settings import Settings

LARGEST_LOG = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things take, in seconds.

    What the cloud does not know is not there when it does not know it `missing_s` later either. A machine of an ended
    session that is still there `abandoned_s` after it was made is nobody's. One that was told to end has `ending_s`.
    One that is asked for is waited for `starting_s`, where only then it is known whether there is room for it.
    """

    missing_s: float = 60.0
    abandoned_s: float = SPARED_S
    ending_s: float = 180.0
    starting_s: float = 180.0
    look_every_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World(Outside):
    """What is around the backend: tests put something else there."""

    times: Times = Times()
    life: vm.Life = field(default_factory=vm.Life)


class MachineBackend(Backend):
    """`cloud` is its name for people, `cores` how many the smallest machine has.

    `cards` are the types of machines with each GPU, in the order in which they are tried, `without` those with none.
    """

    cloud: ClassVar[str]
    cores: ClassVar[int]
    cards: ClassVar[Mapping[str, Sequence[str]]]
    without: ClassVar[Sequence[str]]
    _settings: Settings
    _world: World

    def machine(self, gpu: str | None) -> Machine:
        return Machine(device="gpu" if gpu else "cpu", cores=self.cores, gpus=1 if gpu else None)

    def bundle(self, gpu: str | None) -> Json:
        """The image, by its digest in a registry: a machine that is new has to pull it from somewhere.

        Raises:
            BadInputError: no image is set, or not by its digest; or the settings name no known market.
            Refusal: there is no such GPU.
        """
        self._types(gpu)
        named = self._image()
        _ = vm.market(self._settings.market), self.host
        return {"image": named, "id": None, "digest": named}

    def printed(self, order: Order) -> Iterator[str]:
        """From the log that the machine has left in the store; before that, and without one, from its console."""
        text = self._log(vm.log_key(order))
        if text is None:
            found = self._machine(order)
            text = self._console(found) if found else ""
        return (line for line in text.splitlines(keepends=True) if line.endswith("\n"))

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Remove machines of a run without a session that have not removed themselves.

        While one is open, nothing is touched: it may be on a machine that was made for a number before it, which had
        ended when that machine came to begin. A number that whoever calls this has not heard of yet is not in `keep`
        either: so none is touched that was made a while ago at the most.
        """
        for found in () if keep else self._of_run(run_url):
            if self._is_left(found):
                self._remove(found)

    @abstractmethod
    def _machine(self, order: Order) -> Json | None:
        """The session's machine as the cloud describes it, in whatever state it is."""

    @abstractmethod
    def _of_run(self, run_url: str) -> Sequence[Json]:
        """Every machine of the run."""

    @abstractmethod
    def _is_left(self, found: Json) -> bool:
        """Whether a machine is in the way, or paid for, without a session of its run that goes on."""

    @abstractmethod
    def _remove(self, found: Json) -> None: ...

    @abstractmethod
    def _console(self, found: Json) -> str:
        """What the machine has written to its console."""

    def _types(self, gpu: str | None) -> Sequence[str]:
        """The types that a session with this GPU may run on.

        Raises:
            InvalidJob: none has it.
        """
        if gpu is None:
            return self.without
        found = next((types for card, types in self.cards.items() if card.lower() == gpu.lower()), None)
        if found is None:
            raise InvalidJob(f'no machine here has a GPU "{gpu}"', hint=f"there are {', '.join(self.cards)}")
        return found

    def _image(self) -> str:
        """The image of sessions, with its digest."""
        return vm.pinned(self._settings.image, self.cloud)

    def _log(self, key: str) -> str | None:
        with contextlib.suppress(FaceganError):
            return self._store.get(key, at_most=LARGEST_LOG).decode(errors="replace")
        return None

    @functools.cached_property
    def _store(self) -> ObjectStore:
        return open_store(self._settings.store)
