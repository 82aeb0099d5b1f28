"""The run's law: the rules by which an entry may follow.

`apply` is the whole of it: a pure function from a fold and an entry to the next fold, or to `IllegalEntryError`.
Writers go through it before they write, `verify` goes through it afterwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from facegan import layout
from facegan.errors import FaceganError
from facegan.experiment import Json
from facegan.ledger.fold import FINAL, End, Fold, Lease, OpenSession


class IllegalEntryError(FaceganError):
    """The entry may not follow this history."""


def apply(fold: Fold | None, seq: int, by: str, kind: str, body: Json) -> Fold:
    """The fold after this entry.

    Raises:
        IllegalEntryError: the entry may not follow this history; says why.
    """
    if fold is None:
        if kind != "created" or seq != 0:
            raise IllegalEntryError(f'a ledger begins with "created", not "{kind}" at {seq}')
        return Fold(
            run=body["run"],
            experiment=body["experiment"]["name"],
            steps=body["experiment"]["training"]["steps"],
        )
    if kind not in _RULES:
        raise IllegalEntryError(f'"{kind}" may not follow the beginning of a ledger')
    fact = Fact(seq=seq, by=by, kind=kind, body=body)
    if fold.carried and (kind not in OF_A_CARRIED or (kind == "pruned" and not fold.holds(by))):
        raise fact.refuse(
            f"session {fold.carried.number} on {fold.carried.backend} carries the ledger until it is back"
        )
    return _RULES[kind](fold, fact)


OF_A_CARRIED = frozenset({"data", "lease", "restored", "checkpoint", "pruned", "report", "refused", "lost"})
"""What may follow while a session works on a copy: what it appended there, or that it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An entry as the rules see it."""

    seq: int
    by: str
    kind: str
    body: Json

    def refuse(self, why: str) -> IllegalEntryError:
        return IllegalEntryError(f'entry {self.seq}, "{self.kind}" by {self.by}: {why}')


def _data(fold: Fold, fact: Fact) -> Fold:
    """Data are settled once, before anything was learnt from them."""
    _require_holder(fold, fact)
    if fold.data is not None or fold.reached > 0:
        raise fact.refuse("the data of the run are settled, and stay so")
    return dataclasses.replace(fold, data=fact.body["digest"])


def _intent(fold: Fold, fact: Fact) -> Fold:
    number = fact.body["session"]
    if fold.finished or fold.cancel:
        raise fact.refuse(f"the run is {fold.state}")
    if fold.stop and not fact.body.get("resume"):
        raise fact.refuse("a stop holds until the user resumes the run")
    if number != fold.newest + 1:
        raise fact.refuse(f"session {number} does not follow session {fold.newest}")
    said = {name: fact.body.get(name) for name in ("host", "gpu", "bundle", "ref", "machine")}
    carried = bool(fact.body.get("carried"))
    if carried and fold.open:
        raise fact.refuse(f"session {fold.open[-1].number} is open, and what it commits would not be in the copy")
    limit_s = fact.body.get("limit_s")
    asked = OpenSession(number=number, backend=fact.body["backend"], carried=carried, limit_s=limit_s, **said)
    return dataclasses.replace(fold, newest=number, open=(*fold.open, asked), stop=False)


def _launched(fold: Fold, fact: Fact) -> Fold:
    number = fact.body["session"]
    if number > fold.newest:
        raise fact.refuse(f"session {number} was never asked for")
    return _replace_open(fold, number, ref=fact.body["ref"])  # it may have ended already: no change


def _refused(fold: Fold, fact: Fact) -> Fold:
    found = _require_open(fold, fact)
    if found.by:
        raise fact.refuse(f"session {found.number} was leased, so it was not refused")
    return _ended(fold, fact, outcome="refused")


def _lease(fold: Fold, fact: Fact) -> Fold:
    found = _require_open(fold, fact)
    if found.by:
        raise fact.refuse(f"session {found.number} was leased before, and a number is leased once")
    if fold.finished or fold.cancel or fold.stop:
        raise fact.refuse(f"the run is {'stopped' if fold.stop else fold.state}")
    if fold.holder and fact.body.get("over") != fold.holder.number:
        raise fact.refuse(f"session {fold.holder.number} holds the lease")
    still_open = tuple(other for other in fold.open if other.by is None)
    return _replace_open(
        dataclasses.replace(
            fold,
            open=still_open,  # whoever held the lease before has ended: no entry of theirs is legal now
            lease=Lease(session=found.number, by=fact.by, seq=fact.seq),
            tip=None,
        ),
        found.number,
        by=fact.by,
        machine=fact.body.get("machine"),
        ref=fact.body.get("ref") or found.ref,
    )


def _restored(fold: Fold, fact: Fact) -> Fold:
    _require_holder(fold, fact)
    damaged = {item["seq"] for item in fact.body["damaged"]}
    good = tuple(point for point in fold.good if point[0] not in damaged)
    seq = fact.body["checkpoint"]
    if seq is None:
        if fold.reached > 0:
            raise fact.refuse("a run that ever committed a checkpoint never begins again at step 0")
        tip = (-1, 0)
    else:
        tip = next((point for point in good if point[0] == seq), (-1, -1))
        if tip[1] != fact.body["step"]:
            raise fact.refuse(f"there is no good checkpoint at entry {seq} for step {fact.body['step']}")
    lost = {(int(first), int(last)) for item in fact.body["damaged"] for first, last in item.get("metrics", ())}
    gaps = tuple(sorted({*fold.gaps, *lost}))
    return dataclasses.replace(fold, good=good, tip=tip, gaps=gaps, determinism=fact.body["determinism"])


def _checkpoint(fold: Fold, fact: Fact) -> Fold:
    number = _require_holder(fold, fact)
    step, parent = fact.body["step"], fact.body["parent"]
    if fold.tip is None or parent != fold.tip[0] or step <= fold.tip[1]:
        raise fact.refuse(f"step {step} after entry {parent} does not continue {fold.tip}")
    if step > fold.steps:
        raise fact.refuse(f"step {step} lies beyond the run's last, {fold.steps}")
    if fact.body["key"] != layout.checkpoint(fold.run, step, number):
        raise fact.refuse(f'"{fact.body["key"]}" is not this checkpoint\'s place')
    if not all(layout.is_object_name(name) for name in fact.body["objects"]):
        raise fact.refuse("an object's name leads out of the checkpoint")
    covered = (fold.tip[1] + 1, step)
    return dataclasses.replace(
        fold,
        reached=max(fold.reached, step),
        good=(*fold.good, (fact.seq, step)),
        tip=(fact.seq, step),
        gaps=_without(fold.gaps, covered),
        upload_s=max(fact.body["took_s"], 0.5 * fold.upload_s),  # decays: one bad hour is forgotten
    )


def _pruned(fold: Fold, fact: Fact) -> Fold:
    gone = set(fact.body["checkpoints"])
    if fold.holder and fold.tip is None and not fold.holds(fact.by):
        raise fact.refuse(f"session {fold.holder.number} has not said yet which of them it continues from")
    if not gone <= {seq for seq, _ in fold.good[:-2]}:
        raise fact.refuse("only checkpoints older than the last two good ones may be pruned")
    if fold.tip and fold.tip[0] in gone:
        raise fact.refuse("the checkpoint that the session continues from may not be pruned")
    return dataclasses.replace(fold, good=tuple(p for p in fold.good if p[0] not in gone))


def _stop(fold: Fold, fact: Fact) -> Fold:
    if fold.state in FINAL:
        raise fact.refuse(f"the run is {fold.state}")
    return dataclasses.replace(fold, stop=True)


def _cancel(fold: Fold, fact: Fact) -> Fold:
    if fold.finished:
        raise fact.refuse("the run is finished")
    return dataclasses.replace(fold, cancel=True)


def _extended(fold: Fold, fact: Fact) -> Fold:
    if fold.cancel:
        raise fact.refuse("the run is cancelled")
    if fact.body["steps"] <= fold.steps:
        raise fact.refuse(f"{fact.body['steps']} steps are no more than {fold.steps}")
    return dataclasses.replace(fold, steps=fact.body["steps"])


def _report(fold: Fold, fact: Fact) -> Fold:
    found = _require_open(fold, fact)
    if found.by and not fold.holds(fact.by):
        raise fact.refuse(f"session {found.number} is another holder's")
    return _ended(fold, fact, outcome=fact.body["outcome"])


def _lost(fold: Fold, fact: Fact) -> Fold:
    _require_open(fold, fact)
    return _ended(fold, fact, outcome="lost")


def _tracked(fold: Fold, fact: Fact) -> Fold:
    server = fact.body["server"]
    before = fold.tracked.get(server, {})
    if before and before["mlflow_run"] != fact.body["mlflow_run"]:
        raise fact.refuse(f"on {server} the run is {before['mlflow_run']}")
    here = {"mlflow_run": fact.body["mlflow_run"], "model": fact.body.get("model") or before.get("model")}
    return dataclasses.replace(fold, tracked={**fold.tracked, server: here})


_RULES: dict[str, Callable[[Fold, Fact], Fold]] = {
    "data": _data,
    "intent": _intent,
    "launched": _launched,
    "refused": _refused,
    "lease": _lease,
    "restored": _restored,
    "checkpoint": _checkpoint,
    "pruned": _pruned,
    "stop": _stop,
    "cancel": _cancel,
    "extended": _extended,
    "report": _report,
    "lost": _lost,
    "tracked": _tracked,
}


def _require_holder(fold: Fold, fact: Fact) -> int:
    """The holder's session number; only the newest lease's holder may go on, and only until it ended."""
    if fold.lease is None or not fold.holds(fact.by):
        raise fact.refuse("the lease is not this holder's")
    return fold.lease.session


def _require_open(fold: Fold, fact: Fact) -> OpenSession:
    found = fold.session(fact.body["session"])
    if found is None:
        raise fact.refuse(f"session {fact.body['session']} has ended, or was never asked for")
    return found


def _ended(fold: Fold, fact: Fact, outcome: str) -> Fold:
    found = _require_open(fold, fact)
    number = found.number
    end = End(
        session=number,
        kind=fact.kind,
        outcome=outcome,
        why=fact.body["why"],
        backend=found.backend,
        host=found.host,
    )
    return dataclasses.replace(fold, end=end, open=tuple(s for s in fold.open if s.number != number))


def _replace_open(fold: Fold, number: int, **changes: Any) -> Fold:  # noqa: ANN401 - field values
    changed = (dataclasses.replace(s, **changes) if s.number == number else s for s in fold.open)
    return dataclasses.replace(fold, open=tuple(changed))


def _without(gaps: tuple[tuple[int, int], ...], covered: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """The gaps less the range of steps that is now covered again."""
    first, last = covered
    left: list[tuple[int, int]] = []
    for start, stop in gaps:
        left += [part for part in ((start, min(stop, first - 1)), (max(start, last + 1), stop)) if part[0] <= part[1]]
    return tuple(left)
