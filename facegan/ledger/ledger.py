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
from dataclasses import dataclass
from datetime import UTC, datetime

from facegan import layout
from facegan.errors import BadInputError, DamagedError, FaceganError, SessionExit
from facegan.experiment import Experiment, Json, from_json
from facegan.ledger import fold as folding
from facegan.ledger.entry import GENESIS, SCHEMA, Entry, decode, digest, encode
from facegan.ledger.fold import Fold
from facegan.storage.base import NotFoundError, ObjectStore


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
        """Read what was appended since: one listing, and one get if there is anything new.

        Raises:
            NoRunError: there is no such run.
            DamagedError: an entry is missing or not as it was written; names it.
        """
        with self._lock:
            after = layout.entry(self.run, self._seq) if self._seq >= 0 else ""
            expected = self._seq + 1
            for key in self.store.list(layout.ledger(self.run), after=after):
                seq = layout.entry_seq(key)
                if seq is None:
                    continue
                if seq != expected:
                    raise _missing(layout.entry(self.run, expected))
                expected += 1
            if expected - 1 > self._seq:
                self._read_tail(expected - 1)
            if self._fold is None:
                raise NoRunError(
                    f'there is no run "{self.run}" in {self.store.url}', hint="facegan-job ps lists the runs"
                )
            return self._fold

    def entry(self, seq: int) -> Entry:
        """The entry of that number, checked."""
        key = layout.entry(self.run, seq)
        try:
            return decode(self.store.get(key), key)
        except NotFoundError:
            raise _missing(key) from None

    def digest_of(self, seq: int) -> str:
        """The SHA-256 of the entry of that number, as it stands in the store."""
        key = layout.entry(self.run, seq)
        try:
            return digest(self.store.get(key))
        except NotFoundError:
            raise _missing(key) from None

    def entries(self, *, after: int = -1) -> Iterator[Entry]:
        """Every entry with a number higher than `after`, to the newest."""
        self.refresh()
        return (self.entry(seq) for seq in range(after + 1, self._seq + 1))

    def created(self) -> Experiment:
        """The experiment as it was resolved when the run was created.

        Raises:
            NoRunError: there is no such run.
        """
        if self._fold is None:
            self.refresh()
        return from_json(self.entry(0).body["experiment"])

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
        key = layout.entry(self.run, seq)
        if self.store.put_new(key, data) or self.store.get(key) == data:
            self._read(seq, data)
            return True
        self.refresh()
        return False

    def _encoded(self, seq: int, kind: str, body: Json, fold: Fold | None) -> bytes:
        after = folding.apply(fold, seq, self.writer.holder, kind, body)
        return encode(
            Entry(
                seq=seq,
                prev=self._digest if fold else GENESIS,
                at=self.writer.at(),
                by=self.writer.holder,
                nonce=self.writer.new_id(),
                kind=kind,
                body=body,
                fold=folding.to_json(after),
            )
        )

    def _read_tail(self, seq: int) -> None:
        key = layout.entry(self.run, seq)
        try:
            self._read(seq, self.store.get(key))
        except NotFoundError:
            raise _missing(key) from None

    def _read(self, seq: int, data: bytes) -> None:
        entry = decode(data, layout.entry(self.run, seq))
        self._fold = folding.from_json(entry.fold)
        self._seq, self._digest, self._schema, self._at = seq, digest(data), entry.schema, entry.at


def _missing(key: str) -> DamagedError:
    return DamagedError(
        f'the ledger entry "{key}" is missing although the run goes on after it',
        hint="restore it from a copy of the store; nothing was changed",
    )
