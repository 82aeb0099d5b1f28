"""The stores of the clouds, on their servers, held against one of memory: any calls in any order."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from facegan.storage import ObjectStore
from tests.cloud.conftest import Line, below
from tests.contract.test_stores_agree import AgainstMemory

HISTORIES, CALLS = 15, 15


def compare(line: Line, histories: int, calls: int) -> None:
    class CloudAgainstMemory(AgainstMemory):
        def opened(self) -> ObjectStore:
            return below(line.store, f"{uuid.uuid4().hex}/")

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        CloudAgainstMemory, settings=settings(max_examples=histories, stateful_step_count=calls)
    )


def test_any_calls_in_any_order_are_answered_as_by_memory(line: Line) -> None:
    compare(line, HISTORIES, CALLS)


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_so_are_many_more(line: Line) -> None:
    compare(line, 300, 40)
