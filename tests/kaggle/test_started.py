"""What a session finds on its machine, and ends over."""

from __future__ import annotations

import pytest

from jobs.backends.kaggle.backend import KaggleBackend
from tests.fakes.kaggle import Kaggle
from tests.kaggle.looking import NAME
from tests.kaggle.submitting import hand, order


def test_a_gpu_that_was_not_given_ends_the_session_at_once(service: Kaggle, here: KaggleBackend) -> None:
    service.account.phone_verified = False
    ref = here.submit(order(gpu="T4"), hand)
    service.over(NAME)
    assert "a T4 was asked for, and Kaggle gave no GPU" in here.fate(ref).why
    assert "phone verified" in here.fate(ref).why


def test_without_the_internet_the_session_ends_at_once(service: Kaggle, here: KaggleBackend) -> None:
    service.account.phone_verified = False
    ref = here.submit(order(), hand)
    service.over(NAME)
    assert "Without, there is no internet" in here.fate(ref).why


def test_of_two_cards_that_were_given_the_names_are_said(service: Kaggle, here: KaggleBackend) -> None:
    here.submit(order(gpu="T4"), hand)
    service.over(NAME)
    assert "GPUs: Tesla T4, Tesla T4" in here.last_words(order(gpu="T4"))


@pytest.mark.parametrize("layout", ["2026", "old"])
def test_both_layouts_of_inputs_are_known(service: Kaggle, here: KaggleBackend, layout: str) -> None:
    service.set(layout=layout)
    ref = here.submit(order(), hand)
    service.over(NAME)
    assert "cannot reach its store" in here.fate(ref).why
