"""What tests ask of the stand-in after a command: what was called, what is left, what was said."""

from __future__ import annotations

import pytest

from jobs.backends.kaggle import kernel
from jobs.refusals import Refusal
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import Request
from tests.kaggle.submitting import order

NAME = kernel.name(order())


def calls(service: Kaggle, name: str) -> list[Request]:
    return [request for request in service.faults.requests if name in request.call]


def left(service: Kaggle) -> set[str]:
    """The names of the data sets that are there."""
    service.clock.skip(hours=1)  # none is hidden any more
    found = service.datasets.listed(service.account, {"group": "DATASET_SELECTION_GROUP_MY", "pageSize": 100})
    return {each["ref"].partition("/")[2] for each in found["datasets"]}


def nobody() -> None:
    pytest.fail("no credentials are made for a session that is there")


def words(refusal: Refusal) -> str:
    return f"{refusal.message} {refusal.hint}"
