"""A run as a person asks about it: its state, how far it is, and why it is so, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from facegan import session as wire
from facegan.experiment import Json
from facegan.ledger import FINAL, Fold, Ledger, State, beginning
from facegan.length import Length, duration, images_of, length, rounded
from facegan.storage.base import ObjectStore
from jobs.errors import Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """Everything `ps` and `status` say of one run. Times are Unix seconds, by the writers' clocks.

    `backend` is where its open session is, `host` which of the backend's engines, regions or accounts that is on, `gpu`
    what it was asked for there, `bundle` what runs there; `was_on` is the backend of the session that ended last.
    `seq` is the number of the newest entry; `left_s` how long the open session may go on, where anything limits it.
    """

    run: str
    experiment: str
    state: str
    flags: tuple[str, ...]
    step: int
    steps: int
    checkpoint: int
    sessions: int
    backend: str
    gpu: str = ""
    was_on: str = ""
    host: str = ""
    bundle: str = ""
    device: str
    rate: float
    losses: Mapping[str, float] = field(default_factory=dict)
    at: float
    seq: int = -1
    left_s: float | None = None
    why: str

    @property
    def over(self) -> bool:
        """Whether nothing can be appended to it any more but by `resume --steps`: final, and no session open."""
        return self.state in FINAL and not self.backend

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}


LOOK_BACK = 4  # entries behind the newest, for a refusal: little is appended after one
SILENT_S = 60.0  # without a heartbeat for so long, a session is called unreachable: a flag, not a state


def view(ledger: Ledger, now: float) -> RunView:
    """Read one run: a listing, the newest entry, and, while it runs, the heartbeat."""
    fold = ledger.refresh()
    beat = _heartbeat(ledger.store, fold)
    current = fold.open[-1] if fold.open else None
    at = _seconds(ledger.at)
    silent_s = now - max(at, _seconds(beat.at) if beat else 0.0)
    left_s = _left_s(beat, now)
    return RunView(
        run=fold.run,
        experiment=fold.experiment,
        state=str(fold.state),
        flags=_flags(fold, silent_s),
        step=max(beat.step if beat else 0, fold.reached),
        steps=fold.steps,
        checkpoint=fold.good[-1][1] if fold.good else 0,
        sessions=fold.newest,
        backend=current.backend if current else "",
        gpu=(current.gpu or "") if current else "",
        was_on=fold.end.backend if fold.end else "",
        host=(current.host or "") if current else "",
        bundle=_named(current.bundle or {}) if current else "",
        device=beat.device if beat else "",
        rate=beat.rate if beat else 0.0,
        losses=beat.losses if beat else {},
        at=at,
        seq=ledger.seq,
        left_s=left_s,
        why=_why(fold, _Signs(beat=beat, silent_s=silent_s, left_s=left_s, refused=_refused(ledger, fold)), now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How far a run is, and how far it goes: in images shown, which can be compared between runs."""

    done: Length
    whole: Length

    def to_json(self) -> Json:
        return {
            "images": self.done.images,
            "of_images": self.whole.images,
            "epochs": self.done.epochs,
            "of_epochs": self.whole.epochs,
            "batch_size": self.whole.batch_size,
        }

    def __str__(self) -> str:
        parts = [f"{self.done.images:,} of {self.whole.images:,} images{self.whole.of_each}"]
        if self.done.epochs is not None and self.whole.epochs is not None:
            parts.append(f"epoch {rounded(self.done.epochs)} of {rounded(self.whole.epochs)}")
        return ", ".join(parts)


def shown(ledger: Ledger, now: RunView) -> Shown:
    """How far the run is as seen in `now`. Reads the first entry: what is trained is said there."""
    entry = ledger.entry(0)
    experiment = beginning.experiment(entry, ledger.run)
    count = images_of(experiment.data, entry.body.get("data") or {})
    return Shown(
        done=length(experiment, steps=now.step, count=count), whole=length(experiment, steps=now.steps, count=count)
    )


DAMAGED = "damaged"  # where a state stands: of a run whose ledger cannot be read


def damaged(run: str, why: str, now: float) -> RunView:
    """What can be said of such a run."""
    return RunView(
        run=run,
        experiment="",
        state=DAMAGED,
        flags=(),
        step=0,
        steps=0,
        checkpoint=0,
        sessions=0,
        backend="",
        device="",
        rate=0.0,
        at=now,
        why=why,
    )


def exit_of_run(state: str) -> Exit:
    """What a command that follows a run to its end returns."""
    return {
        State.FINISHED: Exit.OK,
        State.FAILED: Exit.RUN_FAILED,
        State.CANCELLED: Exit.CANCELLED,
    }.get(State(state), Exit.NOT_FINISHED)


def _named(bundle: Json) -> str:
    """An image by its name, and by what pins it."""
    return f"{bundle['image']} {bundle.get('digest') or bundle['id']}" if "image" in bundle else ""


def _heartbeat(store: ObjectStore, fold: Fold) -> wire.Heartbeat | None:
    return wire.read(store, fold.run, fold.holder.number) if fold.holder else None


def _left_s(beat: wire.Heartbeat | None, now: float) -> float | None:
    """How long the session that beat so may still go on, by its clock then and ours since: for people."""
    if beat is None or not isinstance(beat.left_s, (int, float)):
        return None
    return max(0.0, beat.left_s - max(0.0, now - _seconds(beat.at)))


def _flags(fold: Fold, silent_s: float) -> tuple[str, ...]:
    flags = ["stopping"] if fold.stopping else []
    if fold.state is State.RUNNING and silent_s > SILENT_S and not fold.carried:
        flags.append("unreachable")
    return tuple(flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signs:
    """What is known beside the fold: of the open session, and of the refusal that ended the last one."""

    beat: wire.Heartbeat | None
    silent_s: float
    left_s: float | None
    refused: Json


def _refused(ledger: Ledger, fold: Fold) -> Json:
    """What the place said that refused the last session; nothing, where none did. Seldom more than one request."""
    if fold.open or fold.end is None or fold.end.kind != "refused":
        return {}
    for seq in range(ledger.seq, max(-1, ledger.seq - LOOK_BACK), -1):
        if (entry := ledger.entry(seq)).kind == "refused":
            return entry.body
    return {}


def _why(fold: Fold, signs: _Signs, now: float) -> str:
    """The state's reason, and what is safe: the answer to "what happened while I slept?"."""
    if fold.state is State.FINISHED:
        return f"all {fold.steps:,} steps are committed"
    return f"{_reason(fold, signs, now)}; {_last(fold)}"


def _last(fold: Fold) -> str:
    return f"checkpoint {fold.good[-1][1]:,} is committed" if fold.good else "nothing is committed yet"


def _reason(fold: Fold, signs: _Signs, now: float) -> str:
    if fold.state is State.CANCELLED:
        return "cancelled by the user"
    if fold.carried:
        return f"session {fold.carried.number} is on {fold.carried.backend} with a copy of the run, until it has ended"
    if fold.state is State.QUEUED:
        return f"session {fold.open[-1].number} has not begun yet"
    if fold.state is State.RUNNING:
        return _running(fold, signs)
    return _ended(fold, signs, now) if fold.end else "no session was asked for yet"


def _ended(fold: Fold, signs: _Signs, now: float) -> str:
    assert fold.end is not None
    until = _seconds(signs.refused.get("until") or "")
    if until > now:
        what = "quota" if signs.refused.get("refusal") == "quota" else "room"
        return f"waits for {fold.end.backend}'s {what} until {day(until)}"
    return f"session {fold.end.session}: {fold.end.why}"


def _running(fold: Fold, signs: _Signs) -> str:
    if signs.silent_s > SILENT_S:
        return f"no sign of life for {signs.silent_s / 60:.0f} min"
    doing = "asked to stop" if fold.stopping else (signs.beat.phase if signs.beat else "starting")
    return doing if signs.left_s is None else f"{doing}; session limit in {duration(signs.left_s)}"


def day(at: float) -> str:
    """A time of the coming days, in Unix seconds, as a person says it."""
    return f"{datetime.fromtimestamp(at, UTC):%A %d %B at %H:%M} UTC"


def _seconds(at: str) -> float:
    try:
        return datetime.fromisoformat(at).astimezone(UTC).timestamp()
    except ValueError:
        return 0.0
