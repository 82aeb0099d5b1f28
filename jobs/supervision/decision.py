"""What is to be done for a run now: one pure function of its ledger, what places say, the time and the user's policy.

It remembers nothing, so whoever asks it may be killed, may run twice at once, or once a quarter of an hour: what it
says next follows from what has become history. It never says `Ask` while a session may live. Each number is
asked for once, as the ledger's law has it, so that two who were told the same make one session.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.ledger import Fold, State
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from jobs.budget import how_to_raise
from jobs.planning.prospects import LEAST_S
from jobs.run import day
from jobs.supervision.actions import Action, Ask, Begin, Bury, GiveUp, Leave, Wait
from jobs.supervision.past import Ended
from jobs.supervision.seen import Offer, Policy, Seen, Sighting

MISSING_S = 60.0  # what its place, answering, has not known for so long, and nobody has leased, is not there
FIRST_WAIT_S = 30.0  # before a place is asked again that a session of the run had trouble at; doubles each time
LONGEST_WAIT_S = 3600.0
NEXT_LOOK_S = 300.0  # at a place that does not answer
FOR_GOOD = {"auth", "invalid"}  # what a place says twice of a run in a row, and would say again tomorrow


def decide(seen: Seen, now: float, policy: Policy) -> Action:
    """The one thing to be done for the run now."""
    fold = seen.fold
    gone = next((sighting for sighting in seen.sightings if sighting.life is Life.GONE), None)
    if gone is not None:
        return Bury(number=gone.number, why=gone.why)
    if (over := _word(fold)) is not None:
        return over
    if fold.open:
        return _beside(seen, now, policy)
    if (why := hopeless(seen, policy)) is not None:
        return GiveUp(why=why)
    return _next(seen, now, policy)


def _word(fold: Fold) -> Leave | None:
    """Whether the run has its answer, or the user's word keeps everybody from going on."""
    if fold.finished:
        return Leave(why=f"all {fold.steps:,} steps are committed", over=True)
    if fold.cancel:
        return Leave(why="cancelled by the user", over=True)
    if fold.stop:
        return Leave(why="asked to stop" if fold.open else "stopped by the user", over=not fold.open)
    return None


def _beside(seen: Seen, now: float, policy: Policy) -> Action:
    """While a number is open: it may live, unless its place says that it does not. None is started beside it."""
    sightings = {sighting.number: sighting for sighting in seen.sightings}
    for session in seen.fold.open:
        sighting = sightings[session.number]
        if _may_live(session, sighting):
            return Leave(why=_lives(session, sighting))
    session = seen.fold.open[-1]  # of several that never began, the newest is who may begin
    missing_s = sightings[session.number].missing_s or 0.0
    if missing_s >= MISSING_S:
        why = f"{session.backend} does not know it, on two look-ups {MISSING_S:.0f} s apart"
        return Bury(number=session.number, why=why)
    if session.ref is None and missing_s == 0.0 and session.backend in policy.backends:
        return Begin(number=session.number, why=f"session {session.number} was asked of {session.backend}")
    why = f"{session.backend} does not know session {session.number} yet, or any more"
    return Wait(until=now + MISSING_S - missing_s, why=why)


def _may_live(session: OpenSession, sighting: Sighting) -> bool:
    return session.by is not None or sighting.life is Life.ALIVE or sighting.missing_s is None


def _lives(session: OpenSession, sighting: Sighting) -> str:
    where = f"session {session.number} on {session.backend}"
    if sighting.life is Life.ALIVE:
        return f"{where} is alive"
    return f"{where} does not answer, which does not mean that it is gone"


def hopeless(seen: Seen, policy: Policy) -> str | None:
    """Why the run is given up, if it is: by what became of its sessions, or by what the user allows."""
    if (why := _stuck(seen, policy)) is not None:
        return why
    fold = seen.fold
    if policy.sessions is not None and fold.newest >= policy.sessions:
        return f"it has had {fold.newest} sessions, and {policy.sessions} are allowed"
    if (why := policy.budget.over(seen.spent)) is not None:
        return f"{why}; {how_to_raise(fold.run)}"
    return None


def _stuck(seen: Seen, policy: Policy) -> str | None:
    """Whether its sessions since it last got further say that the next one would get no further."""
    fold = seen.fold
    here = list(itertools.takewhile(lambda ended: ended.step == fold.reached and not ended.excused, seen.past))
    failed = [ended for ended in here if ended.outcome == State.FAILED]
    if len(failed) >= policy.failures:
        return f"{len(failed)} sessions failed at step {fold.reached:,}, the last of them: {failed[0].why}"
    barren = [ended for ended in here if _ran(ended) and not ended.restored and ended.outcome in {"lost", "failed"}]
    if len(barren) >= policy.failures:
        return f"{len(barren)} sessions ended before they had restored anything, the last of them: {barren[0].why}"
    fruitless = [ended for ended in here if _ran(ended) and ended.began == ended.step]
    if len(fruitless) >= policy.fruitless:
        return f"{len(fruitless)} sessions in a row committed nothing, the last of them: {fruitless[0].why}"
    unborn = list(itertools.takewhile(_never_began, (ended for ended in here if ended.outcome != "refused")))
    if len(unborn) >= policy.fruitless:
        return f"{len(unborn)} sessions in a row were lost before they began, the last of them: {unborn[0].why}"
    return None


def _ran(ended: Ended) -> bool:
    """Whether it held the run; of one that was lost with its copy, nobody can tell, and hours may have gone."""
    return ended.leased or (ended.carried and ended.outcome == "lost")


def _never_began(ended: Ended) -> bool:
    """Whether its place had it, for money maybe, and it never came to hold the run."""
    return ended.outcome == "lost" and not _ran(ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """Whether a backend can be asked: at once, not before `until`, or (`until` is `None`) not without the user."""

    backend: str
    until: float | None
    why: str = ""


def _next(seen: Seen, now: float, policy: Policy) -> Action:
    """Ask the first backend that can be asked; else wait for the one that can be asked first."""
    standings = [_standing(seen, offer, now, policy) for offer in seen.offers]
    for standing in standings:
        if standing.until is not None and standing.until <= now:
            number = seen.fold.newest + 1
            return Ask(number=number, backend=standing.backend, why=f"session {number} is asked of {standing.backend}")
    words = "; ".join(f"{standing.backend}: {standing.why}" for standing in standings)
    times = [standing.until for standing in standings if standing.until is not None]
    if not times:
        return GiveUp(why=f"no backend is left. {words}" if words else "no backend is allowed")
    return Wait(until=min(times), why=f"{words}; looks again {day(min(times))}")


def _standing(seen: Seen, offer: Offer, now: float, policy: Policy) -> _Standing:
    name = offer.backend
    if offer.unfit:
        return _Standing(backend=name, until=now + NEXT_LOOK_S if offer.passing else None, why=offer.unfit)
    if (why := policy.budget.refuses(seen.spent, offer.usd_h)) is not None:
        return _Standing(backend=name, until=None, why=f"{why}; {how_to_raise(seen.fold.run)}")
    if offer.left_s is not None and offer.left_s < offer.start_s + LEAST_S:
        until = now + LONGEST_WAIT_S if offer.resets_at is None else max(offer.resets_at, now + 1.0)
        return _Standing(backend=name, until=until, why=f"its quota is used up{_more(offer.resets_at)}")
    newest = next((ended for ended in seen.past if ended.backend == name), None)
    if newest is not None and newest.until is not None and newest.until > now:
        return _Standing(backend=name, until=newest.until, why=newest.why)
    return _after(seen.fold.run, _troubles(seen.past, name), name, now, policy)


def _after(run: str, troubles: Sequence[Ended], backend: str, now: float, policy: Policy) -> _Standing:
    """When a backend can be asked again that was of no use so often, newest first."""
    if not troubles:
        return _Standing(backend=backend, until=now)
    last = troubles[0]
    if last.refusal in FOR_GOOD and any(ended.refusal == last.refusal for ended in troubles[1:2]):
        return _Standing(backend=backend, until=None, why=last.why)
    if last.until is not None:
        return _Standing(backend=backend, until=now)  # that time has come
    # `at` is by the clock of whoever wrote it. The wait is a courtesy to the place and keeps nothing safe, so a clock
    # that is wrong may shorten it and must not lengthen it: what seems to come from the future is not waited for.
    wait_s = _wait_s(run, last, len(troubles), policy)
    if not last.at <= now < last.at + wait_s:
        return _Standing(backend=backend, until=now)
    kept = "left out for a while after" if len(troubles) >= policy.patience else "waits after"
    return _Standing(backend=backend, until=last.at + wait_s, why=f"{kept} session {last.number}: {last.why}")


def _troubles(past: Sequence[Ended], backend: str) -> list[Ended]:
    """The last sessions in a row for which this backend was of no use, newest first."""
    found: list[Ended] = []
    for ended in past:
        if ended.excused:
            break
        if ended.backend != backend:
            continue
        further = ended.step > ended.began
        if ended.outcome == State.INTERRUPTED and further:
            break
        found.append(ended)
        if further:
            break
    return found


def _wait_s(run: str, last: Ended, count: int, policy: Policy) -> float:
    """Twice as long each time, and for each run and number another half to three halves of it, but always the same."""
    drawn = int.from_bytes(hashlib.sha256(f"{run}/{last.number}".encode()).digest()[:4], "big") / 2**32
    if count >= policy.patience:
        return policy.quarantine_s * (0.5 + drawn)
    whole_s = LONGEST_WAIT_S if last.refusal == "quota" else FIRST_WAIT_S * 2.0 ** (count - 1)
    return min(LONGEST_WAIT_S, whole_s) * (0.5 + drawn)


def _more(resets_at: float | None) -> str:
    return "" if resets_at is None else f"; there is more {day(resets_at)}"
