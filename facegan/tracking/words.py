"""What MLflow is told of a run in words: parameters, tags, status. Pure functions of the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from facegan.experiment import Json
from facegan.hours import Hours
from facegan.ledger import Entry, Fold, Ledger, State
from facegan.meaning import spelled
from facegan.spending import spending
from facegan.tracking.address import without_credentials
from facegan.tracking.settle import milliseconds
from facegan.verify import Head

TAG = "facegan."
HOURS = "facegan.hours."
HEAD = "facegan.head"
_HEAD = re.compile(r"([0-9]{1,15}):([0-9a-f]{64})")
LONGEST = 500  # characters of a tag

STATUSES = MappingProxyType({State.FINISHED: "FINISHED", State.CANCELLED: "KILLED", State.FAILED: "FAILED"})
"""Every other state is RUNNING, between sessions too: the run is not over."""


def params(created: Entry) -> dict[str, str]:
    """The experiment as it was resolved, a parameter a key, and `data.count`, the images it is shown, if counted.

    A run made longer keeps them: MLflow's never change.
    """
    said = {name: _text(value) for name, value in _flat(created.body["experiment"], "")}
    count = created.body.get("data", {}).get("count")
    return said if count is None else {**said, "data.count": str(count)}


def run_tags(fold: Fold) -> dict[str, str]:
    """How the run is now."""
    return {
        f"{TAG}state": fold.state.value,
        f"{TAG}steps": str(fold.steps),
        f"{TAG}reached": str(fold.reached),
    }


def session_tags(entry: Entry) -> dict[str, str]:
    """What this entry says of a session. Every tag has one entry that sets it, or grows with them."""
    if entry.kind not in _SAYS:
        return {}
    number, said = _SAYS[entry.kind](entry.body)
    return {f"{TAG}session.{number}.{name}": _text(value)[:LONGEST] for name, value in said.items()}


def hours_tags(hours: Hours) -> dict[str, str]:
    """Where the run's time went: seconds of each part, and of each session the milliseconds of its own, as JSON."""
    parts = {**hours.parts, "idle": hours.idle, "whole": hours.whole}
    said = {f"{HOURS}{name}_s": f"{much / 1000:.3f}" for name, much in parts.items()}
    return said | {f"{HOURS}session.{each.stay.number}": json.dumps(dict(each.parts)) for each in hours.sessions}


def spending_tags(hours: Hours) -> dict[str, str]:
    """What the run cost, by the prices that its intents say; of hours at a price that is not known, how many."""
    spent = spending(each.stay for each in hours.sessions)
    said = {"usd": f"{spent.usd:.4f}", "hours": f"{spent.hours:.4f}", "unknown_hours": f"{spent.unknown_hours:.4f}"}
    return {f"{TAG}spent_{name}": value for name, value in said.items()}


def head_tag(head: Head) -> dict[str, str]:
    """The newest entry that was copied from, as it was seen: who has it can tell a ledger that was cut off."""
    return {HEAD: f"{head.seq}:{head.digest}"}


def head_of(tags: Mapping[str, str]) -> Head | None:
    """The inverse of `head_tag`, of tags that anybody may have written."""
    found = _HEAD.fullmatch(tags.get(HEAD, ""))
    return Head(seq=int(found[1]), digest=found[2]) if found else None


def status(ledger: Ledger, fold: Fold) -> tuple[str, int | None]:
    """MLflow's status, and when the run ended, in ms, by the clock of who said so.

    A run that is resumed after it failed, or made longer after it finished, is RUNNING again. MLflow cannot
    forget an end time: it shows the old one until the run ends again, and then the new one.
    """
    if fold.state not in STATUSES:
        return "RUNNING", None
    return STATUSES[fold.state], milliseconds(_END[fold.state](ledger, fold))


def _finish(ledger: Ledger, fold: Fold) -> Entry:
    """The report of the session that committed the last step, or that commit when it did not come to report."""
    last = ledger.entry(fold.good[-1][0])
    for seq in range(last.seq + 1, ledger.seq + 1):
        entry = ledger.entry(seq)
        if entry.kind == "report" and entry.body["session"] == last.body["session"]:
            return entry
    return last


def _cancel(ledger: Ledger, _fold: Fold) -> Entry:
    """The last report after the user's word, or the word itself."""
    last = None
    for entry in _backwards(ledger):
        if entry.kind == "report" and last is None:
            last = entry
        if entry.kind == "cancel":
            return last or entry
    raise AssertionError("a cancelled run has no cancel entry")


def _failure(ledger: Ledger, fold: Fold) -> Entry:
    return next(
        entry
        for entry in _backwards(ledger)
        if entry.kind == "report" and fold.end and entry.body["session"] == fold.end.session
    )


_END: Mapping[State, Callable[[Ledger, Fold], Entry]] = {
    State.FINISHED: _finish,
    State.CANCELLED: _cancel,
    State.FAILED: _failure,
}


def _backwards(ledger: Ledger) -> Iterator[Entry]:
    return (ledger.entry(seq) for seq in range(ledger.seq, -1, -1))


def _intent(body: Json) -> tuple[int, Json]:
    return body["session"], {"backend": body["backend"]}


def _lease(body: Json) -> tuple[int, Json]:
    over = body.get("over")
    if over is None:
        return body["session"], {}
    return over, {"outcome": "lost", "why": f"silent; session {body['session']} took over"}


def _restored(body: Json) -> tuple[int, Json]:
    device = body["determinism"].get("device", "")
    return body["session"], {"device": device, "join": body["join"], "first_step": body["step"] + 1}


def _checkpoint(body: Json) -> tuple[int, Json]:
    return body["session"], {"last_step": body["step"]}


def _report(body: Json) -> tuple[int, Json]:
    return body["session"], {"outcome": body["outcome"], "why": body["why"]}


def _lost(body: Json) -> tuple[int, Json]:
    return body["session"], {"outcome": "lost", "why": body["why"]}


def _refused(body: Json) -> tuple[int, Json]:
    return body["session"], {"outcome": "refused", "why": body["why"]}


_SAYS: Mapping[str, Callable[[Json], tuple[int, Json]]] = {
    "intent": _intent,
    "lease": _lease,
    "restored": _restored,
    "checkpoint": _checkpoint,
    "report": _report,
    "lost": _lost,
    "refused": _refused,
}


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", item


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    """As `--set` would spell it."""
    return without_credentials(spelled(value))
