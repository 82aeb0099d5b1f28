"""A whole run in one thread and no time: sessions driven by hand, and what became of the run.

What became of it is read here by other code than the product's own, from the objects in the store.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan import catalog, layout
from facegan.errors import SessionExit
from facegan.experiment import Experiment, override, to_json
from facegan.ledger import Fold, Ledger, State, Wish, Writer
from facegan.output import Output
from facegan.prepared import Manifest
from facegan.stopping import StopSignal
from facegan.storage.base import ObjectStore
from facegan.storage.file import FileStore
from facegan.storage.memory import MemoryStore
from facegan.trainer import Trainer
from facegan.verify import Verdict, verify
from facegan.worker import Surroundings, run_session
from tests.fakes.toy import ToyTrainer

RUN = "toy-run"
SHORT = override(
    catalog.find("dcgan-mnist").experiment,
    [
        "training.steps=20",
        "checkpoint.every_steps=5",
        "checkpoint.keep=2",
        "samples.every_steps=10",
        "evaluation.every_steps=10",
    ],
)


class Timeline:
    """Time that passes only when somebody sleeps or trains; what repeats is called when it falls due."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: dict[int, tuple[float, float, Callable[[], None]]] = {}
        self._ids = itertools.count()

    def clock(self) -> float:
        return self.now

    def repeat(self, work: Callable[[], None], every_s: float) -> Callable[[], None]:
        number = next(self._ids)
        self._due[number] = (self.now + every_s, every_s, work)
        return lambda: self._due.pop(number, None) and None

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due:
            number = min(self._due, key=lambda n: self._due[n][0])
            at, every_s, work = self._due[number]
            if at > until:
                break
            self.now = at
            self._due[number] = (at + every_s, every_s, work)
            work()
        self.now = until


class TimedToy(ToyTrainer):
    """A toy whose every step takes a second of a timeline."""

    def __init__(self, experiment: Experiment, timeline: Timeline) -> None:
        super().__init__(experiment)
        self._timeline = timeline

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        done = super().advance(steps)
        self._timeline.sleep(1.0 * steps)
        return done


def never(_work: Callable[[], None], _every_s: float) -> Callable[[], None]:
    """A `repeat` that never comes round: a session without a pulse of its own."""
    return lambda: None


def inline(work: Callable[[], None]) -> Callable[[float | None], bool]:
    """A `spawn` that does the work before it returns."""
    work()
    return lambda _seconds: True


@dataclass(kw_only=True)
class Session:
    """One session to be driven: every part of its surroundings can be replaced. `said` is what it said."""

    store: ObjectStore
    holder: str
    number: int | None = None
    build: Callable[[Experiment], Trainer] = ToyTrainer
    timeline: Timeline = field(default_factory=Timeline)
    spawn: Callable[[Callable[[], None]], Callable[[float | None], bool]] = inline
    repeat: Callable[[Callable[[], None], float], Callable[[], None]] = never
    sleep: Callable[[float], object] | None = None
    stop: StopSignal = field(default_factory=StopSignal)
    budget_s: float | None = None
    settle: Callable[[Experiment], Manifest | None] = lambda _experiment: None
    abandoned: list[SessionExit] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def run(self) -> SessionExit:
        output = Output()
        ids = itertools.count()

        def say(text: str) -> None:
            self.said.append(text)
            output.write(f"{text}\n".encode())

        return run_session(
            Surroundings(
                store=self.store,
                run=RUN,
                number=self.number,
                holder=self.holder,
                machine={},
                build=self.build,
                clock=self.timeline.clock,
                wall_s=lambda: 1.7e9 + self.timeline.now,
                sleep=self.sleep or self.timeline.sleep,
                new_id=lambda: f"{self.holder}-{next(ids)}",
                spawn=self.spawn,
                repeat=self.repeat,
                abandon=self.abandoned.append,
                began=0.0,
                budget_s=self.budget_s,
                settle=self.settle,
                stop=self.stop,
                output=output,
                say=say,
            )
        )


def ledger_of(store: ObjectStore, holder: str = "user") -> Ledger:
    ids = itertools.count()
    return Ledger(store, RUN, Writer(holder=holder, wall_s=lambda: 1.7e9, new_id=lambda: f"{holder}-{next(ids)}"))


def create(store: ObjectStore, experiment: Experiment = SHORT) -> Ledger:
    """A new run, with nothing asked of it yet."""
    ledger = ledger_of(store)
    assert ledger.create({"run": RUN, "experiment": to_json(experiment)})
    return ledger


def append(ledger: Ledger, kind: str, **body: object) -> Fold:
    """Append one entry, whatever the run's state."""
    asked = [Wish(kind=kind, body=body)]
    return ledger.append(lambda _fold: asked.pop() if asked else None)


def ask(store: ObjectStore, backend: str = "local", **more: object) -> int:
    """Append the user's intent for one more session; its number."""
    ledger = ledger_of(store)
    number = ledger.refresh().newest + 1
    append(ledger, "intent", session=number, backend=backend, **more)
    return number


def declare_lost(store: ObjectStore) -> None:
    """What `resume` appends when the process of every session that has not ended is found gone."""
    ledger = ledger_of(store)
    for session in ledger.refresh().open:
        append(ledger, "lost", session=session.number, why="its process is gone")


def resume(store: ObjectStore, holder: str, *, through: ObjectStore | None = None) -> SessionExit:
    """Go on with the run as `resume` does when it finds the process gone: `lost`, an intent, a session.

    The session works `through` another store when one is given.
    """
    declare_lost(store)
    number = None if ledger_of(store).refresh().finished else ask(store)
    return Session(store=through or store, holder=holder, number=number).run()


def take_over(store: ObjectStore, holder: str, *, through: ObjectStore | None = None) -> SessionExit:
    """Go on with the run by starting a process by hand, which watches whoever is in the way."""
    return Session(store=through or store, holder=holder).run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run is worth: its last weights, and all that was measured and drawn on the way to them."""

    step: int
    state: bytes
    metrics: Mapping[int, Mapping[str, float]]
    samples: Mapping[str, bytes]


def outcome(store: ObjectStore, *, without: Collection[str] = ()) -> Outcome:
    """Read the run's committed objects, `without` some; asserts that no step has its metrics twice."""
    metrics: dict[int, Mapping[str, float]] = {}
    samples: dict[str, bytes] = {}
    entries = committed(store)
    for entry in entries:
        key = entry["key"]
        lines = b"" if f"{key}metrics.jsonl" in without else store.get(f"{key}metrics.jsonl")
        for line in lines.splitlines():
            values = json.loads(line)
            del values["at"]
            step = values.pop("step")
            assert step not in metrics, f"step {step} has its metrics twice"
            metrics[step] = values
        for name in entry["objects"]:
            if name.startswith("samples/") and key + name not in without:
                png = store.get(key + name)
                assert samples.setdefault(name, png) == png, f"{name} was drawn differently"
    last = entries[-1]
    return Outcome(
        step=last["step"],
        state=store.get(f"{last['key']}state.safetensors"),
        metrics=dict(sorted(metrics.items())),
        samples=dict(sorted(samples.items())),
    )


def raw_entries(store: ObjectStore) -> list[dict[str, Any]]:
    return [json.loads(store.get(key)) for key in store.list(f"runs/{RUN}/ledger/")]


def committed(store: ObjectStore) -> list[dict[str, Any]]:
    return [entry for entry in raw_entries(store) if entry["kind"] == "checkpoint"]


def kinds(store: ObjectStore) -> list[str]:
    return [str(entry["kind"]) for entry in raw_entries(store)]


def contents(store: ObjectStore) -> dict[str, bytes]:
    """Every object of the run."""
    return {key: store.get(key) for key in store.list(layout.run(RUN))}


def judged(store: ObjectStore) -> Verdict:
    return verify(ledger_of(store))


STORES = ("memory", "file")


def new_store(kind: str, folder: Path) -> ObjectStore:
    return MemoryStore() if kind == "memory" else FileStore(folder)


def begun(kind: str, folder: Path, experiment: Experiment = SHORT) -> ObjectStore:
    """A store with a run in it that was created, and whose first session was asked for."""
    store = new_store(kind, folder)
    create(store, experiment)
    ask(store)
    return store


@functools.cache
def untouched() -> Outcome:
    """What the short run comes to when nothing happens to it."""
    store = begun("memory", Path())
    assert Session(store=store, holder="first", number=1).run() is SessionExit.FINISHED
    return outcome(store)


def assert_untouched(store: ObjectStore, *, known: Sequence[str] = ()) -> None:
    """The run is finished, equal to one that was never touched, and proven whole.

    `known` are the objects that sessions found damaged: no others may be.
    """
    assert ledger_of(store).refresh().state is State.FINISHED
    assert outcome(store, without=known) == untouched()
    verdict = judged(store)
    assert verdict.wrong == []
    assert sorted(finding.object for finding in verdict.known) == sorted(known)
