"""The store as a set of contents, and the desk through which a process asks of it.

Every question of a process, to the store or to its clock, is an `Op` and leaves the process through its `Desk`: there
the explorer takes over, and comes back with an answer when and as it likes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from greenlet import getcurrent

from facegan import layout
from facegan.errors import SessionExit, UnreachableError
from facegan.storage.base import LARGEST, NotFoundError, ObjectStore
from facegan.storage.memory import MemoryStore

RUN = "r"
LEDGER = layout.ledger(RUN)
CHECKPOINTS = layout.checkpoints(RUN)
PLACE = "place/"  # beside the run: what a place was sent, and what was left there
HOMECOMING = layout.homecoming(RUN, 1).rpartition("/")[2]


class Violation(AssertionError):  # noqa: N818 - what a checker finds is no error of its own
    """A promise that was broken, and the history that broke it."""


class Op(NamedTuple):
    """What a process asks: a verb of the store, or `sleep` (the watch of a lease) or `pause` (before asking again)."""

    verb: str
    key: str = ""
    data: bytes = b""

    @property
    def is_write(self) -> bool:
        return self.verb in {"put", "put_new", "delete"}

    @property
    def is_append(self) -> bool:
        return self.verb in {"put", "put_new"} and self.key.startswith(LEDGER)

    def __str__(self) -> str:
        return f"{self.verb} {self.key.removeprefix(layout.run(RUN))}".strip()


@dataclass(frozen=True, slots=True)
class Silence:
    """The answer that never came, or came too late."""

    why: str


@dataclass(frozen=True, slots=True)
class Missing:
    """The answer that there is no such object."""

    key: str


LOST = Silence("unreachable")
Answer: TypeAlias = bytes | bool | tuple[str, ...] | Silence | Missing | None


class Contents:
    """Every content the store ever had in the explored histories, once each, under a small number.

    Verbs are those of the real `MemoryStore`; only where its objects come from is ours.
    """

    def __init__(self, first: dict[str, bytes], *, deletes: bool = False) -> None:
        self._deletes = deletes
        self._store = MemoryStore()
        self._numbers: dict[frozenset[tuple[str, bytes]], int] = {}
        self._objects: list[dict[str, bytes]] = []
        self._answers: dict[tuple[int, Op], tuple[int, Answer]] = {}
        self._private: dict[tuple[int, Op], bool] = {}
        self._folders: dict[tuple[bytes, ...], frozenset[str]] = {}
        self.first = self._number(first)

    def __len__(self) -> int:
        return len(self._objects)

    def objects(self, number: int) -> dict[str, bytes]:
        return self._objects[number]

    def apply(self, number: int, op: Op) -> tuple[int, Answer]:
        """The content after the operation, and what it answers."""
        if (number, op) not in self._answers:
            self._answers[number, op] = self._apply(number, op)
        return self._answers[number, op]

    def is_private(self, number: int, op: Op) -> bool:
        """Whether this operation commutes with everything that another process may do before it.

        Then exploring it first, alone, loses nothing: every history in which others go first equals, step
        by step and in its faults, one in which they go after it. That is so for
        - a pause and a sleep: they touch nothing, and what others do meanwhile they may do just after;
        - reading an entry that is there, and creating one where one is: entries never change (which is
          checked at every write, so a history that breaks it is found before this is relied on);
        - the same of what a place was sent and of what was left there;
        - reading a checkpoint's object that is there, unless this scenario prunes;
        - writing an object of a checkpoint that no entry names: nobody reads it before one does, and no other
          process writes there, since a number is leased once (checked at every lease), or, where two commands bring
          the same session's home, they write the same.
        """
        if (number, op) not in self._private:
            self._private[number, op] = self._is_private(number, op)
        return self._private[number, op]

    def _is_private(self, number: int, op: Op) -> bool:
        there = op.key in self._objects[number]
        if op.verb in {"sleep", "pause"}:
            return True
        if op.key.startswith((LEDGER, PLACE)):
            return there and op.verb in {"get", "put_new"}
        if op.key.endswith(HOMECOMING):
            return False  # it is read, and deleted, by whoever finds it
        if op.key.startswith(CHECKPOINTS):
            if op.verb == "get":
                return there and not self._deletes
            return op.verb == "put" and not self._is_named(number, op.key)
        return False

    def _is_named(self, number: int, key: str) -> bool:
        """Whether an entry may name this checkpoint: its folder's path stands in an entry's bytes."""
        entries = tuple(data for name, data in self._objects[number].items() if name.startswith(LEDGER))
        if entries not in self._folders:
            quoted = (part for data in entries for part in data.decode().split('"'))
            self._folders[entries] = frozenset(part for part in quoted if part.startswith(CHECKPOINTS))
        folder = "/".join(key.split("/")[:4]) + "/"
        return folder in self._folders[entries]

    def _apply(self, number: int, op: Op) -> tuple[int, Answer]:
        if op.verb in {"sleep", "pause"}:
            return number, None
        before = self._objects[number]
        self._store.objects = dict(before) if op.is_write else before
        answer = self._ask(op)
        if not op.is_write or self._store.objects == before:
            return number, answer
        self._require_kept(before, self._store.objects)
        return self._number(self._store.objects), answer

    def _ask(self, op: Op) -> Answer:
        store = self._store
        if op.verb == "get":
            try:
                return store.get(op.key)
            except NotFoundError:
                return Missing(op.key)
        if op.verb == "list":
            return tuple(store.list(op.key, after=op.data.decode()))
        if op.verb == "put_new":
            return store.put_new(op.key, op.data)
        if op.verb == "put":
            return store.put(op.key, op.data)
        return store.delete(op.key)

    def _require_kept(self, before: dict[str, bytes], after: dict[str, bytes]) -> None:
        for key, data in before.items():
            if key.startswith((LEDGER, PLACE)) and after.get(key) != data:
                raise Violation(f"what was history is not any more: {key}")

    def _number(self, objects: dict[str, bytes]) -> int:
        found = frozenset(objects.items())
        if found not in self._numbers:
            self._numbers[found] = len(self._objects)
            self._objects.append(objects)
        return self._numbers[found]


def told(op: Op, answer: Answer) -> int:
    """The newest entry that this answer shows to stand; -1 for none."""
    if op.verb == "list" and op.key.startswith(LEDGER) and isinstance(answer, tuple):
        return max((int(key[-13:-5]) for key in answer), default=-1)
    shown = (op.verb == "put_new" and answer is True) or (op.verb == "get" and isinstance(answer, bytes))
    return int(op.key[-13:-5]) if shown and op.key.startswith(LEDGER) else -1


class Desk:
    """What a program is given instead of the world: every question leaves through `ask`."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.patient = True
        self.said: list[tuple[str, str]] = []
        self.store: ObjectStore = YieldingStore(self)
        self._known = -1
        self._tries = itertools.count()

    def ask(self, op: Op) -> Answer:
        answer: Answer = getcurrent().parent.switch(op)
        if isinstance(answer, Silence):
            raise UnreachableError(answer.why)
        if told(op, answer) > self._known:
            self._known = told(op, answer)
            self._tries = itertools.count()
        return answer

    def new_id(self) -> str:
        """Fresh for every try to append the same number.

        Numbers differ in their bytes anyway; counting anew for each of them lets histories that differ only in
        how many tries were made long ago meet again.
        """
        return f"{self.holder}.{next(self._tries)}"

    def say(self, text: str) -> None:
        self.said.append((self.holder, text))

    def sleep(self, _seconds: float) -> None:
        self.ask(Op("sleep"))

    def pause(self, _seconds: float) -> None:
        self.ask(Op("pause"))


class YieldingStore(ObjectStore):
    """The port, asking the explorer before every verb. A listing is one answer, never a lazy one."""

    def __init__(self, desk: Desk) -> None:
        self.url = "memory://"
        self._desk = desk

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        del at_most
        answer = self._desk.ask(Op("get", key))
        if isinstance(answer, Missing):
            raise NotFoundError(f'no object "{key}"')
        assert isinstance(answer, bytes)
        return answer

    def put(self, key: str, data: bytes) -> None:
        self._desk.ask(Op("put", key, bytes(data)))

    def put_new(self, key: str, data: bytes) -> bool:
        return bool(self._desk.ask(Op("put_new", key, bytes(data))))

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        answer = self._desk.ask(Op("list", prefix, after.encode()))
        assert isinstance(answer, tuple)
        return iter(answer)

    def sizes(self, prefix: str) -> dict[str, int]:
        raise NotImplementedError(prefix)  # no session asks for it

    def times(self, prefix: str) -> dict[str, float]:
        raise NotImplementedError(prefix)  # no session asks for it

    def folders(self, prefix: str) -> Iterator[str]:
        raise NotImplementedError(prefix)  # no session asks for it

    def delete(self, key: str) -> None:
        self._desk.ask(Op("delete", key))


class Alone(Desk):
    """A desk in a world where nobody else lives: nothing is asked, nobody waits."""

    def __init__(self, holder: str, store: MemoryStore) -> None:
        super().__init__(holder)
        self.store = store
        self.slept = 0

    def ask(self, op: Op) -> None:
        self.slept += op.verb == "sleep"


Program: TypeAlias = Callable[[Desk], SessionExit]
