"""What a place answers when it will not run a session, in kinds that a supervisor can act on.

Each but `Uncertain` is an answer: no session of that number exists there, and none will.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from facegan.experiment import Json
from facegan.ledger import Fold, Ledger, Wish
from facegan.ledger.fold import OpenSession
from jobs.errors import Exit, JobError


class Refusal(JobError):  # noqa: N818 - as the ledger calls it
    """A backend will not run this session."""

    kind = "refused"


class Quota(Refusal):
    """What the account may use is used up; at `resets_at` there is more, where that is known."""

    kind = "quota"
    exit = Exit.QUOTA

    def __init__(self, message: str, *, hint: str | None = None, resets_at: datetime | None = None) -> None:
        super().__init__(message, hint=hint)
        self.resets_at = resets_at


class Capacity(Refusal):
    """There is no room now; the same may be granted later, or elsewhere."""

    kind = "capacity"


class Auth(Refusal):
    """The place does not know us, or does not let us."""

    kind = "auth"


class InvalidJob(Refusal):
    """The session cannot run there as it was asked for, today or tomorrow."""

    kind = "invalid"


class Uncertain(Refusal):
    """No answer, or one that says nothing: the session may exist. It is looked up by its name, never sent again."""

    kind = "uncertain"


KINDS: Mapping[str, type[Refusal]] = MappingProxyType(
    {each.kind: each for each in (Quota, Capacity, Auth, InvalidJob, Uncertain)}
)
"""By the words that the tables of facts have for them."""


def append_refused(ledger: Ledger, session: OpenSession, refusal: Refusal) -> Fold:
    """End a number with a place's answer."""
    until = refusal.resets_at if isinstance(refusal, Quota) else None

    def decide(fold: Fold) -> Wish | None:
        now = fold.session(session.number)
        if now is None or now.by is not None:
            return None  # it has begun: whoever refused was wrong
        body: Json = {"session": session.number, "why": refusal.message, "refusal": refusal.kind}
        return Wish(kind="refused", body={**body, "until": until.isoformat() if until else None})

    return ledger.append(decide)
