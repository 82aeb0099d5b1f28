"""Telling of what a watch sees: once for each event, as far as this machine can know, and never at the watch's cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from facegan.errors import FaceganError
from facegan.ledger import Ledger
from jobs.budget import Budget
from jobs.context import Context
from jobs.notices import sending
from jobs.notices.events import Notice, NotSentError, notices
from jobs.notices.kept import Claim, Kept, Rested
from jobs.notices.sending import Target
from jobs.spending import so_far
from jobs.supervision.actions import GiveUp, Rest, Wait
from jobs.supervision.past import Past, seconds
from jobs.supervision.policy import Allowed

STALE_S = 86_400.0  # what happened longer ago is no news: a watch on a new machine sees it for the first time


@dataclass(kw_only=True)
class Teller:
    """Called with each run as a watch leaves it. `complain` is told of what did not go out."""

    context: Context
    allowed: Allowed
    complain: Callable[[str, FaceganError], object]
    _target: Target | None = field(init=False)
    _kept: Kept = field(init=False)
    _rests: dict[str, Rested] = field(default_factory=dict)
    _seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    _unsent: dict[str, list[Notice]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._target = sending.parse(self.context.settings.notify)
        self._kept = Kept(self.context.settings.home, self.context.store.url)

    def heed(self, ledger: Ledger, rest: Rest) -> bool:
        """Send what is worth a notice, unless it went out; whether nothing is left to be sent.

        Never raises what a notice can bring about.
        """
        try:
            self._rest(ledger, rest)
            for notice in self._waiting(ledger, rest):
                claim = self._kept.claim(ledger.run, notice.key, self._now())
                if claim is Claim.NEVER or (claim is Claim.NOW and self._send(notice)):
                    self._unsent[ledger.run].remove(notice)
        except (sqlite3.Error, OSError) as error:
            self.complain(ledger.run, NotSentError(f"what notices went out cannot be kept: {error}"))
        except FaceganError as error:  # of the store, say: the next look may be better
            self.complain(ledger.run, error)
        else:
            return not self._unsent.get(ledger.run)
        return False

    def _rest(self, ledger: Ledger, rest: Rest) -> None:
        """Keep why the run waits or was given up, for `ps`."""
        rested = Rested(seq=ledger.seq, why=rest.why, until=rest.until if isinstance(rest, Wait) else None)
        if isinstance(rest, Wait | GiveUp) and self._rests.get(ledger.run) != rested:
            self._kept.rest(ledger.run, rested)
            self._rests[ledger.run] = rested

    def _waiting(self, ledger: Ledger, rest: Rest) -> Sequence[Notice]:
        """What is worth a notice, less what went out. The ledger is asked only when the run has moved."""
        seen = (ledger.seq, rest.why)
        if self._target is not None and self._seen.get(ledger.run) != seen:
            self._unsent[ledger.run] = [*self._notices(ledger, rest)]
            self._seen[ledger.run] = seen
        return (*self._unsent.get(ledger.run, ()),)

    def _notices(self, ledger: Ledger, rest: Rest) -> Iterator[Notice]:
        if self._now() - (seconds(ledger.at) or 0.0) > STALE_S:
            return
        fold = ledger.fold
        budget = Budget() if fold.finished else self.allowed.policy(Past(ledger).relay()).budget
        cost = None if budget.is_open else so_far(ledger)
        for notice in notices(fold, rest, self._now(), budget, cost):
            yield replace(notice, why=self._without_addresses(notice.why))

    def _without_addresses(self, why: str) -> str:
        """A reason as it may leave this machine: where the user's store is, is nobody else's business."""
        settings = self.context.settings
        for url in (self.context.store.url, settings.store):
            if "://" in url:
                why = why.replace(url.rstrip("/"), "the store")
        return why.replace(str(settings.home), "FACEGAN_HOME")

    def _send(self, notice: Notice) -> bool:
        assert self._target is not None
        try:
            self._target.send(notice)
        except NotSentError as error:
            self._kept.settle(notice.run, notice.key, self._now(), sent=False)
            self.complain(notice.run, NotSentError(f'the notice "{notice.event}" did not go out: {error.message}'))
            return False
        self._kept.settle(notice.run, notice.key, self._now(), sent=True)
        return True

    def _now(self) -> float:
        return self.context.writer.wall_s()
