"""What Kaggle refuses, and what is not sent to it at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.experiment import Json
from facegan.process import Life
from jobs.backends.kaggle.api import PATIENT, Api
from jobs.backends.kaggle.backend import KaggleBackend
from jobs.refusals import Auth, Capacity, InvalidJob, Uncertain
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import BEFORE, Request
from tests.kaggle.looking import NAME, calls, nobody, words
from tests.kaggle.submitting import backend, hand, order


def test_two_sessions_at_once_are_enough(service: Kaggle, here: KaggleBackend) -> None:
    service.set(queue_s=1e6)
    for number in (1, 2):
        here.submit(order(number, gpu="T4"), hand)
    with pytest.raises(Capacity, match="session count of 2"):
        here.submit(order(3, gpu="T4"), hand)
    here.submit(order(3), hand)


def test_words_nobody_knows_are_repeated(service: Kaggle, here: KaggleBackend) -> None:
    service.account.phone_verified = False
    service.set(unverified_error="The moon is in the wrong house")
    with pytest.raises(InvalidJob, match="The moon is in the wrong house"):
        here.submit(order(gpu="T4"), hand)


def test_words_that_are_only_believed_do_not_end_what_was_started(service: Kaggle, here: KaggleBackend) -> None:
    """It answers with them, and has started the session all the same."""
    service.set(queue_s=1e6)

    class Deaf(Api):
        def save_kernel(self, request: Json) -> Json:
            return {**super().save_kernel(request), "error": "Unknown accelerator: another is given"}

    here._open = lambda said, patience=PATIENT: Deaf(service.url, said, lambda _: None, patience)  # type: ignore[method-assign]
    ref = here.submit(order(), hand)
    assert here.fate(ref).life is Life.ALIVE


def test_a_phone_that_is_not_verified_is_named(service: Kaggle, here: KaggleBackend) -> None:
    service.account.phone_verified = False
    service.set(unverified_error="Phone verification is required")
    with pytest.raises(Auth) as caught:
        here.submit(order(gpu="T4"), hand)
    assert "kaggle.com" in words(caught.value)


@pytest.mark.usefixtures("service")
def test_a_wrong_token_is_our_own_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    with pytest.raises(Auth, match="KAGGLE_API_TOKEN") as caught:
        backend(tmp_path).bundle(None)
    assert "KGAT_wrong" not in words(caught.value)


def test_a_retired_gpu_is_refused_before_anything_is_asked(service: Kaggle, here: KaggleBackend) -> None:
    with pytest.raises(InvalidJob, match="retired"):
        here.bundle("P100")
    assert not service.faults.requests


def test_a_data_set_that_fails_starts_no_session(service: Kaggle, here: KaggleBackend) -> None:
    service.set(dataset_hidden_s=0.0)

    def spoil(request: Request, when: str) -> None:
        if request.call.endswith("GetDatasetStatus") and when == BEFORE:
            service.datasets.readable(service.account, f"ada/{NAME}-1").failed = True

    service.faults.watcher = spoil
    with pytest.raises(Capacity, match="FAILED"):
        here.submit(order(), hand)
    assert not calls(service, "SaveKernel")


def test_a_session_without_its_data_set_is_taken_back(service: Kaggle, here: KaggleBackend) -> None:
    def lose(request: Request, when: str) -> None:
        if request.call.endswith("SaveKernel") and when == BEFORE:
            service.datasets.delete(service.account, {"ownerSlug": "ada", "datasetSlug": f"{NAME}-1"})

    service.faults.watcher = lose
    with pytest.raises(InvalidJob, match=f'data set "ada/{NAME}-1"'):
        here.submit(order(), hand)
    assert here.look_up(order()) is None


def test_another_program_than_was_promised_is_not_sent(service: Kaggle, here: KaggleBackend) -> None:
    promised = {**here.bundle(None), "sha256": "0" * 64}
    with pytest.raises(InvalidJob, match="another is here now"):
        here.submit(order(bundle=promised), nobody)
    assert not calls(service, "CreateDataset")


@pytest.mark.usefixtures("service")
def test_a_session_of_another_account_is_not_touched(tmp_path: Path) -> None:
    strange = backend(tmp_path)
    strange.host = "bob"
    with pytest.raises(Uncertain, match='in the Kaggle account "bob"'):
        strange.submit(order(), nobody)
    with pytest.raises(Uncertain, match='in the Kaggle account "bob"'):
        strange.look_up(order())
    assert strange.fate({"kernel": f"bob/{NAME}"}).life is Life.UNKNOWN
