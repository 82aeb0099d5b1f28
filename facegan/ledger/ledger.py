"""Reading and extending one run's ledger.

All writers stand in one order with neither locks nor clocks: entry k+1 is created if absent, by
whoever comes first. The crash argument:

- killed before the create, nothing happened; killed after it, the entry is history, and the next
  process that reads the tail acts on it;
- an answer that was lost leaves the writer not knowing. It reads the tail again: if entry k+1 is its
  own bytes (holder and nonce are in them), it had succeeded; if it is not there, the very same bytes
  are put again; if it is another's, the decision is taken afresh on the new fold;
- a put that lands late lands on its own number k+1 only, and only if that is still absent: then its
  decision was taken on what is still the newest state, and is as good as if it had come in time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from facegan import layout
from facegan.errors import BadInputError, DamagedError, FaceganError, SessionExit
from facegan.experiment import Experiment, Json
from facegan.ledger import beginning, form, law
from facegan.ledger import fold as folding
from facegan.ledger.entry import GENESIS, LARGEST_ENTRY, SCHEMA, Entry, decode, digest, encode, is_sealed
from facegan.ledger.fold import Fold
from facegan.storage.base import NotFoundError, ObjectStore, TooLargeError


class NoRunError(FaceganError):
    """There is no run of that id in the store."""

    exit_code = SessionExit.BAD_INPUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who appends: the random name this process drew, its wall clock and its source of fresh ids."""

    holder: str
    wall_s: Callable[[], float]
    new_id: Callable[[], str]

    def at(self) -> str:
        return datetime.fromtimestamp(self.wall_s(), UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a decision wants appended: a kind and what it says."""

    kind: str
    body: Json


Decide = Callable[[Fold], Wish | None]


class Ledger:
    """One run's ledger, as far as this process has read it. Safe to use from several threads."""

    def __init__(self, store: ObjectStore, run: str, writer: Writer) -> None:
        self.store = store
        self.run = layout.check_run_id(run)
        self.writer = writer
        self._lock = threading.RLock()
        self._seq = -1
        self._digest = GENESIS
        self._schema = SCHEMA
        self._at = ""
        self._fold: Fold | None = None

    @property
    def at(self) -> str:
        """When the newest entry read so far was written, by its writer's clock: for people."""
        return self._at

    @property
    def seq(self) -> int:
        """The number of the newest entry read so far; -1 before the first."""
        return self._seq

    @property
    def head(self) -> tuple[int, str]:
        """Number and digest of the newest entry read so far, together."""
        with self._lock:
            return self._seq, self._digest

    @property
    def fold(self) -> Fold:
        """The run as last read."""
        if self._fold is None:
            return self.refresh()
        return self._fold

    def refresh(self) -> Fold:
        """Read what was appended since: one listing, and a get for whatever is new.

        The first look reads the newest entry only, which holds the run as folded so far. From then on every
        entry is read, and must follow the one before by its hash.

        Raises:
            NoRunError: there is no such run.
            DamagedError: an entry is missing or not as it was written; names it.
        """
        with self._lock:
            after = layout.entry(self.run, self._seq) if self._seq >= 0 else ""
            newest = self._seq
            for key in self.store.list(layout.ledger(self.run), after=after):
                seq = layout.entry_seq(key)
                if seq is None or seq <= newest:
                    continue
                for hidden in range(newest + 1, seq):
                    self._get(hidden)  # a listing may be behind what is there, in the middle too
                newest = seq
            for seq in range(self._seq + 1 if self._seq >= 0 else newest, newest + 1):
                if seq > self._seq:
                    self._read(seq, self._get(seq))
            if self._fold is None:
                raise NoRunError(
                    f'there is no run "{self.run}" in {self.store.url}', hint="facegan-job ps lists the runs"
                )
            return self._fold

    def entry(self, seq: int) -> Entry:
        """The entry of that number, checked: as it was written, and of a form that can be."""
        return self._decoded(seq, self._get(seq))

    def digest_of(self, seq: int) -> str:
        """The SHA-256 of the entry of that number, as it stands in the store."""
        return digest(self._get(seq))

    def linked(self, seq: int) -> Entry:
        """The entry of that number, once it was seen to follow the one that stands before it.

        Raises:
            DamagedError: it does not, or either is not as it was written; names which.
        """
        *_, entry = self._chain(max(seq - 1, 0), seq)
        return entry

    def entries(self, *, after: int = -1) -> Iterator[Entry]:
        """Every entry with a number higher than `after`, to the newest; each must follow the one before it."""
        self.refresh()
        return self._chain(after + 1, self._seq)

    def _chain(self, first: int, last: int) -> Iterator[Entry]:
        before = None
        for seq in range(first, last + 1):
            data = self._get(seq)
            entry = self._decoded(seq, data)
            if before is not None:
                self._require_link(seq, entry, before)
            before = digest(data)
            yield entry

    def created(self) -> Experiment:
        """The experiment as it was resolved when the run was created, its data as settled by now.

        Raises:
            NoRunError: there is no such run.
            DamagedError: its first entry holds no experiment that this version knows.
        """
        settled = self.fold.data
        resolved = beginning.experiment(self.entry(0), self.run)
        return resolved if settled is None else replace(resolved, data=replace(resolved.data, digest=settled))

    def create(self, body: Json) -> bool:
        """Begin the run, unless it was begun before: whether this call began it."""
        with self._lock:
            data = self._encoded(0, "created", body, None)
            if self.store.put_new(layout.entry(self.run, 0), data):
                self._read(0, data)
                return True
            self.refresh()
            return self._seq == 0 and self._digest == digest(data)

    def append(self, decide: Decide) -> Fold:
        """Decide on the newest fold what to append, and append exactly that; the fold afterwards.

        `decide` may be called again whenever another writer came first. It returns `None` when what it
        wants is history already, and raises when it is no longer wanted.
        """
        with self._lock:
            fold = self.refresh()
            while (wish := decide(fold)) is not None:
                if self._schema > SCHEMA:
                    raise BadInputError(
                        f'run "{self.run}" was continued by a newer version of this program',
                        hint="pip install --upgrade facegan-job",
                    )
                if self._create_next(self._encoded(self._seq + 1, wish.kind, wish.body, fold)):
                    return self.fold
                fold = self.fold
            return fold

    def _create_next(self, data: bytes) -> bool:
        """Create the next entry: True when it is ours, False when another's stands there and was read."""
        seq = self._seq + 1
        if self.store.put_new(layout.entry(self.run, seq), data):
            self._read(seq, data)
            return True
        there = self._get(seq)
        self._read(seq, there)  # read where it stands: a listing may not show it yet
        return there == data

    def _encoded(self, seq: int, kind: str, body: Json, fold: Fold | None) -> bytes:
        after = law.apply(fold, seq, self.writer.holder, kind, body)
        entry = Entry(
            seq=seq,
            prev=self._digest if fold else GENESIS,
            at=self.writer.at(),
            by=self.writer.holder,
            nonce=self.writer.new_id(),
            kind=kind,
            body=body,
            fold=folding.to_json(after),
        )
        form.require(entry, self.run, seq)  # nobody writes what nobody would read
        return encode(entry)

    def _get(self, seq: int) -> bytes:
        """The entry's bytes. A bad download is no damage: what is not as it was written is fetched once more.

        Raises:
            DamagedError: it is not there.
        """
        key = layout.entry(self.run, seq)
        try:
            data = self.store.get(key, at_most=LARGEST_ENTRY)
            return data if is_sealed(data) else self.store.get(key, at_most=LARGEST_ENTRY)
        except NotFoundError:
            raise _missing(key) from None
        except TooLargeError as error:
            raise DamagedError(f"a ledger entry is not as it was written: {error.message}") from None

    def _decoded(self, seq: int, data: bytes) -> Entry:
        return form.require(decode(data, layout.entry(self.run, seq)), self.run, seq)

    def _require_link(self, seq: int, entry: Entry, before: str) -> None:
        if entry.prev != before:
            raise DamagedError(
                f'the ledger entry "{layout.entry(self.run, seq)}" does not follow the one that stands before it',
                hint="it was not written by this program: see who may write to the store; nothing was changed",
            )

    def _read(self, seq: int, data: bytes) -> None:
        entry = self._decoded(seq, data)
        if seq == self._seq + 1:
            self._require_link(seq, entry, self._digest)
        self._fold = folding.from_json(entry.fold)
        self._seq, self._digest, self._schema, self._at = seq, digest(data), entry.schema, entry.at


def _missing(key: str) -> DamagedError:
    return DamagedError(
        f'the ledger entry "{key}" is missing although the run goes on after it',
        hint="restore it from a copy of the store; nothing was changed",
    )
