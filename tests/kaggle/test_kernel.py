"""Names are keys: one for each session number, the same for ever, and such as Kaggle leaves alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.backends.base import Order
from jobs.backends.kaggle import facts, kernel
from jobs.refusals import InvalidJob

RUNS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True)
NUMBERS = st.integers(1, 999_999)


def order(run: str = "dcgan-k7f3", number: int = 1, gpu: str | None = None, store: str = "s3://b/p") -> Order:
    return Order(run=run, run_url=f"{store}/runs/{run}", number=number, gpu=gpu)


def slugified(title: str) -> str:
    """As Kaggle makes a name of a title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


@given(RUNS, NUMBERS)
def test_a_name_is_what_kaggle_makes_of_it_as_a_title(run: str, number: int) -> None:
    for name in (kernel.name(order(run, number)), kernel.dataset_name(order(run, number), 20)):
        assert slugified(name) == name
        assert 6 <= len(name) <= facts.LONGEST_NAME.value


@given(RUNS, NUMBERS, st.integers(1, 20))
def test_a_data_set_says_whose_it_is(run: str, number: int, attempt: int) -> None:
    asked = order(run, number)
    assert kernel.number_of(kernel.dataset_name(asked, attempt), run, asked.run_url) == number
    assert kernel.number_of(kernel.dataset_name(asked, attempt), run, f"{asked.run_url}x") is None


@given(RUNS, RUNS, NUMBERS, NUMBERS)
def test_two_sessions_have_two_names(one: str, other: str, first: int, second: int) -> None:
    same = (one, first) == (other, second)
    assert (kernel.name(order(one, first)) == kernel.name(order(other, second))) is same


def test_a_run_of_the_same_id_in_another_store_has_another_name() -> None:
    assert kernel.name(order(store="s3://b/p")) != kernel.name(order(store="s3://b/q"))


def test_a_push_is_private_and_has_the_internet() -> None:
    request = kernel.request("ada", order(gpu="T4"), "pass", "parcel")
    assert request["isPrivate"] is True
    assert request["enableInternet"] is True
    assert request["slug"] == f"ada/{request['newTitle']}"
    assert request["datasetDataSources"] == ["ada/parcel"]
    assert (request["enableGpu"], request["machineShape"]) == (True, "NvidiaTeslaT4")


def test_without_a_gpu_none_is_asked_for() -> None:
    request = kernel.request("ada", order(), "pass", "parcel")
    assert request["enableGpu"] is False
    assert "machineShape" not in request


def test_a_retired_gpu_is_refused_with_that_word() -> None:
    with pytest.raises(InvalidJob, match='"P100" is retired') as caught:
        kernel.shape("p100")
    assert caught.value.hint == "it has T4"


def test_an_unknown_gpu_is_refused_before_kaggle_gives_another() -> None:
    with pytest.raises(InvalidJob, match='no GPU "H100"'):
        kernel.shape("H100")


def test_the_source_is_measured_in_bytes_before_it_is_sent() -> None:
    most = facts.SOURCE_BYTES.value
    kernel.request("ada", order(), "x" * most, "parcel")
    with pytest.raises(InvalidJob, match=f"{most + 1:,} bytes"):
        kernel.request("ada", order(), "x" * (most - 1) + "ü", "parcel")
