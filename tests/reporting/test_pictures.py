"""Which pictures a page shows."""

from __future__ import annotations

import base64

import pytest

from facegan.reporting.pictures import MOST, Album, spread
from facegan.storage.memory import MemoryStore
from tests.reporting import world as here


@pytest.mark.parametrize(
    ("steps", "most", "chosen"),
    [
        ([], 3, []),
        ([5], 3, [5]),
        ([1, 2, 3], 3, [1, 2, 3]),
        ([1, 2, 3, 4, 5], 3, [1, 3, 5]),
        (list(range(100)), 4, [0, 33, 66, 99]),
    ],
)
def test_the_steps_lie_evenly_over_the_run(steps: list[int], most: int, chosen: list[int]) -> None:
    assert spread(steps, most) == chosen


def test_a_long_run_shows_few_pictures_and_reads_no_others(store: MemoryStore) -> None:
    ledger = here.finished(store, "a")
    entries = list(ledger.entries())
    read: list[str] = []
    get = store.get
    store.get = lambda key, **more: read.append(key) or get(key, **more)  # type: ignore[method-assign]
    album = Album(store=store)
    (strip,) = album.through_time(entries)
    (beside,) = album.beside(entries)
    assert [picture.step for picture in strip] == spread(list(range(2, 41, 2)), MOST)
    assert (beside.name, beside.step) == ("beside", 40)
    assert len(read) == 2 * MOST
    assert strip[-1].png == here.picture(40)
    assert base64.b64decode(strip[-1].url.removeprefix("data:image/png;base64,")) == here.picture(40)


def test_each_domain_has_its_own(store: MemoryStore) -> None:
    entries = list(here.finished(store, "a", build=here.CoupledToy).entries())
    album = Album(store=store)
    assert [strip[0].name for strip in album.through_time(entries)] == ["grid-a", "grid-b"]
    assert [picture.name for picture in album.beside(entries)] == ["beside-a", "beside-b"]


def test_a_damaged_one_is_named_and_the_one_before_is_the_last(store: MemoryStore) -> None:
    entries = list(here.finished(store, "a").entries())
    key = here.harm(store, "a", "samples/00000040-grid.png")
    album = Album(store=store)
    (strip,) = album.through_time(entries)
    assert strip[-1].step < 40
    assert [damage.object for damage in album.damaged] == [key]


def test_before_the_first_there_are_none(store: MemoryStore) -> None:
    album = Album(store=store)
    assert (album.through_time([]), album.beside([])) == ((), ())
