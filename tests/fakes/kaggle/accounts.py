"""Who may ask, and how much of a GPU each has left this week."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field

from tests.fakes.kaggle.answers import ApiError, Json, as_duration, as_time
from tests.fakes.kaggle.clock import Clock
from tests.fakes.kaggle.rules import HOUR


@dataclass(slots=True, kw_only=True)
class Account:
    """A user. `gpu_hours` are of a week; `session_tokens` are those of kernels that run now."""

    username: str
    token: str = field(default_factory=lambda: f"KGAT_{secrets.token_hex(16)}")
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    phone_verified: bool = True
    gpu_hours: float = 30.0  # [D]; one account was seen with 45 [F]
    tpu_hours: float = 20.0  # [D]
    spent: list[tuple[float, float]] = field(default_factory=list)  # from and to, in Kaggle's seconds
    session_tokens: set[str] = field(default_factory=set)

    def spend(self, clock: Clock, *, hours: float) -> None:
        """As if sessions had used so much of this week's quota already."""
        first, _ = clock.week()
        self.spent.append((clock.seconds(first), clock.seconds(first) + hours * HOUR))


def used_s(spans: list[tuple[float, float]], week: tuple[float, float]) -> float:
    """Kaggle's seconds of the spans that began in the week, up to its end."""
    first, last = week
    return sum(min(end, last) - start for start, end in spans if first <= start < last)


class Accounts:
    """Everybody the stand-in knows."""

    def __init__(self) -> None:
        self._by_name: dict[str, Account] = {}

    def add(self, account: Account) -> Account:
        self._by_name[account.username] = account
        return account

    def of_token(self, token: str) -> Account | None:
        return next((one for one in self._by_name.values() if token in {one.token, *one.session_tokens}), None)

    def of_header(self, authorization: str) -> Account:
        """The account of a request. Raises `ApiError` 401 for nobody's."""
        kind, _, value = authorization.partition(" ")
        account = None
        if kind == "Bearer":
            account = self.of_token(value.strip())
        elif kind == "Basic":
            account = self._of_basic(value)
        if account is None:
            raise ApiError(401, "Unauthenticated")
        return account

    def introspect(self, body: Json) -> Json:
        account = self.of_token(str(body.get("token", "")))
        return {"active": account is not None, "username": account.username if account else ""}

    def _of_basic(self, value: str) -> Account | None:
        try:
            name, _, key = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        account = self._by_name.get(name)
        return account if account is not None and key in {account.key, account.token} else None


def quota(account: Account, running: list[tuple[float, float]], clock: Clock) -> Json:
    """What GetAcceleratorQuotaStatistics answers; a running session counts as it runs [R]."""
    first, last = clock.week()
    used = used_s(account.spent + running, (clock.seconds(first), clock.seconds(last)))
    return {
        "quotaRefreshTime": as_time(last),
        "gpuQuota": {
            "timeUsed": as_duration(used),
            "timeReserved": "0s",
            "totalTimeAllowed": as_duration(account.gpu_hours * HOUR),
            "minimumTimeAllowed": "0s",
            "hasEverRun": bool(account.spent or running),
        },
        "tpuQuota": {
            "timeUsed": "0s",
            "timeReserved": "0s",
            "totalTimeAllowed": as_duration(account.tpu_hours * HOUR),
            "minimumTimeAllowed": "0s",
            "hasEverRun": False,
        },
    }
