"""What `doctor` and `backends` show of Kaggle: who we are there, and what is left of the week."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facegan.errors import BadInputError, FaceganError
from jobs.backends.base import Allowance, Check
from jobs.backends.kaggle.account import Account
from jobs.backends.kaggle.answers import Quota
from jobs.backends.kaggle.api import SIGN_IN
from jobs.refusals import Auth

WEEK = "time with GPUs this week"
HOUR_S = 3600.0


def allowance(quota: Quota) -> Allowance:
    return Allowance(what=WEEK, left_s=quota.left_s, of_s=quota.allowed_s, resets_at=quota.refresh)


def look(sign_in: Callable[[], Account], quota: Callable[[], Quota]) -> Sequence[Check]:
    """Whether Kaggle takes the credentials that are here, and what is left of the quota; no answer is no fault."""
    try:
        account = sign_in()
        left = allowance(quota())
    except (Auth, BadInputError) as error:
        return [Check(name="kaggle: account", ok=False, found=error.message, hint=error.hint or SIGN_IN)]
    except FaceganError as error:
        return [Check(name="kaggle: account", ok=None, found=error.message, hint=error.hint or "")]
    return [
        Check(name="kaggle: account", ok=True, found=f"{account.user}, by {account.source}"),
        _week(left),
    ]


def _week(left: Allowance) -> Check:
    anew = f", and anew on {left.resets_at:%A %d %B at %H:%M} UTC" if left.resets_at else ""
    found = f"{left.left_s / HOUR_S:.1f} h of {left.of_s / HOUR_S:.0f} h left with GPUs this week{anew}"
    return Check(
        name="kaggle: quota",
        ok=True if left.left_s > 0 else None,
        found=found,
        hint="sessions without --gpu need none",
    )
