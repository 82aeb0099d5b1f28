"""What is removed from Kaggle, when, and what is not."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from jobs.backends.kaggle import kernel
from jobs.backends.kaggle.backend import KaggleBackend, Times
from jobs.refusals import Capacity, Quota, Refusal, Uncertain
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.datasets import Dataset
from tests.kaggle.looking import NAME, calls, left
from tests.kaggle.submitting import backend, hand, order


def test_what_a_refused_session_was_to_be_handed_is_deleted(service: Kaggle, here: KaggleBackend) -> None:
    service.account.spend(service.clock, hours=30)
    with pytest.raises(Quota):
        here.submit(order(gpu="T4"), hand)
    assert calls(service, "CreateDataset")
    assert not left(service)


@pytest.mark.parametrize("state", ["FAILED", "BLOBS_RECEIVED"])
def test_one_that_does_not_become_ready_is_deleted(
    service: Kaggle, here: KaggleBackend, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Of one that stays as it is, the wait is over some day."""
    monkeypatch.setattr(Dataset, "status", lambda _self, _now: state)
    monkeypatch.setattr(here, "_world", dataclasses.replace(here._world, times=Times(ready_s=9.0)))
    with pytest.raises(Capacity, match=f"as {state}, not ready"):
        here.submit(order(), hand)
    assert calls(service, "CreateDataset")
    assert not left(service)
    assert not list(here._notes.datasets())


def test_one_that_kaggle_answers_a_no_for_is_deleted(service: Kaggle, here: KaggleBackend) -> None:
    service.faults.fail("GetDatasetStatus", code=400)
    with pytest.raises(Refusal, match="400"):
        here.submit(order(), hand)
    assert not left(service)


def test_data_sets_of_ended_sessions_are_swept_and_no_others(service: Kaggle, here: KaggleBackend) -> None:
    for number in (1, 2):
        here.submit(order(number), hand)
    here.submit(order(1, run="another"), hand)

    everything = left(service)
    for run, number in ((order().run, 1), (order().run, 2), ("another", 1)):
        service.over(kernel.name(order(number, run=run)))
    here.sweep(order().run_url, keep=(1, 2))
    assert left(service) == everything
    here.sweep(order().run_url, keep=(2,))
    assert everything - left(service) == {f"{NAME}-1"}
    here.sweep(order().run_url, keep=())
    assert left(service) == {f"{kernel.name(order(1, run='another'))}-1"}


def test_a_session_that_the_sweeper_has_not_heard_of_keeps_its_data_set(service: Kaggle, here: KaggleBackend) -> None:
    service.set(queue_s=1e6)
    here.submit(order(), hand)
    here.sweep(order().run_url, keep=())
    assert left(service)


def test_what_is_left_of_a_killed_command_is_swept_in_the_end(
    service: Kaggle, tmp_path: Path, here: KaggleBackend
) -> None:
    service.faults.fail("SaveKernel", code=503)
    with pytest.raises(Uncertain):
        here.submit(order(), hand)
    here.sweep(order().run_url, keep=())
    assert left(service), "it may be waiting for its push"
    backend(tmp_path / "another", wall_s=lambda: time.time() + 7200).sweep(order().run_url, keep=())
    assert left(service), "another machine's"
    backend(tmp_path, wall_s=lambda: time.time() + 7200).sweep(order().run_url, keep=())
    assert not left(service)


def test_what_this_machine_made_is_swept_though_the_search_does_not_find_it(
    service: Kaggle, here: KaggleBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.submit(order(), hand)
    service.over(NAME)
    with monkeypatch.context() as hidden:
        hidden.setattr(service.datasets, "listed", lambda *_: {"datasets": []})
        here.sweep(order().run_url, keep=())
    assert not left(service)


def test_the_search_is_read_to_its_end(service: Kaggle, here: KaggleBackend, tmp_path: Path) -> None:
    asked = here._api()
    for number in range(101):
        asked.create_dataset("ada", f"{NAME}-x{number}", [asked.upload("x", b"x")])
    here.submit(order(), hand)
    service.over(NAME)
    backend(tmp_path / "another").sweep(order().run_url, keep=())
    search = {"group": "DATASET_SELECTION_GROUP_MY", "search": f"{NAME}-1"}
    assert not service.datasets.listed(service.account, search)["datasets"]
