"""What every object store promises (facegan.storage.base), one suite for all of them.

`FACEGAN_TEST_STORE` names more stores to hold to it, by URL, separated by spaces; what is written there
lies under a prefix of its own and is removed again.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.errors import BadInputError, FaceganError
from facegan.storage import NotFoundError, ObjectStore, open_store
from facegan.storage.base import TooLargeError
from tests.fakes.racing import Other, race_of_processes, race_of_threads

STORES = ["memory", "file", *os.environ.get("FACEGAN_TEST_STORE", "").split()]
ODD_PARTS = [
    "with space",
    " leading and trailing ",
    "ünïcödé-日本-🙂",
    "100%",
    "%41",
    "%2E",
    "a+b",
    ".hidden",
    "..two",
    "...",
    ".incoming",
    "a:b",
    "what?",
    "#tag",
    "back\\slash",
    'quo"te',
    "it's",
    "star*",
    "<tag>|pipe",
    "tab\tnewline\n",
    "~tilde",
    "trailing.",
    "UPPER",
    "a=b&c=d",
    "@{[(;,!$^)]}",
    "l" * 200,
]
BAD_KEYS = ["", "/", "/absolute", "a//b", "a/", "..", ".", "../a", "a/../b", "a/./b", "a/.."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A store, and a prefix in it that nobody else uses."""

    store: ObjectStore
    url: str
    prefix: str

    @property
    def is_shared(self) -> bool:
        """Whether other processes can open it."""
        return not self.url.startswith("memory:")

    def names(self, prefix: str = "", *, after: str = "") -> list[str]:
        """A listing, less the place's own prefix."""
        found = self.store.list(self.prefix + prefix, after=self.prefix + after if after else "")
        return [key.removeprefix(self.prefix) for key in found]


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    prefix = f"contract-{uuid.uuid4().hex}/"
    url = {"memory": f"memory://{prefix}", "file": (tmp_path / "a store").as_uri()}.get(request.param, request.param)
    found = Place(store=open_store(url), url=url, prefix=prefix)
    yield found
    for key in list(found.store.list(prefix)):
        found.store.delete(key)


# Reading and writing


@pytest.mark.parametrize("size", [0, 1, 1_000, 8 << 20], ids=["empty", "one byte", "small", "8 MB"])
def test_what_was_put_is_got(place: Place, size: int) -> None:
    data = os.urandom(size)
    place.store.put(f"{place.prefix}a/b", data)
    assert place.store.get(f"{place.prefix}a/b") == data


def test_put_replaces_what_was_there(place: Place) -> None:
    for data in (b"a longer first", b"second", b""):
        place.store.put(f"{place.prefix}a", data)
        assert place.store.get(f"{place.prefix}a") == data
    assert place.names() == ["a"]


def test_a_caller_may_change_its_buffer_afterwards(place: Place) -> None:
    buffer = bytearray(b"as it was")
    place.store.put(f"{place.prefix}put", buffer)
    place.store.put_new(f"{place.prefix}put_new", buffer)
    buffer[:] = b"otherwise"
    assert place.store.get(f"{place.prefix}put") == b"as it was"
    assert place.store.get(f"{place.prefix}put_new") == b"as it was"


def test_an_object_that_is_not_there_is_not_found_and_named(place: Place) -> None:
    with pytest.raises(NotFoundError, match=f"{place.prefix}nothing"):
        place.store.get(f"{place.prefix}nothing")


@pytest.mark.parametrize("size", [1, 1_000, 3 << 20])
def test_no_more_comes_into_memory_than_was_asked_for(place: Place, size: int) -> None:
    key = f"{place.prefix}a"
    place.store.put(key, os.urandom(size))
    for at_most in (0, size // 2, size - 1):
        with pytest.raises(TooLargeError):
            place.store.get(key, at_most=at_most)
    assert len(place.store.get(key, at_most=size)) == size
    with pytest.raises(NotFoundError):
        place.store.get(f"{place.prefix}nothing", at_most=1)


def test_a_folder_is_no_object(place: Place) -> None:
    place.store.put(f"{place.prefix}a/b/c", b"")
    with pytest.raises(NotFoundError):
        place.store.get(f"{place.prefix}a/b")


def test_an_object_has_nothing_below_it(place: Place) -> None:
    place.store.put(f"{place.prefix}a", b"")
    with pytest.raises(NotFoundError):
        place.store.get(f"{place.prefix}a/b")
    assert place.names("a/") == []
    place.store.delete(f"{place.prefix}a/b")
    assert place.names() == ["a"]


# Creating


@pytest.mark.parametrize("first", [b"", b"1", b"first"])
@pytest.mark.parametrize("second", [b"", b"1", b"first", b"second"])
def test_only_the_first_put_new_creates(place: Place, first: bytes, second: bytes) -> None:
    assert place.store.put_new(f"{place.prefix}a", first) is True
    assert place.store.put_new(f"{place.prefix}a", second) is False
    assert place.store.get(f"{place.prefix}a") == first


def test_put_new_does_not_replace_what_put_wrote(place: Place) -> None:
    place.store.put(f"{place.prefix}a", b"")
    assert place.store.put_new(f"{place.prefix}a", b"") is False


def test_what_was_deleted_can_be_created_again(place: Place) -> None:
    place.store.put_new(f"{place.prefix}a", b"1")
    place.store.delete(f"{place.prefix}a")
    assert place.store.put_new(f"{place.prefix}a", b"2") is True
    assert place.store.get(f"{place.prefix}a") == b"2"


def test_of_racing_processes_exactly_one_creates(place: Place) -> None:
    if not place.is_shared:
        pytest.skip("lives in one process")
    won = race_of_processes(place.url, f"{place.prefix}race/", rounds=100, racers=8)
    assert_one_winner(place, won, 100)


def test_of_racing_threads_exactly_one_creates(place: Place) -> None:
    won = race_of_threads([open_store(place.url) for _ in range(8)], f"{place.prefix}race/", rounds=100)
    assert_one_winner(place, won, 100)


def assert_one_winner(place: Place, won: dict[str, list[int]], rounds: int) -> None:
    assert sorted(number for numbers in won.values() for number in numbers) == list(range(rounds))
    for name, numbers in won.items():
        assert {place.store.get(f"{place.prefix}race/{number}") for number in numbers} <= {f"{name} won".encode()}


# Deleting


def test_what_was_deleted_is_gone(place: Place) -> None:
    for name in ("a/b", "a/c"):
        place.store.put(f"{place.prefix}{name}", b"")
    place.store.delete(f"{place.prefix}a/b")
    assert place.names() == ["a/c"]
    with pytest.raises(NotFoundError):
        place.store.get(f"{place.prefix}a/b")


def test_deleting_what_is_not_there_is_no_error(place: Place) -> None:
    place.store.put(f"{place.prefix}a/b", b"")
    for name in ("nothing", "a/nothing", "no/such/folder", "a"):
        place.store.delete(f"{place.prefix}{name}")
    assert place.names() == ["a/b"]


def test_the_last_object_takes_its_folder_with_it(place: Place) -> None:
    place.store.put(f"{place.prefix}a/b/c", b"")
    place.store.delete(f"{place.prefix}a/b/c")
    assert list(place.store.folders(place.prefix)) == []


# Listing


@pytest.fixture
def filled(place: Place) -> Place:
    for name in ("b/2", "b/10", "b/1", "a", "b-c", "b/sub/x", "c", "B/1", "é", "z"):
        place.store.put(f"{place.prefix}{name}", b"")
    return place


def test_a_listing_is_in_byte_order(filled: Place) -> None:
    assert filled.names() == ["B/1", "a", "b-c", "b/1", "b/10", "b/2", "b/sub/x", "c", "z", "é"]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("b", ["b-c", "b/1", "b/10", "b/2", "b/sub/x"]),
        ("b/", ["b/1", "b/10", "b/2", "b/sub/x"]),
        ("b/1", ["b/1", "b/10"]),
        ("b/sub", ["b/sub/x"]),
        ("a", ["a"]),
        ("a/", []),
        ("nothing", []),
        ("nothing/here/", []),
    ],
)
def test_a_listing_is_of_a_prefix(filled: Place, prefix: str, found: list[str]) -> None:
    assert filled.names(prefix) == found


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ("b/1", ["b/10", "b/2", "b/sub/x"]),
        ("b/0", ["b/1", "b/10", "b/2", "b/sub/x"]),
        ("b/100", ["b/2", "b/sub/x"]),
        ("b/sub/x", []),
        ("a", ["b/1", "b/10", "b/2", "b/sub/x"]),
        ("é", []),
    ],
)
def test_a_listing_begins_after_a_key_whether_it_exists_or_not(filled: Place, after: str, found: list[str]) -> None:
    assert filled.names("b/", after=after) == found


def test_sizes_are_of_a_prefix_in_byte_order(filled: Place) -> None:
    filled.store.put(f"{filled.prefix}b/1", b"123")
    found = filled.store.sizes(f"{filled.prefix}b/")
    assert list(found.items()) == [
        (f"{filled.prefix}{name}", size) for name, size in [("b/1", 3), ("b/10", 0), ("b/2", 0), ("b/sub/x", 0)]
    ]
    assert filled.store.sizes(f"{filled.prefix}nothing/") == {}


def test_times_are_of_a_prefix_in_byte_order_and_by_one_clock(place: Place) -> None:
    """The clock need not be ours: what is held against it is what it said before. It may count whole seconds."""
    place.store.put_new(f"{place.prefix}b/1", b"1")
    first = place.store.times(f"{place.prefix}b/")
    place.store.put(f"{place.prefix}b/2", b"2")
    assert not place.store.put_new(f"{place.prefix}b/1", b"other")
    both = place.store.times(f"{place.prefix}b/")
    assert list(both) == [f"{place.prefix}b/1", f"{place.prefix}b/2"]
    assert both[f"{place.prefix}b/1"] == first[f"{place.prefix}b/1"] > 1e9, "what was refused has not written"
    assert 0.0 <= both[f"{place.prefix}b/2"] - both[f"{place.prefix}b/1"] < 900.0
    place.store.put(f"{place.prefix}b/1", b"newer")
    assert place.store.times(f"{place.prefix}b/1")[f"{place.prefix}b/1"] >= both[f"{place.prefix}b/2"]
    assert place.store.times(f"{place.prefix}nothing/") == {}


def test_folders_are_one_level_of_the_tree(filled: Place) -> None:
    assert list(filled.store.folders(filled.prefix)) == ["B", "b"]
    assert list(filled.store.folders(f"{filled.prefix}b/")) == ["sub"]
    assert list(filled.store.folders(f"{filled.prefix}nothing/")) == []


def test_a_listing_can_be_acted_on_while_it_is_read(filled: Place) -> None:
    for key in filled.store.list(filled.prefix):
        filled.store.delete(key)
    assert filled.names() == []


def test_a_listing_beside_writers_has_all_that_was_acknowledged_and_nothing_half_done(place: Place) -> None:
    acknowledged: list[str] = []
    done = threading.Event()

    def write() -> None:
        writer = open_store(place.url)
        for number in range(60):
            name = f"w/{number % 7}/{number:03d}"
            writer.put(f"{place.prefix}{name}", b"x" * 50_000)
            acknowledged.append(name)
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        before = list(acknowledged)
        found = place.names("w/")
        assert set(before) <= set(found)
        assert all(len(place.store.get(place.prefix + name)) == 50_000 for name in found[-3:])
    thread.join()
    assert place.names("w/") == sorted(acknowledged)


# Keys


@pytest.mark.parametrize("part", ODD_PARTS)
def test_odd_keys_are_kept_as_they_are(place: Place, part: str) -> None:
    keys = [f"{place.prefix}{part}/{part}", f"{place.prefix}top-{part}"]
    for key in keys:
        assert place.store.put_new(key, key.encode()) is True
        assert place.store.put_new(key, b"") is False
    assert [place.store.get(key) for key in keys] == [key.encode() for key in keys]
    assert list(place.store.list(place.prefix)) == sorted(keys, key=str.encode)
    assert list(place.store.list(f"{place.prefix}{part}/")) == keys[:1]
    assert list(place.store.folders(place.prefix)) == [part]
    for key in keys:
        place.store.delete(key)
    assert place.names() == []


def test_odd_keys_are_not_taken_for_one_another(place: Place) -> None:
    for part in ODD_PARTS:
        place.store.put(f"{place.prefix}{part}", part.encode())
    assert place.names() == sorted(ODD_PARTS, key=str.encode)
    assert [place.store.get(f"{place.prefix}{part}").decode() for part in ODD_PARTS] == ODD_PARTS


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_leads_elsewhere_is_refused(place: Place, key: str) -> None:
    for use in (
        lambda: place.store.get(key),
        lambda: place.store.put(key, b""),
        lambda: place.store.put_new(key, b""),
        lambda: place.store.delete(key),
    ):
        with pytest.raises(BadInputError):
            use()


def test_a_listing_never_leads_elsewhere(place: Place) -> None:
    for prefix in ("../", "/", f"{place.prefix}../", f"{place.prefix}./"):
        try:
            assert list(place.store.list(prefix)) == []
            assert list(place.store.folders(prefix)) == []
        except FaceganError:
            pass


# Other processes


def test_every_effect_is_seen_by_other_processes_at_once(place: Place) -> None:
    if not place.is_shared:
        pytest.skip("lives in one process")
    with Other(place.url) as other:
        for number in range(20):
            key = f"{place.prefix}k/{number % 3}"
            place.store.put(key, b"%d" % number)
            assert other.ask("get", key) == b"%d" % number
            assert key in other.ask("list", place.prefix)
            other.ask("put", key, b"theirs")
            assert place.store.get(key) == b"theirs"
            other.ask("delete", key)
            assert place.names(f"k/{number % 3}") == []
            assert other.ask("put_new", key, b"new") is True
            assert place.store.put_new(key, b"") is False


def test_two_stores_of_one_url_are_one_store(place: Place) -> None:
    open_store(place.url).put(f"{place.prefix}a", b"1")
    assert open_store(place.url).get(f"{place.prefix}a") == b"1"
