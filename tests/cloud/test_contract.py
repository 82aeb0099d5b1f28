"""The contract of every object store, held against the servers of S3 and GCS.

`FACEGAN_TEST_STORE` names other stores by URL, separated by spaces: then it is those, with the credentials
of the environment (`make test-store STORE=s3://…`). All that is written is removed again.
"""

from __future__ import annotations

import concurrent.futures
import os
import uuid
from collections.abc import Callable, Iterable, Iterator

import pytest

from facegan.storage import open_store
from tests.contract import test_object_store as contract

NAMED = [url for url in os.environ.get("FACEGAN_TEST_STORE", "").split() if url.startswith(("s3:", "gs:"))]

globals().update({name: thing for name, thing in vars(contract).items() if name.startswith("test_")})
filled = contract.filled
Place = contract.Place


@pytest.fixture(params=NAMED or ["s3", "gs"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if "\n" in request.node.callspec.params.get("part", ""):
        pytest.skip("GCS refuses line feeds in names, and moto loses them; no key of ours has one")
    monkeypatch.setattr(contract, "ODD_PARTS", [part for part in contract.ODD_PARTS if "\n" not in part])
    url = request.param if NAMED else request.getfixturevalue(f"{request.param}_url")
    found = Place(store=open_store(url), url=url, prefix=f"contract-{uuid.uuid4().hex}/")
    yield found
    if NAMED:  # the others end with their servers
        at_once(found.store.delete, list(found.store.list(found.prefix)))


def at_once(work: Callable[[str], object], keys: Iterable[str]) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, keys))


def test_a_listing_goes_on_where_a_page_ends(place: Place) -> None:
    names = [f"{number:04d}/{number % 7}" for number in range(1_103)]
    at_once(lambda name: place.store.put(place.prefix + name, b""), names)
    assert place.names() == names
    assert place.names("10") == [name for name in names if name.startswith("10")]
    assert place.names(after="0050/3") == [name for name in names if name > "0050/3"]
    assert list(place.store.folders(place.prefix)) == [name[:4] for name in names]


def test_an_object_larger_than_any_part_or_buffer_comes_back_whole(place: Place) -> None:
    data = os.urandom((17 << 20) + 1)
    place.store.put(f"{place.prefix}large", data)
    assert place.store.get(f"{place.prefix}large") == data


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_an_object_of_1500_mb_comes_back_whole(place: Place) -> None:
    data = os.urandom(1 << 20) * 1_500
    place.store.put(f"{place.prefix}huge", data)
    assert place.store.get(f"{place.prefix}huge") == data
