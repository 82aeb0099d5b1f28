"""Colab behind the port: one machine of the account for each session number, looked up before it is asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from facegan import handed
from facegan.accounts import Credentials
from facegan.errors import BadInputError, FaceganError
from facegan.experiment import Json
from facegan.lock import alone
from facegan.process import Life
from jobs.backends import promised
from jobs.backends.base import Backend, Capabilities, Check, Fate, Hand, Order
from jobs.backends.base import Machine as TrainedOn
from jobs.backends.colab import cells, checks, command, facts, naming, parcel
from jobs.backends.colab.command import Colab, Limits
from jobs.backends.colab.notes import Notes, sessions
from jobs.backends.colab.search import Search
from jobs.backends.outside import Outside
from jobs.bundle import SESSION, Wheel, digest, wheel
from jobs.refusals import Auth, Refusal, Uncertain
from jobs.settings import Settings

ENDING_LOOK_S = 2.0
WITHOUT_BUCKET = "have a bucket (docs/storage.md): --store s3://… or gs://…; --backend kaggle works without"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things take at Colab, in seconds.

    `session_s` is its longest session, of which the last `margin_s` are not planned with. A session that failed keeps
    its machine for `linger_s`, so that its words can be read. A machine that Colab does not know is gone when it does
    not know it `missing_s` later either; one on which nothing was started after `abandoned_s` is nobody's. Between a
    session's report and the end of its process there are up to `ending_s`.
    """

    session_s: float = facts.SESSION_S.value
    margin_s: float = 600.0
    linger_s: float = 600.0
    missing_s: float = 60.0
    abandoned_s: float = 3600.0
    ending_s: float = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World(Outside):
    """What is around the backend: tests put something else there."""

    limits: Limits = field(default_factory=Limits)
    times: Times = Times()


class ColabBackend(Backend):
    """Sessions in the user's own Google account. `host` is the account's address, once Colab has been asked."""

    name = "colab"

    def __init__(self, settings: Settings, host: str | None = None, *, world: World | None = None) -> None:
        self.host = host
        self._home = settings.home
        self._is_chosen = self.name in settings.backend.split(",")
        self._world = world or World()
        self._user: str | None = None

    def capabilities(self) -> Capabilities:
        hours = facts.SESSION_S.value // 3600
        free = ", ".join(each.gpu for each in facts.ACCELERATORS if each.plan == facts.FREE)
        paid = ", ".join(each.gpu for each in facts.ACCELERATORS if each.plan != facts.FREE)
        return Capabilities(
            summary=f"sessions of up to {hours} h at Colab; {free} for nothing, {paid} with compute units",
            gpus=[each.gpu for each in facts.ACCELERATORS],
            stores=("s3", "gs"),
            data_is_here=False,
            instead={"file": WITHOUT_BUCKET},
            session_s=self._world.times.session_s,
            elsewhere=True,
        )

    def machine(self, gpu: str | None) -> TrainedOn:
        return TrainedOn(device="gpu" if gpu else "cpu", cores=facts.CORES.value, gpus=1 if gpu else None)

    def bundle(self, gpu: str | None) -> Json:
        """The program, by its digest. Finds out whose account it is, too: only that account can be asked.

        Raises:
            BadInputError: the command is not installed, or too old.
            Refusal: there is no such GPU, or nobody is signed in.
        """
        naming.gpu(gpu)
        self._colab("account").require_new_enough()
        self._sign_in()
        made = wheel(SESSION)
        return {"wheel": made.name, "sha256": made.sha256, "bytes": len(made.data)}

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        """Hold a lock file of this machine. Colab has no way to make a machine only if there is none."""
        with alone(self._home / "colab-launching" / run):
            yield

    def command(self, order: Order) -> Json:
        """Each call that `submit` would make, and what goes up as bytes by its digest; secrets are made later."""
        session, made = naming.name(order), promised.program(order)
        whole = self._packed(order, made)
        return {
            "calls": command.calls(
                self._colab("account"), self._colab(session), session, _spelled(order.gpu), self._world.limits
            ),
            "cells": {
                "prepare.py": cells.prepare(session),
                "start.py": cells.start(session, digest(whole)),
                "stay.py": cells.stay(session),
            },
            "files": {
                naming.BUNDLE: {"sha256": digest(whole), "bytes": len(whole), "order": self._for_session(order, made)},
                naming.HANDED: "credentials for this run, made when it is sent, readable by the session alone",
            },
        }

    def submit(self, order: Order, hand: Hand) -> Json:
        """Ask for the session's machine unless there is one, put there what it needs, and start it, once.

        The crash argument. A machine is noted before it is asked for; its command outlives us, and is waited for by
        the next of ours, which then finds the machine by its name, or, if that command was killed too, by its being
        new and untouched. From then on each step may be done again: the start is, on the machine, a file that can be
        made only once. So killed anywhere and repeated, one machine is asked for, and one process started.
        """
        session = naming.name(order)
        spelled = _spelled(order.gpu)
        made = promised.program(order)
        notes, search = Notes(self._home, session), self._search(session)
        notes.open()
        notes.handed.unlink(missing_ok=True)
        with _concluding_nothing():
            self._sign_in()
            there = search.find(spelled)
            is_started = there is not None and self._file(session, naming.STARTED) is not None
        credentials = None if is_started else hand()
        ref = self._ref(session, there or search.create(spelled))
        with _concluding_nothing():
            if not is_started:
                self._hand_over(order, notes, made, credentials, ref)
            if not is_started or self._file(session, naming.ENDED) is None:
                self._stay(session)
        return ref

    def look_up(self, order: Order) -> Json | None:
        session = naming.name(order)
        with _concluding_nothing():
            self._sign_in()
            found = self._search(session).named()
            if found is None or self._file(session, naming.STARTED) is None:
                return None
            return None if self._file(session, naming.ENDED) is not None else self._ref(session, found)

    def fate(self, ref: Json) -> Fate:
        """Gone is a session that says how it ended, or a machine that Colab has not known for a while, knowing us."""
        try:
            session, endpoint = str(ref["session"]), str(ref["endpoint"])
            if self._sign_in() != ref.get("account"):
                return Fate(life=Life.UNKNOWN)
            notes = Notes(self._home, session)
            if endpoint not in {each.endpoint for each in self._colab(session).machines()}:
                return self._missing(notes)
            notes.found()
            self._know(notes, endpoint)
            end = self._file(session, naming.ENDED)
            if end is None:
                if not notes.stays():  # whoever began it was killed before, or was on another machine
                    self._stay(session)
                return Fate(life=Life.ALIVE)
            self._keep_log(notes)
            return Fate(life=Life.GONE, why=_why(json.loads(end)))
        except (FaceganError, KeyError, ValueError, TypeError):
            return Fate(life=Life.UNKNOWN)

    def printed(self, order: Order) -> Iterator[str]:
        """From the machine as long as there is one; then what was kept of it here."""
        notes = Notes(self._home, naming.name(order))
        found = None
        if notes.endpoint() is not None:
            with contextlib.suppress(FaceganError):
                found = self._file(notes.session, naming.LOG)
        text = notes.log() if found is None else found.decode(errors="replace")
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):
                yield line

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Give back the machines of sessions that have ended, and remove what is kept here of them but their log.

        A number that whoever calls this has not heard of yet is not in `keep` either. So one that was started and
        has not ended is kept, and one that was not, until it is too old to be waiting for that.
        """
        for notes in self._of(run_url, lambda number: number not in keep):
            self._sweep(notes, has_ended=False)

    def give_back(self, run_url: str, ended: Callable[[int], bool]) -> None:
        """At once: whoever is about to start such a session finds its machine gone, and its number ended."""
        for notes in self._of(run_url, ended):
            self._sweep(notes, has_ended=True)

    def _of(self, run_url: str, wanted: Callable[[int], bool]) -> Sequence[Notes]:
        """The sessions of the run that this machine has heard of, of these numbers."""
        self._sign_in()
        found = [(naming.number_of(notes.session, run_url), notes) for notes in sessions(self._home)]
        return [notes for number, notes in found if number is not None and wanted(number)]

    def _sweep(self, notes: Notes, *, has_ended: bool) -> None:
        there = self._search(notes.session).named()
        if there is None and notes.before() is not None and not has_ended:
            return
        if there is not None:
            if not self._comes_to_its_end(notes, has_ended=has_ended):
                return
            self._keep_log(notes)
            self._colab(notes.session).stop(notes.session)
        notes.close()

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """Give the machine back, with all that is on it."""
        del delete
        session, endpoint = str(ref["session"]), str(ref["endpoint"])
        self._sign_in()
        if (account := ref.get("account")) != self._user:
            raise BadInputError(f'the session is in the account "{account}"', hint=facts.SIGN_IN)
        colab = self._colab(session)
        if endpoint not in {each.endpoint for each in colab.machines()}:
            return
        notes = Notes(self._home, session)
        self._know(notes, endpoint)
        self._keep_log(notes)
        colab.stop(session)
        if endpoint in {each.endpoint for each in colab.machines()}:
            raise Uncertain(f'Colab still has the machine of "{session}"', hint="type the same again")

    def checks(self) -> Sequence[Check]:
        """The command, who is signed in, and the balance. Without it nothing, unless sessions are to run here."""
        return checks.look(self._colab("doctor"), is_chosen=self._is_chosen)

    def _colab(self, session: str) -> Colab:
        return Colab(Notes(self._home, session).state, self._world.environment, self._world.limits)

    def _sign_in(self) -> str:
        if self._user is None:
            self._user = self._colab("account").user()
        if self.host is not None and self.host != self._user:
            raise Auth(
                f'the session is in the account "{self.host}", and the colab command is signed in as "{self._user}"',
                hint=f"sign in as {self.host}: remove ~/{command.SIGNED_IN_BY}, and type colab sessions",
            )
        self.host = self._user
        return self._user

    def _stay(self, session: str) -> None:
        """It runs; that its machine looks busy, and its end is seen, is not worth an error: it is tried again."""
        with contextlib.suppress(Refusal):
            self._colab(session).leave_running(session, cells.stay(session))
            Notes(self._home, session).staying()

    def _search(self, session: str) -> Search:
        times, sleep = self._world.times, self._world.sleep
        notes = Notes(self._home, session)
        return Search(self._home, self._colab(session), notes, lambda: sleep(times.missing_s))

    def _hand_over(self, order: Order, notes: Notes, made: Wheel, credentials: Credentials | None, ref: Json) -> None:
        """Put the program and what it is handed on the machine, and start it. Nothing of it stays here."""
        session, colab = notes.session, self._colab(notes.session)
        there = naming.folder(session)
        colab.ask(session, cells.prepare(session))
        whole = self._packed(order, made)
        local = notes.folder / naming.BUNDLE
        given = handed.Handed(
            environment=credentials.environment if credentials else {},
            files=credentials.files if credentials else {},
            until=credentials.until if credentials else None,
            origin=handed.Origin(backend=self.name, host=self.host, ref=ref),
            grace_s=order.grace_s,
            gpu=order.gpu,
        )
        try:
            local.write_bytes(whole)
            colab.upload(session, local, f"{there}/{naming.BUNDLE}")
            notes.hand_over(handed.to_bytes(given))
            colab.upload(session, notes.handed, f"{there}/{naming.HANDED}")
        finally:
            local.unlink(missing_ok=True)
            notes.handed.unlink(missing_ok=True)
        answer = colab.ask(session, cells.start(session, digest(whole)))
        if not answer.get("began"):
            raise Uncertain(f"the session did not begin at Colab: {answer.get('why')}", hint="type the same again")

    def _packed(self, order: Order, made: Wheel) -> bytes:
        return parcel.pack(self._for_session(order, made), made.data)

    def _for_session(self, order: Order, made: Wheel) -> Json:
        card = naming.gpu(order.gpu)
        times = dataclasses.asdict(self._world.times)
        return {
            "run_url": order.run_url,
            "number": order.number,
            "gpu": order.gpu,
            "shows": card.shows if card else None,
            "grace_s": order.grace_s,
            "wheel": {"name": made.name, "sha256": made.sha256},
            "session_s": order.within(times["session_s"], times["margin_s"]),
            **{name: times[name] for name in ("margin_s", "linger_s")},
        }

    def _ref(self, session: str, endpoint: str) -> Json:
        return {"session": session, "endpoint": endpoint, "account": self._user}

    def _file(self, session: str, name: str) -> bytes | None:
        return self._colab(session).download(session, f"{naming.folder(session)}/{name}")

    def _know(self, notes: Notes, endpoint: str) -> None:
        """Have the command know the machine by its name here, too, where another machine started it."""
        if notes.endpoint() != endpoint:
            notes.adopt(endpoint)

    def _keep_log(self, notes: Notes) -> None:
        with contextlib.suppress(FaceganError):
            if (found := self._file(notes.session, naming.LOG)) is not None:
                notes.keep_log(found.decode(errors="replace"))

    def _comes_to_its_end(self, notes: Notes, *, has_ended: bool) -> bool:
        """Whether its machine is nobody's any more. A session reports its end some moments before its process ends."""
        times, colab = self._world.times, self._colab(notes.session)
        for _ in range(int(times.ending_s / ENDING_LOOK_S)):
            if self._is_over(notes, has_ended=has_ended):
                return True
            if self._file(notes.session, naming.STARTED) is None:
                return False
            self._world.sleep(ENDING_LOOK_S)
            if notes.endpoint() not in {each.endpoint for each in colab.machines()}:
                return True
        return False

    def _is_over(self, notes: Notes, *, has_ended: bool) -> bool:
        """Whether nobody needs this session's machine any more."""
        if self._file(notes.session, naming.ENDED) is not None:
            return True
        started = self._file(notes.session, naming.STARTED) is not None
        return not started and (has_ended or notes.age_s(self._world.wall_s()) > self._world.times.abandoned_s)

    def _missing(self, notes: Notes) -> Fate:
        now = self._world.wall_s()
        if now - notes.missed(now) < self._world.times.missing_s:
            return Fate(life=Life.UNKNOWN)
        return Fate(life=Life.GONE, why="its machine is not at Colab any more")


@contextlib.contextmanager
def _concluding_nothing() -> Iterator[None]:
    """Whatever is refused inside says nothing of a session that may be there."""
    try:
        yield
    except Uncertain:
        raise
    except Refusal as error:
        raise Uncertain(error.message, hint=error.hint) from error


def _spelled(gpu: str | None) -> str | None:
    found = naming.gpu(gpu)
    return found.gpu if found else None


def _why(end: Json) -> str:
    if end.get("why"):
        return f"it could not begin at Colab: {end['why']}"
    if end.get("gone"):
        return "its process is gone at Colab, without a word"
    return f"its process ended at Colab with exit code {end.get('code')}"
