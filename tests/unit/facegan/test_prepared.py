"""Prepared data are whole, wherever they come from and whenever whoever brought them was killed."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from facegan import layout, prepared
from facegan.errors import BadInputError, DamagedError, FaceganError, UnreachableError
from facegan.prepared import Finding, Manifest, local, manifest, transfer
from facegan.storage.base import NotFoundError, ObjectStore
from facegan.storage.file import FileStore
from facegan.storage.memory import MemoryStore
from tests.fakes import datasets
from tests.fakes.killing import Death, Killed, MortalStore, SilentStore, WatchedStore

PART = 1_024  # of these tests: 40 images of 8x8x3 are eight parts


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (manifest, local):
        monkeypatch.setattr(module, "PART_BYTES", PART)


def quiet(_text: str) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A machine that has prepared a data set, another that has not, and the store they share."""

    mine: Path
    other: Path
    store: ObjectStore
    manifest: Manifest

    @property
    def folder(self) -> Path:
        return datasets.folder_of(self.mine, self.manifest)

    @property
    def address(self) -> tuple[str, str]:
        return self.manifest.name, self.manifest.digest

    def upload(self, store: ObjectStore | None = None) -> None:
        prepared.upload(self.folder, store or self.store, quiet)

    def fetch(self, store: ObjectStore | None = None) -> Path:
        return prepared.fetch(store or self.store, *self.address, self.other, quiet)

    def is_fetched_whole(self) -> bool:
        there = prepared.folder_of(self.other, *self.address)
        return contents(there) == contents(self.folder) and not hidden(self.other)


@pytest.fixture(params=["memory", "file"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    store: ObjectStore = MemoryStore() if request.param == "memory" else FileStore(tmp_path / "store")
    mine = tmp_path / "mine"
    return World(mine=mine, other=tmp_path / "other", store=store, manifest=datasets.prepare(mine))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def hidden(home: Path) -> list[str]:
    """What is left of unfinished work."""
    return [path.name for path in (home / "data").glob("*/.*") if path.name != ".lock"]


def test_the_digest_is_that_of_the_two_files_one_after_the_other(world: World) -> None:
    files = (world.folder / layout.IMAGES).read_bytes() + (world.folder / layout.ATTRIBUTES).read_bytes()
    assert world.manifest.digest == hashlib.sha256(files).hexdigest()
    assert prepared.find_local(world.mine) == [world.manifest]
    assert prepared.verify(world.folder) == []


def test_what_was_uploaded_is_what_is_fetched(world: World) -> None:
    world.upload()
    keys = list(world.store.list(layout.DATASETS))
    assert keys[-1].endswith("/manifest.json")
    assert keys[1].endswith("/images/000000")
    assert len(keys) == 8 + 2
    assert prepared.find_stored(world.store) == [world.manifest]
    assert prepared.verify_stored(world.store, *world.address) == []
    assert world.fetch() == datasets.folder_of(world.other, world.manifest)
    assert world.is_fetched_whole()


def test_the_manifest_is_the_last_that_is_uploaded_and_nothing_is_sent_twice(world: World) -> None:
    watched = WatchedStore(world.store)
    world.upload(watched)
    puts = [operation.key for operation in watched.operations if operation.verb.startswith("put")]
    assert puts[-1].endswith("/manifest.json")
    assert len(set(puts)) == len(puts) == 10
    world.upload(watched)
    again = [operation.key for operation in watched.operations if operation.verb.startswith("put")][len(puts) :]
    assert again == [layout.dataset_manifest(*world.address)], "a conditional write of a kilobyte is the check"
    assert {operation.verb for operation in watched.operations if operation.key == again[0]} == {"put_new"}


def test_what_is_here_is_not_fetched(world: World) -> None:
    world.upload()
    watched = WatchedStore(world.store)
    prepared.fetch(watched, *world.address, world.mine, quiet)
    assert watched.operations == []


DEATHS = [(at, death) for at in range(11) for death in Death]


@pytest.mark.parametrize(("at", "death"), DEATHS, ids=lambda value: str(getattr(value, "value", value)))
def test_an_upload_killed_anywhere_goes_on(world: World, at: int, death: Death) -> None:
    with contextlib.suppress(Killed):
        world.upload(MortalStore(world.store, at, death))
    whole = at == 10 and death is Death.AFTER
    assert prepared.find_stored(world.store) == ([world.manifest] if whole else []), "there whole, or not at all"
    before = world.store.sizes(layout.DATASETS)
    watched = WatchedStore(world.store)
    world.upload(watched)
    sent = {operation.key for operation in watched.operations if operation.verb.startswith("put")}
    assert not sent & before.keys() - {layout.dataset_manifest(*world.address)}
    assert prepared.verify_stored(world.store, *world.address) == []


@pytest.mark.parametrize("at", range(11))
@pytest.mark.parametrize("death", [Death.BEFORE, Death.AFTER], ids=lambda death: death.value)
def test_a_fetch_killed_anywhere_goes_on_with_what_it_has(world: World, at: int, death: Death) -> None:
    world.upload()
    with pytest.raises(Killed):
        world.fetch(MortalStore(world.store, at, death)) if at < 10 else _die_before_the_rename(world)
    assert prepared.find_local(world.other) == [], "a reader sees nothing before everything is there"
    watched = WatchedStore(world.store)
    world.fetch(watched)
    assert len(watched.operations) == 1 + max(0, 9 - max(0, at - 1)), "the manifest, and what was missing"
    assert world.is_fetched_whole()


def _die_before_the_rename(world: World) -> None:
    def die(*_: object) -> Path:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "install", die)
        world.fetch()


def test_a_part_that_was_cut_short_on_the_disk_is_fetched_again(world: World) -> None:
    world.upload()
    with pytest.raises(Killed):
        world.fetch(MortalStore(world.store, 5, Death.BEFORE))
    partial = world.other / "data" / world.manifest.name / f".{world.manifest.digest}"
    images = partial / layout.IMAGES
    images.write_bytes(images.read_bytes()[:-100] + bytes(100) + b"more")
    world.fetch()
    assert world.is_fetched_whole()


def test_two_fetches_at_once_fetch_once(world: World) -> None:
    world.upload()
    watched = WatchedStore(world.store)
    threads = [threading.Thread(target=world.fetch, args=(watched,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gets = [operation.key for operation in watched.operations if operation.verb == "get"]
    assert len(gets) == len(set(gets)) == 10
    assert world.is_fetched_whole()


def test_two_uploads_at_once_are_one(world: World) -> None:
    threads = [threading.Thread(target=world.upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert prepared.verify_stored(world.store, *world.address) == []


def test_a_store_that_does_not_answer_is_no_damage(world: World) -> None:
    world.upload()
    silent = SilentStore(world.store, lambda operation: operation.number == 4)
    with pytest.raises(UnreachableError):
        world.fetch(silent)
    world.fetch(silent)
    assert world.is_fetched_whole()


def test_what_is_not_in_the_store_is_said_to_be_so(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.fetch()
    assert hidden(world.other) == []


class Flipping(WatchedStore):
    """A store that flips a byte of some downloads."""

    def __init__(self, store: ObjectStore, flips: Callable[[int, str], bool]) -> None:
        super().__init__(store)
        self._flips = flips

    def get(self, key: str, *, at_most: int = manifest.LARGEST_MANIFEST) -> bytes:
        data = super().get(key, at_most=at_most)
        flips = self._flips(sum(operation.key == key for operation in self.operations), key)
        return bytes([data[0] ^ 1]) + data[1:] if flips else data


def test_a_download_that_goes_wrong_once_is_repeated(world: World) -> None:
    world.upload()
    world.fetch(Flipping(world.store, lambda time, key: time == 1 and not key.endswith(layout.MANIFEST)))
    assert world.is_fetched_whole()


@pytest.mark.parametrize("part", ["images/000000", "images/000005", layout.ATTRIBUTES])
@pytest.mark.parametrize("harm", ["flipped", "cut", "longer", "gone"])
def test_damage_in_the_store_is_named_and_never_installed(world: World, part: str, harm: str) -> None:
    world.upload()
    key = layout.dataset(*world.address) + part
    data = world.store.get(key)
    if harm == "gone":
        world.store.delete(key)
    else:
        harmed = {"flipped": data[:-1] + bytes([data[-1] ^ 1]), "cut": data[:-1], "longer": data + b"x"}
        world.store.put(key, harmed[harm])
    with pytest.raises(DamagedError) as caught:
        world.fetch()
    assert f'"{key}"' in caught.value.message
    assert prepared.find_local(world.other) == []
    assert [finding.object for finding in prepared.verify_stored(world.store, *world.address)] == [key]
    world.store.delete(key)
    world.upload()  # as the hint says
    world.fetch()
    assert world.is_fetched_whole()


@pytest.mark.parametrize("name", [layout.IMAGES, layout.ATTRIBUTES])
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_damage_on_this_machine_is_named_and_not_uploaded(world: World, name: str, harm: str) -> None:
    path = world.folder / name
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if harm == "flipped" else data[:-1])
    found = prepared.verify(world.folder)
    assert [finding.object for finding in found] == [str(path)]
    with pytest.raises(DamagedError, match=name):
        prepared.require_whole(world.folder)
    with pytest.raises((DamagedError, FileNotFoundError)):
        world.upload()
    assert prepared.find_stored(world.store) == []


def test_the_range_that_is_damaged_is_named(world: World) -> None:
    path = world.folder / layout.IMAGES
    data = bytearray(path.read_bytes())
    data[3 * PART + 5] ^= 1
    path.write_bytes(data)
    assert prepared.verify(world.folder) == [Finding(object=str(path), how="is damaged in bytes 3,072 to 4,095")]


def test_a_manifest_that_lies_about_its_parts_is_found_out_by_the_digest(world: World) -> None:
    other = datasets.prepare(world.mine, seed=1)
    prepared.upload(datasets.folder_of(world.mine, other), world.store, quiet)
    for key in list(world.store.list(layout.dataset(other.name, other.digest))):
        name = key.removeprefix(layout.dataset(other.name, other.digest))
        if name != layout.MANIFEST:
            world.store.put(layout.dataset(*world.address) + name, world.store.get(key))
    lie = replace(other, digest=world.manifest.digest)
    world.store.put(layout.dataset_manifest(*world.address), lie.to_bytes())
    with pytest.raises(DamagedError, match="describes other data than its name says"):
        world.fetch()
    assert (prepared.find_local(world.other), hidden(world.other)) == ([], [])
    assert prepared.verify_stored(world.store, *world.address)


def test_a_manifest_that_lies_about_the_shape_is_found_out_by_the_first_part(world: World) -> None:
    world.upload()
    lie = replace(world.manifest, height=4, width=16)
    world.store.put(layout.dataset_manifest(*world.address), lie.to_bytes())
    with pytest.raises(DamagedError, match="another shape"):
        world.fetch()


def test_a_full_disk_is_refused_before_a_byte_is_fetched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.upload()
    watched = WatchedStore(world.store)
    monkeypatch.setattr(local, "MARGIN_BYTES", 10**18)
    with pytest.raises(FaceganError, match="MB are free"):
        world.fetch(watched)
    assert [operation.key for operation in watched.operations] == [layout.dataset_manifest(*world.address)]


def test_a_damaged_manifest_on_this_machine_is_named_with_a_way_out(world: World) -> None:
    (world.folder / layout.MANIFEST).write_bytes(b"{}")
    with pytest.raises(DamagedError) as caught:
        prepared.find_local(world.mine)
    assert "facegan-job data prepare my-faces --source PATH" in str(caught.value.hint)
    (world.folder / layout.MANIFEST).unlink()
    with pytest.raises(DamagedError, match="there is no"):
        prepared.verify(world.folder)


def test_what_is_damaged_is_passed_over_with_a_word_and_hides_no_other(world: World) -> None:
    world.upload()
    bad = datasets.fill(world.store, world.mine, seed=1)
    (datasets.folder_of(world.mine, bad) / layout.MANIFEST).write_bytes(b"{")
    world.store.put(layout.dataset_manifest(bad.name, bad.digest), b"{")
    told: list[tuple[str, str]] = []
    pass_over = lambda name, digest, _: told.append((name, digest))  # noqa: E731
    assert prepared.find_local(world.mine, None, pass_over) == [world.manifest]
    assert prepared.find_stored(world.store, None, pass_over) == [world.manifest]
    assert told == [(bad.name, bad.digest)] * 2
    with pytest.raises(DamagedError):
        prepared.find_stored(world.store)


def test_the_remedy_says_how_it_was_prepared(tmp_path: Path) -> None:
    made = datasets.prepare(tmp_path, "celeba", side=8, crop="center", domains="smiling", limit=40)
    folder = datasets.folder_of(tmp_path, made)
    (folder / layout.IMAGES).unlink()
    with pytest.raises(DamagedError) as caught:
        prepared.require_whole(folder)
    line = "facegan-job data prepare celeba --source PATH --size 8 --crop center --limit 40 --domains smiling"
    assert str(caught.value.hint).endswith(line)


def harm(folder: Path) -> None:
    """One byte, in the third part."""
    images = bytearray((folder / layout.IMAGES).read_bytes())
    images[2 * PART + 5] ^= 1
    (folder / layout.IMAGES).write_bytes(images)


def test_what_is_damaged_here_is_mended_from_the_store_and_no_more_is_fetched(world: World) -> None:
    world.upload()
    world.fetch()
    whole = contents(world.folder)
    harm(world.folder)
    watched = WatchedStore(world.store)
    assert prepared.mend(watched, *world.address, world.mine, quiet) == world.folder
    assert contents(world.folder) == whole
    assert [it.key for it in watched.operations] == [
        layout.dataset_manifest(*world.address), layout.dataset_part(*world.address, 2),
    ]  # fmt: skip
    assert hidden(world.mine) == []
    prepared.mend(watched, *world.address, world.mine, quiet)
    assert len(watched.operations) == 2, "what is whole needs no store"


def test_what_is_damaged_is_left_where_the_store_has_nothing(world: World) -> None:
    harm(world.folder)
    before = contents(world.folder)
    with pytest.raises(NotFoundError):
        prepared.mend(world.store, *world.address, world.mine, quiet)
    assert contents(world.folder) == before


def test_mending_that_breaks_off_is_a_fetch_that_goes_on(world: World) -> None:
    world.upload()
    whole = contents(world.folder)
    harm(world.folder)
    silent = SilentStore(world.store, lambda it: it.key.endswith("images/000002"))
    with pytest.raises(UnreachableError):
        prepared.mend(silent, *world.address, world.mine, quiet)
    assert not world.folder.exists(), "no reader takes what is damaged"
    watched = WatchedStore(world.store)
    prepared.fetch(watched, *world.address, world.mine, quiet)
    assert contents(world.folder) == whole
    assert len(watched.operations) == 2


def test_what_is_made_again_takes_the_place_of_what_is_damaged(world: World) -> None:
    whole = contents(world.folder)
    harm(world.folder)
    datasets.prepare(world.mine)
    assert contents(world.folder) == whole


def test_a_manifest_is_read_from_the_store_where_it_is_damaged_here(world: World) -> None:
    world.upload()
    (world.folder / layout.MANIFEST).write_bytes(b"{")
    assert prepared.read(world.mine, world.store, *world.address) == world.manifest
    world.store.delete(layout.dataset_manifest(*world.address))
    with pytest.raises(DamagedError):
        prepared.read(world.mine, world.store, *world.address)


def test_small_data_are_counted_in_small_units(world: World) -> None:
    said: list[str] = []
    prepared.upload(world.folder, world.store, said.append)
    assert said[-1] == "uploading my-faces: 8 of 8 kB"


def test_only_what_can_be_prepared_data_is_looked_at(world: World) -> None:
    for name in ("data/Not a name/x", "data/my-faces/short", "data/my-faces/.hidden", "data/empty"):
        (world.mine / name).mkdir(parents=True)
    (world.mine / "data" / "a-file").write_bytes(b"")
    assert list(prepared.list_local(world.mine)) == [world.address]
    world.upload()
    world.store.put("datasets/UPPER/x/manifest.json", b"")
    world.store.put("datasets/my-faces/short/manifest.json", b"")
    world.store.put(f"datasets/my-faces/{datasets.NOBODY}/images/000000", b"")
    assert prepared.find_stored(world.store) == [world.manifest]


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a_b", "ä", "a" * 64])
def test_a_name_that_could_leave_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be the name of a data set"):
        prepared.folder_of(tmp_path, name, datasets.NOBODY)
    with pytest.raises(BadInputError, match="is no digest"):
        prepared.folder_of(tmp_path, "a", "../..")


def test_installing_what_is_there_already_changes_nothing(world: World) -> None:
    before = contents(world.folder)
    partial = world.mine / "data" / world.manifest.name / ".again"
    shutil.copytree(world.folder, partial)
    assert prepared.install(partial, replace(world.manifest, source="another"), world.mine) == world.folder
    assert contents(world.folder) == before
