"""What Kaggle says becomes a refusal that a supervisor can act on; what it never said is never taken for one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.backends.kaggle import refusals
from jobs.backends.kaggle.refusals import AnswerError
from jobs.errors import Exit
from jobs.refusals import Auth, Capacity, InvalidJob, Quota, Refusal, Uncertain

SATURDAY = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Maximum batch GPU session count of 2 reached.", Capacity),
        ("Maximum batch CPU session count of 5 reached.", Capacity),
        ("Maximum weekly GPU quota of 30.00 hours reached.", Quota),
        ("Notebook not found", InvalidJob),
        ("Phone verification is required to use a GPU", Auth),
        ("Unknown accelerator NvidiaFoo", InvalidJob),
        ("Title must be at least five characters", InvalidJob),
        ("Could not verify your request, try again", Uncertain),
        ("Internal error while resolving title", Uncertain),
        ("The accelerator request is throttled; too many requests", Uncertain),
    ],
)
def test_known_words_have_a_kind(text: str, kind: type[Refusal]) -> None:
    refusal = refusals.of_text(text)
    assert type(refusal) is kind
    assert text in refusal.message
    assert refusal.hint


@pytest.mark.parametrize("text", ["The moon is in the wrong house", "Could not verify your request", "A title", "x y"])
def test_unknown_words_have_none(text: str) -> None:
    assert refusals.of_text(text) is None


def test_what_is_only_believed_is_not_certain() -> None:
    assert refusals.is_certain("Maximum weekly GPU quota of 30.00 hours reached.")
    assert not refusals.is_certain("Unknown accelerator NvidiaFoo")
    assert not refusals.is_certain("The moon is in the wrong house")


def test_a_quota_says_from_when_on_there_is_more() -> None:
    refused = refusals.of_text("Maximum weekly GPU quota of 30.00 hours reached.")
    assert isinstance(refused, Quota)
    refusal = refusals.with_reset(refused, SATURDAY)
    assert refusal.resets_at == SATURDAY
    assert "Saturday 28 November at 00:00 UTC" in refusal.message
    assert refusal.exit is Exit.QUOTA


@pytest.mark.parametrize(
    ("status", "text", "size", "kind"),
    [
        (401, "Unauthenticated", 10, Auth),
        (403, "", 10, Auth),
        (413, "", 10, InvalidJob),
        (400, "Bad Request", 2_000_000, InvalidJob),
        (409, 'A notebook "x" exists already', 10, InvalidJob),
        (400, "Internal error", 10, InvalidJob),
        (400, "Maximum weekly GPU quota of 30.00 hours reached.", 10, Quota),
    ],
)
def test_an_error_has_a_kind(status: int, text: str, size: int, kind: type[Refusal]) -> None:
    assert type(refusals.of_error(AnswerError(status, text), size)) is kind


def test_a_source_that_is_too_large_is_said_to_be() -> None:
    assert "2,000,000 bytes" in refusals.of_error(AnswerError(400, ""), 2_000_000).message


def test_what_could_not_be_attached_is_named() -> None:
    answer = {"invalidDatasetSources": ["ada/x"], "invalidKernelSources": ["ada/y"], "invalidTags": ["z"]}
    assert refusals.invalid_sources(answer) == ['data set "ada/x"', 'kernel "ada/y"']
