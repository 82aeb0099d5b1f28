"""The machine of a session: found by its name, by its being new and untouched, or asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from jobs.backends.colab import cells, facts
from jobs.backends.colab.command import Colab, Machine
from jobs.backends.colab.notes import Notes, sessions
from jobs.refusals import Capacity, Refusal, Uncertain


class Search:
    """For one session's machine, by its endpoint. `wait` lets the time pass in which one that is on its way appears."""

    def __init__(self, home: Path, colab: Colab, notes: Notes, wait: Callable[[], object]) -> None:
        self._home, self._colab, self._notes, self._wait = home, colab, notes, wait

    def named(self) -> str | None:
        """The machine that has the session's name. A command that is asking for one now is waited for."""
        self._colab.await_new(self._notes.session)
        if self._notes.is_trying():
            self._notes.forget()
            self._notes.tried()
        found = self._of_name()
        if found is None:
            return None
        self._notes.created()
        return found.endpoint

    def find(self, gpu: str | None) -> str | None:
        """That, or the one that was asked for, and whose command did not live to write its name down."""
        if (found := self.named()) is not None or self._notes.before() is None:
            return found
        if (found := self._untouched(gpu)) is not None:
            return found
        self._wait()
        return self._untouched(gpu)

    def create(self, gpu: str | None) -> str:
        """Ask for one.

        The crash argument: which machines there are is noted before, and the note is removed once the command has
        written down the name, or Colab has said no. Whoever finds the note and no name knows what to look for.
        """
        self._notes.creating([each.endpoint for each in self._colab.machines()])
        try:
            self._colab.new(self._notes.session, gpu)
        except Uncertain:
            raise
        except Refusal:
            self._notes.created()  # it was answered, and there is none
            raise
        found = self._of_name()
        if found is None:
            raise Uncertain(f'Colab does not list "{self._notes.session}", which it gave', hint="type the same again")
        self._notes.created()
        if gpu is not None and found.hardware != gpu:
            self._colab.stop(self._notes.session)
            raise Capacity(f"a {gpu} was asked for, and Colab gave {found.hardware}", hint=facts.LATER)
        return found.endpoint

    def _of_name(self) -> Machine | None:
        return next((each for each in self._colab.machines() if each.session == self._notes.session), None)

    def _untouched(self, gpu: str | None) -> str | None:
        """One that nobody had before, has no other name here, is what was asked for, and is not used.

        The crash argument: it is noted before it gets the name, and until it is known to be ours, so that a name
        which was given only to look is taken away again by whoever finds the note.
        """
        for each in self._candidates(gpu):
            self._notes.trying()
            self._notes.adopt(each.endpoint)
            if self._colab.ask(self._notes.session, cells.untouched()).get("untouched"):
                self._notes.tried()
                self._notes.created()
                return each.endpoint
            self._notes.forget()
            self._notes.tried()
        return None

    def _candidates(self, gpu: str | None) -> Sequence[Machine]:
        known = {*(self._notes.before() or ()), *(other.endpoint() for other in sessions(self._home))}
        there = self._colab.machines()
        return [each for each in there if each.endpoint not in known and each.hardware == (gpu or "CPU")]
