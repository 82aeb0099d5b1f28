"""What Kaggle answers, read: states, what is left of the week, and what is no answer at all."""

from __future__ import annotations

import http.client
import json
import urllib.error
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from facegan.experiment import Json
from jobs.backends.kaggle.refusals import AnswerError
from jobs.refusals import Uncertain

SAYS_NOTHING = (408, 425, 429)  # and everything from 500 on: the request may or may not have done its work
ERROR, BROKEN = 400, 500
LARGEST = 64 * 2**20
LATER = "type the same again later"


class State(Enum):
    """What Kaggle calls the state of a kernel's newest session."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"
    CANCEL_ACKNOWLEDGED = "CANCEL_ACKNOWLEDGED"
    UNKNOWN = "UNKNOWN"  # NEW_SCRIPT, and whatever will be invented


ALIVE = frozenset({State.QUEUED, State.RUNNING, State.CANCEL_REQUESTED})
ENDED = frozenset({State.COMPLETE, State.ERROR, State.CANCEL_ACKNOWLEDGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A kernel's state, and Kaggle's reason where it failed."""

    state: State
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Time with GPUs this week, in seconds. `refresh` is when it begins anew, in UTC."""

    used_s: float
    reserved_s: float
    allowed_s: float
    refresh: datetime | None

    @classmethod
    def of(cls, answer: Json) -> Quota:
        """As the answer says it.

        Raises:
            Uncertain: it does not say how much there is.
        """
        gpu = answer.get("gpuQuota") or {}
        if not gpu.get("totalTimeAllowed"):
            raise Uncertain("Kaggle does not say how much time with GPUs there is", hint=LATER)
        return cls(
            used_s=_seconds(gpu.get("timeUsed")),
            reserved_s=_seconds(gpu.get("timeReserved")),
            allowed_s=_seconds(gpu.get("totalTimeAllowed")),
            refresh=_time(answer.get("quotaRefreshTime")),
        )

    @property
    def left_s(self) -> float:
        return max(0.0, self.allowed_s - self.used_s - self.reserved_s)


def state(name: object) -> State:
    """The state that Kaggle names so: `RUNNING`, `running`, `KernelWorkerStatus.RUNNING`. None is its default."""
    return State.__members__.get(name_of(name or "QUEUED"), State.UNKNOWN)


def name_of(value: object) -> str:
    return str(value).rpartition(".")[2].upper()


def body(data: bytes) -> Json:
    """The answer's JSON; an error may be in the body of a good status."""
    try:
        answer = json.loads(data or b"{}")
    except ValueError as error:
        raise Uncertain("Kaggle answers something that is not JSON", hint=LATER) from error
    if not isinstance(answer, dict):
        raise Uncertain("Kaggle answers something that is no object", hint=LATER)
    code = answer.get("code")
    if isinstance(code, int) and code >= ERROR:
        raise refused(code, str(answer.get("message") or ""))
    return answer


def refused(status: int, text: str) -> AnswerError | Uncertain:
    """A redirect, a full queue and a broken server say nothing about what was asked for."""
    if status in SAYS_NOTHING or status >= BROKEN or status < ERROR:
        return Uncertain(f"Kaggle answers {status}, which says nothing", hint=LATER)
    return AnswerError(status, text)


def words(error: urllib.error.HTTPError) -> str:
    """Kaggle's words in the body of an error; none, where the body is a page for browsers, or lost."""
    try:
        body = json.loads(error.read(LARGEST))
    except (OSError, http.client.HTTPException, ValueError):
        return ""
    return str(body.get("message") or body.get("error") or "") if isinstance(body, dict) else ""


def require(answer: Json, key: str) -> None:
    """Kaggle says no with a good status and a word in this field."""
    if text := answer.get(key):
        raise AnswerError(ERROR, str(text))


def _seconds(value: object) -> float:
    """From `"108000s"` or `"151.5s"`; nothing is zero, as everywhere in these answers."""
    try:
        return float(str(value or "0s").rstrip("s"))
    except ValueError:
        return 0.0


def _time(value: object) -> datetime | None:
    """From `2026-11-28T00:00:00.000Z`, with as many digits after the point as there may be."""
    whole = str(value or "").rstrip("Z").partition(".")[0]
    try:
        return datetime.fromisoformat(whole).replace(tzinfo=UTC)
    except ValueError:
        return None
