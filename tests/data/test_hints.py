"""What a hint says to type for prepared data is typed here, on a machine that has them, and helps."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan import layout, prepared
from facegan.data import command, making, reading, settling
from facegan.errors import BadInputError, DamagedError, FaceganError
from facegan.experiment import Data
from facegan.prepared import Manifest
from facegan.storage import ObjectStore, open_store
from tests.fakes import datasets

MADE = {"side": 8, "crop": "center", "limit": 40, "domains": "Bags Under Eyes", "columns": ("Bags Under Eyes",)}


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the machine at which hints are typed."""
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path / "mine"))
    return tmp_path / "mine"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    (tmp_path / "the store").mkdir()
    return open_store((tmp_path / "the store").as_uri())


def quiet(_text: str) -> None:
    return None


def typed(error: FaceganError) -> None:
    """Type the first command of a hint."""
    found = re.search(r"facegan-job (data prepare .*? --store \S+?)(?=,? |$)", str(error.hint))
    assert found is not None, error.hint
    assert command.main(shlex.split(found[1])[1:]) == 0


@pytest.mark.parametrize("how", ["fetch", "the array is another", "the shape is another"])
def test_a_damaged_object_of_a_store_is_uploaded_again(
    how: str, mine: Path, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = datasets.fill(store, mine, **MADE)
    address = (made.name, made.digest)
    key = layout.dataset_part(*address, 0)
    if how == "fetch":
        store.put(key, store.get(key)[:-1] + b"?")
    elif how == "the array is another":
        key = layout.dataset_manifest(*address)
        monkeypatch.setattr(prepared.transfer, "_download", lambda *_: "0" * 64)
    else:
        key = layout.dataset_manifest(*address)
        monkeypatch.setattr(prepared.stored, "header", lambda *_: b"another")
    with pytest.raises(DamagedError) as caught:
        prepared.fetch(store, *address, tmp_path / "other", quiet)
    assert f'"{key}"' in caught.value.message
    monkeypatch.undo()
    monkeypatch.setenv("FACEGAN_HOME", str(mine))
    store.delete(key)
    typed(caught.value)
    assert prepared.verify_stored(store, *address) == []


def test_data_that_a_session_does_not_find_are_put_into_its_store(
    mine: Path, store: ObjectStore, tmp_path: Path
) -> None:
    made = datasets.prepare(mine, side=8, crop="center")
    wanted = Data(name=made.name, size=8, crop="center", digest=made.digest)
    with pytest.raises(BadInputError, match="neither on this machine") as caught:
        reading.load(wanted, tmp_path / "other", store, quiet)
    typed(caught.value)
    assert len(reading.load(wanted, tmp_path / "other", store, quiet).images) == made.count


def test_data_that_a_session_would_prepare_are_put_into_its_store(
    mine: Path, store: ObjectStore, tmp_path: Path
) -> None:
    made = datasets.prepare(mine, side=8, crop="center")
    open_yet = Data(name=made.name, size=8, crop="center")
    with pytest.raises(BadInputError, match="neither prepared in") as caught:
        settling.settle(open_yet, None, tmp_path / "other", store, quiet)
    typed(caught.value)
    assert settling.settle(open_yet, None, tmp_path / "other", store, quiet) == made


def settle(wanted: Data, home: Path, store: ObjectStore, say: Callable[[str], object]) -> Manifest | None:
    return settling.settle(wanted, home, home, store, say)


@pytest.mark.parametrize("begin", [reading.load, settle])
def test_the_array_of_a_run_takes_the_place_of_another_of_the_same_making(
    begin: Callable[..., object], mine: Path, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another version of Pillow makes it of the published file."""
    made = datasets.prepare(mine, "cifar10", side=16)
    other = tmp_path / "other"

    def make(*_: object) -> Manifest:
        return datasets.prepare(other, "cifar10", side=16, seed=1)

    monkeypatch.setattr(making, "make", make)
    wanted = Data(name="cifar10", size=16, digest=made.digest)
    with pytest.raises(DamagedError, match="and the run wants") as caught:
        begin(wanted, other, store, quiet)
    typed(caught.value)
    assert len(reading.load(wanted, other, store, quiet).images) == made.count


def test_arrays_that_were_made_in_another_way_are_listed(
    mine: Path, store: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = datasets.prepare(mine, "plain", side=8)
    with pytest.raises(BadInputError) as caught:
        command.main(["prepare", "plain", "--crop", "center", "--store", store.url])
    assert caught.value.message == (
        'nothing of "plain" was prepared with --crop center; there is: '
        f"40 of 8x8x3, crop none, {plain.digest[:12]} (--size 8)"
    )
    hint = f"facegan-job data prepare plain --size 8 --store {store.url} takes it; "
    assert caught.value.hint == f"{hint}facegan-job data prepare plain --source PATH --crop center makes another"
    typed(caught.value)
    assert f"digest   {plain.digest}" in capsys.readouterr().out
    datasets.fill(store, mine, name="plain", seed=1, **MADE)
    with pytest.raises(BadInputError, match="was prepared with no option; there is: ") as caught:
        command.main(["prepare", "plain", "--store", store.url])
    listed = caught.value.message.partition("there is: ")[2].split("; ")
    assert {one.partition(" (")[2] for one in listed} == {
        "--size 8)", "--size 8 --crop center --limit 40 --domains 'Bags Under Eyes')",
    }  # fmt: skip
    assert " takes the first; " in str(caught.value.hint)


def test_of_a_set_that_is_fetched_by_hand_others_are_listed_too(mine: Path, store: ObjectStore) -> None:
    datasets.fill(store, mine, name="celeba", side=8)
    with pytest.raises(BadInputError, match=r'nothing of "celeba" was prepared with --size 64; there is: 40 of 8x8x3'):
        command.main(["prepare", "celeba", "--size", "64", "--store", store.url])


def test_a_set_that_is_downloaded_is_made_in_another_way_at_once(
    mine: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.fill(store, mine, name="cifar10", side=8)
    monkeypatch.setattr(making, "make", lambda *_: datasets.prepare(mine, "cifar10", side=16))
    assert command.main(["prepare", "cifar10", "--size", "16", "--store", store.url]) == 0
