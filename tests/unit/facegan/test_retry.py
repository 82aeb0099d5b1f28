"""Asking again: as long as it helps, and not when it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from facegan.errors import BadInputError, FaceganError, UnreachableError
from facegan.storage.base import NotFoundError, RefusedError
from facegan.storage.memory import MemoryStore
from facegan.storage.retry import PAUSES_S, PatientStore
from tests.fakes.killing import SilentStore, WatchedStore

VERBS: dict[str, Callable[[PatientStore], object]] = {
    "get": lambda store: store.get("a"),
    "put": lambda store: store.put("a", b"2"),
    "put_new": lambda store: store.put_new("b", b"2"),
    "list": lambda store: list(store.list("", after="")),
    "folders": lambda store: list(store.folders("")),
    "delete": lambda store: store.delete("a"),
}


def filled() -> MemoryStore:
    store = MemoryStore()
    store.put("a", b"1")
    store.put("c/d", b"1")
    return store


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("silences", range(5))
def test_an_answer_that_comes_at_last_is_as_good_as_one_at_once(verb: str, silences: int) -> None:
    slept: list[float] = []
    silent = SilentStore(filled(), lambda it: it.number < silences)
    assert VERBS[verb](PatientStore(silent, slept.append)) == VERBS[verb](PatientStore(filled(), slept.append))
    assert slept == list(PAUSES_S[:silences])
    assert {it.verb for it in silent.operations} == {verb}


@pytest.mark.parametrize("verb", VERBS)
def test_after_the_fifth_time_it_is_unreachable(verb: str) -> None:
    slept: list[float] = []
    silent = SilentStore(filled(), lambda _it: True)
    with pytest.raises(UnreachableError):
        VERBS[verb](PatientStore(silent, slept.append))
    assert len(silent.operations) == 5
    assert slept == list(PAUSES_S)
    assert 10 < sum(slept) < 15


@pytest.mark.parametrize("error", [NotFoundError("no"), RefusedError("no"), BadInputError("no")])
@pytest.mark.parametrize("verb", VERBS)
def test_an_answer_is_an_answer(verb: str, error: FaceganError) -> None:
    slept: list[float] = []

    class Answering(WatchedStore):
        def _do(self, *_arguments: object) -> object:
            raise error

    with pytest.raises(type(error)):
        VERBS[verb](PatientStore(Answering(filled()), slept.append))
    assert slept == []


def test_a_listing_that_breaks_off_is_asked_for_again_from_its_beginning() -> None:
    tries: list[int] = []

    class BrokenOff(WatchedStore):
        def list(self, prefix: str, *, after: str = "") -> object:
            tries.append(1)
            yield from super().list(prefix, after=after)
            if len(tries) < 3:
                raise UnreachableError("the second page")

    assert list(PatientStore(BrokenOff(filled()), lambda _s: None).list("")) == ["a", "c/d"]
    assert len(tries) == 3


def test_a_create_whose_answer_was_lost_says_that_it_exists() -> None:
    store = filled()
    silent = SilentStore(store, lambda it: it.number == 0, acts=True)
    assert PatientStore(silent, lambda _s: None).put_new("b", b"2") is False
    assert store.get("b") == b"2"


def test_it_has_the_url_of_the_store_it_asks() -> None:
    assert PatientStore(filled(), lambda _s: None).url == "memory://"
