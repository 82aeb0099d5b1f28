"""What is left of the week, and what `doctor` says of the account: short, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.backends.base import Check
from jobs.backends.kaggle.backend import KaggleBackend
from jobs.refusals import Auth, Quota, Uncertain
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import DROP
from tests.kaggle.looking import NAME, calls
from tests.kaggle.submitting import backend, hand, order


def by_name(checks: object) -> dict[str, Check]:
    return {check.name: check for check in checks}  # type: ignore[attr-defined]


def test_a_quota_that_is_used_up_says_until_when(service: Kaggle, here: KaggleBackend) -> None:
    service.account.spend(service.clock, hours=30)
    with pytest.raises(Quota, match=r"weekly GPU quota of 30\.00 hours") as caught:
        here.submit(order(gpu="T4"), hand)
    left = here.quota()
    assert left is not None
    assert (left.left_s, left.of_s, left.resets_at) == (0, 30 * 3600, caught.value.resets_at)
    with pytest.raises(StopIteration):
        service.kernel(NAME)
    week = by_name(here.checks())["kaggle: quota"]
    assert (week.ok, week.found[:17]) == (None, "0.0 h of 30 h lef")
    assert "anew on Saturday" in week.found


def test_an_account_in_order(service: Kaggle, here: KaggleBackend) -> None:
    service.account.spend(service.clock, hours=2)
    account, week = here.checks()
    assert (account.ok, account.found) == (True, "ada, by KAGGLE_API_TOKEN")
    assert (week.ok, week.found[:18]) == (True, "28.0 h of 30 h lef")
    assert service.account.token not in repr((account, week))


def test_a_place_that_there_is_not_is_our_own_fault(here: KaggleBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(here._world.environment, "KAGGLE_API_ENVIRONMENT", "MARS")  # type: ignore[arg-type]
    (account,) = here.checks()
    assert (account.ok, account.found) == (False, 'KAGGLE_API_ENVIRONMENT is "MARS"')
    assert account.hint


def test_of_an_account_that_is_not_set_up_nothing_is_said_and_nobody_asked(
    service: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    alone = backend(tmp_path, chosen="local")
    assert (alone.quota(), list(alone.checks())) == (None, [])
    assert not service.faults.requests


@pytest.mark.parametrize("chosen", ["kaggle", "local,kaggle"])
def test_where_sessions_are_to_run_at_kaggle_an_account_is_missed(
    service: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    (account,) = backend(tmp_path, chosen=chosen).checks()
    assert (account.ok, account.found) == (False, "there are no credentials for Kaggle here")
    assert "KAGGLE_API_TOKEN" in account.hint
    assert not service.faults.requests


@pytest.mark.usefixtures("service")
def test_a_token_that_is_not_good_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    (account,) = backend(tmp_path).checks()
    assert account.ok is False
    assert "KAGGLE_API_TOKEN" in account.found
    assert "KGAT_wrong" not in repr(account)
    with pytest.raises(Auth):
        backend(tmp_path).quota()


@pytest.mark.parametrize("code", [DROP, 503])
def test_no_answer_is_no_fault_and_is_not_waited_for(service: Kaggle, here: KaggleBackend, code: int) -> None:
    service.faults.fail("", code=code, times=99)
    (account,) = here.checks()
    assert account.ok is None
    with pytest.raises(Uncertain):
        here.quota()
    assert len(calls(service, "")) == 2, "nothing is asked again"
