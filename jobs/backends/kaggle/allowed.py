"""How long a session may be by what is left of the week: one that is cut off there would make no last checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from facegan.errors import FaceganError
from jobs.backends.base import Order
from jobs.backends.kaggle import refusals
from jobs.backends.kaggle.answers import Quota
from jobs.refusals import Quota as NoQuota


def within(order: Order, ask: Callable[[], Quota], unused_s: float) -> Order:
    """The same order, to end within the quota, of which the session leaves its last `unused_s` for its end.

    Where nobody says what is left, nothing bounds it. What is used up altogether is left to Kaggle to refuse, in its
    own words.

    Raises:
        Quota: there is some, and not enough to train anything.
    """
    if order.gpu is None:
        return order
    try:
        quota = ask()
    except FaceganError:
        return order
    if quota.left_s == 0:
        return order
    if quota.left_s <= unused_s:
        refusal = NoQuota(
            f"{quota.left_s / 60:.0f} minutes are left with GPUs this week, and a session keeps {unused_s / 60:.0f} "
            "for its end",
            hint="facegan-job resume RUN after that, or --backend another",
        )
        raise refusals.with_reset(refusal, quota.refresh)
    return dataclasses.replace(order, limit_s=order.within(quota.left_s - unused_s))
