"""What goes wrong between a store and its server, and what the store then says. Real servers, real connections."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from facegan.errors import UnreachableError
from facegan.storage import NotFoundError, ObjectStore, RefusedError
from facegan.storage import cloud as storage
from facegan.storage.retry import PatientStore
from tests.cloud.conftest import Cloud, again, hurried
from tests.cloud.proxy import Asked, Fault, Plan

VERBS = {
    "get": lambda store: store.get("there"),
    "put": lambda store: store.put("written", b"2"),
    "put_new": lambda store: store.put_new("new", b"3"),
    "list": lambda store: list(store.list("")),
    "folders": lambda store: list(store.folders("")),
    "delete": lambda store: store.delete("there"),
}
UNANSWERED = {
    Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.INTERNAL, Fault.BUSY, Fault.TOO_MANY, Fault.CONFLICT,
}  # fmt: skip


def always(fault: Fault) -> Plan:
    return lambda _asked: fault


def once(fault: Fault) -> Plan:
    faults = [fault]
    return lambda _asked: faults.pop() if faults else None


def of_a_put_new(fault: Fault, times: int) -> Plan:
    """So many creations go wrong, of those asked first."""
    faults = [fault] * times
    return lambda asked: faults.pop() if faults and asked.verb == "put_new" else None


def proven(cloud: Cloud) -> Cloud:
    """With the condition known to hold, and an object to read."""
    cloud.through.put_new("proof", b"")
    cloud.store.put("there", b"12345678" * 1_000)
    return cloud


@pytest.mark.parametrize("fault", sorted(UNANSWERED, key=lambda fault: fault.name), ids=lambda fault: fault.value)
@pytest.mark.parametrize("verb", VERBS)
def test_no_answer_concludes_nothing(cloud: Cloud, verb: str, fault: Fault) -> None:
    proven(cloud).proxy.plan = always(fault)
    with pytest.raises(UnreachableError):
        VERBS[verb](cloud.through)


@pytest.mark.parametrize("verb", ["get", "put_new"])
def test_silence_ends_in_a_time_out(cloud: Cloud, verb: str) -> None:
    proven(cloud).proxy.plan = always(Fault.SILENCE)
    with hurried(), pytest.raises(UnreachableError):
        VERBS[verb](again(cloud))


@pytest.mark.parametrize("verb", VERBS)
def test_no_right_is_a_refusal_with_a_remedy(cloud: Cloud, verb: str) -> None:
    proven(cloud).proxy.plan = always(Fault.FORBIDDEN)
    with pytest.raises(RefusedError) as refused:
        VERBS[verb](cloud.through)
    assert "docs/storage.md" in str(refused.value.hint)


@pytest.mark.parametrize("verb", VERBS)
def test_another_servers_404_is_not_taken_for_a_missing_object(cloud: Cloud, verb: str) -> None:
    proven(cloud).proxy.plan = always(Fault.GARBAGE)
    if (cloud.name, verb) == ("gs", "delete"):
        return  # a 404 of a delete is no error, whoever says it: nothing is concluded from it
    with pytest.raises((UnreachableError, RefusedError)):
        VERBS[verb](cloud.through)


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.DRIP], ids=lambda fault: fault.value)
@pytest.mark.parametrize("verb", ["get", "list"])
def test_half_an_answer_is_none(cloud: Cloud, verb: str, fault: Fault) -> None:
    proven(cloud)
    cloud.proxy.plan = always(fault)
    with hurried(), pytest.raises(UnreachableError):
        VERBS[verb](cloud.through)


def test_what_was_changed_on_the_way_is_fetched_again(cloud: Cloud) -> None:
    proven(cloud).proxy.plan = once(Fault.FLIPPED)
    assert cloud.through.get("there") == b"12345678" * 1_000
    assert cloud.proxy.befell["get", Fault.FLIPPED] == 1


def test_what_comes_changed_every_time_is_left_to_the_caller_to_judge(cloud: Cloud) -> None:
    proven(cloud).proxy.plan = always(Fault.FLIPPED)
    assert cloud.through.get("there") != b"12345678" * 1_000


def test_a_creation_whose_answer_was_lost_is_answered_by_what_is_there(cloud: Cloud) -> None:
    proven(cloud).proxy.plan = of_a_put_new(Fault.RESET_AFTER, 1)
    with pytest.raises(UnreachableError):
        cloud.through.put_new("new", b"mine")
    assert cloud.through.put_new("new", b"mine") is False
    assert cloud.through.get("new") == b"mine"


def test_one_that_asks_again_is_told_that_it_exists(cloud: Cloud) -> None:
    proven(cloud).proxy.plan = of_a_put_new(Fault.RESET_AFTER, 1)
    assert patient(cloud.through).put_new("new", b"mine") is False
    assert cloud.store.get("new") == b"mine"


@pytest.mark.parametrize("fault", sorted(UNANSWERED, key=lambda fault: fault.name), ids=lambda fault: fault.value)
@pytest.mark.parametrize("times", [1, 4])
def test_a_storm_that_ends_is_sat_out(cloud: Cloud, fault: Fault, times: int) -> None:
    proven(cloud).proxy.plan = of_a_put_new(fault, times)
    assert patient(cloud.through).put_new("new", b"mine") is (fault is not Fault.RESET_AFTER)
    assert cloud.store.get("new") == b"mine"


def patient(store: ObjectStore) -> PatientStore:
    return PatientStore(store, lambda _seconds: None)


def test_a_store_that_ignores_the_condition_is_found_out_at_its_first_creation(cloud: Cloud) -> None:
    cloud.proxy.plan = lambda asked: Fault.UNCONDITIONAL if asked.verb == "put_new" else None
    for name in ("first", "first", "second"):
        with pytest.raises(RefusedError, match="ignores it") as refused:
            cloud.through.put_new(name, b"")
        assert "--store" in str(refused.value.hint)


def test_one_that_honours_it_is_asked_once_more_by_a_process_and_never_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegan.storage.cloud._PROVEN", set())
    asked: list[Asked] = []
    cloud.proxy.plan = asked.append  # type: ignore[func-returns-value]
    assert [cloud.through.put_new(name, b"") for name in ("1", "2", "3", "3")] == [True, True, True, False]
    assert len(asked) == 5


def test_a_proof_that_is_not_answered_is_made_up_for(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegan.storage.cloud._PROVEN", set())
    count = iter(range(100))
    cloud.proxy.plan = lambda _asked: Fault.RESET_BEFORE if next(count) == 1 else None
    with pytest.raises(UnreachableError):
        cloud.through.put_new("new", b"mine")
    assert cloud.through.put_new("new", b"mine") is False
    assert cloud.store.get("new") == b"mine"


def test_a_bucket_that_is_gone_is_a_refusal_and_no_missing_object(cloud: Cloud) -> None:
    bucket: Any = cloud.store
    gone = type(bucket)(dataclasses.replace(bucket._at, bucket="gone-bucket"))
    gone.__dict__["_client"] = bucket._client
    for verb, use in VERBS.items():
        if (cloud.name, verb) == ("gs", "delete"):
            continue
        with pytest.raises(RefusedError) as refused:
            use(gone)
        assert "make the bucket" in str(refused.value.hint)


def test_a_missing_object_is_not_found(cloud: Cloud) -> None:
    with pytest.raises(NotFoundError, match='"nothing"'):
        cloud.through.get("nothing")


class Line:
    """An answer whose bytes come as they are told to, by a clock of its own."""

    def __init__(self, pieces: Iterable[tuple[float, bytes]]) -> None:
        self.now = 0.0
        self._pieces = iter(pieces)

    def clock(self) -> float:
        return self.now

    def read1(self, _amt: int, **_: object) -> bytes:
        took_s, piece = next(self._pieces, (0.0, b""))
        self.now += took_s
        return piece


def test_an_answer_may_take_as_long_as_a_bad_line_needs_but_no_longer() -> None:
    good = [(60.0, b"x" * 60 * storage.SLOWEST_BYTES_S)] * 100
    line: Any = Line(good)
    storage.give_promptly(line, line.clock)
    assert len(line.read()) == 6_000 * storage.SLOWEST_BYTES_S
    line = Line([*good, (storage.PATIENCE_S + 1, b"x")])
    storage.give_promptly(line, line.clock)
    with pytest.raises(UnreachableError, match="sent only"):
        line.read()
