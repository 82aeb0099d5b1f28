"""Killing a run's own sessions, to see that it survives: SIGKILL at moments drawn from a seed, then `resume`.

Nothing here is gentle with the session and everything with the run: what kills it is what an operating system out of
memory would do, and what goes on with it is what `resume` does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from facegan import session as wire
from facegan.errors import BadInputError
from facegan.experiment import Json
from facegan.history import History
from facegan.layout import STATE
from facegan.ledger import Fold, Ledger, State
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from jobs import launch
from jobs.context import Context
from jobs.errors import JobError
from jobs.orders import Place

OURS = ("local", "docker")
WITHIN_S = 10.0  # after the moment was reached
LOOK_EVERY_S = 0.05
GONE_S = 60.0  # for what was killed to be gone
MOST_ENDED = 3  # sessions that ended badly by themselves
ASKED, BEGUN, TRAINING = "asked for", "begun", "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A session that was killed: `after_s` seconds after it was `moment`, when it said that it was at `step`."""

    session: int
    moment: str
    after_s: float
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tormentor:
    """Kills sessions of one run, which go on at `where`; `say` hears of each."""

    context: Context
    ledger: Ledger
    where: Place
    say: Callable[[str], object]

    def torment(self, kills: int, seed: int) -> list[Kill]:
        """Kill that many sessions at most, and let the run go on to its end; what was killed.

        Raises:
            BadInputError: a session is at a place where nothing is to be killed.
            JobError: the run does not come to its end by itself.
        """
        dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
        done: list[Kill] = []
        ended = 0
        while not (fold := launch.bury(self.context, self.ledger)).finished:
            if not fold.open:
                by_itself = fold.end is not None and fold.end.session not in {kill.session for kill in done}
                ended += 1 if by_itself else 0
                self._require_going(fold, ended)
                fold = launch.resume(self.context, self.ledger, self.where, None, self.say)
            require_ours(fold)
            if len(done) >= kills or not fold.open:
                self._until(lambda now: not now.open)
                continue
            moment, after_s = dice.choice((ASKED, BEGUN, TRAINING)), dice.uniform(0.0, WITHIN_S)
            if (kill := self._kill(fold.open[-1].number, moment, after_s)) is not None:
                done.append(kill)
        return done

    def _require_going(self, fold: Fold, ended: int) -> None:
        if fold.state is State.CANCELLED or ended > MOST_ENDED:
            why = fold.end.why if fold.end else ""
            raise JobError(
                f'run "{self.ledger.run}" is {fold.state}: {why}', hint=f"facegan-job logs {self.ledger.run}"
            )

    def _kill(self, number: int, moment: str, after_s: float) -> Kill | None:
        """Kill that session at that moment; `None` when it ended before."""
        self._until(lambda now: self._has_come(now, number, moment))
        until = self.context.clock() + after_s
        self._until(lambda now: now.session(number) is None or self.context.clock() >= until)
        session = self.ledger.refresh().session(number)
        life = Life.GONE if session is None else launch.fate(self.context, session).life
        if life is Life.UNKNOWN:
            raise BadInputError(
                f"whether session {number} is alive cannot be told from here", hint="chaos kills on this machine alone"
            )
        if session is None or life is Life.GONE:
            return None
        step = self._step(number)
        launch.opened(self.context, session).kill(_named(session))
        self._until_gone(session)
        self.say(f"session {number} was killed {after_s:.1f} s after it was {moment}, at step {step:,}")
        return Kill(session=number, moment=moment, after_s=round(after_s, 1), step=step)

    def _has_come(self, fold: Fold, number: int, moment: str) -> bool:
        session = fold.session(number)
        if session is None or moment == ASKED:
            return True
        if session.by is None:
            return launch.fate(self.context, session).life is Life.GONE
        beat = wire.read(self.ledger.store, self.ledger.run, number)
        is_training = beat is not None and beat.rate > 0.0  # it has done a step, and does not compile any more
        return moment == BEGUN or is_training or launch.fate(self.context, session).life is Life.GONE

    def _step(self, number: int) -> int:
        beat = wire.read(self.ledger.store, self.ledger.run, number)
        return max(beat.step if beat else 0, self.ledger.fold.reached)

    def _until(self, holds: Callable[[Fold], bool]) -> None:
        """Look until it holds. A session that is gone by itself is buried: nobody waits for the dead."""
        while not holds(launch.bury(self.context, self.ledger)):
            self.context.sleep(LOOK_EVERY_S)

    def _until_gone(self, session: OpenSession) -> None:
        deadline = self.context.clock() + GONE_S
        while launch.fate(self.context, session).life is not Life.GONE:
            if self.context.clock() >= deadline:
                raise JobError(f"session {session.number} was killed, and is still there after {GONE_S:.0f} s")
            self.context.sleep(LOOK_EVERY_S)


def _named(session: OpenSession) -> Json:
    """What its place knows it by. The lease names a process of this machine, if nobody has written its ref down."""
    return (session.machine if session.backend == launch.LOCAL else None) or session.ref or {}


def require_ours(fold: Fold) -> None:
    """Refuse sessions that are not on this user's own machine or engine.

    Raises:
        BadInputError: one is open elsewhere.
    """
    for session in fold.open:
        if session.backend not in OURS:
            raise BadInputError(
                f'session {session.number} is on "{session.backend}", and only those on {" or ".join(OURS)} are killed',
                hint=f"facegan-job stop {fold.run} ends it gently",
            )


def differences(one: Ledger, other: Ledger) -> Iterator[str]:
    """What two finished runs of one experiment differ in: the last weights, the metrics of every step, the pictures."""
    mine, theirs = _outcome(one), _outcome(other)
    for what in mine:
        if mine[what] != theirs[what]:
            unlike = sorted(str(key) for key, _ in mine[what].items() ^ theirs[what].items())
            yield f"{what}: {len(set(unlike)):,} differ, the first of them {unlike[0]}"


def drawn(png: bytes) -> bytes:
    """A picture without what it says of itself in text chunks, which is the run's name too; as it is, if it is none."""
    kept, at = [png[:8]], 8
    while at + 12 <= len(png):
        size = int.from_bytes(png[at : at + 4], "big") + 12
        if png[at + 4 : at + 8] != b"tEXt":
            kept.append(png[at : at + size])
        at += size
    return b"".join(kept) if at == len(png) else png


def _outcome(ledger: Ledger) -> dict[str, dict[object, object]]:
    history = History(ledger=ledger)
    entries = [*history.checkpoints()]
    points = {point.step: tuple(sorted(point.values.items())) for entry in entries for point in history.points(entry)}
    pictures = {f"{each.step} {each.name}": drawn(each.png) for entry in entries for each in history.samples(entry)}
    last = entries[-1].body
    return {
        "weights": {last["step"]: last["objects"][STATE]["sha256"]},
        "metrics": {**points},
        "pictures": {**pictures},
    }
