"""Bringing a run's MLflow run up to what the ledger has committed.

The crash argument. MLflow's own content says what is left to do, never a note about it: a (metric,
step) that is there is passed over, all others are written, with the value and time at which they were
committed. A batch of points is stored all or none, a picture counts once its last byte is there, and
parameters, tags and the status are written whenever they differ. So killed anywhere, a repetition ends
equal. Two syncs at once write the same points, which MLflow stores once.

The hint spares a finished run's thousand objects. It is believed only with its proof: as many points
and pictures in MLflow as there were when it was written. Anything else, and everything is compared.

A sync that was slow may have written a status that is no longer so. Everybody therefore reads the
ledger again after writing, and goes on until it did not move: whoever writes last is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from facegan import layout
from facegan.checkpoints import Point
from facegan.history import History
from facegan.hours import hours
from facegan.ledger import Entry, Fold, Ledger, State
from facegan.tracking import generator, images, settle, words
from facegan.tracking.server import BATCH, Home, Server, There
from facegan.verify import Head, lacks

BETWEEN = frozenset({"checkpoint", "pruned", "tracked", "data"})  # after these nothing more is to be said of hours
HINT = "facegan.synced_seq"
PROOF = "facegan.synced_proof"
SAMPLES = "samples/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a sync came to: all that MLflow has of the run, and how much of it is new."""

    run: str
    mlflow_run: str
    state: str
    points: int
    images: int
    seq: int
    new_points: int
    new_images: int


@dataclass(slots=True, kw_only=True)
class Held:
    """What MLflow has: for each metric the time of every step, and the sizes of pictures."""

    points: dict[str, dict[int, int]]
    images: dict[tuple[str, int], int | None]

    @classmethod
    def read(cls, server: Server, there: There) -> Held:
        points = {metric: server.points(there.run_id, metric) for metric in there.metrics}
        return cls(points=points, images=images.held(server, there.run_id))

    @property
    def counts(self) -> tuple[int, int]:
        return sum(map(len, self.points.values())), len(self.images)


@dataclass(kw_only=True)
class Copy:
    """One run and its MLflow run. Kept between updates, it reads and writes only what is new.

    `say` takes what a person should know: damage, and a model that cannot be made here. Where the ledger is `accepted`
    as it is, what MLflow has seen of it before counts no more.
    """

    ledger: Ledger
    server: Server
    say: Callable[[str], object]
    accepted: bool = False
    _history: History = field(init=False)
    _home: Home = field(init=False)
    _run_id: str = ""
    _held: Held | None = None
    _done: int = -1
    _logged: int = -1
    _damaged: set[int] = field(default_factory=set)
    _times: dict[int, int] = field(default_factory=dict)
    _entries: dict[int, Entry] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._history = History(ledger=self.ledger)

    def update(self) -> Progress:
        """Copy everything committed so far.

        Raises:
            TrackingError: MLflow does not answer, or no longer has the run.
            UnreachableError: the store does not answer.
        """
        before: tuple[int, int] | None = self._held.counts if self._held else None
        while True:
            fold, seq = self.ledger.refresh(), self.ledger.seq
            if self._held is None or self._damaged or self._done < seq:
                there = self._there(fold)
                held = self._held or self._begin(there)
                before = before or held.counts
                self._bring_up(fold, there, held, seq)
                self._done = seq
            if fold.state is State.FINISHED and self._logged != fold.steps:
                generator.log(self.ledger, self.server, self._home, self._tell)
                self._logged = fold.steps  # or cannot be, here and now
            self.ledger.refresh()
            if self.ledger.seq == seq:
                return self._progress(fold, before or (0, 0))

    def _there(self, fold: Fold) -> There:
        """The MLflow run as it is now."""
        if self._run_id:
            return settle.require(self.ledger, self.server, self._run_id)
        self._home = self.server.home(fold.experiment)
        there = settle.settle(self.ledger, self.server, self._home)
        self._run_id = there.run_id
        return there

    def _begin(self, there: There) -> Held:
        """Look at what MLflow has, and whether it bears the hint out."""
        held = self._held = Held.read(self.server, there)
        for times in held.points.values():
            self._times.update(times)
        hint = there.tags.get(HINT, "")
        proven = there.tags.get(PROOF) == _proof(hint, held)
        if proven and hint.isascii() and hint.isdigit() and int(hint) <= self.ledger.seq:
            self._done = int(hint)
        return held

    def _bring_up(self, fold: Fold, there: There, held: Held, seq: int) -> None:
        """Write what is missing of the entries up to `seq`, and what has changed."""
        missing = words.params(self.ledger.entry(0)).items() - there.params.items()
        self.server.log_params(there.run_id, {k: v for k, v in missing if k not in there.params})
        tags: dict[str, str] = {}
        ends = self._done < 0
        waiting: list[tuple[str, float, int, int]] = []
        again, self._damaged = self._damaged, set()
        for number in sorted(again.union(range(self._done + 1, seq + 1))):
            entry = self.ledger.entry(number)
            tags |= words.session_tags(entry)
            ends |= entry.kind not in BETWEEN
            if entry.kind == "checkpoint":
                waiting += self._points(entry, held)
                waiting = self._write(held, waiting, least=BATCH)
                tags |= self._pictures(entry, held)
                self._note_damage()
        self._write(held, waiting, least=1)
        if ends:
            spent = hours(self.ledger, self._entries)
            tags |= words.hours_tags(spent) | words.spending_tags(spent)
        self._tag(there, tags | words.run_tags(fold))
        self._mark(there, fold)
        # Written last, and never past what could not be read: it is to be looked at again.
        hint = str(min(self._damaged) - 1 if self._damaged else seq)
        self._tag(there, {HINT: hint, PROOF: _proof(hint, held), **self._head(there, seq)})

    def _head(self, there: There, seq: int) -> dict[str, str]:
        """How far MLflow has seen the ledger now; nothing, where the ledger lacks what it had seen before."""
        before = None if self.accepted else words.head_of(there.tags)
        if before is not None and (found := lacks(self.ledger, before, "MLflow")) is not None:
            self._tell(f"the ledger entry {found.object} {found.how}: facegan-job verify {self.ledger.run} --tracking")
            return {}
        return words.head_tag(Head(seq=seq, digest=self.ledger.digest_of(seq)))

    def _points(self, entry: Entry, held: Held) -> list[tuple[str, float, int, int]]:
        """The points that this checkpoint made history and MLflow lacks."""
        points: list[Point] = self._history.points(entry)
        self._times.update((point.step, point.at) for point in points)
        return [
            (metric, value, point.at, point.step)
            for point in points
            for metric, value in point.values.items()
            if point.step not in held.points.get(metric, {})
        ]

    def _write(
        self, held: Held, waiting: list[tuple[str, float, int, int]], *, least: int
    ) -> list[tuple[str, float, int, int]]:
        """Write full batches, as long as `least` points wait; what is left."""
        while len(waiting) >= least:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            self.server.log_points(self._run_id, batch)
            for metric, _, at, step in batch:
                held.points.setdefault(metric, {})[step] = at
        return waiting

    def _pictures(self, entry: Entry, held: Held) -> dict[str, str]:
        """Write the pictures of this checkpoint that MLflow lacks; the tag that makes it show them."""
        sizes = {}
        for name, said in entry.body["objects"].items():
            if name.startswith(layout.SAMPLES):
                step, picture = layout.sample_parts(name)
                sizes[f"{SAMPLES}{picture}", step] = said["size"]
        if all(_is_whole(held, where, size) for where, size in sizes.items()):
            return images.SHOWN_TAG if sizes else {}
        for sample in self._history.samples(entry):
            where = (f"{SAMPLES}{sample.name}", sample.step)
            if _is_whole(held, where, len(sample.png)):
                continue
            at = self._times.get(sample.step, settle.milliseconds(entry))
            if images.log(self.server, self._run_id, images.stem(self._run_id, *where, at), sample.png):
                held.images[where] = len(sample.png)
            else:
                self._tell(f"entry {entry.seq}: {sample.name} of step {sample.step:,} is not a picture")
        return images.SHOWN_TAG

    def _note_damage(self) -> None:
        for damage in self._history.damaged:
            self._damaged.add(damage.seq)
            self._tell(f"damaged, not copied: {damage}")
        self._history.damaged.clear()

    def _tag(self, there: There, tags: dict[str, str]) -> None:
        self.server.set_tags(there.run_id, {k: v for k, v in tags.items() if there.tags.get(k) != v})

    def _mark(self, there: There, fold: Fold) -> None:
        status, end_time = words.status(self.ledger, fold)
        if there.status != status or (end_time is not None and there.end_time != end_time):
            self.server.mark(there.run_id, status, end_time)

    def _progress(self, fold: Fold, before: tuple[int, int]) -> Progress:
        points, pictures = self._held.counts if self._held else before
        return Progress(
            run=self.ledger.run,
            mlflow_run=self._run_id,
            state=fold.state.value,
            points=points,
            images=pictures,
            seq=self._done,
            new_points=points - before[0],
            new_images=pictures - before[1],
        )

    def _tell(self, text: str) -> None:
        """Say it once."""
        if text not in self._said:
            self._said.add(text)
            self.say(f"{self.ledger.run}: {text}")


def _proof(hint: str, held: Held) -> str:
    points, pictures = held.counts
    return f"{hint}/{points}/{pictures}"


def _is_whole(held: Held, where: tuple[str, int], size: int) -> bool:
    return where in held.images and held.images[where] in {None, size}
