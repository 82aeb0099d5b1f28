"""Machines in no real time: every process is a greenlet, and whoever's turn comes first goes on."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping, Sequence

from greenlet import getcurrent, greenlet

from facegan.experiment import Experiment
from tests.fakes.toy import ToyTrainer
from tests.faults.weather import Killed, Sky, WeatheredStore

LONGEST_S = 50_000.0  # of one history: beyond that a process would never end


class World:
    """Its time, what is due, and the processes on it."""

    def __init__(self, dice: random.Random) -> None:
        self.now = 0.0
        self.sky = Sky(dice)
        self.processes: list[Process] = []
        self._hub = getcurrent()
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def at(self, when: float, what: Callable[[], object]) -> None:
        heapq.heappush(self._due, (when, next(self._order), what))

    def start(self, name: str, work: Callable[[Process], object]) -> Process:
        process = Process(self, name, work)
        self.processes.append(process)
        self.at(self.now, process.go_on)
        return process

    def wait(self) -> None:
        """Let others go on: whoever calls has said when its own turn comes."""
        self._hub.switch()

    def run(self) -> None:
        """Until nothing is due any more."""
        while self._due:
            self.now, _, what = heapq.heappop(self._due)
            assert self.now < LONGEST_S, "it never ends"
            what()


class Process:
    """One process on one machine. `wall_s` is its clock's, which may be an hour off. `answer` is how it ended."""

    def __init__(self, world: World, name: str, work: Callable[[Process], object]) -> None:
        self.world = world
        self.name = name
        self.skew_s = world.sky.dice.choice((0.0, 0.0, 3_600.0, -3_600.0))
        self.store = WeatheredStore(world.sky, self)
        self.said: list[str] = []
        self.answer: object = None
        self.ended = self.killed = False
        self._work = work
        self._greenlet = greenlet(self._run)
        self._repeated: list[tuple[float, float, Callable[[], None]]] = []
        self._repeating = False

    @property
    def now(self) -> float:
        return self.world.now

    def wall_s(self) -> float:
        return 1.7e9 + self.world.now + self.skew_s

    def go_on(self) -> None:
        if not self.ended:
            self._greenlet.switch()

    def sleep(self, seconds: float) -> None:
        """Time passes, and nothing else of this process happens meanwhile."""
        if seconds:
            self.world.at(self.now + seconds, self.go_on)
            self.world.wait()
        if self.killed:
            raise Killed

    def rest(self, seconds: float) -> None:
        """Time passes in which what repeats is done when it falls due."""
        until = self.now + seconds
        while self._repeated and not self._repeating and self._repeated[0][0] <= until:
            at, every_s, work = self._repeated.pop()
            self.sleep(max(0.0, at - self.now))
            self._repeated.append((self.now + every_s, every_s, work))
            self._repeating = True
            try:
                work()
            finally:
                self._repeating = False
        self.sleep(max(0.0, until - self.now))

    def repeat(self, work: Callable[[], None], every_s: float) -> Callable[[], None]:
        self._repeated.append((self.now + every_s, every_s, work))
        return self._repeated.clear

    def later(self, seconds: float, effect: Callable[[], object]) -> None:
        self.world.at(self.now + seconds, effect)

    def _run(self) -> None:
        try:
            self.answer = self._work(self)
        except Killed:
            self.killed = True
        finally:
            self.ended = True


class SteppingToy(ToyTrainer):
    """A toy whose every step takes a second of its process."""

    def __init__(self, experiment: Experiment, process: Process) -> None:
        super().__init__(experiment)
        self._process = process

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        self._process.rest(1.0 * steps)
        return super().advance(steps)
