"""What Compute Engine answers when it will not: the next place is asked, or the refusal says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.process import Life
from jobs.backends.gce.backend import GceBackend
from jobs.refusals import Auth, Capacity, InvalidJob, Quota, Refusal, Uncertain
from tests.cloud import servers
from tests.fakes.gce import PROJECT, Asked, Gce
from tests.fakes.gce import Refusal as Answer
from tests.gce.submitting import backend, nobody, order

WHERES = [(type, f"us-central1-{zone}") for type in ("n1-standard-4", "n1-standard-8") for zone in "ac"]


@pytest.fixture
def here(google: Gce, tmp_path: Path) -> GceBackend:
    del google
    return backend(tmp_path)


def words(refusal: Refusal) -> str:
    return f"{refusal.message} {refusal.hint}"


def failing(code: str, *wheres: tuple[str, str], **more: object) -> Callable[[Asked], dict[str, object] | None]:
    """The operations that make machines at these places, or any, end so."""
    said = {"code": code, "message": f"{code}, in Google's words.", **more}
    return lambda asked: said if not wheres or asked.where in wheres else None


@pytest.mark.parametrize("code", ["ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "UNSUPPORTED_OPERATION"])
def test_where_there_is_no_room_the_next_place_is_asked(google: Gce, here: GceBackend, code: str) -> None:
    google.fail = failing(code, *WHERES[:3])
    ref = here.submit(order(), nobody)
    assert [each.where for each in google.inserted()] == WHERES
    assert len({each.query["requestId"] for each in google.inserted()}) == 4
    assert ref["id"] == google.instances[0]["id"]


def test_want_of_room_that_is_said_at_once_is_an_answer_whatever_its_status(google: Gce, here: GceBackend) -> None:
    said = Answer(status=503, reason="ZONE_RESOURCE_POOL_EXHAUSTED", message="The zone does not have enough resources")
    google.refuse = lambda asked: said if asked.method == "instances.insert" and asked.where in WHERES[:2] else None
    ref = here.submit(order(), nobody)
    assert [each.where for each in google.inserted()] == WHERES[:3]
    assert ref["id"] == google.instances[0]["id"]


def test_no_room_anywhere_says_what_was_tried(google: Gce, here: GceBackend) -> None:
    google.fail = failing("ZONE_RESOURCE_POOL_EXHAUSTED")
    with pytest.raises(Capacity) as caught:
        here.submit(order(), nobody)
    assert all(f"{type} in {zone}" in caught.value.message for type, zone in WHERES)
    assert not google.instances
    with pytest.raises(Capacity):
        here.submit(order(), nobody)
    assert len(google.inserted()) == len(WHERES), "what could not be made is not asked for again"


@pytest.mark.parametrize(
    ("message", "more", "says"),
    [
        (
            "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally.", {},
            ("GPUS_ALL_REGIONS", "--quota-id=GPUS-ALL-REGIONS-per-project --preferred-value=1"),
        ),
        (
            "Quota 'PREEMPTIBLE_NVIDIA_T4_GPUS' exceeded.  Limit: 0.0 in region us-central1.", {},
            ("PREEMPTIBLE_NVIDIA_T4_GPUS", "--preferred-value=1 --dimensions=region=us-central1"),
        ),
        (
            "Quota exceeded.",
            {"metricName": "compute.googleapis.com/cpus", "limitName": "CPUS-per-project-region", "limit": 0.0},
            ('"CPUS"', "--quota-id=CPUS-per-project-region --preferred-value=4"),
        ),
        ("Something new.", {}, ("PREEMPTIBLE_NVIDIA_T4_GPUS", "PREEMPTIBLE-NVIDIA-T4-GPUS-per-project-region")),
    ],
)  # fmt: skip
def test_a_quota_is_named_as_it_is_raised(
    google: Gce, here: GceBackend, message: str, more: dict[str, object], says: tuple[str, ...]
) -> None:
    details = [{"quotaInfo": more}] if more else []
    google.fail = lambda _asked: {"code": "QUOTA_EXCEEDED", "message": message, "errorDetails": details}
    with pytest.raises(Quota) as caught:
        here.submit(order(), nobody)
    assert all(part in words(caught.value) for part in says), words(caught.value)
    assert len(google.inserted()) == 1, "another zone counts against the same quota"


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (401, "authError", Auth),
        (403, "forbidden", Auth),
        (403, "accessNotConfigured", Auth),
        (403, "quotaExceeded", Quota),
        (400, "invalid", InvalidJob),
        (404, "notFound", InvalidJob),
        (412, "conditionNotMet", InvalidJob),
        (403, "somethingNew", Auth),
        (418, "somethingNew", Uncertain),
        (403, "rateLimitExceeded", Uncertain),
        (503, "backendError", Uncertain),
    ],
)
def test_answers_are_refusals_of_their_kind(
    google: Gce, here: GceBackend, status: int, reason: str, kind: type[Refusal]
) -> None:
    refusal = Answer(status=status, reason=reason, message="In Google's words.")
    google.refuse = lambda asked: refusal if asked.method == "instances.insert" else None
    with pytest.raises(kind, match=reason):
        here.submit(order(), nobody)
    assert not google.instances


def test_an_operation_that_failed_for_a_reason_nobody_knows_has_made_nothing(google: Gce, here: GceBackend) -> None:
    google.fail = failing("SOMETHING_NEW")
    with pytest.raises(Capacity, match="SOMETHING_NEW"):
        here.submit(order(), nobody)
    assert not google.instances


def test_a_service_account_that_is_not_there(google: Gce, tmp_path: Path) -> None:
    del google
    with pytest.raises(InvalidJob, match=f"mine@{PROJECT}") as caught:
        backend(tmp_path, service_account="mine").submit(order(), nobody)
    assert "docs/gce.md" in words(caught.value)


@pytest.mark.usefixtures("google")
def test_who_does_not_answer_is_asked_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = backend(tmp_path).submit(order(), nobody)
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", f"http://127.0.0.1:{servers.free_port()}/compute/v1/")
    here = backend(tmp_path)
    with pytest.raises(Uncertain):
        here.submit(order(), nobody)
    with pytest.raises(Uncertain):
        here.look_up(order())
    assert here.fate(ref).life is Life.UNKNOWN
