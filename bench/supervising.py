"""What carrying runs costs: one decision, a look at many runs, and how fast a made-up week goes by."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ledgers import ledger_with
from facegan.errors import FaceganError
from facegan.experiment import Json
from facegan.ledger import Ledger, Wish, Writer
from facegan.process import Life
from facegan.storage.base import ObjectStore
from jobs import recipe
from jobs.backends.base import Fate, Order
from jobs.context import Context
from jobs.rehearsal.casting import role
from jobs.rehearsal.clock import Clock
from jobs.rehearsal.line import Line, OrderedStore, Weather
from jobs.rehearsal.machine import Machine
from jobs.rehearsal.place import Desk, Site, Spot
from jobs.rehearsal.process import Process
from jobs.rehearsal.script import FAIR, Script, Troubles
from jobs.rehearsal.supervisor import Rehearsed
from jobs.rehearsal.terms import DAY_S, TERMS
from jobs.rehearsal.weeks import week
from jobs.rehearsal.world import Play, rehearse
from jobs.supervision.decision import decide
from jobs.supervision.past import Ended, Relay
from jobs.supervision.policy import Allowed
from jobs.supervision.seen import Offer, Policy, Seen, Sighting
from jobs.supervision.watching import Watch

LIVE = 1_000
ROUNDS = 2_000
WEEKS = 20
PLACES = ("kaggle", "colab", "ec2")


def rows() -> Iterator[tuple[str, str]]:
    """What is measured, and what it took."""
    yield "decide, beside a session that lives", _microseconds(_alive())
    yield "decide, after 32 sessions, over three backends", _microseconds(_between())
    requests, asked, seconds = _watch_once()
    yield f"watch --once over {LIVE:,} live runs, requests to the store", f"{requests:,}"
    yield "the same, requests to their place", f"{asked:,}"
    yield "the same, without the time that those answers take", f"{seconds:.2f} s"
    yield "rehearse --days 7 --seed 1, in the process", f"{_rehearsed(1, PLACES)[1]:.2f} s"
    days, seconds = _rehearsed(4, PLACES[:2])
    yield "a week without money, simulated days a second", f"{days / seconds:.1f}"
    yield f"a week of bad luck, mean of {WEEKS}", f"{_seconds(_weeks) / WEEKS:.2f} s"


def _rehearsed(seed: int, places: tuple[str, ...]) -> tuple[float, float]:
    """Simulated days to the run's end, and the seconds that they took."""
    relay = Relay(backends=places, gpu="T4")
    play = Play(seed=seed, days=7.0, relay=relay, roles=[role(None, seed)[0]], troubles=FAIR, resumes=10)
    began = time.perf_counter()
    days = rehearse(play).events[-1].at / DAY_S
    return days, time.perf_counter() - began


def _microseconds(seen: Seen) -> str:
    policy = Policy(backends=PLACES, gpu="T4")
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        decide(seen, 1e9, policy)
        times.append((time.perf_counter() - began) * 1e6)
    return f"{statistics.median(times):.1f} µs"


def _run(store: ObjectStore, name: str, *wishes: Wish) -> Ledger:
    chosen = recipe.resolve("dcgan-mnist", ["training.steps=10"], device="cpu", cores=2)
    return ledger_with(store, name, chosen, *wishes)


INTENT = Wish(kind="intent", body={"session": 1, "backend": "ec2", "gpu": "T4"})
LAUNCHED = Wish(kind="launched", body={"session": 1, "ref": {"run": "one", "number": 1}})


def _alive() -> Seen:
    fold = _run(OrderedStore(lambda: 0.0), "one", INTENT, LAUNCHED).fold
    return Seen(fold=fold, sightings=[Sighting(number=1, life=Life.ALIVE)])


def _between() -> Seen:
    fold = _run(OrderedStore(lambda: 0.0), "one").fold
    past = [_ended(number) for number in range(32, 0, -1)]
    return Seen(fold=fold, past=past, offers=[Offer(backend=name) for name in PLACES])


def _ended(number: int) -> Ended:
    place = PLACES[number % len(PLACES)]
    said = {"outcome": "interrupted", "why": "its time is used", "began": number, "step": number + 1}
    return Ended(number=number, backend=place, host=None, at=1e9 - number * 1e4, leased=True, restored=True, **said)


class _Silence:
    """Nobody listens."""

    def say(self, run: str, text: str) -> None:
        del run, text

    def complain(self, run: str, error: FaceganError) -> None:
        raise AssertionError(f"{run}: {error.message}")

    def give_up(self, run: str, why: str) -> None:
        raise AssertionError(f"{run}: {why}")

    def sync(self, names: Sequence[str]) -> bool:
        del names
        return True


class _Busy(Spot):
    """A place where every session lives, and which answers at once."""

    def fate(self, ref: Json) -> Fate:
        del ref
        self._process.meet(lambda: None)
        return Fate(life=Life.ALIVE)


def _watch_once() -> tuple[int, int, float]:
    """A process that has seen none of the runs before, each of which has a session that lives.

    Its requests to the store and to the place, and the seconds.
    """
    clock = Clock()
    store = OrderedStore(time.time)
    for number in range(LIVE):
        _run(store, f"run-{number}", INTENT, LAUNCHED)
    script = Script(seed=0, troubles=Troubles(silences=0, outages=0), days=7.0)
    asked, answered = Process(clock=clock, name="store"), Process(clock=clock, name="place")
    line = Line(store, asked, Weather(script, lambda: 0.0), lambda _verb, _key: None)
    with tempfile.TemporaryDirectory() as home:
        settings = Rehearsed(
            home=Path(home),
            store=store.url,
            backend="ec2",
            tracking="",
            stand_ins=lambda name: _Busy(
                Site(name=name, terms=TERMS["ec2"], town=_Town(clock, script)), answered, Desk()
            ),
        )
        context = Context(
            settings=settings,
            store=line,
            writer=Writer(holder="bench", wall_s=time.time, new_id=str),
            clock=time.monotonic,
            sleep=time.sleep,
        )
        watch = Watch(context=context, allowed=Allowed(settings=settings), voice=_Silence())
        seconds = _seconds(watch.once)
    return asked.operations, answered.operations, seconds


@dataclass
class _Town:
    clock: Clock
    script: Script

    def start(self, site: Site, order: Order) -> Machine:
        raise AssertionError(f"session {order.number} was asked of {site.name}")


def _weeks() -> None:
    for seed in range(WEEKS):
        rehearse(week(seed))


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
