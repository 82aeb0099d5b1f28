"""A session ends by itself before the week's quota does: what cuts it off leaves no checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.backends.kaggle import facts
from jobs.backends.kaggle.backend import KaggleBackend, Times
from jobs.refusals import Quota
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.sessions import CUT
from tests.kaggle import calling
from tests.kaggle.calling import SLEEP
from tests.kaggle.looking import calls
from tests.kaggle.submitting import hand, order
from tests.kaggle.test_script import parts

HOUR = 3600.0
TIMES = Times()


def session_s(here: KaggleBackend, gpu: str | None) -> float:
    """How long the session of this order is, by what would be sent."""
    return float(parts(here.command(order(gpu=gpu))["kernel"]["text"])["ORDER"]["session_s"])


def test_it_is_no_longer_than_what_is_left_of_the_week(service: Kaggle, here: KaggleBackend) -> None:
    assert session_s(here, "T4") == facts.SESSION_S.value
    service.account.spend(service.clock, hours=26)
    assert session_s(here, "T4") == 4 * HOUR
    assert session_s(here, None) == facts.SESSION_S.value, "the CPU costs nothing"


def test_a_quota_that_is_not_known_bounds_nothing(service: Kaggle, here: KaggleBackend) -> None:
    here.bundle(None)
    service.account.spend(service.clock, hours=26)
    service.faults.fail("Quota", code=503, times=1)
    assert session_s(here, "T4") == facts.SESSION_S.value


def test_what_is_left_but_too_little_is_not_used(service: Kaggle, here: KaggleBackend) -> None:
    service.account.spend(service.clock, hours=30 - TIMES.margin_s / HOUR / 2)
    with pytest.raises(Quota, match="minutes are left with GPUs this week") as caught:
        here.submit(order(gpu="T4"), hand)
    assert caught.value.resets_at is not None
    assert not calls(service, "CreateDataset")
    assert not calls(service, "SaveKernel")


def test_the_stand_in_can_cut_off_what_the_quota_does_not_cover(kaggle: Kaggle) -> None:
    kaggle.set(queue_s=1.0, cut_at_quota=True)
    kaggle.account.spend(kaggle.clock, hours=30 - 0.02)
    calling.push(kaggle, text=SLEEP, machineShape="NvidiaTeslaT4")
    assert kaggle.over("first-one").why == CUT


def test_what_is_shown_is_what_is_sent(service: Kaggle, here: KaggleBackend, tmp_path: Path) -> None:
    del tmp_path
    service.set(queue_s=1e6)
    service.account.spend(service.clock, hours=26)
    here.submit(order(gpu="T4"), hand)
    (sent,) = calls(service, "SaveKernel")
    assert parts(str(sent.body["text"]))["ORDER"]["session_s"] == 4 * HOUR
