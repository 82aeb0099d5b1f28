"""Doing what was decided, for one run until nothing is to be done, and for many over and over.

The crash argument: each thing done is one of `launch`'s, which may be cut off anywhere and done again. What is kept
here between two looks (since when a place does not know a number, what was said last) spares requests and words.
"""

from __future__ import annotations

import contextlib
import sqlite3
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from facegan.errors import BadInputError, DamagedError, FaceganError
from facegan.ledger import FINAL, Ledger, NoRunError
from facegan.spending import Spending
from jobs import launch, orders, reaping, runs, sweeping
from jobs.context import Context
from jobs.ended import EndedRuns
from jobs.errors import JobError, NotSetUpError
from jobs.run import view
from jobs.supervision import asking, resolving
from jobs.supervision.actions import Ask, Begin, Bury, GiveUp, Leave, Rest, Wait
from jobs.supervision.decision import MISSING_S, NEXT_LOOK_S, decide, hopeless
from jobs.supervision.past import Past
from jobs.supervision.places import Choice, Missing, fitting, sight, survey, told
from jobs.supervision.policy import Allowed
from jobs.supervision.seen import Policy, Seen

LOOK_EVERY_S = 15.0
SYNC_EVERY_S = 60.0
REAP_EVERY_S = 1800.0
MOST_AT_ONCE = 12  # things done for one run in one round: each place may refuse, and each number may have to be buried


class Voice(Protocol):
    """Whom a watch tells of what it does."""

    @abstractmethod
    def say(self, run: str, text: str) -> None: ...

    @abstractmethod
    def complain(self, run: str, error: FaceganError) -> None: ...

    @abstractmethod
    def give_up(self, run: str, why: str) -> None: ...

    @abstractmethod
    def sync(self, names: Sequence[str]) -> bool:
        """Copy these to MLflow, where there is one: whether nothing is left to be copied."""


@dataclass(kw_only=True)
class _Watched:
    """A run as it was when it was looked at last. `told` is whether nothing is left to be told of it.

    `lacks` is what this machine lacks to give it a session, where nothing else keeps it from going on. `left_out` are
    the backends that it was said of that something is lacking here, each with what.
    """

    ledger: Ledger
    rest: Rest | None = None
    seq: int = -1
    synced: int = -1
    swept: int | None = None
    told: bool = False
    settled: bool = False
    lacks: JobError | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_to_copy(self) -> bool:
        return self.seq > self.synced and self.ledger.fold.reached > 0

    @property
    def is_final(self) -> bool:
        return self.seq >= 0 and self.ledger.fold.state in FINAL and not self.ledger.fold.open


@dataclass(kw_only=True)
class Watch:
    """One process that watches runs: all that go on, where no `names` are given.

    `heed` hears how each is left, and says whether all was told that is to be told. `troubles` are of the last round:
    why a run could not be looked at, or not be carried on from here, by its name; by none, why it is not known which
    there are.
    """

    context: Context
    allowed: Allowed
    voice: Voice
    names: Sequence[str] | None = None
    heed: Callable[[Ledger, Rest], bool] = lambda _ledger, _rest: True
    troubles: dict[str, FaceganError] = field(default_factory=dict)
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _missing: Missing = field(default_factory=Missing)
    _synced_at: float | None = None
    _reaped_at: float | None = None

    def once(self) -> Mapping[str, Rest]:
        """Look at each run once, and do what is to be done; how each is left, by name.

        Where a place does not know a number that nobody has leased, it is asked again after a minute.
        """
        rests = self._round()
        if self._missing.since:
            self.context.sleep(MISSING_S)
            rests = self._round()
        self._sync(at_once=True)
        return rests

    def until_over(self) -> Mapping[str, Rest]:
        """Look again and again until each of the runs is over or given up; without `names`, for ever."""
        while True:
            rests = self._round()
            if self.names is not None and all(name in rests and _is_over(rests[name]) for name in self.names):
                self._sync(at_once=True)
                return rests
            self._sync(at_once=False)
            self.context.sleep(LOOK_EVERY_S)

    def _round(self) -> Mapping[str, Rest]:
        rests = {}
        self.troubles.clear()
        for name in self.names if self.names is not None else self._going_on():
            watched = self._watched.setdefault(name, _Watched(ledger=self.context.ledger(name)))
            if (rest := self._rest(watched)) is not None:
                rests[name] = watched.rest = rest
        self._reap()
        return rests

    def _rest(self, watched: _Watched) -> Rest | None:
        """How the run is left; `None` of what is none."""
        name = watched.ledger.run
        try:
            rest: Rest = self._look(watched)
        except NoRunError as error:  # a folder without a ledger: a create that was killed; or it was removed
            if self.names is None:
                return None
            rest = GiveUp(why=error.message)
        except DamagedError as error:
            rest = GiveUp(why=error.message)
        except FaceganError as error:  # it says nothing of the run, which is as it was; it may be better the next time
            self.troubles[name] = error
            self.voice.complain(name, error)
            return watched.rest or Wait(why=error.message, until=self.context.writer.wall_s() + LOOK_EVERY_S)
        self._tell(watched, rest)
        if watched.lacks is not None:
            self.troubles[name] = watched.lacks
        if watched.ledger.seq >= 0:
            watched.told = self.heed(watched.ledger, rest)
        return rest

    def _going_on(self) -> Sequence[str]:
        """The runs of the store, less those that a watch is done with; where it does not answer, those of before."""
        done: set[str] = set()
        with contextlib.suppress(sqlite3.Error, OSError):
            done = self._ended().watched()
        try:
            return [name for name in runs.names(self.context) if name not in done]
        except FaceganError as error:
            self.troubles[""] = error
            self.voice.complain("runs", error)
            return [name for name in self._watched if name not in done]

    def _ended(self) -> EndedRuns:
        return EndedRuns(self.context.settings.home, self.context.store.url)

    def _look(self, watched: _Watched) -> Rest:
        ledger, now = watched.ledger, self.context.writer.wall_s()
        ledger.refresh()
        if watched.rest is not None and watched.seq == ledger.seq and _holds(watched.rest, now):
            return watched.rest
        rest = self._act(watched)
        watched.seq, watched.settled = ledger.seq, False
        if watched.is_final:
            with contextlib.suppress(sqlite3.Error, OSError):  # a cache: what is not in it is read again
                self._ended().remember([view(ledger, now).to_json()])
        return rest

    def _act(self, watched: _Watched) -> Rest:
        """Do one thing after another, each decided on what the one before has become."""
        ledger, watched.lacks = watched.ledger, None
        for _ in range(MOST_AT_ONCE):
            seen, choice, policy = self._see(watched)
            now = self.context.writer.wall_s()
            action = decide(seen, now, policy)
            if isinstance(action, Wait):
                watched.lacks = _lacks(seen, choice, now, policy)
                return replace(action, lacking=watched.lacks is not None)
            if isinstance(action, Rest):
                return action
            self._leave_out(watched, choice)
            self.voice.say(ledger.run, action.why)
            try:
                self._do(ledger, action, choice, policy)
            except NotSetUpError as error:  # another machine may have it, and begin the number
                watched.lacks = JobError(error.message, hint=error.hint)
                return Wait(why=told(error), until=now + NEXT_LOOK_S, lacking=True)
            except (JobError, BadInputError) as error:  # a place refused, or did not answer: the next look tells
                self.voice.complain(ledger.run, error)
            if isinstance(action, Bury) and (away := ledger.fold.carried) is not None:
                until = self.context.writer.wall_s() + MISSING_S
                return Wait(why=f"what session {away.number} left is not all there yet", until=until)
        return Wait(why="much has changed at once", until=self.context.writer.wall_s() + LOOK_EVERY_S)

    def _see(self, watched: _Watched) -> tuple[Seen, Choice, Policy]:
        context, ledger = self.context, watched.ledger
        ledger.refresh()
        self._sweep(watched)  # which looks again; from here on nobody does, and all is of one moment
        fold, read = ledger.fold, Past(ledger)
        if fold.finished or fold.cancel or fold.stop or fold.open:
            begins = any(each.ref is None for each in fold.open)
            policy = self.allowed.policy(read.relay(), read) if begins else self.allowed.policy(None)
            seen = Seen(fold=fold, sightings=sight(context, ledger, self._missing))
            return seen, Choice(offers=(), places={}), policy
        policy, past = self.allowed.policy(read.relay(), read), read.ended()
        spent = Spending() if policy.budget.is_open else orders.committed(ledger)
        seen = Seen(fold=fold, past=past, spent=spent)
        if hopeless(seen, policy) is not None:
            return seen, Choice(offers=(), places={}), policy
        choice = resolving.by_plan(context, ledger, policy, spent, survey(context, ledger, policy, past))
        return replace(seen, offers=choice.offers), choice, policy

    def _do(self, ledger: Ledger, action: Bury | Begin | Ask, choice: Choice, policy: Policy) -> None:
        context = self.context

        def say(text: str) -> None:
            self.voice.say(ledger.run, text)

        if isinstance(action, Bury) and ledger.fold.carried:
            launch.bury(context, ledger)
        elif isinstance(action, Bury):
            asking.declare_lost(ledger, action.number, action.why)
        elif isinstance(action, Ask):
            asking.ask(context, ledger, choice.places[action.backend], action.number, say)
        elif (session := ledger.fold.session(action.number)) is not None:
            where = fitting(context, ledger, session.backend, policy, session.host)
            asking.begin(context, ledger, where, action.number, say)

    def _sweep(self, watched: _Watched) -> None:
        """What ended sessions left at their place is removed once, when no session is open."""
        end = watched.ledger.fold.end
        if end is not None and not watched.ledger.fold.open and watched.swept != end.session:
            watched.swept = end.session
            sweeping.sweep(self.context, watched.ledger)

    def _reap(self) -> None:
        """End machines that no session owns: of all runs, those of runs that were removed too."""
        now = self.context.clock()
        if self._reaped_at is not None and now - self._reaped_at < REAP_EVERY_S:
            return
        self._reaped_at = now

        def complain(error: FaceganError) -> None:
            self.voice.complain("machines", error)

        folds = [each.ledger.fold for each in self._watched.values() if each.ledger.seq >= 0]
        places = [*reaping.hosts(self.context, complain), *reaping.of_runs(folds)]
        for each in reaping.end(self.context, reaping.survey(self.context, places, complain), complain):
            self.voice.say(each.found.run, f"the machine of session {each.found.number} was nobody's: {each.why}")

    def _leave_out(self, watched: _Watched, choice: Choice) -> None:
        """Say once which of its backends the run does not go to because of what is lacking here."""
        if not choice.offers:
            return
        lacking = {name: told(error) for name, error in choice.lacking.items()}
        for name, why in lacking.items():
            if watched.left_out.get(name) != why:
                self.voice.say(watched.ledger.run, f"not on {name}: {why}")
        watched.left_out = lacking

    def _tell(self, watched: _Watched, rest: Rest) -> None:
        if watched.rest is not None and watched.rest.why == rest.why:
            return
        if watched.lacks is not None:
            self.voice.complain(watched.ledger.run, watched.lacks)
        if isinstance(rest, GiveUp):
            self.voice.give_up(watched.ledger.run, rest.why)
        else:
            self.voice.say(watched.ledger.run, rest.why)

    def _sync(self, *, at_once: bool) -> None:
        """Copy what was committed since, to MLflow. Copying twice changes nothing there."""
        now = self.context.clock()
        if not at_once and self._synced_at is not None and now - self._synced_at < SYNC_EVERY_S:
            return
        moved = [each for each in self._watched.values() if each.is_to_copy]
        if moved:
            self._synced_at = now
            if self.voice.sync([each.ledger.run for each in moved]):
                for each in moved:
                    each.synced = each.seq
        self._settle()

    def _settle(self) -> None:
        """Remember the runs that are over, told of and copied.

        The crash argument: this comes last. Killed before it, the next watch tells nothing twice that went out, and
        copies what is there already.
        """
        done = [
            each
            for each in self._watched.values()
            if not each.settled and each.is_final and each.told and not each.is_to_copy
        ]
        with contextlib.suppress(sqlite3.Error, OSError):
            self._ended().watch_ended([each.ledger.run for each in done])
            for each in done:
                each.settled = True


def _lacks(seen: Seen, choice: Choice, now: float, policy: Policy) -> JobError | None:
    """What this machine lacks, where the run would be given up but for backends that another one may be able to ask."""
    if not choice.lacking:
        return None
    able = [offer for offer in seen.offers if offer.backend not in choice.lacking]
    if not isinstance(decide(replace(seen, offers=able), now, policy), GiveUp):
        return None
    said = "; ".join(f"{name}: {error.message}" for name, error in choice.lacking.items())
    hints = "; or ".join(error.hint for error in choice.lacking.values() if error.hint)
    return JobError(f"no session can be asked for from here: {said}", hint=hints or None)


def _holds(rest: Rest, now: float) -> bool:
    """Whether nothing but the ledger could change what was decided: then it is not decided again before it moves."""
    return _is_over(rest) or (isinstance(rest, Wait) and now < rest.until)


def _is_over(rest: Rest) -> bool:
    return isinstance(rest, GiveUp) or (isinstance(rest, Leave) and rest.over)
