"""One run as a page compares it: read once, from what it has committed and when the store wrote it down.

No clock is looked at. While no session is at work the same page is made again, byte for byte; one that is at work is
counted to its newest heartbeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facegan.checkpoints import Damage, Point
from facegan.experiment import Experiment
from facegan.history import History
from facegan.hours import SessionHours, as_read, divide
from facegan.ledger import Ledger, beginning
from facegan.length import Length, images_of, length
from facegan.reporting.networks import Networks, networks
from facegan.reporting.pictures import Album, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a page says of one run.

    `done` is its length as far as it is committed, `whole` to its last step. `points` are in the order of
    their steps. `strips` are the pictures of the fixed latents through time, a sequence a name; `beside` real
    images beside generated ones, as it is now.
    """

    run: str
    experiment: Experiment
    state: str
    code: str
    data: Mapping[str, Any]
    networks: Networks
    done: Length
    whole: Length
    sessions: tuple[SessionHours, ...]
    points: tuple[Point, ...]
    strips: tuple[tuple[Picture, ...], ...]
    beside: tuple[Picture, ...]
    damaged: tuple[Damage, ...]

    @property
    def took_s(self) -> float:
        """Own time of all sessions together, in seconds, those on machines that were taken away included."""
        return sum(session.took for session in self.sessions) / 1000


def subject(ledger: Ledger) -> Subject:
    """Read a run.

    Raises:
        NoRunError: there is no such run.
        DamagedError: an entry of its ledger is damaged, or what it trains is not known, so that nothing can be said
            of it.
        UnreachableError: the storage did not answer.
    """
    entries = list(ledger.entries())
    fold = ledger.fold
    body = entries[0].body
    experiment = beginning.experiment(entries[0], fold.run)
    data: Mapping[str, Any] = body.get("data") or {}
    count = images_of(experiment.data, data)
    history, album = History(ledger=ledger), Album(store=ledger.store)
    points = [point for entry in entries if entry.kind == "checkpoint" for point in history.points(entry)]
    strips, beside = album.through_time(entries), album.beside(entries)
    return Subject(
        run=fold.run,
        experiment=experiment,
        state=str(fold.state),
        code=str(body.get("code", "")),
        data=data,
        networks=networks(ledger, experiment),
        done=length(experiment, steps=fold.reached, count=count),
        whole=length(experiment, steps=fold.steps, count=count),
        sessions=divide(as_read(ledger, {entry.seq: entry for entry in entries})).sessions,
        points=tuple(sorted(points, key=lambda point: point.step)),
        strips=strips,
        beside=beside,
        damaged=(*history.damaged, *album.damaged),
    )
