"""The exit codes that scripts rely on."""

from __future__ import annotations

import pytest

from facegan.errors import BadInputError, DamagedError, FaceganError, NotHolderError, UnreachableError
from facegan.ledger import IllegalEntryError, NoRunError
from facegan.storage import NotFoundError, RefusedError
from jobs.errors import Exit, JobError, exit_of


def test_the_numbers_are_a_contract() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "ERROR": 1,
        "USAGE": 2,
        "RUN_FAILED": 100,
        "NOT_FINISHED": 101,
        "NO_SUCH_RUN": 102,
        "CANCELLED": 103,
        "INTEGRITY": 104,
        "QUOTA": 105,
        "WAIT_TIMEOUT": 124,
        "DETACHED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInputError, Exit.USAGE),
        (NoRunError, Exit.NO_SUCH_RUN),
        (JobError, Exit.ERROR),
        (DamagedError, Exit.ERROR),
        (UnreachableError, Exit.ERROR),
        (RefusedError, Exit.ERROR),
        (NotFoundError, Exit.ERROR),
        (NotHolderError, Exit.ERROR),
        (IllegalEntryError, Exit.ERROR),
    ],
)
def test_every_error_has_the_exit_code_of_its_kind(error: type[FaceganError], code: Exit) -> None:
    assert exit_of(error("what happened")) is code
