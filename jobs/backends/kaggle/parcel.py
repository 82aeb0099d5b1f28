"""The private data set that carries what a session is handed: the only channel of Kaggle that an API can fill.

A kernel's source stays in its history and is shown on its page; a private data set is shown to its owner, and is
deleted when the session has ended. Its name says which session and which attempt it was made for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jobs.backends.base import Order
from jobs.backends.kaggle import facts, kernel
from jobs.backends.kaggle.api import Api
from jobs.backends.kaggle.notes import Notes
from jobs.backends.kaggle.refusals import UNKNOWN_TO_IT, AnswerError
from jobs.refusals import Capacity

HANDED = "handed.json"
WHEEL = "wheel.bin"  # by no name that Kaggle would unpack
LUGGAGE, LABEL = "luggage.bin", "luggage.json"  # the run, for a session on a copy of it; and its digest
ATTEMPTS = 20
LOOK_EVERY_S = 3.0


class Parcels:
    """Makes, awaits and removes the data sets of one account."""

    def __init__(self, api: Api, owner: str, notes: Notes, sleep: Callable[[float], object]) -> None:
        self._api = api
        self._owner = owner
        self._notes = notes
        self._sleep = sleep

    def make(self, order: Order, files: Mapping[str, bytes]) -> str:
        """Make a data set of these files for this session, and return its name.

        The crash argument: the note comes first, so that a data set that nobody uses is found and removed. One
        that an attempt before left behind holds credentials of unknown age: it is passed over by its name.

        Raises:
            AnswerError: Kaggle will not have it.
            Uncertain: no answer; it may be there.
        """
        tokens = [self._api.upload(name, data) for name, data in files.items()]
        for attempt in range(1, ATTEMPTS + 1):
            name = kernel.dataset_name(order, attempt)
            self._notes.making(name)
            try:
                self._api.create_dataset(self._owner, name, tokens)
            except AnswerError as error:
                if facts.NAME_TAKEN.part not in error.text.lower():
                    raise
                continue
            return name
        raise Capacity(f"{ATTEMPTS} data sets of session {order.number} are left behind", hint="delete them at Kaggle")

    def wait(self, name: str, for_s: float) -> None:
        """Until it can be attached. Kaggle refuses a new one to its own owner at first.

        Raises:
            Capacity: it came to nothing, or did not come in time.
        """
        waited = 0.0
        while (state := self._state(name)) != "READY":
            if state in {"FAILED", "DELETED"} or waited >= for_s:
                raise Capacity(f'Kaggle has the data set "{name}" as {state}, not ready', hint="facegan-job resume RUN")
            self._sleep(LOOK_EVERY_S)
            waited += LOOK_EVERY_S

    def remove(self, name: str) -> None:
        self._api.delete_dataset(self._owner, name)
        self._notes.removed(name)

    def of(self, run: str, run_url: str) -> Iterator[tuple[int, str]]:
        """Those that are there for sessions of this run, by our notes and by Kaggle's search: number and name."""
        for name in sorted({*self._notes.datasets(), *self._api.datasets(kernel.prefix(run, run_url))}):
            if (number := kernel.number_of(name, run, run_url)) is not None:
                yield number, name

    def _state(self, name: str) -> str:
        try:
            return self._api.dataset_status(self._owner, name)
        except AnswerError as error:
            if error.status not in UNKNOWN_TO_IT:
                raise
            return "HIDDEN"
