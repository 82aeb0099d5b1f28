"""Kaggle behind the port: one private kernel for each session number, looked up by its name before it is pushed."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facegan import handed, layout
from facegan.errors import BadInputError, FaceganError
from facegan.experiment import Json
from facegan.lock import alone, alone_if_free
from facegan.process import Life
from jobs.backends import promised
from jobs.backends.base import Allowance, Backend, Capabilities, Check, Fate, Hand, Machine, Order
from jobs.backends.kaggle import account, api, checks, ending, facts, kernel, parcel, refusals, returned, script
from jobs.backends.kaggle.account import Account, Found
from jobs.backends.kaggle.allowed import within
from jobs.backends.kaggle.answers import ALIVE, ENDED, LATER, State, Status
from jobs.backends.kaggle.api import Api
from jobs.backends.kaggle.notes import Notes
from jobs.backends.kaggle.parcel import Parcels
from jobs.backends.kaggle.pushing import push
from jobs.backends.kaggle.refusals import AnswerError
from jobs.backends.outside import Outside
from jobs.bundle import SESSION, Wheel, digest, wheel
from jobs.refusals import Auth, Refusal, Uncertain
from jobs.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things take at Kaggle, in seconds.

    `session_s` is its longest session, of which the last `margin_s` are not planned with, and `packs_s` more where the
    session works on a copy of the run and packs what it leaves when it has ended. A data set is waited for
    `ready_s`, and one that no session has after `abandoned_s` is nobody's. What Kaggle does not know is not there
    when it does not know it `missing_s` later either.
    """

    session_s: float = facts.SESSION_S.value
    margin_s: float = 300.0
    packs_s: float = 300.0
    ready_s: float = 900.0
    missing_s: float = 60.0
    abandoned_s: float = 3600.0

    def unused_s(self, order: Order) -> float:
        """What is not planned with at the end of a session."""
        return self.margin_s + (self.packs_s if order.carried else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class World(Outside):
    """What is around the backend: tests put something else there."""

    user_home: Path = field(default_factory=Path.home)
    times: Times = Times()


class KaggleBackend(Backend):
    """Sessions in the user's own Kaggle account. `host` is the account's user, once Kaggle has been asked."""

    name = "kaggle"

    def __init__(self, settings: Settings, host: str | None = None, *, world: World | None = None) -> None:
        self.host = host
        self._world = world or World()
        self._notes = Notes(settings.home / "kaggle")
        self._is_chosen = self.name in settings.backend.split(",")
        self._account: Account | None = None

    def capabilities(self) -> Capabilities:
        cards = ", ".join(f"{each.cards} x {each.gpu}" for each in facts.ACCELERATORS)
        hours = facts.SESSION_S.value // 3600
        return Capabilities(
            summary=f"sessions of {hours} h in a Kaggle account, for nothing; {cards}, one used for each replica",
            gpus=[each.gpu for each in facts.ACCELERATORS],
            stores=("s3", "gs"),
            carries=("file",),
            data_is_here=False,
            absent={each.gpu: f"retired at Kaggle since {each.since}" for each in facts.RETIRED},
            session_s=self._world.times.session_s,
            data_there={each.data: f"{each.ref} on kaggle.com" for each in facts.SOURCES},
            elsewhere=not api.is_here(self._world.environment),
        )

    def machine(self, gpu: str | None) -> Machine:
        return Machine(device="gpu" if gpu else "cpu", cores=facts.CORES.value, gpus=kernel.cards(gpu))

    def bundle(self, gpu: str | None) -> Json:
        """The program, by its digest. Finds out whose account it is, too: the session's name begins with that.

        Raises:
            Refusal: there is no such GPU, or no account.
        """
        kernel.shape(gpu)
        self._sign_in()
        made = wheel(SESSION)
        return {"wheel": made.name, "sha256": made.sha256, "bytes": len(made.data)}

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        """Hold a lock file of this machine. Kaggle has no way to make a kernel only if there is none."""
        with alone(self._notes.lock(run)):
            yield

    def ending(self, run: str) -> contextlib.AbstractContextManager[bool]:
        return alone_if_free(self._notes.lock(run))

    def command(self, order: Order) -> Json:
        """The push and the data set. What goes as bytes is named by its digest; secrets are made later."""
        owner = self._sign_in().user
        order = self._within_quota(order)
        made = promised.program(order)
        dataset = kernel.dataset_name(order, 1)
        text, apart = self._text(order, dataset, made)
        files = [parcel.HANDED, *([parcel.WHEEL] if apart else [])]
        files += [parcel.LUGGAGE, parcel.LABEL] if order.carried else []
        shown = script.shown(
            self._for_session(order, dataset, made), f"{made.name} sha256:{made.sha256}, {len(made.data)} bytes"
        )
        return {
            "dataset": {"ref": f"{owner}/{dataset}", "isPrivate": True, "files": files},
            "kernel": {**kernel.request(owner, order, text, dataset), "text": shown},
            "text": {"sha256": digest(text.encode()), "bytes": len(text.encode())},
        }

    def submit(self, order: Order, hand: Hand) -> Json:
        """Push the session's kernel, unless there is one of its name, living or not.

        The crash argument: nothing before the push starts a session, so killed there, the next command begins
        again, and what it finds of a data set is swept. A push whose answer was lost is noted before it is sent: the
        next command then waits for the kernel to appear, and takes it for absent only on the second look.
        """
        found = self._patient_status(order)
        owner = self._sign_in().user
        ref = kernel.ref(owner, order)
        if found is not None:
            self._notes.answered(kernel.name(order))
            return ref
        order = self._within_quota(order)
        made = promised.program(order)
        text, _ = self._text(order, kernel.dataset_name(order, 1), made)
        kernel.request(owner, order, text, "")  # refused before anything is made
        dataset = self._hand_over(order, hand, made)
        text, _ = self._text(order, dataset, made)
        with self._removed_if_refused(dataset):
            request = kernel.request(owner, order, text, dataset)
            if not order.is_open():  # to upload takes a while
                raise Refusal(
                    f"session {order.number} has ended before it was sent", hint=f"facegan-job status {order.run}"
                )
            push(self._api(), self._notes, request, lambda: self._patient_status(order))
        return ref

    def ref(self, order: Order) -> Json:
        return kernel.ref(self._sign_in().user, order)

    def left(self, order: Order) -> bytes | None:
        """From the kernel's output, once all of it is listed. What is not there a minute later is believed missing."""
        name = kernel.name(order)
        try:
            owner = self._sign_in().user
            found = returned.look(self._api(), owner, name, self._world.wall_s)
            if found is None and not self._is_long_since(f"{name}.left"):
                raise Uncertain(f'nothing is listed of what "{name}" left', hint=LATER)
        except (AnswerError, Auth) as error:
            raise Uncertain(error.message, hint=error.hint or LATER) from error
        return found

    def look_up(self, order: Order) -> Json | None:
        try:
            owner = self._sign_in().user
            found = self._api().status(owner, kernel.name(order))
        except (AnswerError, Auth) as error:
            raise Uncertain(error.message, hint=error.hint or LATER) from error
        return None if found is None or found.state in ENDED else kernel.ref(owner, order)

    def fate(self, ref: Json) -> Fate:
        """Gone is what Kaggle says has ended, or what it has not known for a while, knowing us."""
        owner, _, name = str(ref.get("kernel", "")).partition("/")
        try:
            if self._sign_in().user != owner:
                return Fate(life=Life.UNKNOWN)
            status = self._api().status(owner, name)
        except FaceganError:
            return Fate(life=Life.UNKNOWN)
        if status is None:
            return self._missing(name)
        self._notes.found(name)
        if status.state in ALIVE:
            return Fate(life=Life.ALIVE)
        if status.state in ENDED:
            said = ""
            with contextlib.suppress(FaceganError):
                said = ending.printed(self._api(), owner, name, self._world.wall_s)
            return Fate(life=Life.GONE, why=ending.why(status, said))
        return Fate(life=Life.UNKNOWN)

    def printed(self, order: Order) -> Iterator[str]:
        """From the live log, which is listened to for a moment, or from what is kept of an ended session."""
        owner = self._sign_in().user
        return ending.lines(self._api(), owner, kernel.name(order), self._world.wall_s)

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Delete the data sets with credentials. Kernels stay: they are what a number's name is looked up by.

        A number that whoever calls this has not heard of yet is not in `keep` either. So one whose kernel lives is
        kept, and one without a kernel until it is too old to be waiting for its push.
        """
        _, run = layout.split_run_url(run_url)
        parcels = self._parcels()
        for number, name in parcels.of(run, run_url):
            if number not in keep and self._is_over(kernel.session_name(run, run_url, number), name):
                parcels.remove(name)

    def quota(self) -> Allowance | None:
        """What is left of this week's time with GPUs, as Kaggle says now; `None` without credentials for it."""
        return checks.allowance(self._hurried().quota()) if self._found() else None

    def checks(self) -> Sequence[Check]:
        """The account, and its quota. Nothing without credentials, unless sessions are to run here."""
        if not self._found() and not self._is_chosen:
            return ()
        return checks.look(lambda: self._sign_in(api.HURRIED), lambda: self._hurried().quota())

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """By the id that the session published when it took its lease; `delete` ends one without by its kernel.

        What Kaggle keeps of a cancelled session is its log; of a deleted kernel it keeps nothing. The crash argument:
        Kaggle is asked first whether it lives, so a repeated command finds what one before it has ended.

        Raises:
            BadInputError: its id is not known, or Kaggle does not take it.
            Refusal: Kaggle does not answer, or does not know us.
        """
        owner, _, name = str(ref.get("kernel", "")).partition("/")
        if self._is_ending(owner, name, delete=delete):
            return
        why = f'Kaggle\'s number of the session of "{name}" is not known: it is said with its lease'
        if isinstance(number := ref.get("session_id"), int):
            try:
                self._api().cancel_session(number)
            except AnswerError as error:
                if self._is_ending(owner, name, delete=delete):
                    return
                why = f"the session cannot be cancelled: {error.message}"
            else:
                return
        if not delete:
            raise BadInputError(
                why,
                hint=f"end it on {ref.get('url')}, or with --delete, which deletes its kernel and all that it printed",
            )
        self._api().delete_kernel(owner, name)
        self._notes.missed(name, 0.0)  # it is known why Kaggle does not know it, and has been for long

    def _is_ending(self, owner: str, name: str, *, delete: bool) -> bool:
        """Whether there is nothing left to end; a session that takes its time to be cancelled may be deleted."""
        self._sign_in()
        found = self._api().status(owner, name)
        return found is None or found.state in ENDED or (found.state is State.CANCEL_REQUESTED and not delete)

    def _found(self) -> Sequence[Found]:
        return account.search(self._world.environment, self._world.user_home)

    def _sign_in(self, patience: api.Patience = api.PATIENT) -> Account:
        if self._account is None:
            self._account = account.sign_in(self._found(), lambda said: self._open(said, patience))
        if self.host is not None and self.host != self._account.user:
            raise Auth(
                f'the session is in the Kaggle account "{self.host}", and the credentials here are those of '
                f'"{self._account.user}"',
                hint=f"set KAGGLE_API_TOKEN to a token of {self.host}",
            )
        self.host = self._account.user
        return self._account

    def _open(self, authorization: str | None, patience: api.Patience = api.PATIENT) -> Api:
        return Api(api.endpoint(self._world.environment), authorization, self._world.sleep, patience)

    def _api(self) -> Api:
        return self._open(self._sign_in().authorization)

    def _hurried(self) -> Api:
        """Kaggle, asked once and not waited for: for questions whose answer a command can do without."""
        return self._open(self._sign_in(api.HURRIED).authorization, api.HURRIED)

    def _parcels(self) -> Parcels:
        return Parcels(self._api(), self._sign_in().user, self._notes, self._world.sleep)

    def _patient_status(self, order: Order) -> Status | None:
        """Who is not known here concludes nothing of the session either."""
        name = kernel.name(order)
        try:
            owner = self._sign_in().user
            found = self._api().status(owner, name)
            if found is None and self._notes.is_unanswered(name):
                self._world.sleep(self._world.times.missing_s)
                found = self._api().status(owner, name)
        except (AnswerError, Auth) as error:
            raise Uncertain(error.message, hint=error.hint or LATER) from error
        return found

    def _is_over(self, name: str, dataset: str) -> bool:
        """Whether nobody needs this data set of the kernel of that name any more."""
        found = self._api().status(self._sign_in().user, name)
        if found is not None:
            return found.state in ENDED
        made_at = self._notes.made_at(dataset)
        return made_at is not None and self._world.wall_s() - made_at > self._world.times.abandoned_s

    def _within_quota(self, order: Order) -> Order:
        return within(order, lambda: self._hurried().quota(), self._world.times.unused_s(order))

    def _for_session(self, order: Order, dataset: str, made: Wheel) -> Json:
        attached = kernel.source(order)
        times = self._world.times
        packs_s = times.unused_s(order) - times.margin_s
        return {
            "run_url": f"{returned.STORE}/runs/{order.run}" if order.carried else order.run_url,
            "number": order.number,
            "gpu": order.gpu,
            "replicas": order.replicas,
            "prepares": {"ref": attached.ref, "inside": attached.inside} if attached else None,
            "grace_s": order.grace_s,
            "dataset": dataset,
            "wheel": {"name": made.name, "sha256": made.sha256},
            "session_s": order.within(times.session_s, times.unused_s(order)),
            "margin_s": times.margin_s,
            "packs_s": packs_s,
            "carried": order.carried,
        }

    def _text(self, order: Order, dataset: str, made: Wheel) -> tuple[str, bool]:
        """The script, and whether the program is too large to be in it and goes into the data set."""
        asked = self._for_session(order, dataset, made)
        text = script.render(asked, made.data)
        if len(text.encode()) <= facts.SOURCE_BYTES.value:
            return text, False
        return script.render(asked, None), True

    def _hand_over(self, order: Order, hand: Hand, made: Wheel) -> str:
        owner = self._sign_in().user
        _, apart = self._text(order, kernel.dataset_name(order, 1), made)
        credentials = hand()
        given = handed.Handed(
            environment=credentials.environment if credentials else {},
            files=credentials.files if credentials else {},
            until=credentials.until if credentials else None,
            origin=handed.Origin(backend=self.name, host=owner, ref=kernel.ref(owner, order)),
            grace_s=order.grace_s,
            gpu=order.gpu,
        )
        files = {parcel.HANDED: handed.to_bytes(given), **({parcel.WHEEL: made.data} if apart else {})}
        if order.luggage is not None:
            files |= returned.sent(order.luggage.packed())
        parcels = self._parcels()
        try:
            dataset = parcels.make(order, files)
            with self._removed_if_refused(dataset):
                parcels.wait(dataset, self._world.times.ready_s)
        except AnswerError as error:
            raise refusals.of_error(error, 0) from error
        return dataset

    @contextlib.contextmanager
    def _removed_if_refused(self, dataset: str) -> Iterator[None]:
        """Leave no credentials at Kaggle for a session that will not be; one that may be there needs them."""
        try:
            yield
        except Uncertain:
            raise
        except (AnswerError, Refusal):
            with contextlib.suppress(FaceganError):
                self._parcels().remove(dataset)
            raise

    def _missing(self, name: str) -> Fate:
        """Deleted, or not to be seen yet: time tells which. That it was pushed is known of one that is not carried."""
        if not self._is_long_since(name):
            return Fate(life=Life.UNKNOWN)
        return Fate(life=Life.GONE, why="its kernel is not at Kaggle any more", missing=True)

    def _is_long_since(self, missed: str) -> bool:
        """Whether this was looked for in vain a while ago, too."""
        now = self._world.wall_s()
        return now - self._notes.missed(missed, now) >= self._world.times.missing_s
