"""Data that a session has to prepare: settled once, whatever dies between the first picture and the `data` entry."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.data import making, settling
from facegan.errors import BadInputError, DamagedError, SessionExit
from facegan.experiment import Data, Experiment, override
from facegan.prepared import Manifest, find_stored
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from tests.fakes import datasets
from tests.fakes.driving import (
    SHORT,
    Session,
    append,
    ask,
    assert_untouched,
    begun,
    contents,
    declare_lost,
    ledger_of,
    raw_entries,
)
from tests.fakes.killing import Death, Killed, MortalStore

OPEN = override(SHORT, ["data.name=my-faces", "data.size=8"])


@pytest.fixture
def makes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The homes in which the pictures were prepared; making an array of them takes no time here."""
    made: list[Path] = []

    def make(asked: object, path: Path | None, home: Path, say: Callable[[str], object]) -> Manifest:
        del asked, path, say
        made.append(home)
        return datasets.prepare(home)

    monkeypatch.setattr(making, "make", make)
    return made


def settle(
    store: ObjectStore, home: Path, source: Path | None = Path("pictures")
) -> Callable[[Experiment], Manifest | None]:
    return lambda experiment: settling.settle(experiment.data, source, home, store, lambda _text: None)


def digests(store: ObjectStore) -> list[str]:
    return [entry["digest"] for entry in raw_entries(store) if entry["kind"] == "data"]


def go_on(store: ObjectStore, home: Path, *, source: Path | None = Path("pictures")) -> SessionExit:
    declare_lost(store)
    return Session(store=store, holder=home.name, number=ask(store), settle=settle(store, home, source)).run()


@pytest.mark.parametrize("death", Death)
def test_killed_anywhere_the_next_machine_settles_the_same_data_once(
    tmp_path: Path, makes: list[Path], death: Death
) -> None:
    settled = 0  # places of death after the entry: from there on it is a session like any other
    for place in itertools.count():
        store = begun("memory", tmp_path, OPEN)
        mortal = MortalStore(store, at=place, death=death)
        with pytest.raises(Killed):
            Session(store=mortal, holder="first", number=1, settle=settle(mortal, tmp_path / f"{place}-a")).run()
        said_before, whole_before = digests(store), find_stored(store, "my-faces")
        makes.clear()
        assert go_on(store, tmp_path / f"{place}-b") is SessionExit.FINISHED
        assert bool(makes) == (not whole_before), "what was whole in the store was not taken"
        assert len(digests(store)) == 1
        assert said_before in ([], digests(store))
        assert_untouched(store)
        settled += bool(said_before)
        if settled == 3:
            break
    assert place > 15


def test_every_later_session_takes_the_array_that_was_settled(tmp_path: Path, makes: list[Path]) -> None:
    store = begun("memory", tmp_path, OPEN)
    seen: list[str | None] = []

    def stop_at_once(experiment: Experiment) -> Manifest | None:
        seen.append(experiment.data.digest)
        return settle(store, tmp_path / "a")(experiment)

    first = Session(store=store, holder="first", number=1, settle=stop_at_once, budget_s=-100.0)
    assert first.run() is SessionExit.INTERRUPTED
    (digest,) = digests(store)
    assert go_on(store, tmp_path / "b", source=None) is SessionExit.FINISHED
    assert (len(makes), seen, digests(store)) == (1, [None], [digest])
    assert ledger_of(store).created().data.digest == digest


def test_data_are_settled_once_and_before_the_first_checkpoint(tmp_path: Path, makes: list[Path]) -> None:
    store = begun("memory", tmp_path, OPEN)
    assert Session(store=store, holder="first", number=1, settle=settle(store, tmp_path)).run() is SessionExit.FINISHED
    assert len(makes) == 1
    before = contents(store)
    with pytest.raises(Exception, match="the lease is not this holder's"):
        append(ledger_of(store), "data", session=1, name="my-faces", digest="0" * 64, count=1)
    assert contents(store) == before


def test_where_they_are_nowhere_it_fails_with_what_to_type(tmp_path: Path, makes: list[Path]) -> None:
    store = begun("memory", tmp_path, OPEN)
    session = Session(store=store, holder="first", number=1, settle=settle(store, tmp_path, None))
    assert session.run() is SessionExit.BAD_INPUT
    said = "\n".join(session.said)
    assert '"my-faces" is neither prepared in' in said
    assert "facegan-job data prepare my-faces --size 8 --store" in said
    assert not makes


def test_a_set_that_everybody_knows_is_uploaded_too_and_must_be_the_right_one(
    tmp_path: Path, makes: list[Path]
) -> None:
    known, store = datasets.put_together(tmp_path / "known"), MemoryStore()
    pinned = Data(name="my-faces", size=8, digest=known.digest)
    assert settling.settle(pinned, None, tmp_path / "a", store, print) is None
    assert not makes
    assert settling.settle(pinned, tmp_path, tmp_path / "a", store, print) is None
    assert settling.settle(pinned, tmp_path, tmp_path / "b", store, print) is None
    assert makes == [tmp_path / "a"]
    assert [found.digest for found in find_stored(store)] == [known.digest]
    with pytest.raises(DamagedError, match="the run wants 111111111111"):
        settling.settle(Data(name="my-faces", size=8, digest="1" * 64), tmp_path, tmp_path / "c", store, print)


def test_what_comes_inside_a_package_is_left_to_it(tmp_path: Path) -> None:
    assert settling.settle(Data(name="mnist-5k"), None, tmp_path, MemoryStore(), print) is None


def test_an_array_that_holds_a_part_of_the_set_is_not_taken_for_it(tmp_path: Path) -> None:
    store = MemoryStore()
    datasets.fill(store, tmp_path, limit=40)
    with pytest.raises(BadInputError, match="neither prepared"):
        settling.settle(Data(name="my-faces", size=8), None, tmp_path / "b", store, print)
