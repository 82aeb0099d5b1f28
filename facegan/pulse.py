"""The session's sign of life, and its ear for the user's word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from facegan import session as wire
from facegan.errors import UnreachableError
from facegan.ledger import Ledger
from facegan.output import Output
from facegan.stopping import LOST_LEASE, StopSignal, interrupted
from facegan.storage.base import RefusedError


@dataclass(kw_only=True)
class Progress:
    """What the training loop says of itself; plain values, replaced whole, read by the pulse."""

    phase: str = "starting"
    step: int = 0
    rate: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
    device: str = ""
    moved_at: float = 0.0
    left_s: float | None = None


class Pulse:
    """`beat` writes the heartbeat, flushes the output and listens to the ledger."""

    def __init__(self, ledger: Ledger, session: int, output: Output, stop: StopSignal) -> None:
        self.progress = Progress()
        self._ledger = ledger
        self._session = session
        self._output = output
        self._stop = stop
        self._counter = 0

    def beat(self) -> None:
        """One heartbeat.

        A storage that does not answer, or refuses for once, is no reason to stop: the next beat may reach it,
        and what must be written is written by others, who say so when they cannot.
        """
        try:
            self._listen()
            if self._stop.cause is not LOST_LEASE:
                self._write()
                self._output.flush(self._ledger.store, self._ledger.run, self._session)
        except (UnreachableError, RefusedError):
            return

    def _listen(self) -> None:
        fold = self._ledger.refresh()
        if not fold.holds(self._ledger.writer.holder):
            self._stop.give(LOST_LEASE)
        elif fold.cancel:
            self._stop.give(interrupted("cancelled by the user"))
        elif fold.stop:
            self._stop.give(interrupted("stopped by the user"))

    def _write(self) -> None:
        now = self.progress
        self._counter += 1
        seq, digest = self._ledger.head
        beat = wire.Heartbeat(
            counter=self._counter,
            seq=seq,
            digest=digest,
            phase=now.phase,
            step=now.step,
            rate=round(now.rate, 3),
            losses=now.losses,
            device=now.device,
            at=self._ledger.writer.at(),
            left_s=None if now.left_s is None else round(now.left_s, 1),
        )
        wire.write(self._ledger.store, self._ledger.run, self._session, beat)
