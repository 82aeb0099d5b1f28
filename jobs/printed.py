"""What the sessions of a run printed, as it comes: from the place where each ran, and from the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from facegan import layout
from facegan.errors import FaceganError
from facegan.experiment import Json
from facegan.ledger import Ledger
from facegan.ledger import fold as folding
from facegan.ledger.fold import OpenSession
from jobs import orders
from jobs.backends import BACKENDS, open_backend
from jobs.context import Context
from jobs.joined import Joined

WHERE = ("backend", "host")


class Printed:
    """The logs of a run's sessions. Each reading of one goes on where the last one came to."""

    def __init__(self, context: Context, ledger: Ledger, say: Callable[[str], object]) -> None:
        self._context = context
        self._ledger = ledger
        self._say = say
        self._asked: dict[int, Json] = {}
        self._joined: dict[int, Joined] = {}
        self._pieces: dict[int, str] = {}
        self._over: set[int] = set()
        self._silent: set[int] = set()

    def new(self, number: int, *, is_open: bool) -> Iterator[str]:
        """The lines of that session that came since. One that is not open any more is read once more, to its end."""
        if number in self._over:
            return
        joined = self._joined.setdefault(self._process(number), Joined())
        yield from joined.place(self._at_place(number))  # first: what it has, it has in order
        store, ledger = self._context.store, self._ledger
        for key in store.list(layout.output(ledger.run, number), after=self._pieces.get(number, "")):
            yield from joined.store(store.get(key).decode(errors="replace"))
            self._pieces[number] = key
        if not is_open:
            yield from joined.rest()
            self._over.add(number)

    def _at_place(self, number: int) -> Iterator[str]:
        """Nothing where the place is not known here, or keeps nothing. That it does not answer is said once."""
        intent = self._intent(number)
        if "machine" in intent or intent["backend"] not in BACKENDS:
            return
        session = OpenSession(number=number, backend=intent["backend"], host=intent.get("host"), gpu=intent.get("gpu"))
        try:
            place = open_backend(session.backend, self._context.settings, host=session.host)
            yield from place.printed(orders.order(self._context, self._ledger.run, session))
        except FaceganError as error:
            if number not in self._silent:
                self._say(f"of session {number}, only what is in the store can be shown: {error.message}")
            self._silent.add(number)

    def _process(self, number: int) -> int:
        """The number under which the place has what this session prints.

        A process that found its own number ended asks for another one itself, and its place knows nothing of that.
        """
        mine = self._intent(number)
        if mine.get("ref") is None:
            return number
        for before in range(number - 1, 0, -1):
            found = self._intent(before)
            if "machine" not in found and [found[key] for key in WHERE] == [mine[key] for key in WHERE]:
                return before
        return number

    def _intent(self, number: int) -> Json:
        if number not in self._asked:
            self._asked[number] = intent(self._ledger, number)
        return self._asked[number]


def intent(ledger: Ledger, number: int) -> Json:
    """What was said when that session was asked for. It has a `machine` where its process asked for itself.

    Every entry carries the run as folded up to it, and numbers only grow: so it is found by halving.
    """
    ledger.refresh()
    low, high = 1, ledger.seq
    while low < high:
        middle = (low + high) // 2
        if folding.from_json(ledger.entry(middle).fold).newest < number:
            low = middle + 1
        else:
            high = middle
    return ledger.entry(low).body
