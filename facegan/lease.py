"""Taking the right to extend a run.

A session number is leased once, ever. Whoever finds another session in the way watches it, and takes
over only from one that has ended or gave no sign of life for the lease time: its heartbeat did not move
and it appended nothing. Clocks of two machines are never compared.

The crash argument: the lease is one entry, so it is held or not. A process killed after its own
`intent` leaves a number that nobody leases; it is declared lost like any other.
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from facegan import layout
from facegan import session as wire
from facegan.errors import DamagedError, FaceganError, NotHolderError, SessionExit
from facegan.experiment import Json
from facegan.handed import HAND, Origin
from facegan.ledger import Fold, Ledger, Wish
from facegan.ledger.fold import OpenSession

TERMS = ("gpu", "price", "limit_s")
LOOKS = 12  # how often a silent session is looked at during the lease time


class AlreadyFinishedError(FaceganError):
    """There is nothing left to train."""

    exit_code = SessionExit.FINISHED


class NotWantedError(FaceganError):
    """The user's stop or cancel holds: no session may begin."""

    exit_code = SessionExit.INTERRUPTED


class _ContenderError(Exception):
    """Another process has asked for a number since: look again before asking for one's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a process brings: the number it was started for, if any, who started it, and what machine it is on."""

    number: int | None
    machine: Json
    origin: Origin = HAND
    lease_s: float
    sleep: Callable[[float], object]
    say: Callable[[str], object]


def take(ledger: Ledger, claim: Claim) -> int:
    """Lease the run to this process; the session number it now is.

    Raises:
        NotHolderError: another session is alive.
        AlreadyFinishedError: the run is finished.
        NotWantedError: the run is stopped or cancelled.
        DamagedError: the ledger lacks what its last session has seen of it.
    """
    require_whole(ledger)
    number = claim.number
    while True:
        fold = ledger.refresh()
        if number is not None and not (_is_free(fold, number) and _is_ours(fold, number, claim.origin)):
            number = None  # leased or ended before, by an earlier start: this process needs its own
        _require_wanted(ledger, fold, number)
        watched = _in_the_way(fold, number)
        if watched and _lives(ledger, claim, watched):
            _step_aside(ledger, number, watched)
            raise _held(ledger, watched)
        try:
            seen = ledger.seq
            if number is None:
                number = _ask(ledger, claim, before=fold)
            _lease(ledger, claim, number, watched, seen)
        except _ContenderError:
            continue
        return number


def _held(ledger: Ledger, watched: OpenSession) -> NotHolderError:
    if watched.carried:
        return NotHolderError(
            f"session {watched.number} is on {watched.backend} with a copy of the run",
            hint=f"facegan-job resume {ledger.run} asks there, and brings back what it made",
        )
    return NotHolderError(
        f"session {watched.number} holds the run, and is alive", hint=f"facegan-job status {ledger.run}"
    )


def _is_free(fold: Fold, number: int) -> bool:
    found = fold.session(number)
    return found is not None and found.by is None


def _is_ours(fold: Fold, number: int, origin: Origin) -> bool:
    """A number that is carried is leased in the copy alone, by whom its place has started."""
    found = fold.session(number)
    return found is not None and (not found.carried or origin.backend == found.backend)


def _in_the_way(fold: Fold, number: int | None) -> OpenSession | None:
    """The session to watch first: the holder, or, without a number of one's own, one about to start."""
    if fold.holder:
        return fold.holder
    waiting = [other for other in fold.open if other.number != number]
    return waiting[-1] if waiting and number is None else None


def _require_wanted(ledger: Ledger, fold: Fold, number: int | None) -> None:
    if fold.finished:
        _report(ledger, number, "interrupted", "the run was finished before it began")
        raise AlreadyFinishedError(f'run "{ledger.run}" is finished: step {fold.reached:,} of {fold.steps:,}')
    if fold.cancel:
        _report(ledger, number, "interrupted", "the run was cancelled before it began")
        raise NotWantedError(f'run "{ledger.run}" is cancelled, which is final')
    if fold.stop:
        _report(ledger, number, "interrupted", "the run was stopped before it began")
        raise NotWantedError(f'run "{ledger.run}" is stopped', hint=f"facegan-job resume {ledger.run}")


def _lives(ledger: Ledger, claim: Claim, watched: OpenSession) -> bool:
    """Watch a session for the lease time: True at its first sign of life.

    One that works on a copy elsewhere gives none here, alive or not: only what its place says of it can end it.
    """
    if watched.carried:
        return True
    before = wire.read(ledger.store, ledger.run, watched.number)
    head = ledger.seq
    claim.say(f"session {watched.number} has not ended; watching it for {claim.lease_s:g} s")
    for _ in range(LOOKS):
        claim.sleep(claim.lease_s / LOOKS)
        fold = ledger.refresh()
        now = fold.session(watched.number)
        if now is None:
            return False  # it has ended
        if now.by != watched.by or _appended(ledger, head, watched):
            return True
        if wire.read(ledger.store, ledger.run, watched.number) != before:
            return True
    return False


def _appended(ledger: Ledger, since: int, watched: OpenSession) -> bool:
    return any(ledger.entry(seq).by == watched.by for seq in range(since + 1, ledger.seq + 1))


def require_whole(ledger: Ledger) -> None:
    """Hold the ledger against itself, and against what its newest session has seen of it.

    An entry deleted from the end leaves a shorter ledger that looks as good as any. The last holder's
    heartbeat remembers which entry it saw last, and that entry's digest.

    Raises:
        DamagedError: the entry is missing, or another stands in its place, or the newest follows none.
    """
    lease = ledger.refresh().lease
    ledger.linked(ledger.seq)
    beat = wire.read(ledger.store, ledger.run, lease.session) if lease else None
    if beat is None or beat.seq < 0:
        return
    ledger.refresh()
    if beat.seq > ledger.seq or ledger.digest_of(beat.seq) != beat.digest:
        raise DamagedError(
            f'the ledger entry "{layout.entry(ledger.run, beat.seq)}" is not the one a session has seen',
            hint="restore the missing entries from a copy of the store; nothing was changed",
        )


def _ask(ledger: Ledger, claim: Claim, before: Fold) -> int:
    """Append this process' own intent, if nobody began or asked to begin since `before`; its number.

    Numbers that waited already then have had the time of the watch to begin: one whose process was killed
    between its intent and its lease must not keep everybody out.
    """
    asked = [0]
    terms = _terms(ledger, claim)
    waiting = {other.number for other in before.open}

    def decide(fold: Fold) -> Wish | None:
        if asked[0] and _is_free(fold, asked[0]):
            return None
        begun = fold.holder is not None and fold.holder != before.holder
        if begun or any(other.number not in waiting for other in fold.open):
            raise _ContenderError
        if fold.stop or fold.cancel or fold.finished:
            raise _ContenderError
        asked[0] = fold.newest + 1
        origin = claim.origin
        where = {"backend": origin.backend, "host": origin.host, "ref": origin.ref}
        return Wish(kind="intent", body={"session": asked[0], **where, **terms, "machine": claim.machine})

    ledger.append(decide)
    return asked[0]


def _terms(ledger: Ledger, claim: Claim) -> Json:
    """What is so of the whole machine, by the intent of the number that it was made for: GPU, price, longest time.

    Nothing for a process that was made for none, or where that intent cannot be read: a price is then not known.
    """
    made_for = claim.number
    if made_for is None or not 0 < made_for <= ledger.fold.newest:
        return {}
    with contextlib.suppress(DamagedError):
        at = bisect.bisect_left(range(ledger.seq), made_for, key=lambda seq: ledger.entry(seq).fold["newest"])
        said = ledger.entry(at).body
        if said["backend"] == claim.origin.backend:
            return {name: said[name] for name in TERMS if said.get(name) is not None}
    return {}


def _lease(ledger: Ledger, claim: Claim, number: int, watched: OpenSession | None, seen: int) -> None:
    """Append the lease, unless the one in the way is not the one that was watched, or has moved since."""

    def decide(fold: Fold) -> Wish | None:
        if fold.holds(ledger.writer.holder):
            return None
        holder = fold.holder
        if holder and (watched is None or (holder.number, holder.by) != (watched.number, watched.by)):
            raise _ContenderError
        if holder and _appended(ledger, seen, holder):
            raise _ContenderError
        if not _is_free(fold, number) or fold.stop or fold.cancel or fold.finished:
            raise _ContenderError
        over = {"over": holder.number} if holder else {}
        ref = claim.origin.ref
        return Wish(kind="lease", body={"session": number, "machine": claim.machine, "ref": ref, **over})

    ledger.append(decide)


def _step_aside(ledger: Ledger, number: int | None, watched: OpenSession) -> None:
    _report(ledger, number, "interrupted", f"session {watched.number} held the run")


def _report(ledger: Ledger, number: int | None, outcome: str, why: str) -> None:
    """End one's own number before it was leased: the one entry a session may append without a lease."""
    if number is None:
        return

    def decide(fold: Fold) -> Wish | None:
        if not _is_free(fold, number):
            return None
        return Wish(kind="report", body={"session": number, "outcome": outcome, "step": fold.reached, "why": why})

    ledger.append(decide)
