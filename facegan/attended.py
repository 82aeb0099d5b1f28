"""Long work before the first step: left when the session is to stop, or when nothing is heard of it.

Data may take an hour to come, and a signal leaves 25 seconds. There is nothing to commit yet, and what such
work leaves on this machine may be cut off anywhere and is gone on with by the next session. So it is done
beside the session, which listens, and leaves it behind like a process that is killed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from facegan.committer import Spawn
from facegan.errors import FaceganError
from facegan.stopping import StoppedError, StopSignal

T = TypeVar("T")
Say = Callable[[str], object]

LISTEN_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendant:
    """Who listens: to the session's `stop`, and to the work, which must be heard of every `silence_s` seconds."""

    stop: StopSignal
    spawn: Spawn
    clock: Callable[[], float]
    say: Say
    silence_s: float

    def attend(self, work: Callable[[Say], T]) -> T:
        """What `work` returns, or whatever it raises. It is given a `say` to be heard by.

        Work that was left is told so, by an exception, when it next says something.

        Raises:
            StoppedError: the session is to stop; raised within `LISTEN_S`.
            FaceganError: nothing was heard for too long.
        """
        done: Future[T] = Future()
        heard_at = self.clock()
        is_left = False

        def hear(text: str) -> None:
            nonlocal heard_at
            if is_left:
                raise StoppedError
            heard_at = self.clock()
            self.say(text)

        def do() -> None:
            try:
                done.set_result(work(hear))
            except BaseException as error:  # noqa: BLE001 - it is raised again, by who waits for it
                done.set_exception(error)

        wait = self.spawn(do)
        try:
            while not wait(LISTEN_S):
                if self.stop.cause is not None:
                    raise StoppedError
                if self.clock() - heard_at > self.silence_s:
                    raise self._silent()
        finally:
            is_left = True
        return done.result()

    def _silent(self) -> FaceganError:
        return FaceganError(
            f"nothing was heard of the data for {self.silence_s:g} s",
            hint="what was fetched is kept; on a line that is slower than this, raise session.stall_s",
        )
